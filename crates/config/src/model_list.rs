//! `model_list`: every entry compiled and gathered into groups.

use std::collections::HashMap;

use weighbridge_domain::limits::Limits;
use weighbridge_domain::name::QuotaName;

use crate::deployment::{self, Compiled, Surroundings};
use crate::entry::{self, Entry};
use crate::groups::Draft;
use crate::identity::Identities;
use crate::layers::{Layers, ROUTER_ONLY};
use crate::reader::{Field, Section};

/// The groups of the file, in its order.
pub(crate) fn read(top: &Section<'_>, layers: &Layers<'_>, around: &Surroundings<'_>) -> Vec<Draft> {
    let Some(items) = items(top) else { return Vec::new() };
    let credentials = entry::credentials(top);
    let defaults = layers.get("default_litellm_params", ROUTER_ONLY).and_then(|field| field.section());
    let defaults = defaults.unwrap_or_else(|| Section::absent(top.reader(), "router_settings.default_litellm_params"));
    let strict = layers.get("ignore_invalid_deployments", ROUTER_ONLY).and_then(|field| field.flag()) == Some(false);
    let mut drafts = Drafts::default();
    let mut ids = Identities::default();
    let mut quotas = Quotas::default();
    for item in &items {
        let Some(section) = item.section() else { continue };
        let entry = Entry::new(section, &credentials, &defaults);
        let Some(compiled) = deployment::compile(&entry, around, &mut ids) else { continue };
        if let (Some(reason), true) = (&compiled.left_out, strict) {
            entry.params.error(reason.as_str(), "`ignore_invalid_deployments: false` asks for every deployment");
        }
        quotas.check(&entry, &compiled);
        drafts.add(item, compiled);
    }
    drafts.groups
}

fn items<'a>(top: &Section<'a>) -> Option<Vec<Field<'a>>> {
    let Some(field) = top.get("model_list") else {
        if top.fields().any(|(key, _)| key == "model_list") {
            top.warn("`model_list` is empty", "no model can be asked for");
            return None;
        }
        if ["proxy_config", "data", "apiVersion"].iter().any(|key| top.get(key).is_some()) {
            let hint = "this looks like a Helm values file or a ConfigMap; pass the configuration inside it";
            top.error("there is no `model_list`", hint);
        } else {
            let hint = "no model can be asked for; write model_list: [{ model_name: …, litellm_params: { model: provider/name } }]";
            top.warn("there is no `model_list`", hint);
        }
        return None;
    };
    let items = field.items();
    match &items {
        None => field.error(format!("{} stands where a list is meant", field.shown()), "write `- model_name: …`"),
        Some(items) if items.is_empty() => field.warn("`model_list` is empty", "no model can be asked for"),
        Some(_) => {}
    }
    items
}

/// The limits of the first deployment of each quota group.
#[derive(Default)]
struct Quotas(HashMap<QuotaName, Limits>);

impl Quotas {
    /// Warns of limits that are not those of the quota group: a provider has one of each.
    fn check(&mut self, entry: &Entry<'_>, compiled: &Compiled) {
        let deployment = &compiled.deployment;
        let Some(field) = entry.limit("quota_group") else { return };
        let first = self.0.entry(deployment.quota.clone()).or_insert(deployment.limits);
        let parts = |limits: &Limits| [limits.rpm, limits.tpm, limits.itpm, limits.otpm];
        if parts(first) != parts(&deployment.limits) {
            let hint = "each deployment is held against its own limits by what all of the group use";
            field.warn(format!("not all of the quota group {} have the same limits", field.shown()), hint);
        }
    }
}

#[derive(Default)]
struct Drafts {
    groups: Vec<Draft>,
    by_name: HashMap<String, usize>,
    ids: HashMap<String, usize>,
}

impl Drafts {
    fn add(&mut self, item: &Field<'_>, compiled: Compiled) {
        let id = compiled.deployment.id.to_string();
        let name = compiled.deployment.group.to_string();
        if let Some(group) = self.ids.get(&id) {
            item.warn(format!("the id {id:?} stands twice"), "the later deployment takes the place of the earlier");
            self.groups[*group].members.retain(|member| member.deployment.id.as_str() != id);
        }
        let next = self.groups.len();
        let at = *self.by_name.entry(name.clone()).or_insert(next);
        if at == next {
            self.groups.push(Draft { name, members: Vec::new(), lent_by: None });
        }
        self.ids.insert(id, at);
        self.groups[at].members.push(compiled);
    }
}
