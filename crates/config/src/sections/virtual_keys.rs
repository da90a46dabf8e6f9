//! `virtual_keys`: names for credentials, which config objects and `model: "@name/model"` use without seeing them.
//!
//! A virtual key is a group of its own, `@name`, with one deployment that takes whatever model is asked for. So it has
//! limits, shows up among the deployments, and can be drained like any other.

use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::table::{LeftOut, RoutingTable};

use crate::deployment::{self, Surroundings};
use crate::entry::Entry;
use crate::identity::Identities;
use crate::objects::{NEVER_RESTS, NO_RETRIES, row_name};
use crate::reader::{Field, Section};
use crate::yaml::{Member, Node, Value};

const KEYS: &[&str] = &[
    "provider",
    "api_key",
    "custom_host",
    "api_base",
    "base_url",
    "resource_name",
    "api_version",
    "azure_ad_token",
    "azure_scope",
    "tenant_id",
    "client_id",
    "client_secret",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region_name",
    "aws_profile_name",
    "aws_role_name",
    "aws_session_name",
    "aws_external_id",
    "aws_web_identity_token",
    "aws_bedrock_runtime_endpoint",
    "vertex_project",
    "vertex_location",
    "vertex_credentials",
    // Portkey's names for some of these.
    "azure_entra_tenant_id",
    "azure_entra_client_id",
    "azure_entra_client_secret",
    "azure_entra_scope",
    "aws_region",
    "aws_role_arn",
    "vertex_project_id",
    "vertex_region",
    "vertex_service_account_json",
    "organization",
    "extra_headers",
    "rpm",
    "tpm",
    "itpm",
    "otpm",
    "max_parallel_requests",
    "burst",
    "window",
];

/// Portkey's names, and those that they have in `litellm_params`.
const OTHERWISE: &[(&str, &str)] = &[
    ("custom_host", "api_base"),
    ("azure_entra_tenant_id", "tenant_id"),
    ("azure_entra_client_id", "client_id"),
    ("azure_entra_client_secret", "client_secret"),
    ("azure_entra_scope", "azure_scope"),
    ("aws_region", "aws_region_name"),
    ("aws_role_arn", "aws_role_name"),
    ("vertex_project_id", "vertex_project"),
    ("vertex_region", "vertex_location"),
    ("vertex_service_account_json", "vertex_credentials"),
];

/// The section as entries of a deployment list, to be read like one.
pub(crate) fn entries(root: &Node) -> Vec<(String, Node)> {
    let Value::Map(sections) = &root.value else { return Vec::new() };
    let Some(section) = sections.iter().find(|member| member.key == "virtual_keys") else { return Vec::new() };
    let Value::Map(keys) = &section.node.value else { return Vec::new() };
    keys.iter().filter_map(|key| Some((key.key.clone(), entry(&key.node)?))).collect()
}

/// The settings of a virtual key under the names they have in `litellm_params`.
fn entry(key: &Node) -> Option<Node> {
    let Value::Map(members) = &key.value else { return None };
    let renamed = members.iter().map(|member| {
        let mut member = member.clone();
        match (member.key.as_str(), &member.node.value) {
            ("provider", Value::Str(name)) => {
                member.node.value = Value::Str(format!("{}/*", row_name(name)));
                "model".clone_into(&mut member.key);
            }
            ("resource_name", Value::Str(name)) => {
                member.node.value = Value::Str(format!("https://{name}.openai.azure.com"));
                "api_base".clone_into(&mut member.key);
            }
            (key, _) => {
                if let Some((_, ours)) = OTHERWISE.iter().find(|(theirs, _)| *theirs == key) {
                    (*ours).clone_into(&mut member.key);
                }
            }
        }
        member
    });
    let members: Vec<Member> = renamed.collect();
    Some(Node { place: key.place, value: Value::Map(members) })
}

/// Adds a group for every virtual key of `top`; `entries` are what [`entries`] made of them.
pub(crate) fn read<'a>(
    top: &Section<'a>,
    entries: &'a [(String, Node)],
    around: &Surroundings<'_>,
    table: &mut RoutingTable,
) {
    let Some(field) = top.get("virtual_keys") else { return };
    if field.items().is_some() {
        field.warn(
            "the section is a list, and not of the kind that is read here",
            "write virtual_keys: { name: { provider: … } }",
        );
        return;
    }
    let Some(written) = field.section() else { return };
    for (name, field) in written.fields() {
        let Some(section) = field.section() else { continue };
        section.only(KEYS);
        if name.is_empty() || name.contains('/') || name.starts_with('@') {
            field.error("the name of a virtual key holds no / and begins with no @", "clients write @name/model");
            continue;
        }
        if section.get("provider").is_none() {
            section.error("`provider` is missing", "write provider: openai");
            continue;
        }
        let Some((_, node)) = entries.iter().find(|(known, _)| known == name) else { continue };
        let params = Field { reader: top.reader(), node, path: field.path.clone() };
        let Some(params) = params.section() else { continue };
        add(name, params, around, table);
    }
}

fn add(name: &str, params: Section<'_>, around: &Surroundings<'_>, table: &mut RoutingTable) {
    let group = format!("@{name}");
    let entry = Entry::of_params(params);
    let Some(compiled) = deployment::compile_in(&entry, &group, around, &mut Identities::default()) else { return };
    let mut deployment = compiled.deployment;
    deployment.id = DeploymentId::new(group.as_str());
    deployment.quota = weighbridge_domain::name::QuotaName::new(group.as_str());
    deployment.cooldown = NEVER_RESTS;
    let deployment = std::sync::Arc::new(deployment);
    let deployments = match compiled.left_out {
        None => vec![deployment],
        Some(reason) => {
            table.add_left_out(LeftOut { deployment, reason });
            Vec::new()
        }
    };
    let group = ModelGroup { retry: NO_RETRIES, listed: false, ..ModelGroup::new(GroupName::new(group), deployments) };
    table.add_group(group);
}
