//! The judge: writes down every grant and every end of one, and holds them against what is promised.
//!
//! It goes by what requests were told and by what the server was told, never by what a store says of itself.

mod report;
mod sweep;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::limits::{ChargeBasis, Tokens};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::view::{DeploymentView, Health};
use weighbridge_state::fleet::protocol::{AskAnswer, EndedHow, Turn, TurnDone};
use weighbridge_state::{Exposure, Grant, Mode, Regard, Status};

pub use self::report::Violation;
use super::world::World;

/// What the judge has written down.
#[derive(Debug)]
pub struct Judge {
    world: Arc<World>,
    /// Counts what happens; two things in a row have numbers in a row.
    number: u64,
    /// By window.
    log: Vec<Vec<Entry>>,
    /// Turns of which somebody may yet hear, by replica: number, and when they were carried out.
    turns: HashMap<u64, At>,
    delivered: Vec<u64>,
    /// When each replica told the server all it knew.
    told: Vec<Vec<u64>>,
    /// Grants under way: which window's, which entry.
    open: BTreeMap<(usize, u64), (usize, usize)>,
    away: Vec<Vec<Away>>,
    faults: Vec<(u64, String)>,
    violations: Vec<Violation>,
    /// What came of all that was asked.
    pub tally: Tally,
}

/// An instant.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// By the time that passes, in ms since the beginning.
    pub ms: u64,
    /// By the server's clock, in ms.
    pub server_ms: u64,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Requests that asked.
    pub asked: u64,
    /// Of those that were granted.
    pub granted: u64,
    /// Of those, by a share.
    pub alone: u64,
    /// Of those, as probes.
    pub probes: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests whose client left before the answer.
    pub left: u64,
    /// Grants that were settled.
    pub settled: u64,
    /// Grants that ended with their replica.
    pub died: u64,
    /// Deployments that began to rest.
    pub trips: u64,
    /// Turns that were carried out.
    pub turns: u64,
    /// The most that a limit was exceeded by, as a share of what was allowed to exceed it.
    pub most_exceeded: f64,
}

/// Something that happened to a window.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    /// When, by the time that passes and by the server's clock.
    ms: u64,
    server_ms: u64,
    host: usize,
    deployment: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// A request was let in and knows it.
    Granted { tokens: Tokens, serial: u64, is_local: bool, is_probe: bool, regard: Regard, charge: Tokens },
    /// The server let one in.
    Charged { tokens: Tokens },
    /// It ended: the place of its grant in the log.
    Ended { grant: usize, used: Option<Tokens>, how: &'static str },
    /// Its replica is gone.
    Died { grant: usize },
    /// The server was told to let the deployment rest.
    Rests { until: u64 },
    /// The server may have forgotten that it rests; these replicas know until when it does, at least.
    Forgotten { known: Vec<(usize, u64)> },
}

/// A span in which a replica did not serve from the shared truth.
#[derive(Debug, Clone)]
struct Away {
    from: u64,
    until: Option<u64>,
    replicas: u32,
    exposures: Vec<Exposure>,
}

impl Judge {
    /// One that has seen nothing.
    pub fn new(world: Arc<World>, hosts: usize) -> Self {
        Self {
            log: vec![Vec::new(); world.windows.len()],
            world,
            number: 1,
            turns: HashMap::new(),
            delivered: vec![0; hosts],
            told: vec![Vec::new(); hosts],
            open: BTreeMap::new(),
            away: vec![Vec::new(); hosts],
            faults: Vec::new(),
            violations: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// One more replica.
    pub fn add_host(&mut self) {
        self.delivered.push(0);
        self.told.push(Vec::new());
        self.away.push(Vec::new());
    }

    /// Something is wrong from now on, or no more.
    pub fn note_fault(&mut self, what: impl Into<String>, ms: u64) {
        self.faults.push((ms, what.into()));
    }

    /// The server has carried out a turn; the number it has.
    pub fn carried_out(&mut self, host: usize, turn: &Turn, done: &TurnDone, at: At) -> u64 {
        let At { ms, server_ms } = at;
        let number = self.next();
        self.tally.turns += 1;
        self.turns.insert(number, at);
        let place = |world: &World, member: u16| world.place(&turn.members[usize::from(member)].id);
        for ended in &turn.settlements {
            if let EndedHow::Failed { verdict: CooldownVerdict::AtOnce(lasts), .. } = ended.result {
                let deployment = place(&self.world, ended.member);
                self.tally.trips += 1;
                self.enter(Entry {
                    number,
                    ms,
                    server_ms,
                    host,
                    deployment,
                    what: What::Rests { until: server_ms + millis(lasts) },
                });
            }
        }
        for (ask, answer) in turn.asks.iter().zip(&done.answers) {
            if let AskAnswer::Granted { candidate, .. } = answer {
                let deployment = place(&self.world, ask.candidates[*candidate].0);
                let what = What::Charged { tokens: ask.tokens };
                self.enter(Entry { number, ms, server_ms, host, deployment, what });
            }
        }
        number
    }

    /// The reply to turn `number` has come to its replica.
    pub fn delivered(&mut self, host: usize, number: u64) {
        if number > 0 {
            let before = std::mem::replace(&mut self.delivered[host], number);
            self.turns.remove(&before);
        }
    }

    /// A request was let in.
    pub fn granted(&mut self, host: usize, grant: &Grant, regard: Regard, now: At) {
        let deployment = self.world.place(&grant.deployment);
        let (number, at) = if grant.is_local {
            (self.next(), now)
        } else {
            let number = self.delivered[host];
            (number, self.turns.get(&number).copied().unwrap_or(now))
        };
        let At { ms, server_ms } = at;
        self.tally.granted += 1;
        self.tally.alone += u64::from(grant.is_local);
        self.tally.probes += u64::from(grant.is_probe);
        let what = What::Granted {
            tokens: grant.tokens,
            serial: grant.serial,
            is_local: grant.is_local,
            is_probe: grant.is_probe,
            regard,
            charge: grant.tokens,
        };
        let at = self.enter(Entry { number, ms, server_ms, host, deployment, what });
        if self.open.insert((host, grant.serial), at).is_some() {
            self.violate(ms, at.0, format!("replica {host} gave out grant {} twice", grant.serial));
        }
    }

    /// A granted request has ended.
    pub fn ended(&mut self, host: usize, grant: &Grant, used: Option<Tokens>, how: &'static str, now: At) {
        let At { ms, server_ms } = now;
        let Some((window, at)) = self.open.remove(&(host, grant.serial)) else {
            return;
        };
        self.tally.settled += 1;
        let (number, deployment) = (self.next(), self.log[window][at].deployment);
        let gives_back = self.world.deployments[deployment].limits.basis == ChargeBasis::ReserveSettle;
        if let (true, Some(used), What::Granted { tokens, charge, .. }) =
            (gives_back, used, &mut self.log[window][at].what)
        {
            *charge = Tokens { input: tokens.input.min(used.input), output: tokens.output.min(used.output) };
        }
        self.enter(Entry { number, ms, server_ms, host, deployment, what: What::Ended { grant: at, used, how } });
    }

    /// The server has lost what it was told lately; what each replica shows.
    pub fn forgot(&mut self, shown: &[(usize, Vec<DeploymentView>)], now: At) {
        let At { ms, server_ms } = now;
        let number = self.next();
        for deployment in 0..self.world.deployments.len() {
            let knows = |(host, views): &(usize, Vec<DeploymentView>)| match views[deployment].health {
                Health::Cooling { until, .. } => Some((*host, until.as_millis())),
                Health::Ready | Health::HalfOpen { .. } | Health::Drained { .. } => None,
            };
            let known = shown.iter().filter_map(knows).collect();
            self.enter(Entry { number, ms, server_ms, host: 0, deployment, what: What::Forgotten { known } });
        }
    }

    /// A replica has told the server all it knew.
    pub fn told(&mut self, host: usize) {
        let number = self.next();
        self.told[host].push(number);
    }

    /// A replica's process is gone, and its requests with it.
    pub fn died(&mut self, host: usize, now: At) {
        let At { ms, server_ms } = now;
        let open: Vec<_> = self.open.range((host, 0)..=(host, u64::MAX)).map(|(key, at)| (*key, *at)).collect();
        for (key, (window, grant)) in open {
            self.open.remove(&key);
            self.tally.died += 1;
            let (number, deployment) = (self.next(), self.log[window][grant].deployment);
            self.enter(Entry { number, ms, server_ms, host, deployment, what: What::Died { grant } });
        }
        if let Some(away) = self.away[host].last_mut() {
            away.until.get_or_insert(ms);
        }
    }

    /// Whether it is known how far a replica may lead beyond the limits: as long as it is away and counts as many others.
    pub fn knows_exposure(&self, host: usize, status: Status) -> bool {
        let is_away = |away: &Away| away.until.is_none() && away.replicas == status.replicas;
        status.mode.is_exact() || self.away[host].last().is_some_and(is_away)
    }

    /// A replica serves from elsewhere now. No exposures are those that are known.
    pub fn mode_changed(&mut self, host: usize, status: Status, exposures: Vec<Exposure>, ms: u64) {
        let last = self.away[host].last_mut().filter(|away| away.until.is_none());
        match (status.mode, last) {
            (Mode::Embedded | Mode::Shared, Some(away)) => away.until = Some(ms),
            (Mode::Embedded | Mode::Shared, None) => {}
            (Mode::Local | Mode::Recovering, Some(away)) => {
                for (known, more) in away.exposures.iter_mut().zip(exposures) {
                    known.requests = known.requests.max(more.requests);
                    known.tokens = known.tokens.max(more.tokens);
                }
                away.replicas = status.replicas;
            }
            (Mode::Local | Mode::Recovering, None) => {
                self.away[host].push(Away { from: ms, until: None, replicas: status.replicas, exposures });
            }
        }
    }

    /// Holds what replicas show against the truth, when nothing goes on: `server_now` by the server's clock.
    pub fn hold_views(&mut self, shown: &[(usize, Vec<DeploymentView>)], ms: u64, server_now: u64) {
        for (window, deployment) in self.world.one_of_each_window() {
            let truth = self.truth(window, server_now);
            for (host, views) in shown {
                let view = &views[deployment];
                let tokens = view.usage.tokens();
                if view.usage.requests != truth.requests {
                    let what =
                        format!("replica {host} shows {} requests, there were {}", view.usage.requests, truth.requests);
                    self.violate(ms, window, what);
                }
                if !(truth.least_tokens..=truth.most_tokens).contains(&tokens) {
                    let (least, most) = (truth.least_tokens, truth.most_tokens);
                    self.violate(
                        ms,
                        window,
                        format!("replica {host} shows {tokens} tokens, there were {least} to {most}"),
                    );
                }
                if view.in_flight != truth.in_flight {
                    let what =
                        format!("replica {host} shows {} in flight, there are {}", view.in_flight, truth.in_flight);
                    self.violate(ms, window, what);
                }
            }
        }
    }

    /// Holds what replicas show to be in flight against the truth, where nothing has changed for a second.
    pub fn hold_in_flight(&mut self, shown: &[(usize, Vec<DeploymentView>)], ms: u64) {
        for (window, deployment) in self.world.one_of_each_window() {
            if self.log[window].iter().rev().take(50).any(|entry| entry.ms + 1000 >= ms) {
                continue;
            }
            let truth = self.in_flight(window);
            for (host, views) in shown {
                let there = views[deployment].in_flight;
                if there != truth {
                    self.violate(ms, window, format!("replica {host} shows {there} in flight, there are {truth}"));
                }
            }
        }
    }

    /// Something that must not be, with no window to it.
    pub fn complain(&mut self, ms: u64, what: String) {
        self.violations.push(Violation { ms, window: None, what });
    }

    fn violate(&mut self, ms: u64, window: usize, what: String) {
        self.violations.push(Violation { ms, window: Some(window), what });
    }

    fn enter(&mut self, entry: Entry) -> (usize, usize) {
        let window = self.world.window_of[entry.deployment];
        self.log[window].push(entry);
        (window, self.log[window].len() - 1)
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn in_flight(&self, window: usize) -> u32 {
        let count = self.open.values().filter(|(at, _)| *at == window).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

fn millis(span: Duration) -> u64 {
    weighbridge_domain::time::millis(span)
}
