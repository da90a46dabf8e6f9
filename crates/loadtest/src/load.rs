//! Requests that come when they come: nobody waits for an answer before sending the next.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::http::{Answer, Broken, Client};

/// What is asked of one group.
#[derive(Debug, Clone)]
pub struct Demand {
    /// Requests a second, on average while there are any.
    pub per_second: f64,
    /// How they are spread.
    pub shape: Shape,
    /// What each says.
    pub body: Value,
}

/// How requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As a Poisson process.
    Poisson,
    /// The same, but only for the first `on` of every `on` and `off`.
    Bursts {
        /// How long there are requests.
        on: Duration,
        /// How long there are none.
        off: Duration,
    },
}

/// A request to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When, from the beginning.
    pub due: Duration,
    /// Which of the demands it is of.
    pub demand: usize,
    /// Which replica it is sent to.
    pub replica: usize,
}

/// A request and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shot {
    /// The request.
    pub arrival: Arrival,
    /// The status it got; 0 when the connection broke.
    pub status: u16,
    /// From when it was due to the end of the answer, so that a late sender does not flatter.
    pub took: Duration,
    /// What `Retry-After` said.
    pub retry_after: Option<u64>,
}

/// The requests of `length`, spread evenly over `replicas`; the same for the same seed.
pub fn arrivals(demands: &[Demand], replicas: usize, length: Duration, seed: u64) -> Vec<Arrival> {
    let mut all = Vec::new();
    for (demand, Demand { per_second, shape, .. }) in demands.iter().enumerate() {
        let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(demand as u64));
        let mut busy = Duration::ZERO;
        loop {
            busy += Duration::from_secs_f64(-(1.0 - rng.f64()).ln() / per_second);
            let due = shape.stretch(busy);
            if due >= length {
                break;
            }
            all.push(Arrival { due, demand, replica: rng.usize(0..replicas) });
        }
    }
    all.sort_by_key(|arrival| arrival.due);
    all
}

impl Shape {
    /// The instant at which there have been requests for `busy`.
    fn stretch(self, busy: Duration) -> Duration {
        match self {
            Self::Poisson => busy,
            Self::Bursts { on, off } => {
                let bursts = u32::try_from(busy.as_nanos() / on.as_nanos()).unwrap_or(u32::MAX);
                busy + off * bursts
            }
        }
    }
}

/// Sends every request when it is due, by `ask`, and waits for the last answer.
pub async fn send<F>(arrivals: &[Arrival], ask: impl Fn(Arrival) -> F) -> Vec<Shot>
where
    F: Future<Output = Result<Answer, Broken>> + Send + 'static,
{
    let began = Instant::now();
    let mut sent = Vec::with_capacity(arrivals.len());
    for arrival in arrivals.iter().copied() {
        let due = began + arrival.due;
        tokio::time::sleep_until(due).await;
        let asked = ask(arrival);
        sent.push(tokio::spawn(async move {
            let answer = asked.await;
            let took = due.elapsed();
            match answer {
                Ok(answer) => Shot { arrival, status: answer.status, took, retry_after: answer.retry_after },
                Err(_) => Shot { arrival, status: 0, took, retry_after: None },
            }
        }));
    }
    join_all(sent).await.into_iter().map(|shot| shot.expect("a request ends")).collect()
}

/// The same, to replicas.
pub async fn send_to(clients: &[Client], demands: &[Demand], arrivals: &[Arrival]) -> Vec<Shot> {
    send(arrivals, |arrival| {
        let (client, body) = (clients[arrival.replica].clone(), demands[arrival.demand].body.clone());
        async move { client.try_chat(&body).await }
    })
    .await
}

/// How many got `status`.
pub fn count(shots: &[Shot], status: u16) -> usize {
    shots.iter().filter(|shot| shot.status == status).count()
}

/// The time that a share of `times` did not exceed; zero without any.
pub fn quantile(times: impl IntoIterator<Item = Duration>, share: f64) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let place = (times.len() as f64 * share) as usize;
    times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::{Demand, Shape, arrivals, quantile};

    const A_SECOND: Duration = Duration::from_secs(1);

    fn demand(shape: Shape) -> Demand {
        Demand { per_second: 100.0, shape, body: Value::Null }
    }

    #[test]
    fn a_seed_repeats() {
        let demands = [demand(Shape::Poisson), demand(Shape::Poisson)];
        let all = |seed| arrivals(&demands, 3, 10 * A_SECOND, seed);
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        let first = all(1).iter().filter(|arrival| arrival.demand == 0).count();
        assert!((900..1100).contains(&first), "{first} in 10 s at 100/s");
    }

    #[test]
    fn bursts_leave_gaps() {
        let shape = Shape::Bursts { on: A_SECOND, off: 2 * A_SECOND };
        let all = arrivals(&[demand(shape)], 1, 9 * A_SECOND, 1);
        assert!(all.iter().all(|arrival| arrival.due.as_secs() % 3 == 0), "{all:?}");
        assert!((240..360).contains(&all.len()), "{} in 3 s at 100/s", all.len());
    }

    #[test]
    fn quantiles() {
        let times = || (1..=100).map(Duration::from_millis);
        assert_eq!(quantile(times(), 0.5), Duration::from_millis(51));
        assert_eq!(quantile(times(), 1.0), Duration::from_millis(100));
        assert_eq!(quantile([], 0.5), Duration::ZERO);
    }
}
