//! What a request in Gemini's words asks for.

use serde_json::{Value, json};

use super::{conversation, fields};
use crate::ask::{Ask, Asked, ToolChoice};
use crate::formats::shared::items;
use crate::refusal::Refusal;
use crate::target::Operation;

/// A field by its name in JSON or in the protocol buffer.
pub(super) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    let found = object.as_object().and_then(|object| object.iter().find(|(key, _)| same(name, key)));
    found.map_or(&Value::Null, |(_, value)| value)
}

/// Whether `name` means the field `known`: JSON for protocol buffers has two names for each.
pub(super) fn same(known: &str, name: &str) -> bool {
    let snake = || {
        known.chars().fold(String::new(), |mut text, letter| {
            if letter.is_ascii_uppercase() {
                text.push('_');
            }
            text.push(letter.to_ascii_lowercase());
            text
        })
    };
    known == name || (name.contains('_') && snake() == name)
}

/// Reads a request, and refuses what the API does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let document = asked.document()?;
    if asked.script.strict {
        fields::check(asked, &document)?;
    }
    match asked.target.operation {
        Operation::Embeddings => embeddings(asked, &document),
        Operation::CountTokens => {
            let inner = field(&document, "generateContentRequest");
            Ok(ask(asked, if inner.is_null() { &document } else { inner }))
        }
        _ => {
            conversation::check(asked, &document)?;
            Ok(ask(asked, &document))
        }
    }
}

fn ask(asked: &Asked<'_>, document: &Value) -> Ask {
    let mut ask = Ask::of(&asked.target);
    ask.weigh(field(document, "contents"));
    let system = field(document, "systemInstruction");
    if !system.is_null() {
        ask.weigh(system);
    }
    let config = field(document, "generationConfig");
    ask.bound(field(config, "maxOutputTokens").as_u64());
    ask.n = field(config, "candidateCount").as_u64().unwrap_or(1).clamp(1, 8);
    let declared = items(field(document, "tools")).flat_map(|tool| items(field(tool, "functionDeclarations")));
    ask.tools = declared.filter_map(|function| function["name"].as_str()).map(str::to_owned).collect();
    let calling = field(field(document, "toolConfig"), "functionCallingConfig");
    if calling["mode"] == "NONE" {
        ask.tool_choice = ToolChoice::None;
    }
    if field(config, "responseMimeType") == "application/json" {
        let schemas = ["responseJsonSchema", "responseSchema"].map(|name| field(config, name));
        let schema = schemas.into_iter().find(|schema| !schema.is_null());
        ask.schema = Some(schema.cloned().unwrap_or(Value::Bool(true)));
    }
    ask
}

/// One input, a batch of them, or the instances of a prediction.
fn embeddings(asked: &Asked<'_>, document: &Value) -> Result<Ask, Refusal> {
    let mut ask = Ask::of(&asked.target);
    let inputs: Vec<&Value> = match asked.target.verb {
        "embedContent" => vec![document],
        "batchEmbedContents" => items(&document["requests"]).collect(),
        _ => items(&document["instances"]).collect(),
    };
    for input in &inputs {
        ask.weigh(&if input["content"].is_string() { json!([input["content"]]) } else { (*input).clone() });
        ask.dimensions = field(input, "outputDimensionality").as_u64().or(ask.dimensions);
        ask.dimensions = field(field(input, "embedContentConfig"), "outputDimensionality").as_u64().or(ask.dimensions);
    }
    let parameters = &document["parameters"];
    ask.dimensions = field(parameters, "outputDimensionality").as_u64().or(ask.dimensions);
    let empty = |input: &&Value| input["content"].is_null();
    if inputs.is_empty() || inputs.iter().any(empty) {
        let message = "* EmbedContentRequest.content: content is not specified or the content is empty\n";
        return Err(Refusal::invalid(asked.target.format, message));
    }
    Ok(ask)
}
