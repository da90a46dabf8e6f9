//! What one provider saw: counts, peaks, and the latest requests.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The counts of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Requests that arrived.
    pub requests: u64,
    /// Of these, requests that were served: their reply began.
    pub served: u64,
    /// Requests turned away with 429 by an enforced limit or by `max_in_flight`.
    pub rejected: u64,
    /// Requests that arrived above a limit, enforced or only judged, or above `max_in_flight`.
    pub violations: u64,
    /// Requests that are being answered.
    pub in_flight: u64,
    /// The most of them at the same time.
    pub max_in_flight: u64,
    /// Of these, streams.
    pub open_streams: u64,
    /// Requests whose client went away before the end of the answer.
    pub cancelled: u64,
    /// Tokens of the requests that were served.
    pub tokens: Tokens,
    /// Requests by the status they got. One that is never answered has none.
    pub by_status: BTreeMap<u16, u64>,
    /// The most requests that arrived in any interval of a second.
    pub per_second_peak: u64,
    /// The most requests that arrived in any interval of a minute.
    pub per_minute_peak: u64,
    /// The most tokens, as `reserve_max` counts them, that arrived in any interval of a minute.
    pub tokens_per_minute_peak: u64,
}

/// Tokens that were read and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub prompt: u64,
    /// Written, as far as they were sent.
    pub completion: u64,
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `POST`.
    pub method: String,
    /// The path, with the provider's name.
    pub path: String,
    /// What stood behind the `?`, or nothing.
    pub query: String,
    /// By lower-case name. Of a header that was sent twice, the last.
    pub headers: BTreeMap<String, String>,
    /// The body: what it says if it is JSON, or else a string.
    pub body: Value,
    /// Milliseconds since the simulation began.
    pub at_ms: u64,
    /// The status it got; 0 if it is never answered.
    pub status: u16,
}

/// A request, kept as cheaply as can be until somebody asks for it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A line in the books.
#[derive(Debug)]
struct Entry {
    arrival: Arrival,
    at: Duration,
    status: u16,
}

/// What one provider saw.
#[derive(Debug, Default)]
pub(crate) struct Books {
    report: Report,
    second: Peak,
    minute: Peak,
    latest: VecDeque<Entry>,
}

impl Books {
    /// A request that weighs `tokens` arrived and gets `status`.
    pub(crate) fn count(&mut self, now: Duration, tokens: u64, status: u16) {
        self.report.requests += 1;
        if status != 0 {
            *self.report.by_status.entry(status).or_default() += 1;
        }
        self.second.add(now, 0, Duration::from_secs(1));
        self.minute.add(now, tokens, Duration::from_secs(60));
    }

    /// Keeps a request for inspection, and no more than `most` of the latest.
    pub(crate) fn keep(&mut self, arrival: Arrival, at: Duration, status: u16, most: usize) {
        self.latest.push_back(Entry { arrival, at, status });
        while self.latest.len() > most {
            self.latest.pop_front();
        }
    }

    /// The counts, to be raised by what only their owner knows.
    pub(crate) fn counts(&mut self) -> &mut Report {
        &mut self.report
    }

    /// The counts, as they are.
    pub(crate) fn report(&self) -> Report {
        Report {
            per_second_peak: self.second.most,
            per_minute_peak: self.minute.most,
            tokens_per_minute_peak: self.minute.most_tokens,
            ..self.report.clone()
        }
    }

    /// The latest requests, the oldest first.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.latest.iter().map(Entry::recorded).collect()
    }

    /// Counts from zero. What is in flight stays so.
    pub(crate) fn reset(&mut self) {
        let Report { in_flight, open_streams, .. } = self.report;
        let report = Report { in_flight, open_streams, max_in_flight: in_flight, ..Report::default() };
        *self = Self { report, ..Self::default() };
    }
}

impl Entry {
    fn recorded(&self) -> Recorded {
        let Arrival { method, uri, headers, body } = &self.arrival;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        Recorded {
            method: method.to_string(),
            path: uri.path().into(),
            query: uri.query().unwrap_or_default().into(),
            headers: headers.collect(),
            body: serde_json::from_slice(body).unwrap_or_else(|_| Value::String(text(body))),
            at_ms: u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX),
            status: self.status,
        }
    }
}

/// The most that any interval of one length held.
#[derive(Debug, Default)]
struct Peak {
    live: VecDeque<(Duration, u64)>,
    tokens: u64,
    most: u64,
    most_tokens: u64,
}

impl Peak {
    fn add(&mut self, now: Duration, tokens: u64, interval: Duration) {
        while let Some((_, gone)) = self.live.front().filter(|(at, _)| *at + interval <= now) {
            self.tokens -= gone;
            self.live.pop_front();
        }
        self.live.push_back((now, tokens));
        self.tokens += tokens;
        self.most = self.most.max(self.live.len() as u64);
        self.most_tokens = self.most_tokens.max(self.tokens);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Peak;

    #[test]
    fn peaks_are_over_any_interval() {
        let mut peak = Peak::default();
        for (at_ms, tokens) in [(0, 5), (900, 1), (1800, 1), (1899, 1), (1900, 7)] {
            peak.add(Duration::from_millis(at_ms), tokens, Duration::from_secs(1));
        }
        assert_eq!((peak.most, peak.most_tokens), (3, 9), "900 to 1899, and 1800 to 1900");
    }
}
