//! A client's request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::parts::unreadable;
use super::read_items::read_input;
use super::tools::{read_tool_choice, read_tools};
use crate::chat::{Chat, Content, Message, Reasoning, ReplyFormat, Role};
use crate::format::Unreadable;
use crate::json::Json;

/// Fields that ask for nothing that another format could say, or that ask this router to keep something, which it does not.
const IGNORED: &[&str] = &["store", "stream_options", "max_tool_calls", "background_options"];

/// Values that say what is so anyway.
const USUAL: &[(&str, &str)] = &[("truncation", "\"disabled\""), ("service_tier", "\"auto\"")];

/// What a client asks for.
///
/// # Errors
/// When the request cannot be understood, or needs something that was kept before.
pub fn read_request(body: &[u8]) -> Result<Chat, Unreadable> {
    let mut fields = Fields::of(body)?;
    refuse_what_was_kept(&mut fields)?;
    let model: Option<String> = fields.read("model", "the name of a model")?;
    let model = model.ok_or_else(|| unreadable("model", "is missing"))?;
    let mut chat = Chat { model, ..Chat::default() };
    let instructions: Option<String> = fields.read("instructions", "a text")?;
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        chat.messages.push(Message::of(Role::System, Content::Text(text)));
    }
    let input = fields.take("input");
    read_input(input.ok_or_else(|| unreadable("input", "expected a text or a list of items"))?, &mut chat)?;
    read_numbers(&mut fields, &mut chat)?;
    if let Some(tools) = fields.read_raw("tools")? {
        read_tools(&tools, &mut chat)?;
    }
    if let Some(choice) = fields.take("tool_choice") {
        read_tool_choice(choice, &mut chat)?;
    }
    read_text(&mut fields, &mut chat)?;
    read_reasoning(&mut fields, &mut chat)?;
    keep_the_rest(fields, &mut chat)?;
    Ok(chat)
}

fn refuse_what_was_kept(fields: &mut Fields<'_>) -> Result<(), Unreadable> {
    let whole = "this router keeps no responses: send the whole conversation in `input`";
    for name in ["previous_response_id", "conversation"] {
        if fields.take(name).is_some() {
            return Err(unreadable(name, format!("refers to what was said before, and {whole}")));
        }
    }
    if fields.take("prompt").is_some() {
        let problem =
            "refers to a stored prompt, and this router keeps none: send its text in `instructions` and `input`";
        return Err(unreadable("prompt", problem));
    }
    if fields.read("background", "true or false")? == Some(true) {
        let problem = "asks for a response to be fetched later, and this router keeps none: wait for it, or stream it";
        return Err(unreadable("background", problem));
    }
    Ok(())
}

fn read_numbers(fields: &mut Fields<'_>, chat: &mut Chat) -> Result<(), Unreadable> {
    chat.max_tokens = fields.read("max_output_tokens", "a number of tokens")?;
    chat.temperature = fields.read("temperature", "a number")?;
    chat.top_p = fields.read("top_p", "a number")?;
    chat.parallel_tool_calls = fields.read("parallel_tool_calls", "true or false")?;
    chat.stream = fields.read("stream", "true or false")?.unwrap_or_default();
    let include: Vec<String> = fields.read("include", "a list of names")?.unwrap_or_default();
    let top: Option<u32> = fields.read("top_logprobs", "a number")?;
    if include.iter().any(|name| name == "message.output_text.logprobs") {
        chat.logprobs = Some(top.unwrap_or_default());
    }
    chat.user = fields.read("user", "a text")?;
    if chat.user.is_none() {
        chat.user = fields.read("safety_identifier", "a text")?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct TextJson {
    #[serde(default)]
    format: Option<FormatJson>,
    #[serde(default)]
    verbosity: Option<Json>,
}

#[derive(Deserialize)]
struct FormatJson {
    r#type: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    schema: Option<Json>,
    #[serde(default)]
    strict: Option<bool>,
}

fn read_text(fields: &mut Fields<'_>, chat: &mut Chat) -> Result<(), Unreadable> {
    let Some(text) = fields.read::<TextJson>("text", "an object with a `format`")? else { return Ok(()) };
    if let Some(verbosity) = text.verbosity.filter(|it| it.as_str() != "null") {
        chat.extra.push(("verbosity".to_owned(), verbosity));
    }
    let Some(format) = text.format else { return Ok(()) };
    chat.reply_format = match format.r#type.as_str() {
        "text" => ReplyFormat::Text,
        "json_object" => ReplyFormat::JsonObject,
        "json_schema" => ReplyFormat::JsonSchema {
            name: format.name.unwrap_or_else(|| "reply".to_owned()),
            description: format.description,
            schema: format.schema.ok_or_else(|| unreadable("text.format.schema", "is missing"))?,
            strict: format.strict,
        },
        kind => {
            let problem = format!("is \"{kind}\"; expected text, json_object or json_schema");
            return Err(unreadable("text.format.type", problem));
        }
    };
    Ok(())
}

#[derive(Deserialize)]
struct ReasoningJson {
    #[serde(default)]
    effort: Option<String>,
}

fn read_reasoning(fields: &mut Fields<'_>, chat: &mut Chat) -> Result<(), Unreadable> {
    let reasoning: Option<ReasoningJson> = fields.read("reasoning", "an object with an `effort`")?;
    chat.reasoning = reasoning.and_then(|reasoning| reasoning.effort).map(|effort| match effort.as_str() {
        "none" => Reasoning::Off,
        _ => Reasoning::Effort(effort),
    });
    Ok(())
}

fn keep_the_rest(fields: Fields<'_>, chat: &mut Chat) -> Result<(), Unreadable> {
    for (name, raw) in fields.0 {
        let is_usual = USUAL.contains(&(&name, raw.get()));
        if raw.get() == "null" || is_usual || IGNORED.contains(&name.as_str()) {
            continue;
        }
        let json = Json::parse(raw.get()).ok_or_else(|| unreadable(&name, "is not JSON"))?;
        chat.extra.push((name, json));
    }
    Ok(())
}

/// The fields of a request that nobody has read yet.
struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn of(body: &'a [u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| unreadable("body", format!("is not a JSON object: {error}")))
    }

    /// The field `name`; null is as none.
    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name).filter(|raw| raw.get() != "null")
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<Option<T>, Unreadable> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| unreadable(name, format!("expected {expected}")))
    }

    fn read_raw(&mut self, name: &str) -> Result<Option<Vec<&'a RawValue>>, Unreadable> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| unreadable(name, "expected a list"))
    }
}
