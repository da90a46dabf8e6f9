//! Items as they are read: of a request's input and of a reply's output.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Content, ToolCall};
use crate::json::Json;

/// An item. Which fields it has depends on its type.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ItemJson<'a> {
    pub(super) r#type: Option<String>,
    pub(super) id: Option<String>,
    pub(super) role: Option<String>,
    /// A text or parts.
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    pub(super) call_id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    /// A text or parts.
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) summary: Option<&'a RawValue>,
    pub(super) encrypted_content: Option<String>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

/// A part of a summary or of a thought in full.
#[derive(Deserialize)]
struct TextJson {
    #[serde(default)]
    text: String,
}

/// Where Google puts the proof of a thought in `OpenAI`'s formats.
#[derive(Deserialize)]
struct ExtraJson {
    google: GoogleJson,
}

#[derive(Deserialize)]
struct GoogleJson {
    thought_signature: String,
}

impl ItemJson<'_> {
    /// The call that it is; its id is empty where the provider gave none.
    pub(super) fn call(&self) -> ToolCall {
        let extra = self.extra_content.and_then(|raw| serde_json::from_str::<ExtraJson>(raw.get()).ok());
        ToolCall {
            id: self.call_id.clone().or_else(|| self.id.clone()).unwrap_or_default(),
            name: self.name.clone().unwrap_or_default(),
            arguments: self.arguments.map(text_of).unwrap_or_default(),
            signature: extra.map(|extra| extra.google.thought_signature),
        }
    }

    /// The thought that it is; `None` when there is nothing of it.
    pub(super) fn thought(&self) -> Option<Content> {
        let signature = self.encrypted_content.clone().filter(|proof| !proof.is_empty());
        // Open models give the thought in full, others a summary of it. Once is enough.
        let texts = [self.summary, self.content].into_iter().flatten().map(texts).find(|texts| !texts.is_empty());
        match (texts, signature) {
            (Some(texts), signature) => Some(Content::Thinking { text: texts.join("\n\n"), signature }),
            (None, Some(data)) => Some(Content::RedactedThinking { data }),
            (None, None) => None,
        }
    }
}

/// The text that `raw` is, or its JSON where it should have been a text and is not.
pub(super) fn text_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

fn texts(raw: &RawValue) -> Vec<String> {
    let parts: Vec<TextJson> = serde_json::from_str(raw.get()).unwrap_or_default();
    parts.into_iter().map(|part| part.text).collect()
}

/// What proves the thought behind a call, where Google puts it.
pub(super) fn extra_of(signature: &str) -> Json {
    #[derive(serde::Serialize)]
    struct Extra<'a> {
        google: Google<'a>,
    }
    #[derive(serde::Serialize)]
    struct Google<'a> {
        thought_signature: &'a str,
    }
    Json::of(&Extra { google: Google { thought_signature: signature } })
}
