//! The condition of a deployment as the server holds it: `condition.lua`, `trip.lua` and `report.lua`.

use std::time::Duration;

use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_domain::view::Latency;
use weighbridge_state::fleet::protocol::{Changed, Report};
use weighbridge_state::health::{Drain, Rest, Standing};
use weighbridge_state::latency::Pace;

const PROBE_TURN_MS: u64 = 60_000;
const MOST_DOUBLINGS: u32 = 2;
const BUCKETS: usize = 6;
const BUCKET_MS: u64 = 10_000;
const TAU_MS: f64 = 30_000.0;
const PENALTY_MS: f64 = 5000.0;

/// A condition. Times are in ms; 0 is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    pub(super) rests: u64,
    lasted: f64,
    probe: u64,
    drained: Drained,
    cause: Option<FailureKind>,
    failed_probes: u32,
    pub(super) generation: u64,
    pub(super) era: u32,
    pace: Option<(Latency, u64)>,
    outcomes: [(u64, u64, u64); BUCKETS],
    pub(super) is_dirty: bool,
    pub(super) is_told: bool,
}

/// An operator's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Drained {
    #[default]
    No,
    Until(u64),
    UntilRestored,
}

/// Whether a deployment may be asked.
pub(super) enum Admits {
    Yes,
    AsProbe,
    /// When to ask again; 0: nobody knows.
    No(u64),
}

impl Condition {
    /// What a replica says where a deployment stands.
    pub(super) fn told(report: &Report) -> Self {
        let rest = report.standing.rest;
        Self {
            rests: rest.map_or(0, |rest| rest.until.as_millis()),
            lasted: rest.map_or(0.0, |rest| float(millis(rest.lasted))),
            probe: rest.and_then(|rest| rest.probe_until).map_or(0, Timestamp::as_millis),
            drained: match report.standing.drained {
                None => Drained::No,
                Some(Drain { until: None }) => Drained::UntilRestored,
                Some(Drain { until: Some(until) }) => Drained::Until(until.as_millis()),
            },
            cause: rest.map(|rest| rest.cause),
            failed_probes: rest.map_or(0, |rest| rest.failed_probes),
            generation: report.generation,
            era: report.era,
            pace: report.pace.map(|pace| (pace.average(), pace.updated().as_millis())),
            ..Self::default()
        }
    }

    /// What others need to know of it.
    pub(super) fn report(&self) -> Report {
        let at = |ms: u64| (ms > 0).then(|| Timestamp::from_millis(ms));
        let rest = at(self.rests).map(|until| Rest {
            until,
            cause: self.cause.unwrap_or(FailureKind::ALL[0]),
            lasted: Duration::from_secs_f64((self.lasted / 1000.0).clamp(0.0, 1e9)),
            failed_probes: self.failed_probes,
            probe_until: at(self.probe),
        });
        let drained = match self.drained {
            Drained::No => None,
            Drained::UntilRestored => Some(Drain { until: None }),
            Drained::Until(ms) => Some(Drain { until: Some(Timestamp::from_millis(ms)) }),
        };
        let pace = self.pace.map(|(average, updated)| Pace::new(average, Timestamp::from_millis(updated)));
        Report { standing: Standing { rest, drained }, generation: self.generation, era: self.era, pace }
    }

    /// As it is stored: who must be told is no part of it.
    pub(super) fn stored(self) -> Self {
        Self { is_dirty: false, is_told: false, ..self }
    }

    fn is_drained(&self, now: u64) -> bool {
        match self.drained {
            Drained::No => false,
            Drained::UntilRestored => true,
            Drained::Until(until) => now < until,
        }
    }

    pub(super) fn is_ready(&self, now: u64) -> bool {
        !self.is_drained(now) && self.rests == 0
    }

    /// Whether it admits a request that heeds its cooldown, or does not.
    pub(super) fn admits(&self, heeds: bool, now: u64) -> Admits {
        if self.is_drained(now) {
            return Admits::No(match self.drained {
                Drained::Until(until) => until,
                Drained::No | Drained::UntilRestored => 0,
            });
        }
        if self.rests == 0 {
            return Admits::Yes;
        }
        let (cools, is_probed) = (now < self.rests, now < self.probe);
        match (cools, is_probed) {
            (false, false) => Admits::AsProbe,
            _ if !heeds => Admits::Yes,
            (true, _) => Admits::No(self.rests),
            (false, true) => Admits::No(0),
        }
    }

    pub(super) fn changed(&mut self, now: u64) {
        self.generation = (self.generation + 1).max(now);
        (self.is_dirty, self.is_told) = (true, true);
    }

    pub(super) fn begin_probe(&mut self, now: u64) {
        self.probe = now + PROBE_TURN_MS;
        self.changed(now);
    }

    pub(super) fn restore(&mut self) {
        self.drained = Drained::No;
        self.forget();
    }

    pub(super) fn drain(&mut self, lasts: Option<Duration>, now: u64) {
        self.drained = lasts.map_or(Drained::UntilRestored, |lasts| Drained::Until(now + millis(lasts).max(1)));
    }

    /// What led to a rest is forgotten with it.
    fn forget(&mut self) {
        (self.rests, self.lasted, self.probe, self.cause, self.failed_probes) = (0, 0.0, 0, None, 0);
        self.outcomes = Default::default();
        self.era += 1;
    }

    /// It says nothing; a probe gives its turn to the next, unless that has it already.
    pub(super) fn quiet(&mut self, turn: Option<Timestamp>, now: u64) {
        if self.rests > 0 && turn.is_some_and(|turn| turn.as_millis() == self.probe) {
            self.probe = 0;
            self.changed(now);
        }
    }

    pub(super) fn answered(&mut self, is_probe: bool, now: u64) -> Changed {
        if is_probe && self.rests > 0 && now >= self.rests {
            self.forget();
            self.changed(now);
            return Changed::Back;
        }
        self.count(1, 0, now);
        Changed::Nothing
    }

    pub(super) fn count(&mut self, ok: u64, failed: u64, now: u64) {
        let which = now / BUCKET_MS;
        let bucket = &mut self.outcomes[usize::try_from(which).unwrap_or_default() % BUCKETS];
        if bucket.0 != which {
            *bucket = (which, 0, 0);
        }
        bucket.1 += ok;
        bucket.2 += failed;
        self.is_dirty = true;
    }

    pub(super) fn half_failed(&self, now: u64) -> bool {
        let (ok, failed) = self.tally(now);
        failed > 0 && failed >= ok
    }

    /// Whether the failures of the last minute are so many, or such a share in percent of `least` outcomes.
    pub(super) fn breaker_opens(&self, failures: Option<u32>, percent: Option<u8>, least: u32, now: u64) -> bool {
        let (ok, failed) = self.tally(now);
        let outcomes = ok + failed;
        failures.is_some_and(|failures| failed >= failures.into())
            || percent.is_some_and(|percent| outcomes >= least.into() && failed * 100 >= u64::from(percent) * outcomes)
    }

    /// Answers and failures of the last minute.
    fn tally(&self, now: u64) -> (u64, u64) {
        let which = now / BUCKET_MS;
        let live = self.outcomes.iter().filter(|(at, _, _)| which.saturating_sub(*at) < BUCKETS as u64);
        live.fold((0, 0), |(ok, failed), bucket| (ok + bucket.1, failed + bucket.2))
    }

    /// It rests for `lasts`; deadlines only extend.
    pub(super) fn trip(&mut self, lasts: Duration, cause: FailureKind, is_probe: bool, now: u64) -> Changed {
        let lasts = float(millis(lasts));
        let mut failed = if self.rests == 0 { 0 } else { self.failed_probes };
        let mut longer = lasts;
        if self.rests > 0 && is_probe {
            let first = self.lasted / f64::from(1_u32 << failed.min(MOST_DOUBLINGS));
            failed += 1;
            longer = lasts.max(first * f64::from(1_u32 << failed.min(MOST_DOUBLINGS)));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ms, not negative")]
        let until = now + longer.floor() as u64;
        if self.rests >= until {
            return Changed::Nothing;
        }
        (self.rests, self.lasted, self.cause, self.failed_probes, self.probe) = (until, longer, Some(cause), failed, 0);
        self.changed(now);
        Changed::Rests(Timestamp::from_millis(until))
    }

    /// Averages of latency take a sample into account.
    pub(super) fn blend(&mut self, sample: Latency, now: u64) {
        let mixed = self.pace.map_or(sample, |(old, updated)| {
            let keep = (-float(now.saturating_sub(updated)) / TAU_MS).exp().min(0.9);
            let mix = |old: f64, new: f64| old * keep + new * (1.0 - keep);
            Latency {
                first_token_ms: mix(old.first_token_ms, sample.first_token_ms),
                per_token_ms: mix(old.per_token_ms, sample.per_token_ms),
                tokens: mix(old.tokens, sample.tokens),
            }
        });
        self.pace = Some((mixed, now));
        self.is_dirty = true;
    }

    /// A failure counts at least as slow as the deployment has been.
    pub(super) fn penalty(&mut self, now: u64) {
        let (tokens, expected) = self
            .pace
            .map_or((1.0, 0.0), |(pace, _)| (pace.tokens, pace.first_token_ms + pace.per_token_ms * pace.tokens));
        self.blend(Latency { first_token_ms: PENALTY_MS.max(expected), per_token_ms: 0.0, tokens }, now);
    }

    /// Takes over what is `told`, where that is later; a rest that whoever said so had not heard of goes on. Says
    /// whether anything was taken over.
    pub(super) fn hear(&mut self, told: Self) -> bool {
        let is_later = told.generation > self.generation;
        let mut earlier = told;
        if is_later {
            let is_faster_known = self.pace.map_or(0, |(_, at)| at + 1) > earlier.pace.map_or(0, |(_, at)| at + 1);
            let pace = if is_faster_known { self.pace } else { earlier.pace };
            let later = Self { outcomes: self.outcomes, era: earlier.era.max(self.era), pace, ..earlier };
            earlier = std::mem::replace(self, later);
        }
        let goes_on = self.rests > 0 || earlier.generation == self.generation || earlier.rests > self.generation;
        let is_longer = earlier.rests > self.rests && goes_on;
        if is_longer {
            (self.rests, self.lasted, self.cause, self.failed_probes, self.probe) =
                (earlier.rests, earlier.lasted, earlier.cause, earlier.failed_probes, self.probe.max(earlier.probe));
        }
        is_later || is_longer
    }
}

#[expect(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
