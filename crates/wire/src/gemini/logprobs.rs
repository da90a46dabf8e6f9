//! Log probabilities in `OpenAI`'s form.

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// Google's form: a list of the tokens chosen, and beside it a list of lists of the likeliest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogprobsResult {
    chosen_candidates: Option<Vec<Candidate>>,
    top_candidates: Option<Vec<TopCandidates>>,
}

#[derive(Debug, Deserialize)]
struct TopCandidates {
    candidates: Option<Vec<Candidate>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    token: Option<String>,
    log_probability: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Logprobs<'a> {
    content: Vec<Token<'a>>,
}

#[derive(Debug, Serialize)]
struct Token<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Self>>,
}

impl LogprobsResult {
    /// The same as `OpenAI` writes it; `None` when it says nothing.
    pub(super) fn to_openai(&self) -> Option<Json> {
        let chosen = self.chosen_candidates.as_deref().filter(|chosen| !chosen.is_empty())?;
        let tops = self.top_candidates.as_deref().unwrap_or_default();
        let content = chosen.iter().enumerate().map(|(place, candidate)| {
            let top = tops.get(place).and_then(|top| top.candidates.as_deref()).unwrap_or_default();
            Token { top_logprobs: Some(top.iter().map(token).collect()), ..token(candidate) }
        });
        Some(Json::of(&Logprobs { content: content.collect() }))
    }
}

fn token(candidate: &Candidate) -> Token<'_> {
    let token = candidate.token.as_deref().unwrap_or_default();
    // A probability of 1 is written as nothing at all.
    Token { token, logprob: candidate.log_probability.unwrap_or(0.0), bytes: token.as_bytes(), top_logprobs: None }
}
