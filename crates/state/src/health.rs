//! Whether a deployment may be asked: a state machine told what happened and the time.

use std::collections::VecDeque;
use std::time::Duration;

use weighbridge_domain::failure::{ErrorClass, FailureKind};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::Health;

/// How long the one request that decides about a half-open deployment has its turn. A prober that
/// was lost gives it up by then.
pub(crate) const PROBE_TURN: Duration = Duration::from_secs(60);
/// A failed probe doubles the rest up to twice: four times the first.
const MOST_DOUBLINGS: u32 = 2;
/// The window of the rule by share and of breakers: six buckets of ten seconds.
const BUCKETS: usize = 6;
const BUCKET_SECS: u64 = 10;

/// The health of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    standing: Standing,
    outcomes: Outcomes,
    counted: Vec<(Option<ErrorClass>, VecDeque<Timestamp>)>,
}

/// Whether a deployment may be asked, without what led to it: what a fleet tells one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It rests, or has rested and was not probed yet.
    pub rest: Option<Rest>,
    /// An operator took it out.
    pub drained: Option<Drain>,
}

/// A rest and the probe after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Its end.
    pub until: Timestamp,
    /// The failure it rests for.
    pub cause: FailureKind,
    /// How long it lasts.
    pub lasted: Duration,
    /// How many probes failed since it began to rest.
    pub failed_probes: u32,
    /// Until when the probe under way has its turn.
    pub probe_until: Option<Timestamp>,
}

/// An operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// When it is over by itself.
    pub until: Option<Timestamp>,
}

/// What a failure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tripped {
    /// It began to rest, or rests longer now.
    Until(Timestamp),
    /// Nothing.
    No,
}

impl Standing {
    /// Whether it may not be asked at `now`, nor probed.
    pub fn is_out(&self, now: Timestamp) -> bool {
        matches!(self.health(now), Health::Cooling { .. } | Health::Drained { .. })
    }

    /// What it looks like at `now`.
    pub fn health(&self, now: Timestamp) -> Health {
        if let Some(drain) = self.drained
            && drain.until.is_none_or(|until| now < until)
        {
            return Health::Drained { until: drain.until };
        }
        match self.rest {
            None => Health::Ready,
            Some(rest) if now < rest.until => Health::Cooling { until: rest.until, cause: rest.cause },
            Some(rest) => {
                let is_probed = rest.probe_until.is_some_and(|until| now < until);
                Health::HalfOpen { is_probed, cause: rest.cause }
            }
        }
    }
}

impl Condition {
    /// One of which nothing is known but where it stands.
    pub fn of(standing: Standing) -> Self {
        Self { standing, ..Self::default() }
    }

    /// Where it stands.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// What it looks like at `now`.
    pub fn health(&self, now: Timestamp) -> Health {
        self.standing.health(now)
    }

    /// Takes the turn of the one probe.
    pub fn begin_probe(&mut self, now: Timestamp) {
        if let Some(rest) = &mut self.standing.rest {
            rest.probe_until = Some(now + PROBE_TURN);
        }
    }

    /// A request was answered. Only the answer of a probe, which had its turn until `probe`, ends a rest. Says whether
    /// one ended.
    pub fn succeeded(&mut self, probe: Option<Timestamp>, now: Timestamp) -> bool {
        if probe.is_some() && self.standing.rest.is_some_and(|rest| now >= rest.until) {
            self.standing.rest = None;
            self.outcomes = Outcomes::default();
            self.counted.clear();
            return true;
        }
        self.outcomes.add(now, 1, 0);
        false
    }

    /// A request said nothing. A probe gives its turn to the next; one that was late has none any more to give.
    pub fn neutral(&mut self, probe: Option<Timestamp>) {
        if let Some(rest) = &mut self.standing.rest
            && rest.probe_until == probe
        {
            rest.probe_until = None;
        }
    }

    /// A request failed. `is_last_healthy` protects from the rule by share.
    pub fn failed(
        &mut self,
        kind: FailureKind,
        verdict: CooldownVerdict,
        probe: Option<Timestamp>,
        is_last_healthy: bool,
        now: Timestamp,
    ) -> Tripped {
        if verdict == CooldownVerdict::Never {
            self.neutral(probe);
            return Tripped::No;
        }
        let is_probe = probe.is_some();
        self.outcomes.add(now, 0, 1);
        let lasts = match verdict {
            CooldownVerdict::Never => return Tripped::No,
            CooldownVerdict::AtOnce(lasts) => lasts,
            CooldownVerdict::ByShare(lasts)
                if is_probe || (!is_last_healthy && self.outcomes.tally(now).half_failed()) =>
            {
                lasts
            }
            CooldownVerdict::Allowed { lasts, .. } if is_probe => lasts,
            CooldownVerdict::Allowed { allowed, class, lasts } if self.is_above(allowed, class, lasts, now) => lasts,
            CooldownVerdict::Breaker { lasts, .. } if is_probe => lasts,
            CooldownVerdict::Breaker { failures, percent, least, lasts }
                if self.outcomes.tally(now).opens(failures, percent, least) =>
            {
                lasts
            }
            CooldownVerdict::ByShare(_) | CooldownVerdict::Allowed { .. } | CooldownVerdict::Breaker { .. } => {
                return Tripped::No;
            }
        };
        self.rest_for(lasts, kind, is_probe, now)
    }

    /// Rests for `lasts`; deadlines only extend.
    fn rest_for(&mut self, lasts: Duration, cause: FailureKind, is_probe: bool, now: Timestamp) -> Tripped {
        let failed_probes = match self.standing.rest {
            Some(rest) if is_probe => rest.failed_probes + 1,
            Some(rest) => rest.failed_probes,
            None => 0,
        };
        // A failed probe rests at least as long again, at most four times as long.
        let longer = match self.standing.rest {
            Some(rest) if is_probe => {
                let first = rest.lasted / (1 << rest.failed_probes.min(MOST_DOUBLINGS));
                lasts.max(first * (1 << failed_probes.min(MOST_DOUBLINGS)))
            }
            _ => lasts,
        };
        let until = now + longer;
        match self.standing.rest {
            Some(rest) if rest.until >= until => Tripped::No,
            _ => {
                self.standing.rest = Some(Rest { until, cause, lasted: longer, failed_probes, probe_until: None });
                Tripped::Until(until)
            }
        }
    }

    /// Counts a failure, and says whether there were more than `allowed` within `lasts`.
    fn is_above(&mut self, allowed: u32, class: Option<ErrorClass>, lasts: Duration, now: Timestamp) -> bool {
        let at = match self.counted.iter().position(|(known, _)| *known == class) {
            Some(at) => at,
            None => {
                self.counted.push((class, VecDeque::new()));
                self.counted.len() - 1
            }
        };
        let times = &mut self.counted[at].1;
        times.push_back(now);
        // No more of them are kept than can matter.
        while times.len() > allowed as usize + 1 || times.front().is_some_and(|first| now.since(*first) >= lasts) {
            times.pop_front();
        }
        times.len() > allowed as usize
    }

    /// An operator takes it out.
    pub fn drain(&mut self, until: Option<Timestamp>) {
        self.standing.drained = Some(Drain { until });
    }

    /// An operator wants it back, whatever kept it out. Says whether anything did.
    pub fn restore(&mut self, now: Timestamp) -> bool {
        let was_out = self.health(now) != Health::Ready;
        *self = Self::default();
        was_out
    }
}

/// Answers and failures of the last minute.
#[derive(Debug, Clone, Copy, Default)]
struct Outcomes {
    buckets: [(u64, u32, u32); BUCKETS],
}

impl Outcomes {
    fn add(&mut self, now: Timestamp, ok: u32, failed: u32) {
        let epoch = now.as_secs() / BUCKET_SECS;
        let bucket = &mut self.buckets[(epoch % BUCKETS as u64) as usize];
        if bucket.0 != epoch {
            *bucket = (epoch, 0, 0);
        }
        bucket.1 += ok;
        bucket.2 += failed;
    }

    /// How many there were of either.
    fn tally(&self, now: Timestamp) -> Tally {
        let epoch = now.as_secs() / BUCKET_SECS;
        let live = self.buckets.iter().filter(|(at, _, _)| epoch.saturating_sub(*at) < BUCKETS as u64);
        live.fold(Tally::default(), |tally, (_, ok, failed)| Tally {
            answered: tally.answered + u64::from(*ok),
            failed: tally.failed + u64::from(*failed),
        })
    }
}

/// How many outcomes of the last minute were answers, and how many failures.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    answered: u64,
    failed: u64,
}

impl Tally {
    /// Whether at least half of them failed.
    const fn half_failed(self) -> bool {
        self.failed > 0 && self.failed >= self.answered
    }

    /// Whether they open a circuit breaker.
    fn opens(self, failures: Option<u32>, percent: Option<u8>, least: u32) -> bool {
        let Self { answered, failed } = self;
        let outcomes = answered + failed;
        failures.is_some_and(|failures| failed >= failures.into())
            || percent.is_some_and(|percent| outcomes >= least.into() && failed * 100 >= u64::from(percent) * outcomes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::policy::CooldownVerdict::{self, Allowed, AtOnce, Breaker, ByShare};
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::view::Health;

    use super::{Condition, PROBE_TURN, Tripped};

    const SECOND: Duration = Duration::from_secs(1);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    fn fail(condition: &mut Condition, verdict: CooldownVerdict, probe: bool, secs: u64) -> Tripped {
        let probe = probe.then(|| at(secs) + PROBE_TURN);
        condition.failed(FailureKind::ServerError, verdict, probe, false, at(secs))
    }

    #[test]
    fn deadlines_only_extend() {
        let mut c = Condition::default();
        assert_eq!(fail(&mut c, AtOnce(SECOND * 10), false, 100), Tripped::Until(at(110)));
        assert_eq!(fail(&mut c, AtOnce(SECOND * 5), false, 101), Tripped::No);
        assert_eq!(fail(&mut c, AtOnce(SECOND * 60), false, 102), Tripped::Until(at(162)));
        assert!(!c.succeeded(None, at(103)), "an answer from before ends nothing");
        assert!(matches!(c.health(at(161)), Health::Cooling { .. }));
    }

    #[test]
    fn one_probe_decides() {
        let mut c = Condition::default();
        fail(&mut c, AtOnce(SECOND * 10), false, 100);
        assert!(matches!(c.health(at(110)), Health::HalfOpen { is_probed: false, .. }));
        c.begin_probe(at(110));
        assert!(matches!(c.health(at(111)), Health::HalfOpen { is_probed: true, .. }));
        assert_eq!(fail(&mut c, AtOnce(SECOND * 10), true, 111), Tripped::Until(at(131)), "twice as long");
        c.begin_probe(at(131));
        assert_eq!(fail(&mut c, ByShare(SECOND * 10), true, 131), Tripped::Until(at(171)), "four times");
        c.begin_probe(at(171));
        assert_eq!(fail(&mut c, AtOnce(SECOND * 10), true, 171), Tripped::Until(at(211)), "and no more");
        c.begin_probe(at(211));
        c.neutral(Some(at(150) + PROBE_TURN));
        assert!(matches!(c.health(at(211)), Health::HalfOpen { is_probed: true, .. }), "that turn was another's");
        c.neutral(Some(at(211) + PROBE_TURN));
        assert!(matches!(c.health(at(211)), Health::HalfOpen { is_probed: false, .. }));
        c.begin_probe(at(211));
        assert!(c.succeeded(Some(at(211) + PROBE_TURN), at(212)));
        assert_eq!(c.health(at(212)), Health::Ready);
    }

    #[test]
    fn a_lost_prober_gives_up_its_turn() {
        let mut c = Condition::default();
        fail(&mut c, AtOnce(SECOND), false, 100);
        c.begin_probe(at(101));
        assert!(matches!(c.health(at(162)), Health::HalfOpen { is_probed: false, .. }));
    }

    #[test]
    fn half_of_the_outcomes_make_it_rest() {
        let mut c = Condition::default();
        for _ in 0..3 {
            c.succeeded(None, at(100));
        }
        assert_eq!(fail(&mut c, ByShare(SECOND), false, 101), Tripped::No);
        assert_eq!(fail(&mut c, ByShare(SECOND), false, 101), Tripped::No);
        assert_eq!(fail(&mut c, ByShare(SECOND), false, 101), Tripped::Until(at(102)));
        let mut alone = Condition::default();
        let tripped = alone.failed(FailureKind::Timeout, ByShare(SECOND), None, true, at(1));
        assert_eq!(tripped, Tripped::No, "the last healthy one goes on");
        let mut fresh = Condition::default();
        c.succeeded(None, at(100));
        assert_eq!(fail(&mut fresh, ByShare(SECOND), false, 200), Tripped::Until(at(201)), "one that only fails");
    }

    #[test]
    fn the_hundredth_no_and_the_next_yes() {
        let mut c = Condition::default();
        let verdict = Allowed { allowed: 100, class: None, lasts: SECOND * 60 };
        for _ in 0..100 {
            assert_eq!(fail(&mut c, verdict, false, 100), Tripped::No);
        }
        assert_eq!(fail(&mut c, verdict, false, 100), Tripped::Until(at(160)));
        let mut slow = Condition::default();
        let verdict = Allowed { allowed: 1, class: None, lasts: SECOND * 5 };
        for secs in [10, 20, 30] {
            assert_eq!(fail(&mut slow, verdict, false, secs), Tripped::No, "the earlier one is forgotten");
        }
    }

    #[test]
    fn a_breaker_opens_by_number_or_by_share() {
        // Of the breaker failures, percent and least; then answers before it, and the failure that opens it.
        let rows = [
            (Some(3), None, 5, 0, 3),
            (Some(3), None, 5, 90, 3),
            (None, Some(50), 5, 0, 5),
            (None, Some(50), 5, 4, 4),
            (None, Some(50), 1, 0, 1),
            (Some(9), Some(20), 5, 20, 5),
            (Some(4), Some(20), 5, 20, 4),
        ];
        for (failures, percent, least, answers, opens_at) in rows {
            let mut c = Condition::default();
            let verdict = Breaker { failures, percent, least, lasts: SECOND * 30 };
            for _ in 0..answers {
                c.succeeded(None, at(95));
            }
            for failure in 1..opens_at {
                assert_eq!(fail(&mut c, verdict, false, 100), Tripped::No, "{verdict:?}: {failure}");
            }
            assert_eq!(fail(&mut c, verdict, false, 100), Tripped::Until(at(130)), "{verdict:?}: {opens_at}");
        }
    }

    #[test]
    fn a_breaker_counts_a_minute_and_is_closed_by_a_probe() {
        let mut c = Condition::default();
        let verdict = Breaker { failures: Some(2), percent: None, least: 5, lasts: SECOND * 30 };
        assert_eq!(fail(&mut c, verdict, false, 100), Tripped::No);
        assert_eq!(fail(&mut c, verdict, false, 160), Tripped::No, "the first is forgotten");
        let tripped = c.failed(FailureKind::Timeout, verdict, None, true, at(161));
        assert_eq!(tripped, Tripped::Until(at(191)), "also the last healthy one");
        c.begin_probe(at(191));
        assert_eq!(fail(&mut c, verdict, true, 191), Tripped::Until(at(251)), "twice as long");
        c.begin_probe(at(251));
        assert!(c.succeeded(Some(at(251) + PROBE_TURN), at(251)));
        assert_eq!(fail(&mut c, verdict, false, 251), Tripped::No, "counted from the start");
    }

    #[test]
    fn an_operators_word_stands_above_all() {
        let mut c = Condition::default();
        c.drain(None);
        assert_eq!(c.health(at(1)), Health::Drained { until: None });
        c.drain(Some(at(5)));
        assert_eq!(c.health(at(5)), Health::Ready);
        fail(&mut c, AtOnce(SECOND * 9), false, 5);
        assert!(c.restore(at(6)));
        assert_eq!(c.health(at(6)), Health::Ready);
    }
}
