//! Stable ids for deployments that name none.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use weighbridge_domain::name::DeploymentId;

use crate::entry::Entry;
use crate::include::hex;
use crate::json;

/// What makes a deployment: the same on every replica and over reloads.
const PARTS: &[&str] = &[
    "model",
    "api_base",
    "base_url",
    "api_version",
    "api_key",
    "azure_ad_token",
    "litellm_credential_name",
    "custom_llm_provider",
    "organization",
    "region_name",
    "order",
    "tags",
];

/// Further parts, which count where they are: without them an id is what it was before they were known.
const LATER_PARTS: &[&str] = &[
    "aws_access_key_id",
    "aws_bedrock_runtime_endpoint",
    "aws_profile_name",
    "aws_region_name",
    "aws_role_name",
    "client_id",
    "tenant_id",
    "vertex_credentials",
    "vertex_location",
    "vertex_project",
];

/// Gives out ids.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    seen: HashMap<String, u32>,
}

impl Identities {
    /// The id of `entry` in `group`: `model_info.id`, else a hash. Exact twins are numbered.
    pub(crate) fn of(&mut self, entry: &Entry<'_>, group: &str) -> DeploymentId {
        if let Some(id) = entry.info.get("id").and_then(|field| field.text()).filter(|id| !id.is_empty()) {
            return DeploymentId::new(id);
        }
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        // A key counts as it is written: `os.environ/NAME` stays the same when the key changes.
        let written = |part: &str| {
            entry.param(part).map(|field| match &field.node.value {
                crate::yaml::Value::Str(text) => text.clone(),
                _ => json::value(&field).to_string(),
            })
        };
        add(group);
        for part in PARTS {
            add(written(part).as_deref().unwrap_or_default());
        }
        for part in LATER_PARTS {
            if let Some(text) = written(part) {
                add(part);
                add(&text);
            }
        }
        let id = hex(&hash.finalize()[..8]);
        let twin = self.seen.entry(id.clone()).or_default();
        *twin += 1;
        if *twin == 1 {
            return DeploymentId::new(id);
        }
        let digest = Sha256::digest(format!("{id}#{twin}").as_bytes());
        DeploymentId::new(hex(&digest[..8]))
    }
}
