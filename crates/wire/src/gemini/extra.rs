//! Fields of Google's own that clients write beside `OpenAI`'s, in `camelCase` or `snake_case`.

use crate::chat::Chat;
use crate::json::Json;
use crate::losses::Losses;

/// Those at the top of the request.
const TOP: &[&str] = &["cachedContent", "labels", "modelArmorConfig", "safetySettings", "serviceTier"];

/// Those of `generationConfig`. Its `responseFormat` is left out: it reads like `OpenAI`'s and is another thing.
const CONFIG: &[&str] = &[
    "audioTimestamp",
    "audioTranscriptionConfig",
    "candidateCount",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "imageConfig",
    "maxOutputTokens",
    "mediaResolution",
    "modelSelectionConfig",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "routingConfig",
    "speechConfig",
    "stopSequences",
    "thinkingConfig",
    "topK",
    "topP",
    "translationConfig",
];

/// Fields of `OpenAI`'s that change nothing in the reply.
const HOUSEKEEPING: &[&str] =
    &["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "stream_options", "user"];

/// The fields that have a place, by where that is.
#[derive(Debug, Default)]
pub(super) struct Extra<'a> {
    pub(super) top: Vec<(&'static str, &'a Json)>,
    pub(super) config: Vec<(&'static str, Json)>,
}

/// Sorts what `chat` has beyond the fields of all formats.
pub(super) fn sort<'a>(chat: &'a Chat, losses: &mut Losses) -> Extra<'a> {
    let mut extra = Extra::default();
    for (name, value) in &chat.extra {
        if HOUSEKEEPING.contains(&name.as_str()) {
            continue;
        }
        let google = camel_case(name);
        let known = |names: &[&'static str]| names.iter().copied().find(|known| *known == google);
        // `OpenAI`'s field of this name has other words in it.
        if name == "service_tier" {
            if !matches!(value.as_str(), "\"auto\"" | "\"default\"") {
                losses.note(name.clone(), "is not known to Gemini");
            }
        } else if let Some(name) = known(TOP) {
            extra.top.push((name, value));
        } else if let Some(name) = known(CONFIG) {
            extra.config.push((name, value.clone()));
        } else if let ("modalities", Some(modalities)) = (name.as_str(), modalities(value)) {
            extra.config.push(("responseModalities", modalities));
        } else {
            losses.note(name.clone(), "is not known to Gemini");
        }
    }
    extra
}

/// `OpenAI`'s `modalities` in Google's words, which are the same in capitals.
fn modalities(value: &Json) -> Option<Json> {
    let words: Vec<String> = serde_json::from_str(value.as_str()).ok()?;
    Some(Json::of(&words.iter().map(|word| word.to_uppercase()).collect::<Vec<_>>()))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
