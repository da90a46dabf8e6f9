//! Requests.

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
const NATIVE: &[&str] = &[
    "citation_options",
    "documents",
    "k",
    "p",
    "priority",
    "raw_prompting",
    "safety_mode",
    "stop_sequences",
    "strict_tools",
    "thinking",
];

/// Models that do not think, and refuse to be told.
const UNTHINKING: &[&str] =
    &["command-r", "command-a-03", "command-a-vision", "command-a-translate", "command-light", "aya", "c4ai"];

/// Sequences to stop at, at most.
const MOST_STOPS: usize = 5;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict_tools: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
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

#[derive(Serialize)]
struct FormatJson<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a Json>,
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_budget: Option<u32>,
}

/// Writes `chat` for `target`.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let extra = Fields::native(chat, NATIVE, "Cohere", &mut losses);
    let messages = messages::messages(chat, &mut losses);
    let (tools, tool_choice) = tools(chat, &mut losses);
    let mut body = Body {
        model: target.model,
        messages,
        stream: chat.stream,
        strict_tools: (!chat.tools.is_empty() && chat.tools.iter().all(is_strict)).then_some(true),
        response_format: None,
        thinking: thinking(chat, target.model, &mut losses),
        max_tokens: chat.max_tokens,
        temperature: bounded("temperature", chat.temperature, (0.0, 1.0), &mut losses),
        p: nucleus(chat, &mut losses),
        k: top_k(chat, &mut losses),
        frequency_penalty: penalty("frequency_penalty", chat.frequency_penalty, &mut losses),
        presence_penalty: penalty("presence_penalty", chat.presence_penalty, &mut losses),
        seed: seed(chat, &mut losses),
        stop_sequences: stops(chat, &mut losses),
        logprobs: chat.logprobs.map(|_| true),
        tools,
        tool_choice,
        extra,
    };
    body.put_format(chat, &mut losses);
    body.heed_extra();
    note_rest(chat, &mut losses);
    Written { body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()), losses }
}

impl<'a> Body<'a> {
    fn put_format(&mut self, chat: &'a Chat, losses: &mut Losses) {
        let schema = match &chat.reply_format {
            ReplyFormat::Text => return,
            ReplyFormat::JsonObject => None,
            ReplyFormat::JsonSchema { schema, .. } => Some(schema).filter(|schema| schema.is_object()),
        };
        if self.tools.is_empty() && self.extra.get("documents").is_none() {
            self.response_format = Some(FormatJson { r#type: "json_object", json_schema: schema });
            return;
        }
        losses.note(
            "response_format",
            "is asked for in the instructions: Cohere takes it without tools and documents only",
        );
        let words = schema.map_or("{}", Json::as_str);
        let words = match words {
            "{}" => "Reply with a JSON object and nothing else.".to_owned(),
            schema => format!("Reply with JSON and nothing else. It follows this JSON schema:\n{schema}"),
        };
        self.messages.insert(0, messages::instructions(words));
    }

    /// What a client says in Cohere's own words goes before what is said for it.
    fn heed_extra(&mut self) {
        let has = |name: &str| self.extra.get(name).is_some();
        let (k, p, thinking) = (has("k"), has("p"), has("thinking"));
        let (strict, stops) = (has("strict_tools"), has("stop_sequences"));
        self.k = self.k.filter(|_| !k);
        self.p = self.p.filter(|_| !p);
        self.thinking = self.thinking.take().filter(|_| !thinking);
        self.strict_tools = self.strict_tools.filter(|_| !strict);
        self.stop_sequences.retain(|_| !stops);
    }
}

/// The tools, and whether one has to be called. One that is named is called when there is no other.
fn tools<'a>(chat: &'a Chat, losses: &mut Losses) -> (Vec<ToolJson<'a>>, Option<&'static str>) {
    let all = || chat.tools.iter().map(of).collect::<Vec<_>>();
    if chat.tools.is_empty() {
        return (Vec::new(), None);
    }
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => (all(), None),
        Some(ToolChoice::None) => (all(), Some("NONE")),
        Some(ToolChoice::Required) => (all(), Some("REQUIRED")),
        Some(ToolChoice::Named(name)) => {
            let named: Vec<_> = chat.tools.iter().filter(|tool| tool.name == *name).map(of).collect();
            if named.is_empty() {
                losses.note("tool_choice", "names no tool that there is");
                return (all(), None);
            }
            (named, Some("REQUIRED"))
        }
    }
}

fn of(tool: &Tool) -> ToolJson<'_> {
    let schema = tool.parameters.clone().filter(|schema| schema.is_object() && schema.as_str() != "{}");
    let nothing = || Json::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(Json::empty_object);
    let parameters = schema.unwrap_or_else(nothing);
    let function = FunctionJson { name: &tool.name, description: tool.description.as_deref(), parameters };
    ToolJson { r#type: "function", function }
}

/// Cohere is strict about tools that require a parameter, and about all or none.
fn is_strict(tool: &Tool) -> bool {
    let fields = tool.parameters.as_ref().and_then(|schema| Fields::parse(schema.as_str()));
    let required = fields.and_then(|mut fields| fields.take("required"));
    tool.strict == Some(true) && required.is_some_and(|required| required.as_str().contains('"'))
}

fn thinking(chat: &Chat, model: &str, losses: &mut Losses) -> Option<Thinking> {
    let reasoning = chat.reasoning.as_ref()?;
    if UNTHINKING.iter().any(|name| model.contains(name)) {
        if *reasoning != Reasoning::Off {
            losses.note("reasoning_effort", "is left out: this model does not think");
        }
        return None;
    }
    let budget = match reasoning {
        Reasoning::Off => return Some(Thinking { r#type: "disabled", token_budget: None }),
        Reasoning::Adaptive => None,
        Reasoning::Budget(budget) => Some(*budget),
        Reasoning::Effort(effort) => {
            let budget = Chat::budget_of(effort);
            if budget.is_none() {
                losses.note("reasoning_effort", "is no effort that Cohere knows");
            }
            budget
        }
    };
    Some(Thinking { r#type: "enabled", token_budget: budget.filter(|budget| *budget > 0) })
}

fn bounded(path: &'static str, value: Option<f64>, (least, most): (f64, f64), losses: &mut Losses) -> Option<f64> {
    let value = value?;
    if value > most {
        losses.note(path, format!("is set to {most}, the highest that Cohere takes"));
    } else if value < least {
        losses.note(path, format!("is set to {least}, the lowest that Cohere takes"));
    }
    Some(value.clamp(least, most))
}

fn penalty(path: &'static str, value: Option<f64>, losses: &mut Losses) -> Option<f64> {
    bounded(path, value.filter(|value| *value != 0.0), (0.0, 1.0), losses)
}

/// All of it is 0.99 to Cohere, which is no loss.
fn nucleus(chat: &Chat, losses: &mut Losses) -> Option<f64> {
    let top_p = chat.top_p.map(|top_p| if top_p <= 1.0 { top_p.min(0.99) } else { top_p });
    bounded("top_p", top_p, (0.01, 0.99), losses)
}

fn top_k(chat: &Chat, losses: &mut Losses) -> Option<u32> {
    const MOST: u32 = 500;
    let top_k = chat.top_k?;
    if top_k > MOST {
        losses.note("top_k", "is set to 500, the highest that Cohere takes");
    }
    Some(top_k.min(MOST))
}

fn seed(chat: &Chat, losses: &mut Losses) -> Option<i64> {
    let seed = chat.seed?;
    if seed < 0 {
        losses.note("seed", "is less than 0, the lowest that Cohere takes");
    }
    (seed >= 0).then_some(seed)
}

fn stops<'a>(chat: &'a Chat, losses: &mut Losses) -> Vec<&'a str> {
    let mut stops: Vec<&str> = chat.stop.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect();
    if stops.len() > MOST_STOPS {
        losses.note("stop", "is cut to its first 5, the most that Cohere takes");
        stops.truncate(MOST_STOPS);
    }
    stops
}

fn note_rest(chat: &Chat, losses: &mut Losses) {
    if chat.n.is_some_and(|n| n > 1) {
        losses.note("n", UNKNOWN);
    }
    if chat.logprobs.is_some_and(|count| count > 0) {
        losses.note("top_logprobs", UNKNOWN);
    }
    if chat.parallel_tool_calls == Some(false) && !chat.tools.is_empty() {
        losses.note("parallel_tool_calls", UNKNOWN);
    }
}
