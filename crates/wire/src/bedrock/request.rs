//! Requests.

use bytes::Bytes;
use serde::Serialize;

use super::family::{Family, Thinks};
use super::fields::{self, Mood, OF_CLAUDE, Room};
use super::messages::{self, Block, Turn};
use super::tools::{self, ToolConfig};
use super::{UNKNOWN, UNKNOWN_TO_MODEL, schema};
use crate::chat::{Chat, ReplyFormat, ToolChoice};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;
use crate::ordered::Fields;

/// Fields that stand at the top under the same name.
const NATIVE: &[&str] = &[
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];
/// The model's own fields, which are joined with those that are written here.
const MODEL_FIELDS: &str = "additionalModelRequestFields";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Json>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    additional_model_request_fields: Fields<'a>,
    #[serde(flatten)]
    extra: Fields<'a>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
}

impl Inference<'_> {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

/// How JSON is asked for.
enum Output<'a> {
    Unasked,
    Native(Json),
    Tool(ToolConfig<'a>),
    /// In the instructions, in these words.
    Words(String),
}

/// Writes `chat` for `target`. The model stands in the [`super::path`], and so does whether the reply is a stream.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let family = Family::of(target.model);
    let (extra, mut model_fields) = extra(chat, family, &mut losses);
    let mut turns = messages::turns(chat, family, &mut losses);
    let mut room = Room { max_tokens: max_tokens(chat, target, &mut losses), most: target.max_output_tokens };
    let mood = fields::reasoning(chat, family, &mut room, &mut model_fields, &mut losses);
    let mut tool_config = tools::tools(chat, family, mood, &mut losses);
    let one = tool_config.as_ref().and_then(|config| tools::one_at_a_time(chat, config, family, &mut losses));
    if let Some(one) = one {
        model_fields.put("tool_choice", one);
    }
    let mut output_config = None;
    let may_use_tool = tool_config.is_none() && family.is_forced() && mood == Mood::Usual;
    match output(chat, family, may_use_tool, &mut losses) {
        Output::Unasked => {}
        Output::Native(config) => output_config = Some(config),
        Output::Tool(config) => tool_config = Some(config),
        Output::Words(words) => {
            losses.note("response_format", "is asked for in the instructions: Bedrock does not enforce it here");
            turns.system.push(Block::Text(words.into()));
        }
    }
    fields::sampling(chat, family, mood, &mut model_fields, &mut losses);
    let inference_config = inference(chat, family, room, mood, &mut losses);
    note_rest(chat, &mut losses);
    let body = Body {
        messages: turns.messages,
        system: turns.system,
        inference_config,
        tool_config,
        output_config,
        additional_model_request_fields: model_fields,
        extra,
    };
    Written { body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()), losses }
}

/// The fields that stand at the top, and those of the model.
fn extra<'a>(chat: &'a Chat, family: Family, losses: &mut Losses) -> (Fields<'a>, Fields<'a>) {
    let of_model: &[&str] = if family.is_claude() { OF_CLAUDE } else { &[] };
    let known = [NATIVE, of_model, &[MODEL_FIELDS, "service_tier"]].concat();
    let mut extra = Fields::native(chat, &known, "Bedrock", losses);
    let own = extra.take(MODEL_FIELDS).and_then(|fields| Fields::parse(fields.as_str()));
    let mut model_fields = own.unwrap_or_default();
    for name in of_model {
        if let Some(value) = extra.take(name) {
            model_fields.put(*name, value);
        }
    }
    if let Some(tier) = extra.take("service_tier") {
        match tier.as_str() {
            "\"flex\"" | "\"priority\"" if extra.get("serviceTier").is_none() => {
                extra.put("serviceTier", Json::of(&ServiceTier { r#type: &tier }));
            }
            "\"flex\"" | "\"priority\"" | "\"auto\"" | "\"default\"" | "null" => {}
            _ => losses.note("service_tier", UNKNOWN),
        }
    }
    (extra, model_fields)
}

fn output<'a>(chat: &'a Chat, family: Family, may_use_tool: bool, losses: &mut Losses) -> Output<'a> {
    let (name, description, schema) = match &chat.reply_format {
        ReplyFormat::Text => return Output::Unasked,
        ReplyFormat::JsonObject => {
            return Output::Words("Reply with a JSON object and nothing else.".to_owned());
        }
        ReplyFormat::JsonSchema { name, description, schema, .. } => (name, description.as_deref(), schema),
    };
    if family.writes_schemas() {
        let schema = schema::closed(schema, family.is_claude(), losses);
        let json_schema = JsonSchema { schema: schema.as_str(), name, description };
        let text_format = TextFormat { r#type: "json_schema", structure: Structure { json_schema } };
        return Output::Native(Json::of(&OutputConfig { text_format }));
    }
    if may_use_tool && schema.is_object() {
        return Output::Tool(tools::reply_tool(description, schema));
    }
    Output::Words(format!("Reply with JSON and nothing else. It follows this JSON schema:\n{}", schema.as_str()))
}

fn max_tokens(chat: &Chat, target: Target<'_>, losses: &mut Losses) -> Option<u32> {
    let asked = chat.max_tokens?;
    match target.max_output_tokens {
        Some(most) if asked > most => {
            losses.note("max_tokens", format!("is set to {most}, the most that this model gives"));
            Some(most)
        }
        _ => Some(asked),
    }
}

fn inference<'a>(chat: &'a Chat, family: Family, room: Room, mood: Mood, losses: &mut Losses) -> Inference<'a> {
    let mut config = Inference {
        max_tokens: room.max_tokens,
        temperature: chat.temperature,
        top_p: chat.top_p,
        stop_sequences: chat.stop.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect(),
    };
    if config.temperature.is_some_and(|temperature| temperature > 1.0) {
        losses.note("temperature", "is set to 1, the highest that Bedrock takes");
        config.temperature = Some(1.0);
    }
    let refusal = match mood {
        _ if !family.samples() => Some(UNKNOWN_TO_MODEL),
        Mood::Thinking => Some("is not taken by Claude while it thinks"),
        Mood::Usual => None,
    };
    if let Some(why) = refusal {
        // Both are 1 unasked.
        if config.temperature.take().is_some_and(|temperature| temperature < 1.0) {
            losses.note("temperature", why);
        }
        // Claude allows that much of it while it thinks.
        let kept = config.top_p.filter(|top_p| family.samples() && *top_p >= 0.95);
        if kept.is_none() && config.top_p.is_some_and(|top_p| top_p < 1.0) {
            losses.note("top_p", why);
        }
        config.top_p = kept;
    }
    if config.temperature.is_some() && !family.samples_both_ways() && config.top_p.take().is_some_and(|p| p < 1.0) {
        losses.note("top_p", "is not taken by this model on Bedrock together with temperature");
    }
    if family.thinks() == Thinks::Nova && fields::thinks_hardest(chat) {
        nova_at_its_highest(&mut config, losses);
    }
    config
}

/// Nova takes no bounds then.
fn nova_at_its_highest(config: &mut Inference<'_>, losses: &mut Losses) {
    let why = "is not taken by Nova while it thinks its hardest";
    if config.temperature.take().is_some() {
        losses.note("temperature", why);
    }
    if config.top_p.take().is_some() {
        losses.note("top_p", why);
    }
    if config.max_tokens.take().is_some() {
        losses.note("max_tokens", why);
    }
}

fn note_rest(chat: &Chat, losses: &mut Losses) {
    if chat.n.is_some_and(|n| n > 1) {
        losses.note("n", UNKNOWN);
    }
    if chat.logprobs.is_some() {
        losses.note("logprobs", UNKNOWN);
    }
    if chat.tools.is_empty() && matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
        losses.note("tool_choice", "names no tool that there is");
    }
}

#[derive(Serialize)]
struct ServiceTier<'a> {
    r#type: &'a Json,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    text_format: TextFormat<'a>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    schema: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}
