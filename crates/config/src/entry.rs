//! One entry of `model_list`: where each of its settings may stand.

use crate::reader::{Field, Reader, Section};

/// One entry of `model_list` and what stands in for settings it does not have.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The entry itself.
    pub(crate) entry: Section<'a>,
    /// `litellm_params`.
    pub(crate) params: Section<'a>,
    /// `model_info`.
    pub(crate) info: Section<'a>,
    /// What `litellm_credential_name` names.
    credential: Section<'a>,
    /// `router_settings.default_litellm_params`.
    defaults: Section<'a>,
}

impl<'a> Entry<'a> {
    /// The entry in `entry`, with `credentials` and `defaults` for what it lacks.
    pub(crate) fn new(entry: Section<'a>, credentials: &[Section<'a>], defaults: &Section<'a>) -> Self {
        let params = entry.section("litellm_params");
        let info = entry.section("model_info");
        let credential = credential(&params, credentials);
        Self { entry, params, info, credential, defaults: defaults.clone() }
    }

    /// An entry that is nothing but `params`.
    pub(crate) fn of_params(params: Section<'a>) -> Self {
        let absent = || Section::absent(params.reader(), params.path());
        Self { entry: absent(), info: absent(), credential: absent(), defaults: absent(), params }
    }

    /// A setting of `litellm_params`.
    pub(crate) fn param(&self, key: &str) -> Option<Field<'a>> {
        self.params.get(key).or_else(|| self.credential.get(key)).or_else(|| self.defaults.get(key))
    }

    /// A limit: on the entry, else in `litellm_params`, else in `model_info`.
    pub(crate) fn limit(&self, key: &str) -> Option<Field<'a>> {
        self.entry.get(key).or_else(|| self.param(key)).or_else(|| self.info.get(key))
    }

    /// A setting that `model_info` decides when both have it.
    pub(crate) fn info_or_param(&self, key: &str) -> Option<Field<'a>> {
        self.info.get(key).or_else(|| self.param(key))
    }

    /// A setting that `litellm_params` decides when both have it.
    pub(crate) fn param_or_info(&self, key: &str) -> Option<Field<'a>> {
        self.param(key).or_else(|| self.info.get(key))
    }

    /// Every setting of `litellm_params`, defaults last.
    pub(crate) fn params(&self) -> Vec<(&'a str, Field<'a>)> {
        let mut fields: Vec<_> = self.params.fields().collect();
        for (key, field) in self.defaults.fields() {
            if !fields.iter().any(|(own, _)| *own == key) {
                fields.push((key, field));
            }
        }
        fields
    }

    /// Where problems go and variables come from.
    pub(crate) fn reader(&self) -> &'a Reader<'a> {
        self.entry.reader()
    }
}

/// The credentials of `credential_list`.
pub(crate) fn credentials<'a>(top: &Section<'a>) -> Vec<Section<'a>> {
    let items = top.get("credential_list").and_then(|field| field.items()).unwrap_or_default();
    items.iter().filter_map(Field::section).collect()
}

fn credential<'a>(params: &Section<'a>, credentials: &[Section<'a>]) -> Section<'a> {
    let absent = || Section::absent(params.reader(), "credential_list");
    let Some(field) = params.get("litellm_credential_name") else { return absent() };
    let Some(name) = field.text() else { return absent() };
    let is_it = |credential: &&Section<'a>| {
        credential.get("credential_name").and_then(|field| field.text()).as_deref() == Some(name.as_str())
    };
    match credentials.iter().find(is_it) {
        Some(credential) => credential.section("credential_values"),
        None => {
            field.warn(format!("`credential_list` has no credential {}", field.shown()), "the deployment does without");
            absent()
        }
    }
}
