//! The members that Bedrock knows.

use serde_json::Value;

use crate::ask::Asked;
use crate::fault::Fault;
use crate::formats::shared::Checked;
use crate::refusal::Refusal;
use crate::shape::{Kind, Misfit, Shape, bracketed};

const REQUEST: Shape = Shape(&[
    ("additionalModelRequestFields", Kind::Of(&ANYTHING)),
    ("additionalModelResponseFieldPaths", Kind::Texts),
    ("guardrailConfig", Kind::Any),
    ("inferenceConfig", Kind::Of(&INFERENCE)),
    ("messages", Kind::List(&MESSAGE)),
    ("outputConfig", Kind::Of(&OUTPUT)),
    ("performanceConfig", Kind::Any),
    ("projectIdentifier", Kind::Text),
    ("promptVariables", Kind::Any),
    ("requestMetadata", Kind::Of(&ANYTHING)),
    ("serviceTier", Kind::Any),
    ("system", Kind::List(&SYSTEM)),
    ("toolConfig", Kind::Of(&TOOL_CONFIG)),
]);
/// An object with members of any name.
const ANYTHING: Shape = Shape(&[("*", Kind::Any)]);
const INFERENCE: Shape = Shape(&[
    ("maxTokens", Kind::Number),
    ("stopSequences", Kind::Texts),
    ("temperature", Kind::Number),
    ("topP", Kind::Number),
]);
const OUTPUT: Shape = Shape(&[("effort", Kind::Text), ("textFormat", Kind::Of(&TEXT_FORMAT))]);
const TEXT_FORMAT: Shape = Shape(&[("type", Kind::Text), ("structure", Kind::Of(&STRUCTURE))]);
const STRUCTURE: Shape = Shape(&[("jsonSchema", Kind::Of(&JSON_SCHEMA))]);
const JSON_SCHEMA: Shape = Shape(&[("description", Kind::Text), ("name", Kind::Text), ("schema", Kind::Text)]);
const SYSTEM: Shape = Shape(&[("text", Kind::Text), ("guardContent", Kind::Any), ("cachePoint", Kind::Of(&CACHE))]);
const CACHE: Shape = Shape(&[("type", Kind::Text), ("ttl", Kind::Text)]);
const MESSAGE: Shape = Shape(&[("role", Kind::Text), ("content", Kind::List(&BLOCK))]);
const BLOCK: Shape = Shape(&[
    ("audio", Kind::Any),
    ("cachePoint", Kind::Of(&CACHE)),
    ("citationsContent", Kind::Any),
    ("document", Kind::Of(&DOCUMENT)),
    ("guardContent", Kind::Any),
    ("image", Kind::Of(&IMAGE)),
    ("reasoningContent", Kind::Of(&REASONING)),
    ("searchResult", Kind::Any),
    ("text", Kind::Text),
    ("toolAddition", Kind::Any),
    ("toolRemoval", Kind::Any),
    ("toolResult", Kind::Of(&TOOL_RESULT)),
    ("toolUse", Kind::Of(&TOOL_USE)),
    ("video", Kind::Any),
]);
const IMAGE: Shape = Shape(&[("format", Kind::Text), ("source", Kind::Of(&SOURCE)), ("error", Kind::Any)]);
const SOURCE: Shape =
    Shape(&[("bytes", Kind::Text), ("content", Kind::Any), ("s3Location", Kind::Any), ("text", Kind::Text)]);
const DOCUMENT: Shape = Shape(&[
    ("citations", Kind::Any),
    ("context", Kind::Text),
    ("format", Kind::Text),
    ("name", Kind::Text),
    ("source", Kind::Of(&SOURCE)),
]);
const REASONING: Shape = Shape(&[("reasoningText", Kind::Of(&REASONING_TEXT)), ("redactedContent", Kind::Text)]);
const REASONING_TEXT: Shape = Shape(&[("text", Kind::Text), ("signature", Kind::Text)]);
const TOOL_USE: Shape =
    Shape(&[("toolUseId", Kind::Text), ("name", Kind::Text), ("input", Kind::Any), ("type", Kind::Text)]);
const TOOL_RESULT: Shape =
    Shape(&[("toolUseId", Kind::Text), ("content", Kind::List(&RESULT)), ("status", Kind::Text), ("type", Kind::Text)]);
const RESULT: Shape = Shape(&[
    ("document", Kind::Of(&DOCUMENT)),
    ("image", Kind::Of(&IMAGE)),
    ("json", Kind::Any),
    ("searchResult", Kind::Any),
    ("text", Kind::Text),
    ("video", Kind::Any),
]);
const TOOL_CONFIG: Shape = Shape(&[("tools", Kind::List(&TOOL)), ("toolChoice", Kind::Of(&TOOL_CHOICE))]);
const TOOL: Shape =
    Shape(&[("toolSpec", Kind::Of(&TOOL_SPEC)), ("systemTool", Kind::Any), ("cachePoint", Kind::Of(&CACHE))]);
const TOOL_SPEC: Shape = Shape(&[
    ("description", Kind::Text),
    ("inputSchema", Kind::Of(&INPUT_SCHEMA)),
    ("name", Kind::Text),
    ("strict", Kind::Flag),
]);
const INPUT_SCHEMA: Shape = Shape(&[("json", Kind::Of(&ANYTHING))]);
const TOOL_CHOICE: Shape = Shape(&[("auto", Kind::Any), ("any", Kind::Any), ("tool", Kind::Of(&SPECIFIC))]);
const SPECIFIC: Shape = Shape(&[("name", Kind::Text)]);

/// Refuses what there is not.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let format = asked.target.format;
    match REQUEST.misfit(document, |known, name| known == "*" || known == name) {
        None => Ok(()),
        Some(Misfit::Unknown { at, field }) => {
            let place = if at.is_empty() { String::new() } else { format!("{}.", bracketed(&at)) };
            let message =
                format!("The model returned the following errors: #: extraneous key [{place}{field}] is not permitted");
            Err(Refusal::of(format, Fault::Unknown { message: &message }))
        }
        Some(Misfit::Kind { at, kind }) => {
            let message = format!("{} can not be converted to {kind}", bracketed(&at));
            Err(Refusal::of(format, Fault::Unknown { message: &message }))
        }
        // No list here has tags.
        Some(Misfit::Tag { .. }) => Ok(()),
    }
}
