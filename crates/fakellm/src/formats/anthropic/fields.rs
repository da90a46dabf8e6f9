//! The fields that Anthropic knows.

use serde_json::Value;

use crate::ask::Asked;
use crate::fault::Fault;
use crate::format::Format;
use crate::formats::shared::Checked;
use crate::refusal::Refusal;
use crate::shape::{Kind, Misfit, Shape, dotted};
use crate::target::Operation;

const REQUEST: Shape = Shape(&[
    ("anthropic_version", Kind::Text),
    ("cache_control", Kind::Any),
    ("container", Kind::Any),
    ("context_management", Kind::Any),
    ("inference_geo", Kind::Text),
    ("max_tokens", Kind::Number),
    ("mcp_servers", Kind::Any),
    ("messages", Kind::List(&MESSAGE)),
    ("metadata", Kind::Of(&METADATA)),
    ("model", Kind::Text),
    ("output_config", Kind::Of(&OUTPUT_CONFIG)),
    ("output_format", Kind::Any),
    ("service_tier", Kind::Text),
    ("speed", Kind::Text),
    ("stop_sequences", Kind::Texts),
    ("stream", Kind::Flag),
    ("system", Kind::TextOr(&TEXT)),
    ("temperature", Kind::Number),
    ("thinking", Kind::Of(&THINKING_CONFIG)),
    ("tool_choice", Kind::Of(&TOOL_CHOICE)),
    ("tools", Kind::List(&TOOL)),
    ("top_k", Kind::Number),
    ("top_p", Kind::Number),
]);
/// What cannot be said when tokens are only counted.
const NOT_COUNTED: &[&str] = &["max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p"];
const METADATA: Shape = Shape(&[("user_id", Kind::Text)]);
const OUTPUT_CONFIG: Shape = Shape(&[("effort", Kind::Text), ("format", Kind::Of(&OUTPUT_FORMAT))]);
const OUTPUT_FORMAT: Shape = Shape(&[("type", Kind::Text), ("schema", Kind::Any)]);
const THINKING_CONFIG: Shape = Shape(&[("type", Kind::Text), ("budget_tokens", Kind::Number), ("display", Kind::Text)]);
const TOOL_CHOICE: Shape =
    Shape(&[("type", Kind::Text), ("name", Kind::Text), ("disable_parallel_tool_use", Kind::Flag)]);
/// Tools of Anthropic's own have fields of their own: those are not judged.
const TOOL: Shape = Shape(&[
    ("allowed_callers", Kind::Any),
    ("cache_control", Kind::Any),
    ("defer_loading", Kind::Flag),
    ("description", Kind::Text),
    ("eager_input_streaming", Kind::Flag),
    ("input_examples", Kind::Any),
    ("input_schema", Kind::Any),
    ("name", Kind::Text),
    ("strict", Kind::Flag),
    ("type", Kind::Text),
]);
const MESSAGE: Shape = Shape(&[("role", Kind::Text), ("content", Kind::Tagged(BLOCKS))]);
const BLOCKS: &[(&str, &Shape)] = &[
    ("text", &TEXT),
    ("image", &IMAGE),
    ("document", &DOCUMENT),
    ("search_result", &SEARCH_RESULT),
    ("thinking", &THINKING),
    ("redacted_thinking", &REDACTED),
    ("tool_use", &TOOL_USE),
    ("tool_result", &TOOL_RESULT),
];
const TEXT: Shape =
    Shape(&[("type", Kind::Text), ("text", Kind::Text), ("cache_control", Kind::Any), ("citations", Kind::Any)]);
const IMAGE: Shape = Shape(&[
    ("type", Kind::Text),
    ("source", Kind::Of(&SOURCE)),
    ("cache_control", Kind::Any),
    ("transformations", Kind::Any),
]);
const SOURCE: Shape = Shape(&[
    ("type", Kind::Text),
    ("data", Kind::Text),
    ("media_type", Kind::Text),
    ("url", Kind::Text),
    ("file_id", Kind::Text),
    ("content", Kind::Any),
]);
const DOCUMENT: Shape = Shape(&[
    ("type", Kind::Text),
    ("source", Kind::Of(&SOURCE)),
    ("cache_control", Kind::Any),
    ("citations", Kind::Any),
    ("context", Kind::Text),
    ("title", Kind::Text),
]);
const SEARCH_RESULT: Shape = Shape(&[
    ("type", Kind::Text),
    ("content", Kind::List(&TEXT)),
    ("source", Kind::Text),
    ("title", Kind::Text),
    ("cache_control", Kind::Any),
    ("citations", Kind::Any),
]);
const THINKING: Shape = Shape(&[("type", Kind::Text), ("thinking", Kind::Text), ("signature", Kind::Text)]);
const REDACTED: Shape = Shape(&[("type", Kind::Text), ("data", Kind::Text)]);
const TOOL_USE: Shape = Shape(&[
    ("type", Kind::Text),
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("input", Kind::Any),
    ("cache_control", Kind::Any),
    ("caller", Kind::Any),
]);
const TOOL_RESULT: Shape = Shape(&[
    ("type", Kind::Text),
    ("tool_use_id", Kind::Text),
    ("content", Kind::Tagged(RESULTS)),
    ("is_error", Kind::Flag),
    ("cache_control", Kind::Any),
]);
const RESULTS: &[(&str, &Shape)] =
    &[("text", &TEXT), ("image", &IMAGE), ("document", &DOCUMENT), ("search_result", &SEARCH_RESULT)];

/// Refuses what there is not.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let format = asked.target.format;
    let extra = |name: &str| {
        let message = format!("{name}: Extra inputs are not permitted");
        Err(Refusal::of(format, Fault::Unknown { message: &message }))
    };
    let counts = asked.target.operation == Operation::CountTokens;
    if let Some(name) = NOT_COUNTED.iter().find(|name| counts && document.get(**name).is_some()) {
        return extra(name);
    }
    // At Google the path names the model, but for counting.
    let stray = match format {
        Format::VertexAnthropic if counts => None,
        Format::VertexAnthropic => Some("model"),
        _ => Some("anthropic_version"),
    };
    if let Some(stray) = stray.filter(|stray| document.get(stray).is_some()) {
        return extra(stray);
    }
    let mut document = document.clone();
    if let Some(tools) = document["tools"].as_array_mut() {
        tools.retain(|tool| matches!(tool["type"].as_str(), None | Some("custom")));
    }
    match REQUEST.misfit(&document, |known, name| known == name) {
        None => Ok(()),
        Some(Misfit::Unknown { at, field }) if at.is_empty() => extra(&field),
        Some(Misfit::Unknown { at, field }) => extra(&format!("{}.{field}", dotted(&at))),
        Some(Misfit::Kind { at, kind }) => {
            Err(Refusal::invalid(format, &format!("{}: Input should be a valid {}", dotted(&at), kind_name(kind))))
        }
        Some(Misfit::Tag { at, tag }) => {
            let at = dotted(&at);
            let message = format!("{at}: Input tag '{tag}' found using 'type' does not match any of the expected tags");
            Err(Refusal::invalid(format, &message))
        }
    }
}

fn kind_name(kind: &'static str) -> &'static str {
    match kind {
        "array" => "list",
        "object" => "dictionary",
        kind => kind,
    }
}
