//! Requests.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::UNKNOWN;
use super::messages::{self, Message};
use crate::chat::{Chat, Reasoning, ReplyFormat, Tool, ToolChoice};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;
use crate::ordered::Fields;

/// Fields that stand at the top under the same name.
const NATIVE: &[&str] = &["format", "keep_alive", "options", "shift", "think", "truncate"];

/// Fields that stand among the options under the same name.
const OPTIONS: &[&str] = &[
    "draft_num_predict",
    "f16_kv",
    "low_vram",
    "main_gpu",
    "min_p",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "numa",
    "penalize_newline",
    "repeat_last_n",
    "repeat_penalty",
    "tfs_z",
    "typical_p",
    "use_mlock",
    "use_mmap",
];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    options: Fields<'a>,
    #[serde(flatten)]
    extra: Fields<'a>,
}

#[derive(Serialize)]
struct ToolJson<'a> {
    r#type: &'static str,
    function: FunctionJson<'a>,
}

#[derive(Serialize)]
struct FunctionJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Json,
}

/// Writes `chat` for `target`.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let mut extra = Fields::native(chat, &[NATIVE, OPTIONS].concat(), "Ollama", &mut losses);
    let messages = messages::messages(chat, &mut losses);
    let options = options(chat, &mut extra);
    // What a client says in Ollama's own words goes before what is said for it.
    let format = extra.take("format").or_else(|| format(chat));
    let think = extra.take("think").or_else(|| think(chat, target.model, &mut losses));
    let body = Body {
        model: target.model,
        messages,
        stream: chat.stream,
        tools: tools(chat, &mut losses),
        format,
        think,
        logprobs: chat.logprobs.map(|_| true),
        top_logprobs: chat.logprobs.filter(|count| *count > 0),
        options,
        extra,
    };
    note_rest(chat, &mut losses);
    Written { body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()), losses }
}

/// The client's own options, and those that others have at the top.
fn options<'a>(chat: &'a Chat, extra: &mut Fields<'a>) -> Fields<'a> {
    let mut options = Fields::default();
    let mut put = |name: &'static str, value: Option<Json>| {
        if let Some(value) = value {
            options.put(name, value);
        }
    };
    let number = |value: Option<f64>| value.map(|value| Json::of(&value));
    put("num_predict", chat.max_tokens.map(|count| Json::of(&count)));
    put("temperature", number(chat.temperature));
    put("top_p", number(chat.top_p));
    put("top_k", chat.top_k.map(|count| Json::of(&count)));
    put("seed", chat.seed.map(|seed| Json::of(&seed)));
    put("frequency_penalty", number(chat.frequency_penalty));
    put("presence_penalty", number(chat.presence_penalty));
    put("stop", (!chat.stop.is_empty()).then(|| Json::of(&chat.stop)));
    for name in OPTIONS {
        put(name, extra.take(name));
    }
    let own = extra.take("options").and_then(|own| Fields::parse(own.as_str())).unwrap_or_default();
    for (name, value) in own.0 {
        options.put(Cow::Owned(name.into_owned()), value);
    }
    options
}

fn format(chat: &Chat) -> Option<Json> {
    match &chat.reply_format {
        ReplyFormat::Text => None,
        ReplyFormat::JsonSchema { schema, .. } if schema.is_object() => Some(schema.clone()),
        ReplyFormat::JsonObject | ReplyFormat::JsonSchema { .. } => Some(Json::of(&"json")),
    }
}

/// Whether to think, and for those models that know words for it, how much.
fn think(chat: &Chat, model: &str, losses: &mut Losses) -> Option<Json> {
    let reasoning = chat.reasoning.as_ref()?;
    let knows_words = model.contains("gpt-oss");
    let effort = match reasoning {
        Reasoning::Off if knows_words => {
            losses.note("reasoning_effort", "is set to low: this model cannot but think");
            "low"
        }
        Reasoning::Off => return Some(Json::of(&false)),
        _ if !knows_words => return Some(Json::of(&true)),
        Reasoning::Adaptive => "medium",
        Reasoning::Budget(budget) => Chat::effort_of(*budget),
        Reasoning::Effort(effort) => effort,
    };
    match effort {
        "minimal" | "low" => Some(Json::of(&"low")),
        "medium" => Some(Json::of(&"medium")),
        "high" | "xhigh" | "max" => Some(Json::of(&"high")),
        _ => {
            losses.note("reasoning_effort", "is no effort that Ollama knows");
            Some(Json::of(&true))
        }
    }
}

/// The tools, of which the model may call any. Where one is named there is no other, and where none may be called none.
fn tools<'a>(chat: &'a Chat, losses: &mut Losses) -> Vec<ToolJson<'a>> {
    if chat.tools.is_empty() {
        return Vec::new();
    }
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => return Vec::new(),
        Some(ToolChoice::Required) => losses.note("tool_choice", "is left to the model: Ollama forces no call"),
        Some(ToolChoice::Named(name)) => {
            losses.note("tool_choice", "is left to the model, which is told of this tool only: Ollama forces no call");
            let named: Vec<_> = chat.tools.iter().filter(|tool| tool.name == *name).map(of).collect();
            if !named.is_empty() {
                return named;
            }
        }
    }
    chat.tools.iter().map(of).collect()
}

fn of(tool: &Tool) -> ToolJson<'_> {
    let schema = tool.parameters.clone().filter(|schema| schema.is_object() && schema.as_str() != "{}");
    let nothing = || Json::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(Json::empty_object);
    let parameters = schema.unwrap_or_else(nothing);
    let function = FunctionJson { name: &tool.name, description: tool.description.as_deref(), parameters };
    ToolJson { r#type: "function", function }
}

fn note_rest(chat: &Chat, losses: &mut Losses) {
    if chat.n.is_some_and(|n| n > 1) {
        losses.note("n", UNKNOWN);
    }
    if chat.parallel_tool_calls == Some(false) && !chat.tools.is_empty() {
        losses.note("parallel_tool_calls", UNKNOWN);
    }
}
