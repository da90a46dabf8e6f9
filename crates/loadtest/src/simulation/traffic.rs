//! What one replica is asked: requests that come whether or not others have been answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::Health;
use weighbridge_state::fleet::FleetStore;
use weighbridge_state::{
    Admission, Candidate, Grant, LatencySample, Outcome, Regard, Reserve, Settlement, SharedState,
};

use super::store::{BEGINNING_MS, Store, ms};
use super::world::{Group, Kind, World};

/// One replica, as its requests see it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its number.
    pub host: usize,
    /// What decides.
    pub fleet: Arc<FleetStore>,
    /// What it is before.
    pub store: Store,
    /// What there is to be asked.
    pub world: Arc<World>,
    /// How far its own clock is off, in ms.
    pub skew_ms: i64,
}

/// Asks until `ends`, `rate` times a second.
pub async fn ask(seen: Seen, rate: f64, ends: Instant, mut dice: fastrand::Rng) {
    let mut requests = JoinSet::new();
    let shares: Vec<f64> = seen
        .world
        .groups
        .iter()
        .scan(0.0, |sum, group| {
            *sum += group.demand;
            Some(*sum)
        })
        .collect();
    let total = shares.last().copied().unwrap_or_default();
    let mut next = Instant::now();
    loop {
        next += Duration::from_secs_f64(-(1.0 - dice.f64()).ln() / rate);
        if next >= ends {
            break;
        }
        sleep_until(next).await;
        seen.wakes().await;
        let at = dice.f64() * total;
        let group = shares.partition_point(|share| *share <= at).min(shares.len() - 1);
        requests.spawn(request(seen.clone(), group, dice.fork()));
        while requests.try_join_next().is_some() {}
    }
    while requests.join_next().await.is_some() {}
}

impl Seen {
    /// What time its own clock shows.
    pub fn now(&self) -> Timestamp {
        let elapsed = self.store.lock().elapsed_ms();
        Timestamp::from_millis((BEGINNING_MS + elapsed).saturating_add_signed(self.skew_ms))
    }

    /// Waits while its process stands still.
    async fn wakes(&self) {
        loop {
            let until = self.store.lock().network.stalled_until(self.host);
            match until {
                Some(until) => sleep_until(until).await,
                None => return,
            }
        }
    }
}

/// One request, from its arrival to its end.
async fn request(seen: Seen, number: usize, mut dice: fastrand::Rng) {
    let group = &seen.world.groups[number];
    let tokens = tokens(&mut dice);
    let candidates = candidates(&seen, group, &mut dice);
    seen.store.lock().judge.tally.asked += 1;
    let reserve = seen.fleet.reserve(Reserve { candidates: &candidates, tokens }, seen.now());
    // Some clients do not wait for long.
    let patience = if group.kind != Kind::Full && dice.u32(..50) == 0 { ms(dice.u64(1..5)) } else { ms(600_000) };
    let admission = timeout(patience, reserve).await;
    let now = seen.store.lock().at();
    let grant = match admission {
        Ok(Admission::Granted(grant)) => grant,
        Ok(Admission::Refused(_)) => return seen.store.lock().judge.tally.refused += 1,
        Err(_) => return seen.store.lock().judge.tally.left += 1,
    };
    let candidate = &candidates[grant.candidate];
    seen.store.lock().judge.granted(seen.host, &grant, candidate.cooldown, now);
    sleep(lasts(group, &mut dice)).await;
    seen.wakes().await;
    end(&seen, group, candidate, grant, &mut dice);
}

fn end(seen: &Seen, group: &Group, candidate: &Candidate, grant: Grant, dice: &mut fastrand::Rng) {
    let (outcome, used, how) = ends(group, grant.tokens, dice);
    {
        let mut state = seen.store.lock();
        let now = state.at();
        state.judge.ended(seen.host, &grant, used, how, now);
    }
    let deployment = Arc::clone(&candidate.deployment);
    seen.fleet.settle(Settlement { grant, deployment, used, outcome, peers: Arc::clone(&group.peers) }, seen.now());
}

/// The deployments of a group in the order of preference: the least used first, or in any order.
fn candidates(seen: &Seen, group: &Group, dice: &mut fastrand::Rng) -> Vec<Candidate> {
    let deployments: Vec<_> = group.members.iter().map(|at| Arc::clone(&seen.world.deployments[*at])).collect();
    let views = seen.fleet.view(&deployments, seen.now());
    let mut order: Vec<usize> = (0..deployments.len()).collect();
    dice.shuffle(&mut order);
    if dice.bool() {
        order.sort_by_key(|at| views[*at].usage.requests);
    }
    // One that is known to rest is not asked, unless all rest.
    let rests = |at: &usize| matches!(views[*at].health, Health::Cooling { .. } | Health::Drained { .. });
    let all_rest = order.iter().all(rests);
    let cooldown = if all_rest && dice.u32(..4) == 0 { Regard::Ignore } else { Regard::Heed };
    let asked = order.into_iter().filter(|at| all_rest || !rests(at) || at % 2 == 0);
    asked.map(|at| Candidate { deployment: Arc::clone(&deployments[at]), cooldown }).collect()
}

fn tokens(dice: &mut fastrand::Rng) -> Tokens {
    Tokens { input: dice.u32(10..200), output: dice.u32(50..350) }
}

/// How long a request takes: half a second or so, or many seconds.
fn lasts(group: &Group, dice: &mut fastrand::Rng) -> Duration {
    match group.kind {
        Kind::Parallel => ms(dice.u64(1000..5000)),
        Kind::Full | Kind::Mixed | Kind::Tokens | Kind::Shared if dice.u32(..10) == 0 => ms(dice.u64(1000..8000)),
        Kind::Full | Kind::Mixed | Kind::Tokens | Kind::Shared => ms(dice.u64(20..900)),
    }
}

/// How a request ends, and what it used.
fn ends(group: &Group, reserved: Tokens, dice: &mut fastrand::Rng) -> (Outcome, Option<Tokens>, &'static str) {
    let answered = Outcome::Success {
        sample: Some(LatencySample { first_token: ms(200), rest: ms(300), tokens: 50, is_stream: true }),
    };
    let less = Tokens { input: reserved.input, output: reserved.output * dice.u32(10..=100) / 100 };
    if group.kind == Kind::Full {
        return (answered, Some(less), "answered");
    }
    let failure = |kind, verdict| Outcome::Failure { kind, verdict };
    let none = Some(Tokens::default());
    match dice.u32(..1000) {
        0..4 => {
            let rest = Duration::from_secs(dice.u64(2..15));
            (failure(FailureKind::RateLimited, CooldownVerdict::AtOnce(rest)), none, "failed, rests at once")
        }
        4..60 => {
            let rest = Duration::from_secs(dice.u64(2..10));
            (failure(FailureKind::ServerError, CooldownVerdict::ByShare(rest)), none, "failed")
        }
        60..75 => (failure(FailureKind::BadRequest, CooldownVerdict::Never), None, "failed by its own fault"),
        75..110 => (Outcome::Neutral, Some(less), "left by its client"),
        110..150 => {
            let more = Tokens { input: reserved.input + dice.u32(0..50), output: reserved.output + dice.u32(0..100) };
            (answered, Some(more), "answered with more")
        }
        150..200 => (answered, None, "answered without a word of what it used"),
        _ => (answered, Some(less), "answered"),
    }
}
