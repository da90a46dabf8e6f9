//! The fields that Gemini knows.

use serde_json::Value;

use super::ask::same;
use crate::ask::Asked;
use crate::fault::Fault;
use crate::formats::shared::Checked;
use crate::refusal::Refusal;
use crate::shape::{Kind, Misfit, Shape, bracketed};

static REQUEST: Shape = Shape(&[
    ("cachedContent", Kind::Text),
    ("contents", Kind::List(&CONTENT)),
    ("generationConfig", Kind::Of(&CONFIG)),
    ("labels", Kind::Any),
    ("model", Kind::Text),
    ("safetySettings", Kind::List(&SAFETY)),
    ("serviceTier", Kind::Any),
    ("store", Kind::Flag),
    ("systemInstruction", Kind::Of(&CONTENT)),
    ("toolConfig", Kind::Of(&TOOL_CONFIG)),
    ("tools", Kind::List(&TOOL)),
]);
static COUNT: Shape = Shape(&[
    ("contents", Kind::List(&CONTENT)),
    ("generateContentRequest", Kind::Of(&REQUEST)),
    ("generationConfig", Kind::Of(&CONFIG)),
    ("instances", Kind::Any),
    ("model", Kind::Text),
    ("systemInstruction", Kind::Of(&CONTENT)),
    ("tools", Kind::List(&TOOL)),
]);
static EMBED: Shape = Shape(&[
    ("content", Kind::Of(&CONTENT)),
    ("embedContentConfig", Kind::Any),
    ("model", Kind::Text),
    ("outputDimensionality", Kind::Number),
    ("taskType", Kind::Text),
    ("title", Kind::Text),
]);
static BATCH: Shape = Shape(&[("requests", Kind::List(&EMBED))]);
static PREDICT: Shape = Shape(&[("instances", Kind::Any), ("parameters", Kind::Any), ("labels", Kind::Any)]);
static CONTENT: Shape = Shape(&[("role", Kind::Text), ("parts", Kind::List(&PART))]);
static PART: Shape = Shape(&[
    ("codeExecutionResult", Kind::Any),
    ("executableCode", Kind::Any),
    ("fileData", Kind::Of(&FILE)),
    ("functionCall", Kind::Of(&CALL)),
    ("functionResponse", Kind::Of(&RESPONSE)),
    ("inlineData", Kind::Of(&BLOB)),
    ("mediaResolution", Kind::Any),
    ("partMetadata", Kind::Any),
    ("text", Kind::Text),
    ("thought", Kind::Flag),
    ("thoughtSignature", Kind::Text),
    ("toolCall", Kind::Any),
    ("toolResponse", Kind::Any),
    ("videoMetadata", Kind::Any),
]);
static BLOB: Shape = Shape(&[("data", Kind::Text), ("displayName", Kind::Text), ("mimeType", Kind::Text)]);
static FILE: Shape = Shape(&[("displayName", Kind::Text), ("fileUri", Kind::Text), ("mimeType", Kind::Text)]);
static CALL: Shape = Shape(&[
    ("id", Kind::Text),
    ("args", Kind::Of(&ANYTHING)),
    ("name", Kind::Text),
    ("partialArgs", Kind::Any),
    ("willContinue", Kind::Flag),
]);
static RESPONSE: Shape = Shape(&[
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("parts", Kind::Any),
    ("response", Kind::Of(&ANYTHING)),
    ("scheduling", Kind::Text),
    ("willContinue", Kind::Flag),
]);
/// An object with members of any name.
static ANYTHING: Shape = Shape(&[("*", Kind::Any)]);
static CONFIG: Shape = Shape(&[
    ("audioTimestamp", Kind::Flag),
    ("candidateCount", Kind::Number),
    ("enableAffectiveDialog", Kind::Flag),
    ("enableEnhancedCivicAnswers", Kind::Flag),
    ("frequencyPenalty", Kind::Number),
    ("imageConfig", Kind::Any),
    ("logprobs", Kind::Number),
    ("maxOutputTokens", Kind::Number),
    ("mediaResolution", Kind::Any),
    ("modelSelectionConfig", Kind::Any),
    ("presencePenalty", Kind::Number),
    ("responseFormat", Kind::Any),
    ("responseJsonSchema", Kind::Any),
    ("responseLogprobs", Kind::Flag),
    ("responseMimeType", Kind::Text),
    ("responseModalities", Kind::Texts),
    ("responseSchema", Kind::Of(&SCHEMA)),
    ("routingConfig", Kind::Any),
    ("seed", Kind::Number),
    ("speechConfig", Kind::Any),
    ("stopSequences", Kind::Texts),
    ("temperature", Kind::Number),
    ("thinkingConfig", Kind::Of(&THINKING)),
    ("topK", Kind::Number),
    ("topP", Kind::Number),
]);
static THINKING: Shape =
    Shape(&[("includeThoughts", Kind::Flag), ("thinkingBudget", Kind::Number), ("thinkingLevel", Kind::Text)]);
static SAFETY: Shape = Shape(&[("category", Kind::Text), ("method", Kind::Text), ("threshold", Kind::Text)]);
static TOOL_CONFIG: Shape = Shape(&[
    ("functionCallingConfig", Kind::Of(&CALLING)),
    ("includeServerSideToolInvocations", Kind::Flag),
    ("retrievalConfig", Kind::Any),
]);
static CALLING: Shape =
    Shape(&[("allowedFunctionNames", Kind::Texts), ("mode", Kind::Text), ("streamFunctionCallArguments", Kind::Flag)]);
static TOOL: Shape = Shape(&[
    ("codeExecution", Kind::Any),
    ("computerUse", Kind::Any),
    ("enterpriseWebSearch", Kind::Any),
    ("fileSearch", Kind::Any),
    ("functionDeclarations", Kind::List(&FUNCTION)),
    ("googleMaps", Kind::Any),
    ("googleSearch", Kind::Any),
    ("googleSearchRetrieval", Kind::Any),
    ("mcpServers", Kind::Any),
    ("retrieval", Kind::Any),
    ("urlContext", Kind::Any),
]);
static FUNCTION: Shape = Shape(&[
    ("behavior", Kind::Text),
    ("description", Kind::Text),
    ("name", Kind::Text),
    ("parameters", Kind::Of(&SCHEMA)),
    ("parametersJsonSchema", Kind::Any),
    ("response", Kind::Any),
    ("responseJsonSchema", Kind::Any),
]);
/// Not all of JSON Schema: a part of `OpenAPI`'s.
static SCHEMA: Shape = Shape(&[
    ("additionalProperties", Kind::Any),
    ("anyOf", Kind::List(&SCHEMA)),
    ("default", Kind::Any),
    ("defs", Kind::Any),
    ("description", Kind::Text),
    ("enum", Kind::Texts),
    ("example", Kind::Any),
    ("format", Kind::Text),
    ("items", Kind::Of(&SCHEMA)),
    ("maxItems", Kind::Any),
    ("maxLength", Kind::Any),
    ("maxProperties", Kind::Any),
    ("maximum", Kind::Number),
    ("minItems", Kind::Any),
    ("minLength", Kind::Any),
    ("minProperties", Kind::Any),
    ("minimum", Kind::Number),
    ("nullable", Kind::Flag),
    ("pattern", Kind::Text),
    ("properties", Kind::Map(&SCHEMA)),
    ("propertyOrdering", Kind::Texts),
    ("ref", Kind::Text),
    ("required", Kind::Texts),
    ("title", Kind::Text),
    ("type", Kind::Text),
]);

/// Refuses what there is not.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let shape = match asked.target.verb {
        "countTokens" => &COUNT,
        "embedContent" => &EMBED,
        "batchEmbedContents" => &BATCH,
        "predict" => &PREDICT,
        _ => &REQUEST,
    };
    let format = asked.target.format;
    match shape.misfit(document, |known, name| known == "*" || same(known, name)) {
        None => Ok(()),
        Some(Misfit::Unknown { at, field }) => {
            let place = if at.is_empty() { String::new() } else { format!(" at '{}'", bracketed(&at)) };
            let message = format!("Invalid JSON payload received. Unknown name \"{field}\"{place}: Cannot find field.");
            Err(Refusal::of(format, Fault::Unknown { message: &message }))
        }
        Some(Misfit::Kind { at, kind }) => {
            let message = format!("Invalid value at '{}' (TYPE_{})", bracketed(&at), kind.to_uppercase());
            Err(Refusal::invalid(format, &message))
        }
        // No list here has tags.
        Some(Misfit::Tag { .. }) => Ok(()),
    }
}
