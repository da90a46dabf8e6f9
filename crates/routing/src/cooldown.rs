//! What a failure means for its deployment.

use std::time::Duration;

use weighbridge_domain::failure::{ErrorClass, Failure, FailureKind};
use weighbridge_domain::policy::{Breaker, CooldownPolicy, CooldownRule, CooldownVerdict};

/// The longest rest a provider's Retry-After can ask for.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// Whether and how `failure` makes its deployment rest. `asked` is the request's `cooldown_time`;
/// a timeout that the caller set says nothing about the deployment, unless it has a breaker.
pub fn verdict(
    failure: &Failure,
    policy: &CooldownPolicy,
    asked: Option<Duration>,
    caller_set_timeout: bool,
) -> CooldownVerdict {
    if policy.duration.is_zero() {
        return CooldownVerdict::Never;
    }
    if let CooldownRule::Breaker(breaker) = &policy.rule {
        return by_breaker(failure, breaker, policy.duration);
    }
    let Some(weight) = weight(failure.kind) else { return CooldownVerdict::Never };
    if failure.kind == FailureKind::Timeout && caller_set_timeout {
        return CooldownVerdict::Never;
    }
    let lasts = duration(failure, policy, asked);
    if lasts.is_zero() {
        return CooldownVerdict::Never;
    }
    let standard = match weight {
        Weight::AtOnce => CooldownVerdict::AtOnce(lasts),
        Weight::ByShare => CooldownVerdict::ByShare(lasts),
    };
    match &policy.rule {
        CooldownRule::Never | CooldownRule::Breaker(_) => CooldownVerdict::Never,
        CooldownRule::Standard => standard,
        CooldownRule::AllowedFails { by_class, otherwise } => {
            let class = ErrorClass::of(failure.kind);
            match (by_class.get(class), otherwise) {
                (Some(allowed), _) => CooldownVerdict::Allowed { allowed, class: Some(class), lasts },
                (None, Some(allowed)) => CooldownVerdict::Allowed { allowed: *allowed, class: None, lasts },
                (None, None) => standard,
            }
        }
    }
}

/// What does not count for `breaker` is neither a failure nor an answer. How long it stays open is its own affair,
/// whatever provider and client say.
fn by_breaker(failure: &Failure, breaker: &Breaker, lasts: Duration) -> CooldownVerdict {
    let status = failure.http_status();
    let counts = match &breaker.statuses {
        Some(statuses) => statuses.contains(status),
        None => status >= 500 || is_no_answer(failure.kind),
    };
    let Breaker { failures, percent, least, statuses: _ } = *breaker;
    if counts { CooldownVerdict::Breaker { failures, percent, least, lasts } } else { CooldownVerdict::Never }
}

/// Whether no whole answer came, so that whatever status it has is ours.
const fn is_no_answer(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Timeout | FailureKind::Unreachable | FailureKind::BrokenReply => true,
        FailureKind::BadRequest
        | FailureKind::ContextWindow
        | FailureKind::ContentPolicy
        | FailureKind::Authentication
        | FailureKind::Quota
        | FailureKind::NotFound
        | FailureKind::RateLimited
        | FailureKind::Overloaded
        | FailureKind::ServerError
        | FailureKind::AtLimit
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => false,
    }
}

/// How a failure weighs under the standard rule.
enum Weight {
    AtOnce,
    ByShare,
}

/// `None` for what is the client's own mistake or our own verdict.
const fn weight(kind: FailureKind) -> Option<Weight> {
    match kind {
        FailureKind::RateLimited
        | FailureKind::Authentication
        | FailureKind::Quota
        | FailureKind::NotFound
        | FailureKind::Unreachable => Some(Weight::AtOnce),
        FailureKind::ServerError | FailureKind::Overloaded | FailureKind::Timeout | FailureKind::BrokenReply => {
            Some(Weight::ByShare)
        }
        FailureKind::BadRequest
        | FailureKind::ContextWindow
        | FailureKind::ContentPolicy
        | FailureKind::AtLimit
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => None,
    }
}

/// The deployment's own time, else the request's, else the provider's, else the router's.
fn duration(failure: &Failure, policy: &CooldownPolicy, asked: Option<Duration>) -> Duration {
    if policy.overrides_retry_after {
        return policy.duration;
    }
    let told = failure.retry_after.filter(|after| !after.is_zero()).map(|after| after.min(LONGEST_REST));
    asked.or(told).unwrap_or(policy.duration)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weighbridge_domain::failure::{ByClass, ErrorClass, Failure, FailureKind};
    use weighbridge_domain::policy::{Breaker, CooldownPolicy, CooldownRule, StatusSet};

    use super::verdict;

    fn check(kind: FailureKind, retry_after: Option<u64>, policy: &CooldownPolicy) -> String {
        let retry_after = retry_after.map(Duration::from_secs);
        let failure = Failure { retry_after, ..Failure::new(kind, "") };
        format!("{:?}", verdict(&failure, policy, None, false))
    }

    #[test]
    fn the_standard_rule() {
        let policy = CooldownPolicy::default();
        for kind in FailureKind::ALL {
            let expected = match kind {
                FailureKind::RateLimited | FailureKind::Authentication | FailureKind::Quota => "AtOnce(60s)",
                FailureKind::NotFound | FailureKind::Unreachable => "AtOnce(60s)",
                FailureKind::ServerError | FailureKind::Overloaded => "ByShare(60s)",
                FailureKind::Timeout | FailureKind::BrokenReply => "ByShare(60s)",
                _ => "Never",
            };
            assert_eq!(check(kind, None, &policy), expected, "{kind:?}");
        }
        assert_eq!(check(FailureKind::RateLimited, Some(7), &policy), "AtOnce(7s)");
        assert_eq!(check(FailureKind::RateLimited, Some(90_000), &policy), "AtOnce(3600s)");
    }

    #[test]
    fn policies_replace_it() {
        let mut by_class = ByClass::default();
        by_class.set(ErrorClass::RateLimit, 3);
        let rule = CooldownRule::AllowedFails { by_class, otherwise: None };
        let policy = CooldownPolicy { rule, ..CooldownPolicy::default() };
        let counted = check(FailureKind::RateLimited, None, &policy);
        assert_eq!(counted, "Allowed { allowed: 3, class: Some(RateLimit), lasts: 60s }");
        assert_eq!(check(FailureKind::Unreachable, None, &policy), "AtOnce(60s)");
        let zero = CooldownPolicy { duration: Duration::ZERO, ..CooldownPolicy::default() };
        assert_eq!(check(FailureKind::RateLimited, Some(9), &zero), "Never");
        let own = CooldownPolicy {
            duration: Duration::from_secs(5),
            overrides_retry_after: true,
            ..CooldownPolicy::default()
        };
        assert_eq!(check(FailureKind::RateLimited, Some(9), &own), "AtOnce(5s)");
    }

    #[test]
    fn a_callers_timeout_blames_nobody() {
        let failure = Failure::new(FailureKind::Timeout, "");
        let verdict = verdict(&failure, &CooldownPolicy::default(), None, true);
        assert_eq!(format!("{verdict:?}"), "Never");
    }

    /// The kinds with these statuses that count for a breaker with such a list, of those that a call can fail with.
    fn counted(statuses: Option<StatusSet>) -> Vec<FailureKind> {
        let breaker = Breaker { failures: Some(3), percent: Some(50), least: 5, statuses };
        let duration = Duration::from_secs(30);
        let policy = CooldownPolicy { duration, rule: CooldownRule::Breaker(breaker), ..CooldownPolicy::default() };
        let called = FailureKind::ALL.into_iter().filter(|kind| !kind.is_own_verdict());
        let counts = |kind: &FailureKind| {
            let failure = Failure { retry_after: Some(Duration::from_secs(9)), ..Failure::new(*kind, "") };
            // Neither a client's time nor its timeout matters.
            match format!("{:?}", verdict(&failure, &policy, Some(Duration::from_secs(7)), true)).as_str() {
                "Never" => false,
                "Breaker { failures: Some(3), percent: Some(50), least: 5, lasts: 30s }" => true,
                other => panic!("{kind:?}: {other}"),
            }
        };
        called.filter(counts).collect()
    }

    #[test]
    fn a_breaker_counts_by_status() {
        use FailureKind::{BrokenReply, Overloaded, RateLimited, ServerError, Timeout, Unreachable};
        assert_eq!(counted(None), [Overloaded, ServerError, Timeout, Unreachable, BrokenReply]);
        assert_eq!(counted(Some(StatusSet::of(&[429, 500]))), [RateLimited, ServerError]);
        assert_eq!(counted(Some(StatusSet::default())), []);
    }
}
