//! The parameters that the Responses API knows.

use serde_json::Value;

use crate::ask::Asked;
use crate::fault::Fault;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;
use crate::shape::{Kind, Misfit, Shape, bracketed};

const REQUEST: Shape = Shape(&[
    ("access_programs", Kind::Any),
    ("background", Kind::Flag),
    ("background_options", Kind::Any),
    ("context_management", Kind::Any),
    ("conversation", Kind::Any),
    ("image", Kind::Any),
    ("include", Kind::Texts),
    ("input", Kind::Any),
    ("instructions", Kind::Text),
    ("max_output_tokens", Kind::Number),
    ("max_tool_calls", Kind::Number),
    ("metadata", Kind::Any),
    ("model", Kind::Text),
    ("moderation", Kind::Any),
    ("parallel_tool_calls", Kind::Flag),
    ("previous_response_id", Kind::Text),
    ("prompt", Kind::Any),
    ("prompt_cache_key", Kind::Text),
    ("prompt_cache_options", Kind::Any),
    ("prompt_cache_retention", Kind::Text),
    ("reasoning", Kind::Of(&REASONING)),
    ("safety_identifier", Kind::Text),
    ("service_tier", Kind::Text),
    ("store", Kind::Flag),
    ("stream", Kind::Flag),
    ("stream_options", Kind::Of(&STREAM_OPTIONS)),
    ("temperature", Kind::Number),
    ("text", Kind::Of(&TEXT)),
    ("tool_choice", Kind::Any),
    ("tools", Kind::Any),
    ("top_logprobs", Kind::Number),
    ("top_p", Kind::Number),
    ("truncation", Kind::Text),
    ("user", Kind::Text),
]);
const REASONING: Shape = Shape(&[
    ("context", Kind::Text),
    ("effort", Kind::Text),
    ("generate_summary", Kind::Text),
    ("mode", Kind::Text),
    ("summary", Kind::Text),
]);
const STREAM_OPTIONS: Shape = Shape(&[("include_obfuscation", Kind::Flag)]);
const TEXT: Shape = Shape(&[("format", Kind::Of(&FORMAT)), ("verbosity", Kind::Text)]);
const FORMAT: Shape = Shape(&[
    ("description", Kind::Text),
    ("name", Kind::Text),
    ("schema", Kind::Any),
    ("strict", Kind::Flag),
    ("type", Kind::Text),
]);
const FUNCTION: Shape = Shape(&[
    ("allowed_callers", Kind::Any),
    ("defer_loading", Kind::Flag),
    ("description", Kind::Text),
    ("name", Kind::Text),
    ("output_schema", Kind::Any),
    ("parameters", Kind::Any),
    ("strict", Kind::Flag),
    ("type", Kind::Text),
]);
/// What the API for chat has, and where it is here.
const MOVED: &[(&str, &str)] = &[
    ("messages", "input"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("response_format", "text.format"),
];
/// The fewest tokens that an answer may be bounded to.
const TOKENS_MIN: i64 = 16;

/// Refuses what there is not, and what must be there.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let refuse = |message: String, param: &str, code: &str| {
        let fault = Fault::Invalid { message: &message, param: Some(param), code: Some(code) };
        Err(Refusal::of(asked.target.format, fault))
    };
    let missing =
        |param: &str| refuse(format!("Missing required parameter: '{param}'."), param, "missing_required_parameter");
    let moved = MOVED.iter().find(|(name, _)| document.get(*name).is_some());
    if let Some((name, place)) = moved.filter(|(name, _)| asked.script.strict || *name == "messages") {
        let message =
            format!("Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{place}'.");
        return refuse(message, name, "unsupported_parameter");
    }
    if let Some(name) = ["model", "input"].into_iter().find(|name| document[*name].is_null()) {
        return missing(name);
    }
    let functions = || items(&document["tools"]).enumerate().filter(|(_, tool)| tool["type"] == "function");
    if let Some((at, _)) = functions().find(|(_, tool)| !tool["name"].is_string()) {
        return missing(&format!("tools[{at}].name"));
    }
    let format = &document["text"]["format"];
    if let Some(name) =
        ["name", "schema"].into_iter().find(|name| format["type"] == "json_schema" && format[*name].is_null())
    {
        return missing(&format!("text.format.{name}"));
    }
    if !asked.script.strict {
        return Ok(());
    }
    let most = document["max_output_tokens"].as_i64();
    if let Some(most) = most.filter(|most| *most < TOKENS_MIN) {
        let message = format!(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {TOKENS_MIN}, but got {most} instead."
        );
        return refuse(message, "max_output_tokens", "integer_below_min_value");
    }
    let whole = REQUEST.misfit(document, |known, name| known == name).map(|misfit| (String::new(), misfit));
    let misfit = whole.or_else(|| {
        functions()
            .find_map(|(at, tool)| Some((format!("tools[{at}]."), FUNCTION.misfit(tool, |known, name| known == name)?)))
    });
    match misfit {
        None => Ok(()),
        Some((start, Misfit::Unknown { at, field })) => {
            let place = if at.is_empty() { start } else { format!("{start}{}.", bracketed(&at)) };
            let param = format!("{place}{field}");
            refuse(format!("Unknown parameter: '{param}'."), &param, "unknown_parameter")
        }
        Some((_, Misfit::Tag { .. })) => Ok(()),
        Some((start, Misfit::Kind { at, kind })) => {
            let param = format!("{start}{}", bracketed(&at));
            refuse(format!("Invalid type for '{param}': expected {kind}."), &param, "invalid_type")
        }
    }
}
