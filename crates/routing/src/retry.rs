//! Whether a failed attempt is followed by another, and after which pause.

use std::time::Duration;

use weighbridge_domain::failure::{ErrorClass, Failure, FailureKind};
use weighbridge_domain::plan::{RetryAfter, StopOptions};
use weighbridge_domain::policy::{Backoff, RetryPolicy};

/// The longest Retry-After that a request sits out.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing more at this stop.
    Leave,
    /// Another deployment, at once.
    Next,
    /// The same deployment, after a pause.
    Again(Duration),
}

/// Where the stop has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Further attempts allowed.
    pub retries_left: u32,
    /// Retries made so far.
    pub retries_done: u32,
    /// Whether a deployment that has not failed this request may be asked.
    pub another_left: bool,
}

/// How often a stop may be tried again after a failure of `kind`: what the request says, else the
/// stop, else the deployment, else the group. A policy for the failure's class replaces the
/// number, unless the request asked for no retries at all.
pub fn allowed_retries(
    policy: &RetryPolicy,
    options: &StopOptions,
    deployment: Option<u32>,
    asked: Option<u32>,
    kind: FailureKind,
) -> u32 {
    let number = asked.or(options.retries).or(deployment).unwrap_or(policy.retries);
    match policy.by_class.get(ErrorClass::of(kind)) {
        Some(by_class) if asked != Some(0) && options.retries.is_none() => by_class,
        _ => number,
    }
}

/// What follows `failure`. `sample` is a uniform draw from `[0, 1)` for the jitter.
pub fn after(
    failure: &Failure,
    policy: &RetryPolicy,
    options: &StopOptions,
    situation: Situation,
    sample: f64,
) -> Verdict {
    if situation.retries_left == 0 {
        return Verdict::Leave;
    }
    let chance = match &options.retry_on {
        Some(codes) if codes.contains(&failure.http_status()) => Chance::Anywhere,
        // Without a connection there was no status to list.
        Some(_) if failure.kind == FailureKind::Unreachable => Chance::Anywhere,
        Some(_) => Chance::None,
        None if policy.by_class.get(ErrorClass::of(failure.kind)).is_some() => Chance::Anywhere,
        None => chance(failure.kind),
    };
    match (chance, situation.another_left) {
        (Chance::None, _) | (Chance::Elsewhere, false) => Verdict::Leave,
        (Chance::Anywhere | Chance::Elsewhere, true) => Verdict::Next,
        (Chance::Anywhere, false) => {
            let retry_after = match (options.retry_after, failure.retry_after) {
                (Some(RetryAfter::Ignore), _) => None,
                (Some(RetryAfter::Heed), Some(after)) if failure.http_status() == 429 && after > LONGEST_WAIT => {
                    return Verdict::Leave;
                }
                (Some(RetryAfter::Heed), after) => after.filter(|_| failure.http_status() == 429),
                (None, after) => after,
            };
            let own = options.backoff.map(|base| power(base, situation.retries_done));
            Verdict::Again(pause(&policy.backoff, own, situation.retries_done, retry_after, sample))
        }
    }
}

/// Where another attempt may do better.
#[derive(Debug, Clone, Copy)]
enum Chance {
    None,
    Elsewhere,
    Anywhere,
}

const fn chance(kind: FailureKind) -> Chance {
    match kind {
        FailureKind::BadRequest
        | FailureKind::ContextWindow
        | FailureKind::ContentPolicy
        | FailureKind::AtLimit
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => Chance::None,
        FailureKind::Authentication | FailureKind::Quota | FailureKind::NotFound => Chance::Elsewhere,
        FailureKind::RateLimited
        | FailureKind::Overloaded
        | FailureKind::ServerError
        | FailureKind::Timeout
        | FailureKind::Unreachable
        | FailureKind::BrokenReply => Chance::Anywhere,
    }
}

/// `base` to the power of the retries with the next one, in seconds: Not Diamond's pauses.
fn power(base: f64, done: u32) -> Duration {
    let seconds = base.powi(i32::try_from(done).unwrap_or(i32::MAX).saturating_add(1));
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// The pause before retry number `done` (from 0): the provider's Retry-After when it is not too
/// long, else the stop's own, else `initial · 2ⁿ` within bounds; plus jitter.
fn pause(backoff: &Backoff, own: Option<Duration>, done: u32, retry_after: Option<Duration>, sample: f64) -> Duration {
    let base = match (retry_after, own) {
        (Some(after), _) if !after.is_zero() && after <= LONGEST_WAIT => after,
        (_, Some(own)) => own,
        (_, None) => backoff.initial.saturating_mul(1 << done.min(16)).max(backoff.min).min(backoff.max),
    };
    base + backoff.jitter.mul_f64(sample.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use weighbridge_domain::failure::{ErrorClass, Failure, FailureKind};
    use weighbridge_domain::plan::{RetryAfter, StopOptions};
    use weighbridge_domain::policy::RetryPolicy;

    use super::{Situation, Verdict, after, allowed_retries};

    fn check(kind: FailureKind, left: u32, done: u32, another: bool) -> String {
        let situation = Situation { retries_left: left, retries_done: done, another_left: another };
        let failure = Failure::new(kind, "");
        format!("{:?}", after(&failure, &RetryPolicy::default(), &StopOptions::default(), situation, 0.0))
    }

    #[test]
    fn another_deployment_comes_at_once_and_the_same_after_a_pause() {
        assert_eq!(check(FailureKind::ServerError, 1, 0, true), "Next");
        assert_eq!(check(FailureKind::ServerError, 1, 0, false), "Again(500ms)");
        assert_eq!(check(FailureKind::ServerError, 1, 2, false), "Again(2s)");
        assert_eq!(check(FailureKind::ServerError, 1, 30, false), "Again(8s)");
        assert_eq!(check(FailureKind::ServerError, 0, 0, true), "Leave");
        assert_eq!(check(FailureKind::Authentication, 2, 0, false), "Leave");
        assert_eq!(check(FailureKind::Authentication, 2, 0, true), "Next");
        assert_eq!(check(FailureKind::BadRequest, 2, 0, true), "Leave");
    }

    #[test]
    fn retry_after_is_sat_out_when_short() {
        let situation = Situation { retries_left: 1, retries_done: 0, another_left: false };
        let after_s = |secs| {
            let failure =
                Failure { retry_after: Some(Duration::from_secs(secs)), ..Failure::new(FailureKind::RateLimited, "") };
            after(&failure, &RetryPolicy::default(), &StopOptions::default(), situation, 0.0)
        };
        assert_eq!(after_s(3), Verdict::Again(Duration::from_secs(3)));
        assert_eq!(after_s(61), Verdict::Again(Duration::from_millis(500)));
    }

    #[test]
    fn retry_after_is_heeded_or_ignored_where_a_stop_says_so() {
        let situation = Situation { retries_left: 1, retries_done: 0, another_left: false };
        let after_s = |kind, secs, retry_after| {
            let failure = Failure { retry_after: Some(Duration::from_secs(secs)), ..Failure::new(kind, "") };
            let options = StopOptions { retry_after: Some(retry_after), ..StopOptions::default() };
            after(&failure, &RetryPolicy::default(), &options, situation, 0.0)
        };
        let limited = FailureKind::RateLimited;
        assert_eq!(after_s(limited, 3, RetryAfter::Heed), Verdict::Again(Duration::from_secs(3)));
        assert_eq!(after_s(limited, 61, RetryAfter::Heed), Verdict::Leave);
        assert_eq!(after_s(limited, 3, RetryAfter::Ignore), Verdict::Again(Duration::from_millis(500)));
        let other = after_s(FailureKind::Overloaded, 61, RetryAfter::Heed);
        assert_eq!(other, Verdict::Again(Duration::from_millis(500)), "only a 429's is");
    }

    #[test]
    fn the_number_has_an_order_of_precedence() {
        let mut policy = RetryPolicy::default();
        let options = StopOptions::default();
        let kind = FailureKind::RateLimited;
        assert_eq!(allowed_retries(&policy, &options, None, None, kind), 2);
        assert_eq!(allowed_retries(&policy, &options, Some(4), None, kind), 4);
        assert_eq!(allowed_retries(&policy, &options, Some(4), Some(1), kind), 1);
        policy.by_class.set(ErrorClass::RateLimit, 7);
        assert_eq!(allowed_retries(&policy, &options, Some(4), Some(1), kind), 7);
        assert_eq!(allowed_retries(&policy, &options, Some(4), Some(0), kind), 0);
        let stop = StopOptions { retries: Some(5), ..StopOptions::default() };
        assert_eq!(allowed_retries(&policy, &stop, None, None, kind), 5);
    }

    #[test]
    fn a_policy_or_a_list_of_statuses_decides_by_itself() {
        let mut policy = RetryPolicy::default();
        policy.by_class.set(ErrorClass::BadRequest, 1);
        let situation = Situation { retries_left: 1, retries_done: 0, another_left: true };
        let refused = Failure::new(FailureKind::BadRequest, "");
        assert_eq!(after(&refused, &policy, &StopOptions::default(), situation, 0.0), Verdict::Next);
        let options = StopOptions { retry_on: Some(vec![429]), ..StopOptions::default() };
        assert_eq!(after(&refused, &policy, &options, situation, 0.0), Verdict::Leave);
    }

    proptest! {
        #[test]
        fn nobody_waits_while_another_is_left(kind in proptest::sample::select(FailureKind::ALL.to_vec()), done in 0_u32..9, sample in 0.0..1.0) {
            let situation = Situation { retries_left: 3, retries_done: done, another_left: true };
            let verdict = after(&Failure::new(kind, ""), &RetryPolicy::default(), &StopOptions::default(), situation, sample);
            prop_assert!(!matches!(verdict, Verdict::Again(_)));
        }
    }
}
