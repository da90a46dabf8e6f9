//! Requests as Anthropic wants them.

use serde::{Deserialize, Serialize, Serializer};

use super::FIELDS;
use super::model::Model;
use super::part::Part;
use super::read::thinking_of;
use super::sampling::Sampling;
use super::thinking::{Thinking, ThinkingJson};
use super::tools::{ToolChoiceJson, tool_choice, tools};
use super::turns::{Turn, Turns};
use crate::chat::{Chat, Reasoning, ReplyFormat};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;

/// Fields of `OpenAI`'s that change nothing about a reply.
const HOUSEKEEPING: &[&str] =
    &["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "stream_options", "user"];
/// Fields of the API that may stand in [`Chat::extra`]; the others are written from their places.
const PASSED: &[&str] = &[
    "billing_policy",
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "prefill",
    "speed",
    "thread",
];

/// Writes `chat` for `target`.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let model = Model::of(target.model);
    let mut extra = Extra::of(chat, &mut losses);
    let mut turns = Turns::of(chat, model, &mut losses);
    let reasoning = extra.thinking.take().or_else(|| chat.reasoning.clone());
    let thinking = Thinking::of(chat, reasoning.as_ref(), target, turns.keeps_thoughts(), &mut losses);
    let schema = schema(chat, model, &mut turns.system, &mut losses);
    let sampling = Sampling::of(chat, model, &thinking, &mut losses);
    note_unknown(chat, &mut losses);
    let body = Body {
        model: target.model,
        max_tokens: thinking.max_tokens,
        system: turns.system,
        messages: turns.messages,
        tools: all_tools(chat),
        tool_choice: tool_choice(chat, &thinking, &mut losses),
        thinking: thinking.config,
        output_config: OutputConfigJson::of(thinking.effort, schema),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: stop_sequences(chat, &mut losses),
        metadata: chat.user.clone().or(extra.user).map(|user_id| MetadataJson { user_id }),
        service_tier: extra.service_tier,
        stream: chat.stream,
        passed: Passed(extra.passed),
    };
    // Nothing in it can fail to be printed.
    let body = serde_json::to_vec(&body).unwrap_or_default().into();
    Written { body, losses }
}

/// Those of the client, and those that Anthropic runs itself.
fn all_tools(chat: &Chat) -> Vec<Json> {
    let native = chat.native_tools.iter().filter(|tool| tool.is_of_anthropic()).map(|tool| tool.json.clone());
    tools(chat).iter().map(Json::of).chain(native).collect()
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Part<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfigJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    passed: Passed<'a>,
}

#[derive(Serialize)]
struct OutputConfigJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatJson<'a>>,
}

#[derive(Serialize)]
struct FormatJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a Json,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetadataJson {
    user_id: String,
}

/// Fields that go through as they are.
struct Passed<'a>(Vec<(&'a str, &'a Json)>);

impl Serialize for Passed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// What of [`Chat::extra`] the API knows.
#[derive(Default)]
struct Extra<'a> {
    thinking: Option<Reasoning>,
    user: Option<String>,
    service_tier: Option<&'static str>,
    passed: Vec<(&'a str, &'a Json)>,
}

impl<'a> Extra<'a> {
    fn of(chat: &'a Chat, losses: &mut Losses) -> Self {
        let mut extra = Self::default();
        for (name, json) in &chat.extra {
            let is_nothing = matches!(json.as_str(), "null" | "false" | "[]" | "{}" | "\"\"");
            match (name.as_str(), json.as_str()) {
                _ if is_nothing => {}
                ("thinking", raw) if let Ok(thinking) = thinking_of(raw) => extra.thinking = Some(thinking),
                // Both `OpenAI` and Anthropic have it, and mean different things by it.
                ("metadata", raw) => extra.user = serde_json::from_str(raw).ok().map(|json: MetadataJson| json.user_id),
                ("service_tier", "\"auto\"") => extra.service_tier = Some("auto"),
                ("service_tier", "\"default\"" | "\"standard_only\"") => extra.service_tier = Some("standard_only"),
                (name, _) if PASSED.contains(&name) => extra.passed.push((name, json)),
                (name, _) if HOUSEKEEPING.contains(&name) => {}
                (name, _) if FIELDS.contains(&name) => {
                    losses.note(name.to_owned(), "has a value that Anthropic does not take");
                }
                (name, _) => losses.note(name.to_owned(), "is not known to Anthropic"),
            }
        }
        extra
    }
}

impl<'a> OutputConfigJson<'a> {
    fn of(effort: Option<&'static str>, schema: Option<&'a Json>) -> Option<Self> {
        let format = schema.map(|schema| FormatJson { kind: "json_schema", schema });
        (effort.is_some() || format.is_some()).then_some(Self { effort, format })
    }
}

/// The schema of the reply. What the API cannot hold the model to is asked of it.
fn schema<'a>(chat: &'a Chat, model: Model, system: &mut Vec<Part<'a>>, losses: &mut Losses) -> Option<&'a Json> {
    let ask = match &chat.reply_format {
        ReplyFormat::Text => return None,
        ReplyFormat::JsonSchema { schema, .. } if model.takes_schema() => return Some(schema),
        ReplyFormat::JsonSchema { schema, .. } => {
            format!("Reply with nothing but JSON that follows this schema: {}", schema.as_str())
        }
        ReplyFormat::JsonObject => "Reply with nothing but one JSON object.".to_owned(),
    };
    losses.note("response_format", "is asked for in the system prompt: Anthropic does not enforce it here");
    system.push(Part::text(ask));
    None
}

fn stop_sequences<'a>(chat: &'a Chat, losses: &mut Losses) -> Vec<&'a str> {
    let mut kept = Vec::with_capacity(chat.stop.len());
    for (at, text) in chat.stop.iter().enumerate() {
        if text.trim().is_empty() {
            losses.note(format!("stop[{at}]"), "is left out: Anthropic takes no blank one");
        } else {
            kept.push(text.as_str());
        }
    }
    kept
}

/// Notes the settings that the API does not have.
fn note_unknown(chat: &Chat, losses: &mut Losses) {
    let is_set = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    let unknown = [
        ("frequency_penalty", is_set(chat.frequency_penalty)),
        ("presence_penalty", is_set(chat.presence_penalty)),
        ("seed", chat.seed.is_some()),
        ("n", chat.n.is_some_and(|n| n > 1)),
        ("logprobs", chat.logprobs.is_some()),
    ];
    for (path, _) in unknown.into_iter().filter(|(_, is_set)| *is_set) {
        losses.note(path, "is not known to Anthropic");
    }
}

#[cfg(test)]
mod tests;
