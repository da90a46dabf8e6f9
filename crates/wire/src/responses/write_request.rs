//! A request to a provider.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::object::{ItemOut, print};
use super::write_items::write_turn;
use crate::chat::{Chat, Content, Reasoning, ReplyFormat, Role, Tool, ToolChoice};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;

/// Further fields that the API has under these names.
const NATIVE: &[&str] = &[
    "access_programs",
    "context_management",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "truncation",
];

/// Fields that go elsewhere, or ask for what is not done here anyway.
const SILENT: &[&str] = &["store", "stream_options", "verbosity", "reasoning_summary"];

/// The least `max_output_tokens` that is taken.
const LEAST_TOKENS: u32 = 16;

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<ItemOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    store: bool,
    #[serde(flatten)]
    extra: Extra<'a>,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Json,
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChoiceOut<'a> {
    Word(&'static str),
    Named { r#type: &'static str, name: &'a str },
}

#[derive(Serialize)]
struct TextOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a Json>,
}

#[derive(Serialize)]
struct FormatOut<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ReasoningOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a Json>,
}

/// Further fields as they came.
struct Extra<'a>(Vec<(&'a str, &'a Json)>);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// `chat` as a request for `target`. Nothing is to be stored there.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let (instructions, rest) = instructions(chat);
    let mut input = Vec::with_capacity(chat.messages.len());
    for (at, message) in chat.messages.iter().enumerate().skip(rest) {
        write_turn(message, at, &mut input, &mut losses);
    }
    note_unknown(chat, &mut losses);
    let request = RequestOut {
        model: target.model,
        instructions,
        input,
        tools: chat.tools.iter().map(tool).collect(),
        tool_choice: chat.tool_choice.as_ref().filter(|_| !chat.tools.is_empty()).map(choice),
        parallel_tool_calls: chat.parallel_tool_calls.filter(|_| !chat.tools.is_empty()),
        text: text(chat),
        reasoning: reasoning(chat),
        max_output_tokens: max_tokens(chat, target, &mut losses),
        temperature: chat.temperature,
        top_p: chat.top_p,
        top_logprobs: chat.logprobs.filter(|top| *top > 0),
        include: include(chat),
        user: chat.user.as_deref(),
        stream: chat.stream,
        store: false,
        extra: extra(chat, &mut losses),
    };
    Written { body: print(&request), losses }
}

/// The text of a first message of instructions, and how many messages that is. What has several parts stays a message, and
/// something has to be left to answer to.
fn instructions(chat: &Chat) -> (Option<&str>, usize) {
    let Some(first) = chat.messages.first().filter(|_| chat.messages.len() > 1) else { return (None, 0) };
    match (first.role, first.blocks.as_slice()) {
        (Role::System, [block]) => match &block.content {
            Content::Text(text) => (Some(text), 1),
            _ => (None, 0),
        },
        _ => (None, 0),
    }
}

fn tool(tool: &Tool) -> ToolOut<'_> {
    ToolOut {
        r#type: "function",
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: tool.parameters.clone().unwrap_or_else(no_parameters),
        // Left out, it would be true here and false everywhere else.
        strict: tool.strict.unwrap_or_default(),
    }
}

fn no_parameters() -> Json {
    Json::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(Json::empty_object)
}

fn choice(choice: &ToolChoice) -> ChoiceOut<'_> {
    match choice {
        ToolChoice::Auto => ChoiceOut::Word("auto"),
        ToolChoice::None => ChoiceOut::Word("none"),
        ToolChoice::Required => ChoiceOut::Word("required"),
        ToolChoice::Named(name) => ChoiceOut::Named { r#type: "function", name },
    }
}

fn text(chat: &Chat) -> Option<TextOut<'_>> {
    let of = |r#type| FormatOut { r#type, name: None, description: None, schema: None, strict: None };
    let format = match &chat.reply_format {
        ReplyFormat::Text => None,
        ReplyFormat::JsonObject => Some(of("json_object")),
        ReplyFormat::JsonSchema { name, description, schema, strict } => Some(FormatOut {
            name: Some(name),
            description: description.as_deref(),
            schema: Some(schema),
            strict: *strict,
            ..of("json_schema")
        }),
    };
    let verbosity = named(chat, "verbosity");
    (format.is_some() || verbosity.is_some()).then_some(TextOut { format, verbosity })
}

fn reasoning(chat: &Chat) -> Option<ReasoningOut<'_>> {
    let effort = match chat.reasoning.as_ref() {
        None | Some(Reasoning::Adaptive) => None,
        Some(Reasoning::Off) => Some("none"),
        Some(Reasoning::Effort(effort)) => Some(effort.as_str()),
        Some(Reasoning::Budget(budget)) => Some(Chat::effort_of(*budget)),
    };
    let summary = named(chat, "reasoning_summary");
    (effort.is_some() || summary.is_some()).then_some(ReasoningOut { effort, summary })
}

fn max_tokens(chat: &Chat, target: Target<'_>, losses: &mut Losses) -> Option<u32> {
    let asked = chat.max_tokens?;
    let most = target.max_output_tokens.unwrap_or(u32::MAX).max(LEAST_TOKENS);
    if asked < LEAST_TOKENS {
        losses.note("max_tokens", format!("is set to {LEAST_TOKENS}, the lowest that the responses API takes"));
    } else if asked > most {
        losses.note("max_tokens", format!("is set to {most}, the highest that {} takes", target.model));
    }
    Some(asked.clamp(LEAST_TOKENS, most))
}

fn include(chat: &Chat) -> Vec<&'static str> {
    // Models that do not think refuse to be asked for it.
    let thinks = chat.reasoning.as_ref().is_some_and(|reasoning| *reasoning != Reasoning::Off);
    let thoughts = thinks.then_some("reasoning.encrypted_content");
    thoughts.into_iter().chain(chat.logprobs.map(|_| "message.output_text.logprobs")).collect()
}

fn note_unknown(chat: &Chat, losses: &mut Losses) {
    let is_set = |penalty: Option<f64>| penalty.is_some_and(|value| value != 0.0);
    let unknown = [
        ("top_k", chat.top_k.is_some()),
        ("frequency_penalty", is_set(chat.frequency_penalty)),
        ("presence_penalty", is_set(chat.presence_penalty)),
        ("seed", chat.seed.is_some()),
        ("stop", !chat.stop.is_empty()),
        ("n", chat.n.is_some_and(|n| n > 1)),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, is_asked)| *is_asked) {
        losses.note(name, "is not known to the responses API");
    }
}

fn named<'a>(chat: &'a Chat, name: &str) -> Option<&'a Json> {
    chat.extra.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn extra<'a>(chat: &'a Chat, losses: &mut Losses) -> Extra<'a> {
    let mut sent = Vec::new();
    for (name, value) in &chat.extra {
        if NATIVE.contains(&name.as_str()) {
            sent.push((name.as_str(), value));
        } else if !SILENT.contains(&name.as_str()) {
            losses.note(name.clone(), "is not known to the responses API");
        }
    }
    Extra(sent)
}
