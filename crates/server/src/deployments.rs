//! Deployments as operators see them: what is configured beside what is known now.

use std::sync::Arc;

use serde::Serialize;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_domain::view::{DeploymentView, Health};

/// One deployment in `GET /router/deployments`.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) id: &'a str,
    pub(crate) group: &'a str,
    model: &'a str,
    pub(crate) state: State,
    usage: Usage,
    limits: Limits,
    in_flight: u32,
    cooldown: Option<Cooldown>,
    latency_ms: Option<u64>,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Whether a deployment may be asked, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Ready,
    Cooling,
    HalfOpen,
    Drained,
    LeftOut,
}

#[derive(Debug, Default, Serialize)]
struct Usage {
    requests: u32,
    tokens: u64,
}

#[derive(Debug, Serialize)]
struct Limits {
    rpm: Option<u32>,
    tpm: Option<u32>,
    max_parallel_requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    itpm: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otpm: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Cooldown {
    /// `None` until an operator restores it.
    remaining_ms: Option<u64>,
    reason: &'static str,
}

impl State {
    /// Whether requests are sent to it.
    pub(crate) const fn is_healthy(self) -> bool {
        match self {
            Self::Ready | Self::HalfOpen => true,
            Self::Cooling | Self::Drained | Self::LeftOut => false,
        }
    }
}

/// A row for each deployment of `table`, those that can be called first. `views` is in the
/// table's order.
pub(crate) fn rows<'a>(table: &'a RoutingTable, views: &[DeploymentView], now: Timestamp) -> Vec<Row<'a>> {
    let called = table.deployments().zip(views).map(|(deployment, view)| row(deployment, view, now));
    let left_out = table.left_out().iter().map(|left_out| Row {
        state: State::LeftOut,
        reason: Some(&left_out.reason),
        ..blank(&left_out.deployment)
    });
    called.chain(left_out).collect()
}

/// A row for each of `guests`, whose views are `views`.
pub(crate) fn guest_rows<'a>(guests: &'a [Arc<Deployment>], views: &[DeploymentView], now: Timestamp) -> Vec<Row<'a>> {
    guests.iter().zip(views).map(|(guest, view)| row(guest, view, now)).collect()
}

fn row<'a>(deployment: &'a Deployment, view: &DeploymentView, now: Timestamp) -> Row<'a> {
    let (state, cooldown) = condition(view.health, now);
    Row {
        state,
        usage: Usage { requests: view.usage.requests, tokens: view.usage.tokens() },
        in_flight: view.in_flight,
        cooldown,
        latency_ms: view.latency.map(|latency| whole_ms(latency.first_token_ms)),
        ..blank(deployment)
    }
}

/// The state at `now`, and the cooldown unless it is over.
fn condition(health: Health, now: Timestamp) -> (State, Option<Cooldown>) {
    let until = |until: Timestamp, reason| Cooldown { remaining_ms: Some(millis(until.since(now))), reason };
    match health {
        Health::Ready => (State::Ready, None),
        Health::Cooling { until: end, cause } if end > now => (State::Cooling, Some(until(end, cause.label()))),
        Health::Cooling { .. } | Health::HalfOpen { .. } => (State::HalfOpen, None),
        Health::Drained { until: None } => (State::Drained, Some(Cooldown { remaining_ms: None, reason: "drained" })),
        Health::Drained { until: Some(end) } if end > now => (State::Drained, Some(until(end, "drained"))),
        Health::Drained { until: Some(_) } => (State::Ready, None),
    }
}

fn blank(deployment: &Deployment) -> Row<'_> {
    let limits = &deployment.limits;
    Row {
        id: deployment.id.as_str(),
        group: deployment.group.as_str(),
        model: deployment.model.as_str(),
        state: State::Ready,
        usage: Usage::default(),
        limits: Limits {
            rpm: limits.rpm,
            tpm: limits.tpm,
            max_parallel_requests: limits.max_parallel_requests,
            itpm: limits.itpm,
            otpm: limits.otpm,
        },
        in_flight: 0,
        cooldown: None,
        latency_ms: None,
        reason: None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, as they should here"
)]
fn whole_ms(ms: f64) -> u64 {
    ms.round() as u64
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::view::{Health, Latency, WindowUsage};

    use super::{Limits, condition, rows};
    use crate::testkit::{idle, table};

    #[test]
    fn states_at_an_instant() {
        let now = Timestamp::from_millis(10_000);
        let later = Timestamp::from_millis(12_500);
        let cause = FailureKind::RateLimited;
        let check = |health, expected: &str| {
            let shown = serde_json::to_string(&condition(health, now)).unwrap();
            assert_eq!(shown, expected, "{health:?}");
        };
        check(Health::Ready, r#"["ready",null]"#);
        check(Health::Cooling { until: later, cause }, r#"["cooling",{"remaining_ms":2500,"reason":"rate_limited"}]"#);
        check(Health::Cooling { until: now, cause }, r#"["half_open",null]"#);
        check(Health::HalfOpen { is_probed: true, cause }, r#"["half_open",null]"#);
        check(Health::Drained { until: None }, r#"["drained",{"remaining_ms":null,"reason":"drained"}]"#);
        check(Health::Drained { until: Some(later) }, r#"["drained",{"remaining_ms":2500,"reason":"drained"}]"#);
        check(Health::Drained { until: Some(now) }, r#"["ready",null]"#);
    }

    #[test]
    fn limits_of_one_direction_are_shown_where_there_are_any() {
        let check = |itpm, otpm, expected: &str| {
            let limits = Limits { rpm: None, tpm: Some(9), max_parallel_requests: None, itpm, otpm };
            assert_eq!(serde_json::to_string(&limits).unwrap(), expected);
        };
        check(None, None, r#"{"rpm":null,"tpm":9,"max_parallel_requests":null}"#);
        check(Some(5), None, r#"{"rpm":null,"tpm":9,"max_parallel_requests":null,"itpm":5}"#);
        check(Some(5), Some(0), r#"{"rpm":null,"tpm":9,"max_parallel_requests":null,"itpm":5,"otpm":0}"#);
    }

    #[test]
    fn rows_tell_all() {
        let table = table();
        let mut busy = idle();
        busy.usage = WindowUsage { requests: 3, input: 20, output: 5 };
        busy.in_flight = 2;
        busy.latency = Some(Latency { first_token_ms: 12.6, per_token_ms: 1.0, tokens: 4.0 });
        let rows = rows(&table, &[busy, idle()], Timestamp::from_millis(1));
        expect![[r#"
            [
              {
                "id": "dep-1",
                "group": "gpt-4o",
                "model": "gpt-4o-2024",
                "state": "ready",
                "usage": {
                  "requests": 3,
                  "tokens": 25
                },
                "limits": {
                  "rpm": 10,
                  "tpm": 1000,
                  "max_parallel_requests": null
                },
                "in_flight": 2,
                "cooldown": null,
                "latency_ms": 13
              },
              {
                "id": "dep/2",
                "group": "gpt-4o",
                "model": "gpt-4o-2024",
                "state": "ready",
                "usage": {
                  "requests": 0,
                  "tokens": 0
                },
                "limits": {
                  "rpm": 10,
                  "tpm": 1000,
                  "max_parallel_requests": null
                },
                "in_flight": 0,
                "cooldown": null,
                "latency_ms": null
              },
              {
                "id": "dep-3",
                "group": "gpt-4o",
                "model": "gpt-4o-2024",
                "state": "left_out",
                "usage": {
                  "requests": 0,
                  "tokens": 0
                },
                "limits": {
                  "rpm": 10,
                  "tpm": 1000,
                  "max_parallel_requests": null
                },
                "in_flight": 0,
                "cooldown": null,
                "latency_ms": null,
                "reason": "os.environ/KEY is not set"
              }
            ]"#]]
        .assert_eq(&serde_json::to_string_pretty(&rows).unwrap());
    }
}
