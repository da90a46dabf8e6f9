//! One limit of a provider, as a script states it.

use std::time::Duration;

use serde::Deserialize;

/// How many requests and tokens a provider takes in a window, and how it counts them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawLimit")]
pub struct Limit {
    /// How the window moves.
    pub discipline: Discipline,
    /// The window's length.
    pub window: Duration,
    /// Requests per window.
    pub requests: Option<u64>,
    /// Tokens per window.
    pub tokens: Option<u64>,
    /// Which tokens count.
    pub charge: Charge,
    /// What is above the limit gets 429. If not, it is served and only counted.
    pub enforce: bool,
    /// Replies say in `x-ratelimit-*` headers what is left. If not, whoever keeps within the limit
    /// does so by counting for itself.
    pub announce: bool,
}

/// How a window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// Counts start from zero once per window.
    FixedMinute {
        /// How far the provider's windows are ahead of the simulation's start.
        phase: Duration,
    },
    /// No interval of the window's length holds more than the limit.
    SlidingLog,
    /// Replenished continuously, at the limit per window.
    TokenBucket {
        /// Requests it holds when full.
        burst: Option<u64>,
        /// Tokens it holds when full.
        burst_tokens: Option<u64>,
    },
}

/// Which tokens a provider counts, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// On arrival: the prompt and all that the request allows for an answer. Nothing is given back.
    #[default]
    ReserveMax,
    /// On arrival the prompt, and the answer once it is over.
    Actual,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawDiscipline {
    FixedMinute,
    SlidingLog,
    TokenBucket,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    discipline: RawDiscipline,
    phase_ms: Option<u64>,
    burst: Option<u64>,
    burst_tokens: Option<u64>,
    window_ms: Option<u64>,
    requests: Option<u64>,
    tokens: Option<u64>,
    #[serde(default)]
    charge: Charge,
    enforce: Option<bool>,
    announce: Option<bool>,
}

impl TryFrom<RawLimit> for Limit {
    type Error = &'static str;

    fn try_from(raw: RawLimit) -> Result<Self, Self::Error> {
        let bursts = raw.burst.is_some() || raw.burst_tokens.is_some();
        let discipline = match (raw.discipline, raw.phase_ms) {
            (RawDiscipline::FixedMinute, phase) if !bursts => {
                Discipline::FixedMinute { phase: Duration::from_millis(phase.unwrap_or_default()) }
            }
            (RawDiscipline::SlidingLog, None) if !bursts => Discipline::SlidingLog,
            (RawDiscipline::TokenBucket, None) => {
                Discipline::TokenBucket { burst: raw.burst, burst_tokens: raw.burst_tokens }
            }
            _ => return Err("phase_ms goes with fixed_minute, burst and burst_tokens with token_bucket"),
        };
        if raw.window_ms == Some(0) {
            return Err("window_ms is at least 1");
        }
        Ok(Self {
            discipline,
            window: Duration::from_millis(raw.window_ms.unwrap_or(60_000)),
            requests: raw.requests,
            tokens: raw.tokens,
            charge: raw.charge,
            enforce: raw.enforce.unwrap_or(true),
            announce: raw.announce.unwrap_or(true),
        })
    }
}
