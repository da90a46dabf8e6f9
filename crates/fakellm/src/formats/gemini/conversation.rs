//! What a conversation with Gemini must be like.

use serde_json::Value;

use super::ask::field;
use crate::ask::Asked;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;

/// Refuses conversations that the API refuses.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let contents: Vec<_> = items(field(document, "contents")).collect();
    let found = forms(&contents)
        .or_else(|| bounds(document))
        .or_else(|| calls(&contents))
        .or_else(|| signatures(&asked.target.model(), &contents));
    match found {
        None => Ok(()),
        Some(message) => Err(Refusal::invalid(asked.target.format, &message)),
    }
}

fn forms(contents: &[&Value]) -> Option<String> {
    if contents.is_empty() {
        return Some("* GenerateContentRequest.contents: contents is not specified\n".into());
    }
    for (at, content) in contents.iter().enumerate() {
        if !matches!(content["role"].as_str(), None | Some("user" | "model" | "function")) {
            return Some("Please use a valid role: user, model.".into());
        }
        let mut parts = items(&content["parts"]).peekable();
        if parts.peek().is_none() {
            return Some(format!("* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n"));
        }
        for (place, part) in parts.enumerate() {
            if ![
                "text",
                "inlineData",
                "fileData",
                "functionCall",
                "functionResponse",
                "executableCode",
                "codeExecutionResult",
            ]
            .iter()
            .any(|kind| !field(part, kind).is_null())
            {
                return Some(format!(
                    "* GenerateContentRequest.contents[{at}].parts[{place}].data: required oneof field 'data' must have \
                     one initialized field\n"
                ));
            }
        }
    }
    None
}

fn bounds(document: &Value) -> Option<String> {
    let config = field(document, "generationConfig");
    let above = |name: &str, most: f64| field(config, name).as_f64().filter(|value| *value > most || *value < 0.0);
    if let Some(value) = above("temperature", 2.0) {
        return Some(format!(
            "Unable to submit request because it has a temperature value of {value} but the supported range is from 0 (inclusive) to 2 (inclusive)."
        ));
    }
    if let Some(value) = above("topP", 1.0) {
        return Some(format!(
            "Unable to submit request because it has a topP value of {value} but the supported range is from 0 (inclusive) to 1 (inclusive)."
        ));
    }
    if field(config, "maxOutputTokens").as_i64().is_some_and(|most| most < 1) {
        return Some("max_output_tokens must be positive.".into());
    }
    let json = matches!(field(config, "responseMimeType").as_str(), Some("application/json" | "text/x.enum"));
    let schema = ["responseSchema", "responseJsonSchema"].iter().any(|name| !field(config, name).is_null());
    if schema && !json {
        return Some("response_mime_type must be set to application/json when response_schema is set.".into());
    }
    let has_tools = items(field(document, "tools")).next().is_some();
    let mode = field(field(field(document, "toolConfig"), "functionCallingConfig"), "mode");
    if mode == "ANY" && !has_tools {
        return Some("Function calling mode is ANY but no function_declarations are set.".into());
    }
    None
}

/// Calls are answered in the next turn, each of them, and answers come right after their calls.
fn calls(contents: &[&Value]) -> Option<String> {
    let mut open: Option<usize> = None;
    for turn in contents.chunk_by(|a, b| is_model(a) == is_model(b)) {
        let count = |kind: &str| {
            turn.iter().flat_map(|content| items(&content["parts"])).filter(|part| !field(part, kind).is_null()).count()
        };
        let (calls, responses) = (count("functionCall"), count("functionResponse"));
        match open {
            None if responses > 0 => {
                return Some(
                    "Please ensure that function response turn comes immediately after a function call turn.".into(),
                );
            }
            Some(calls) if calls != responses => {
                return Some(
                    "Please ensure that the number of function response parts is equal to the number of function call \
                     parts of the function call turn."
                        .into(),
                );
            }
            _ => {}
        }
        if calls > 0 && !is_model(turn[0]) {
            return Some("Please ensure that function call turn comes immediately after a user turn or after a function response turn.".into());
        }
        open = (calls > 0).then_some(calls);
    }
    let first = contents.first().filter(|first| is_model(first));
    if let Some(first) = first
        && items(&first["parts"]).any(|part| !field(part, "functionCall").is_null())
    {
        return Some("Please ensure that function call turn comes immediately after a user turn or after a function response turn.".into());
    }
    open.map(|_| "Please ensure that function call turn is followed by a function response turn.".into())
}

/// Gemini 3 wants the signature of the first call of each step since the user last spoke.
fn signatures(model: &str, contents: &[&Value]) -> Option<String> {
    if !model.starts_with("gemini-3") {
        return None;
    }
    let speaks = |content: &&Value| !is_model(content) && items(&content["parts"]).any(|part| !part["text"].is_null());
    let from = contents.iter().rposition(speaks)?;
    for (at, content) in contents.iter().enumerate().skip(from).filter(|(_, content)| is_model(content)) {
        let mut parts = items(&content["parts"]).enumerate();
        let first = parts.find(|(_, part)| !field(part, "functionCall").is_null());
        if let Some((place, part)) = first
            && field(part, "thoughtSignature").as_str().is_none_or(str::is_empty)
        {
            let name = field(part, "functionCall")["name"].as_str().unwrap_or_default();
            return Some(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
                 correctly. Function call `default_api:{name}`, position {} of content {at}.",
                place + 1
            ));
        }
    }
    None
}

fn is_model(content: &Value) -> bool {
    content["role"] == "model"
}
