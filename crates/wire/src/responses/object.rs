//! What is written: items, their parts, and the response object around them.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use weighbridge_domain::usage::Usage;

use super::echo::Echo;
use super::item::extra_of;
use crate::chat::ToolCall;
use crate::format::Labels;
use crate::json::Json;

/// An item, of an input or an output.
#[derive(Serialize, Default)]
pub(super) struct ItemOut<'a> {
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<Vec<PartOut<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encrypted_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<Json>,
}

/// A text, or parts.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ContentOut<'a> {
    Text(&'a str),
    Parts(Vec<PartOut<'a>>),
}

/// A part of a message, a summary or a tool's output.
#[derive(Serialize, Default)]
pub(super) struct PartOut<'a> {
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<&'a [Json]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image_url: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<&'a str>,
}

/// The response object.
#[derive(Serialize)]
pub(super) struct ResponseOut<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created_at: u64,
    pub(super) status: &'static str,
    pub(super) error: Option<ErrorOut<'a>>,
    pub(super) incomplete_details: Option<IncompleteOut>,
    pub(super) model: &'a str,
    pub(super) output: Vec<ItemOut<'a>>,
    pub(super) usage: Option<UsageOut>,
    #[serde(flatten)]
    pub(super) echo: &'a Echo,
}

/// Why a response failed.
#[derive(Serialize, Clone, Copy)]
pub(super) struct ErrorOut<'a> {
    pub(super) code: &'static str,
    pub(super) message: &'a str,
}

/// Why it is not whole.
#[derive(Serialize)]
pub(super) struct IncompleteOut {
    pub(super) reason: &'static str,
}

/// What it used.
#[derive(Serialize)]
pub(super) struct UsageOut {
    input_tokens: u32,
    input_tokens_details: InputDetailsOut,
    output_tokens: u32,
    output_tokens_details: OutputDetailsOut,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetailsOut {
    cached_tokens: u32,
    cache_write_tokens: u32,
}

#[derive(Serialize)]
struct OutputDetailsOut {
    reasoning_tokens: u32,
}

impl UsageOut {
    pub(super) fn of(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputDetailsOut {
                cached_tokens: usage.cache_read_tokens,
                cache_write_tokens: usage.cache_write_tokens,
            },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputDetailsOut { reasoning_tokens: usage.reasoning_tokens },
            total_tokens: usage.total_tokens(),
        }
    }
}

/// An item of an output as it grows.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) status: &'static str,
    pub(super) body: Body,
}

/// What the item is.
#[derive(Debug)]
pub(super) enum Body {
    /// A summary, where there is one, and what proves the thought.
    Thought {
        summary: Option<String>,
        proof: Option<String>,
    },
    Message(Vec<Part>),
    Call(ToolCall),
}

/// A part of a message.
#[derive(Debug)]
pub(super) enum Part {
    Text { text: String, logprobs: Vec<Json> },
    Refusal(String),
}

impl Item {
    pub(super) fn new(body: Body, at: usize, labels: &Labels, status: &'static str) -> Self {
        let prefix = match body {
            Body::Thought { .. } => "rs",
            Body::Message(_) => "msg",
            Body::Call(_) => "fc",
        };
        Self { id: format!("{prefix}_{}{at}", seed(labels)), status, body }
    }

    pub(super) fn out(&self) -> ItemOut<'_> {
        let id = Some(self.id.as_str());
        match &self.body {
            // Of thoughts the API tells no status, and takes none back.
            Body::Thought { summary, proof } => ItemOut {
                r#type: "reasoning",
                id,
                summary: Some(summary.iter().map(|text| PartOut::summary(text)).collect()),
                encrypted_content: proof.as_deref(),
                ..ItemOut::default()
            },
            Body::Message(parts) => ItemOut {
                r#type: "message",
                id,
                status: Some(self.status),
                role: Some("assistant"),
                content: Some(ContentOut::Parts(parts.iter().map(Part::out).collect())),
                ..ItemOut::default()
            },
            Body::Call(call) => ItemOut {
                r#type: "function_call",
                id,
                status: Some(self.status),
                call_id: Some(call.id.as_str().into()),
                name: Some(&call.name),
                arguments: Some(&call.arguments),
                extra_content: call.signature.as_deref().map(extra_of),
                ..ItemOut::default()
            },
        }
    }
}

impl Part {
    pub(super) fn out(&self) -> PartOut<'_> {
        match self {
            Self::Text { text, logprobs } => PartOut {
                r#type: "output_text",
                text: Some(text),
                annotations: Some([]),
                logprobs: Some(logprobs),
                ..PartOut::default()
            },
            Self::Refusal(refusal) => PartOut { r#type: "refusal", refusal: Some(refusal), ..PartOut::default() },
        }
    }
}

impl<'a> PartOut<'a> {
    pub(super) fn summary(text: &'a str) -> Self {
        Self { r#type: "summary_text", text: Some(text), ..Self::default() }
    }
}

/// The letters and digits of the request's id: ids of its response and items are made of them.
fn seed(labels: &Labels) -> String {
    labels.request_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// The id of the response: the provider's when it is of this API, one made of the request's otherwise.
pub(super) fn response_id(given: Option<&str>, labels: &Labels) -> String {
    match given {
        Some(id) if id.starts_with("resp_") => id.to_owned(),
        _ => format!("resp_{}", seed(labels)),
    }
}

/// The entries of log probabilities as chat completions write them (`{"content":[…]}`).
pub(super) fn logprob_entries(logprobs: &Json) -> Vec<Json> {
    #[derive(serde::Deserialize)]
    struct Logprobs {
        content: Option<Vec<Json>>,
    }
    serde_json::from_str::<Logprobs>(logprobs.as_str()).ok().and_then(|it| it.content).unwrap_or_default()
}

/// The reverse: log probabilities of the lists of entries in `raws`; `None` when there are no entries.
pub(super) fn logprobs_of(raws: &[&RawValue]) -> Option<Json> {
    #[derive(Serialize)]
    struct Logprobs {
        content: Vec<Json>,
    }
    let content: Vec<Json> =
        raws.iter().filter_map(|raw| serde_json::from_str::<Vec<Json>>(raw.get()).ok()).flatten().collect();
    (!content.is_empty()).then(|| Json::of(&Logprobs { content }))
}

/// `value` as JSON. What is written here always can be.
pub(super) fn print(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
