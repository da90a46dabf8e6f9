//! Replies with embeddings, as providers write them.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::{Embed, Vectors};
use crate::failure::in_band;
use crate::format::{Format, Labels};

/// Everything that one of the providers writes.
#[derive(Deserialize)]
struct ReplyJson<'a> {
    /// Gemini's `[{values}]`; Ollama's and Cohere's `[[…]]`; Cohere's `{float: [[…]]}`.
    #[serde(borrow, default)]
    embeddings: Option<&'a RawValue>,
    /// Vertex AI's.
    #[serde(default)]
    predictions: Option<Vec<PredictionJson>>,
    /// Titan's `[…]`; Vertex AI's `{values}`, for one input.
    #[serde(borrow, default)]
    embedding: Option<&'a RawValue>,
    /// Titan's again, where a type was asked for.
    #[serde(rename = "embeddingsByType", default)]
    embeddings_by_type: Option<TitanByTypeJson>,
    #[serde(rename = "inputTextTokenCount", default)]
    input_text_token_count: Option<u32>,
    /// Ollama's.
    #[serde(default)]
    prompt_eval_count: Option<u32>,
    /// Google's, of either API.
    #[serde(rename = "usageMetadata", default)]
    usage_metadata: Option<UsageMetadataJson>,
    /// Cohere's.
    #[serde(default)]
    meta: Option<MetaJson>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PredictionJson {
    embeddings: PredictedJson,
}

#[derive(Deserialize)]
struct PredictedJson {
    values: Vec<f32>,
    #[serde(default)]
    statistics: Option<StatisticsJson>,
}

#[derive(Deserialize)]
struct StatisticsJson {
    /// Google writes a number with a point.
    #[serde(default)]
    token_count: f64,
}

#[derive(Deserialize)]
struct UsageMetadataJson {
    #[serde(rename = "promptTokenCount", default)]
    prompt_token_count: Option<u32>,
}

#[derive(Deserialize)]
struct MetaJson {
    #[serde(default)]
    billed_units: Option<UnitsJson>,
}

#[derive(Deserialize)]
struct UnitsJson {
    #[serde(default)]
    input_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct ValuesJson {
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct ByTypeJson {
    float: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct TitanByTypeJson {
    #[serde(default)]
    float: Option<Vec<f32>>,
}

/// Reads a reply of status 200 from a provider that speaks `format`.
///
/// # Errors
/// `BrokenReply` when it is not one, or has not a vector for each input; what the provider means when it is an error.
pub fn read_reply(format: Format, body: &[u8], embed: &Embed, labels: &Labels) -> Result<Vectors, Failure> {
    let broken = |what: &str| Failure::new(FailureKind::BrokenReply, format!("the provider's reply {what}"));
    // Google's errors may come in a list of one. Tried first: a list also reads as a struct.
    let listed = serde_json::from_slice::<Vec<ReplyJson<'_>>>(body).ok().and_then(|mut all| all.pop());
    let json = match listed {
        Some(json) => json,
        None => serde_json::from_slice(body).map_err(|_| broken("holds no embeddings"))?,
    };
    if let Some(error) = json.error.filter(|error| error.get() != "null") {
        let error = format!("{{\"error\":{}}}", error.get());
        return Err(in_band(&error, Bytes::from(error.clone())));
    }
    let found =
        vectors(&json).ok_or_else(|| broken(&format!("holds no embeddings of {} ({format:?})", labels.model)))?;
    if found.len() != embed.inputs.len() {
        return Err(broken(&format!("holds {} embeddings for {} inputs", found.len(), embed.inputs.len())));
    }
    // JSON has no word for what is beyond 32 bits: the client would get null.
    if found.iter().flatten().any(|number| !number.is_finite()) {
        return Err(broken("holds a number that is too large"));
    }
    let prompt_tokens = tokens(&json);
    let usage = (prompt_tokens > 0).then(|| Usage { prompt_tokens, ..Usage::default() });
    Ok(Vectors { vectors: found, usage })
}

fn vectors(json: &ReplyJson<'_>) -> Option<Vec<Vec<f32>>> {
    if let Some(predictions) = &json.predictions {
        return Some(predictions.iter().map(|prediction| prediction.embeddings.values.clone()).collect());
    }
    if let Some(raw) = json.embedding.map(RawValue::get) {
        let plain = serde_json::from_str(raw).ok();
        let vector = plain.or_else(|| Some(serde_json::from_str::<ValuesJson>(raw).ok()?.values))?;
        return Some(vec![vector]);
    }
    if let Some(vector) = json.embeddings_by_type.as_ref().and_then(|by_type| by_type.float.clone()) {
        return Some(vec![vector]);
    }
    let raw = json.embeddings?.get();
    if let Ok(plain) = serde_json::from_str(raw) {
        return Some(plain);
    }
    if let Ok(by_type) = serde_json::from_str::<ByTypeJson>(raw) {
        return Some(by_type.float);
    }
    let values: Vec<ValuesJson> = serde_json::from_str(raw).ok()?;
    Some(values.into_iter().map(|item| item.values).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of tokens; the cast saturates")]
fn tokens(json: &ReplyJson<'_>) -> u32 {
    let predicted =
        json.predictions.iter().flatten().filter_map(|prediction| prediction.embeddings.statistics.as_ref());
    let predicted: f64 = predicted.map(|statistics| statistics.token_count).sum();
    let billed = json.meta.as_ref().and_then(|meta| meta.billed_units.as_ref()?.input_tokens);
    let google = json.usage_metadata.as_ref().and_then(|usage| usage.prompt_token_count);
    let counted = json.input_text_token_count.or(json.prompt_eval_count).or(google);
    counted.unwrap_or(billed.unwrap_or(predicted) as u32)
}
