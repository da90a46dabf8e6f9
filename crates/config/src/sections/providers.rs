//! `providers`: rows of one's own, used as `model: acme/some-model`.

use weighbridge_domain::provider::{AuthStyle, Catalog, Known, Provider, Wire};

use crate::base_url;
use crate::reader::{Field, Section};

/// What a row may say.
const KEYS: &[&str] = &[
    "base_url",
    "api_base",
    "api_key",
    "auth_header",
    "auth_query",
    "extra_headers",
    "format",
    "key_optional",
    "responses",
    "stream_usage",
];

/// The formats by their names in YAML.
const FORMATS: &[(&str, Wire)] = &[
    ("openai", Wire::OpenAi),
    ("responses", Wire::Responses),
    ("anthropic", Wire::Anthropic),
    ("gemini", Wire::Gemini),
    ("cohere", Wire::Cohere),
    ("ollama", Wire::Ollama),
];

/// The built-in rows and those of the file.
#[derive(Debug)]
pub(crate) struct Providers<'a> {
    pub(crate) catalog: Catalog,
    rows: Vec<(&'a str, Section<'a>)>,
}

impl<'a> Providers<'a> {
    /// The rows of `catalog` and of the section `providers` of `top`.
    pub(crate) fn read(top: &Section<'a>, catalog: &Catalog) -> Self {
        let mut providers = Self { catalog: catalog.clone(), rows: Vec::new() };
        for (name, field) in top.section("providers").fields() {
            if let Some(row) = field.section() {
                providers.add(name, row);
            }
        }
        providers
    }

    /// The key that the file names for a provider.
    pub(crate) fn key(&self, provider: &str) -> Option<Field<'a>> {
        self.row(provider)?.get("api_key")
    }

    /// The headers that the file names for a provider.
    pub(crate) fn headers(&self, provider: &str) -> Option<Field<'a>> {
        self.row(provider)?.get("extra_headers")
    }

    fn row(&self, provider: &str) -> Option<&Section<'a>> {
        self.rows.iter().find(|(name, _)| *name == provider).map(|(_, row)| row)
    }

    fn add(&mut self, name: &'a str, row: Section<'a>) {
        row.only(KEYS);
        if name.contains('/') || name.is_empty() {
            row.error(
                "the name of a provider holds no /",
                "write providers: { acme: … } and use model: acme/some-model",
            );
        }
        // A row of a built-in name keeps what it does not say itself.
        let mut provider = match self.catalog.find(name) {
            Known::Served(known) => known.clone(),
            Known::MeantProbably(_) | Known::Unsupported(_) | Known::Unknown => Provider::openai_compatible(name),
        };
        let base = row.get("base_url").or_else(|| row.get("api_base"));
        if let Some(field) = &base {
            let text = field.text();
            match text.as_deref().map(|text| base_url::checked(text, &provider)) {
                Some(Some(base)) => provider.base_url = Some(base),
                Some(None) => field.error(format!("{} is no URL", field.shown()), "write https://host/v1"),
                None => {}
            }
        }
        if base.is_none() && provider.base_url.is_none() {
            row.error("`base_url` is missing", "write base_url: https://host/v1");
        }
        if let Some(wire) = row.get("format").and_then(|field| format(&field)) {
            provider.wire = wire;
            if wire == Wire::Anthropic {
                provider.auth = AuthStyle::Header("x-api-key".to_owned());
            }
        }
        if let Some(header) = row.get("auth_header").and_then(|field| field.text()) {
            provider.auth = AuthStyle::Header(header);
        }
        if let Some(parameter) = row.get("auth_query").and_then(|field| field.text()) {
            provider.auth = AuthStyle::Query(parameter);
        }
        let flag = |key: &str| row.get(key).and_then(|field| field.flag());
        provider.key_optional = flag("key_optional").unwrap_or(provider.key_optional);
        provider.stream_usage = flag("stream_usage").unwrap_or(provider.stream_usage);
        provider.responses = flag("responses").unwrap_or(provider.responses);
        self.catalog.put(provider);
        self.rows.push((name, row));
    }
}

/// The format that `field` names.
fn format(field: &Field<'_>) -> Option<Wire> {
    let text = field.text()?;
    let found = FORMATS.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        field.error(format!("there is no format {}", field.shown()), format!("write one of {}", names.join(", ")));
    }
    found.map(|(_, wire)| *wire)
}
