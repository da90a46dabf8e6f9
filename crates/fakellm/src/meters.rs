//! All limits of one provider: what a request may take, and what it is told about it.

use std::time::Duration;

use crate::limit::{Charge, Discipline, Limit};
use crate::window::{Fits, Window};

/// A provider's limits and what was taken of them.
#[derive(Debug, Clone)]
pub(crate) struct Meters(Vec<Meter>);

#[derive(Debug, Clone)]
struct Meter {
    limit: Limit,
    requests: Option<Window>,
    tokens: Option<Window>,
}

/// What a request weighs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Tokens of the prompt.
    pub(crate) prompt: u64,
    /// Tokens it allows for the answer.
    pub(crate) reserve: u64,
}

/// What the limits say to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// It is within all limits.
    Within,
    /// It is above a limit that is only judged.
    Above,
    /// It is above a limit that is enforced.
    Rejected(Exceeded),
}

/// Which limit a request is above.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// `requests` or `tokens`.
    pub(crate) unit: &'static str,
    /// The limit.
    pub(crate) limit: u64,
    /// Until it would fit; the whole window if it never does.
    pub(crate) wait: Duration,
}

/// What is left of a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// `requests` or `tokens`.
    pub(crate) unit: &'static str,
    /// The limit.
    pub(crate) limit: u64,
    /// What is left of it.
    pub(crate) left: u64,
    /// Until the whole limit is free again.
    pub(crate) until_full: Duration,
}

impl Meters {
    /// Empty meters.
    pub(crate) fn new(limits: &[Limit]) -> Self {
        Self(limits.iter().map(Meter::new).collect())
    }

    /// Weighs a request and charges it, unless it is rejected. A limit that it is above is not
    /// charged: so a limit that is only judged counts just the requests an enforcing provider
    /// would have turned away.
    pub(crate) fn weigh(&mut self, now: Duration, load: Load) -> Weighed {
        let found: Vec<_> = self.0.iter_mut().map(|meter| meter.exceeded(now, load)).collect();
        let enforced = self.0.iter().zip(&found).any(|(meter, exceeded)| meter.limit.enforce && exceeded.is_some());
        if enforced {
            let rejecting = self.0.iter().zip(found).filter(|(meter, _)| meter.limit.enforce);
            let longest = rejecting.filter_map(|(_, exceeded)| exceeded).max_by_key(|exceeded| exceeded.wait);
            return longest.map_or(Weighed::Above, Weighed::Rejected);
        }
        for (meter, _) in self.0.iter_mut().zip(&found).filter(|(_, exceeded)| exceeded.is_none()) {
            meter.charge(now, load);
        }
        if found.iter().all(Option::is_none) { Weighed::Within } else { Weighed::Above }
    }

    /// Charges an answer, where it counts once it is over.
    pub(crate) fn settle(&mut self, now: Duration, completion: u64) {
        for meter in self.0.iter_mut().filter(|meter| meter.limit.charge == Charge::Actual) {
            if let Some(window) = &mut meter.tokens {
                window.take(now, completion);
            }
        }
    }

    /// What is left, of the first limit of each kind that is announced.
    pub(crate) fn allowances(&mut self, now: Duration) -> Vec<Allowance> {
        let mut announced: Vec<_> = self.0.iter_mut().filter(|meter| meter.limit.announce).collect();
        let requests = announced.iter_mut().find_map(|meter| meter.requests.as_mut());
        let requests = requests.map(|window| Allowance::new("requests", window, now));
        let tokens = announced.iter_mut().find_map(|meter| meter.tokens.as_mut());
        requests.into_iter().chain(tokens.map(|window| Allowance::new("tokens", window, now))).collect()
    }
}

impl Allowance {
    fn new(unit: &'static str, window: &mut Window, now: Duration) -> Self {
        let until_full = match window.fits(now, window.capacity()) {
            Fits::Now | Fits::Never => Duration::ZERO,
            Fits::After(wait) => wait,
        };
        Self { unit, limit: window.limit(), left: window.left(now), until_full }
    }
}

impl Meter {
    fn new(limit: &Limit) -> Self {
        let (burst, burst_tokens) = match limit.discipline {
            Discipline::TokenBucket { burst, burst_tokens } => (burst, burst_tokens),
            Discipline::FixedMinute { .. } | Discipline::SlidingLog => (None, None),
        };
        let window =
            |most: Option<u64>, burst| most.map(|most| Window::new(limit.discipline, most, burst, limit.window));
        Self {
            requests: window(limit.requests, burst),
            tokens: window(limit.tokens, burst_tokens),
            limit: limit.clone(),
        }
    }

    fn exceeded(&mut self, now: Duration, load: Load) -> Option<Exceeded> {
        let tokens = self.tokens_on_arrival(load);
        let longest = self.limit.window;
        let check = |unit, window: &mut Option<Window>, amount| {
            let window = window.as_mut()?;
            let wait = match window.fits(now, amount) {
                Fits::Now => return None,
                Fits::After(wait) => wait,
                Fits::Never => longest,
            };
            Some(Exceeded { unit, limit: window.limit(), wait })
        };
        let requests = check("requests", &mut self.requests, 1);
        let tokens = check("tokens", &mut self.tokens, tokens);
        requests.into_iter().chain(tokens).max_by_key(|exceeded| exceeded.wait)
    }

    fn charge(&mut self, now: Duration, load: Load) {
        let tokens = self.tokens_on_arrival(load);
        for (window, amount) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some(window) = window {
                window.take(now, amount);
            }
        }
    }

    fn tokens_on_arrival(&self, load: Load) -> u64 {
        match self.limit.charge {
            Charge::ReserveMax => load.prompt + load.reserve,
            Charge::Actual => load.prompt,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Allowance, Exceeded, Load, Meters, Weighed};
    use crate::script::ProviderScript;

    fn meters(limits: &str) -> Meters {
        Meters::new(&ProviderScript::from_yaml(&format!("limits: {limits}")).unwrap().limits)
    }

    const LOAD: Load = Load { prompt: 10, reserve: 20 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_limit_with_the_longest_wait_rejects() {
        let mut meters =
            meters("[{discipline: sliding_log, requests: 1, window_ms: 1000}, {discipline: sliding_log, tokens: 30}]");
        assert_eq!(meters.weigh(at(0), LOAD), Weighed::Within);
        let exceeded = Exceeded { unit: "tokens", limit: 30, wait: at(60) };
        assert_eq!(meters.weigh(at(0), LOAD), Weighed::Rejected(exceeded));
        assert_eq!(meters.weigh(at(60), LOAD), Weighed::Within);
    }

    #[test]
    fn what_is_rejected_takes_nothing() {
        let mut meters =
            meters("[{discipline: sliding_log, requests: 2}, {discipline: sliding_log, tokens: 40, enforce: true}]");
        assert_eq!(meters.weigh(at(0), LOAD), Weighed::Within);
        assert!(matches!(meters.weigh(at(1), LOAD), Weighed::Rejected(_)));
        assert_eq!(meters.weigh(at(1), Load { prompt: 10, reserve: 0 }), Weighed::Within);
    }

    #[test]
    fn a_judged_limit_counts_what_an_enforcing_one_would_turn_away() {
        let mut meters = meters("[{discipline: fixed_minute, requests: 2, enforce: false}]");
        let mut above = |second| meters.weigh(at(second), LOAD) == Weighed::Above;
        assert_eq!([above(0), above(1), above(2), above(59), above(60)], [false, false, true, true, false]);

        let mut meters = self::meters("[{discipline: sliding_log, requests: 1, enforce: false}]");
        let mut above = |second| meters.weigh(at(second), LOAD) == Weighed::Above;
        assert_eq!([above(0), above(30), above(60), above(61)], [false, true, false, true]);
    }

    #[test]
    fn actual_tokens_count_once_the_answer_is_over() {
        let mut meters = meters("[{discipline: sliding_log, tokens: 40, charge: actual}]");
        assert_eq!(meters.weigh(at(0), LOAD), Weighed::Within);
        meters.settle(at(1), 25);
        let exceeded = Exceeded { unit: "tokens", limit: 40, wait: at(58) };
        assert_eq!(meters.weigh(at(2), LOAD), Weighed::Rejected(exceeded), "10 + 25 + 10 > 40");
        assert_eq!(meters.weigh(at(60), LOAD), Weighed::Within);
    }

    #[test]
    fn allowances_say_what_is_left() {
        let mut meters = meters("[{discipline: sliding_log, requests: 5, tokens: 100}]");
        meters.weigh(at(0), LOAD);
        let expected = [
            Allowance { unit: "requests", limit: 5, left: 4, until_full: at(59) },
            Allowance { unit: "tokens", limit: 100, left: 70, until_full: at(59) },
        ];
        assert_eq!(meters.allowances(at(1)), expected);
        let mut silent = self::meters("[{discipline: sliding_log, requests: 5, announce: false}]");
        assert!(silent.allowances(at(1)).is_empty());
    }
}
