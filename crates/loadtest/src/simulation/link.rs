//! A replica's connection to the server of the simulation.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_state::documents::Record;
use weighbridge_state::fleet::link::{Connected, Connector, Link, LinkError, News};
use weighbridge_state::fleet::protocol::{
    Beat, Changes, Claimed, Join, Joined, Operated, Operation, Pulse, Replay, ReplicaId, Saved, Snapshot, Told, Turn,
    TurnReply,
};
use weighbridge_state::{Answer, Claim, Kept};

use super::network::{Said, Way};
use super::store::{State, Store};

/// How long a call off the request's path may take.
const UPKEEP: Duration = Duration::from_millis(250);
/// How long a turn may take.
pub const TURN: Duration = Duration::from_millis(50);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_millis(200);

/// Makes connections for one replica.
#[derive(Debug, Clone)]
pub struct SimulatedConnector {
    /// The server.
    pub store: Store,
    /// The replica's number.
    pub host: usize,
}

#[derive(Debug)]
struct SimulatedLink {
    store: Store,
    host: usize,
    /// The run of the server that it was made to.
    run: u32,
}

/// A call that may be carried out when nobody waits for it any more.
type Later = Box<dyn FnOnce(&mut State) + Send>;

impl Connector for SimulatedConnector {
    fn connect(&self) -> Answer<'_, Result<Connected, LinkError>> {
        Box::pin(async {
            let store = self.store.clone();
            awake(&store, self.host).await;
            let (delay, run) = {
                let mut state = store.lock();
                (state.network.delay() * 3, state.run())
            };
            sleep(delay).await;
            awake(&store, self.host).await;
            let (way, run_now) = {
                let state = store.lock();
                (state.network.way(self.host), state.run())
            };
            match way {
                Way::Refused => return Err(LinkError::Broken("connection refused".to_owned())),
                Way::Open if run_now != run => return Err(LinkError::Broken("connection reset".to_owned())),
                Way::Open => {}
                Way::Silent { .. } => {
                    sleep(CONNECT).await;
                    return Err(LinkError::TimedOut { ms: millis(CONNECT) });
                }
            }
            let link = SimulatedLink { store: self.store.clone(), host: self.host, run };
            Ok(Connected { link: std::sync::Arc::new(link), warnings: Vec::new() })
        })
    }
}

impl SimulatedLink {
    /// Sends a call, has it carried out, and waits for the reply, `within` at most.
    async fn call<T>(
        &self,
        within: Duration,
        carry_out: impl FnOnce(&mut State) -> T,
        later: impl FnOnce() -> Later,
    ) -> Result<T, LinkError> {
        awake(&self.store, self.host).await;
        let ends = Instant::now() + within;
        let delay = self.store.lock().network.delay();
        sleep(delay).await;
        // A process that stands still has sent what it has sent.
        match self.way() {
            Way::Refused => return self.fails(LinkError::Broken("connection reset by peer".to_owned())).await,
            Way::Silent { until, said } => {
                if said == Said::ArrivesLate {
                    self.arrives_after(until, later());
                }
                return self.times_out(ends, within).await;
            }
            Way::Open => {}
        }
        let (value, delay, is_lost) = {
            let mut state = self.store.lock();
            let value = carry_out(&mut state);
            (value, state.network.delay(), state.network.loses_reply())
        };
        if is_lost {
            return self.times_out(ends, within).await;
        }
        sleep(delay).await;
        match self.way() {
            Way::Open => {}
            Way::Refused => return self.fails(LinkError::Broken("connection reset by peer".to_owned())).await,
            Way::Silent { .. } => return self.times_out(ends, within).await,
        }
        awake(&self.store, self.host).await;
        Ok(value)
    }

    fn way(&self) -> Way {
        let state = self.store.lock();
        if state.run() == self.run { state.network.way(self.host) } else { Way::Refused }
    }

    async fn fails<T>(&self, error: LinkError) -> Result<T, LinkError> {
        awake(&self.store, self.host).await;
        Err(error)
    }

    async fn times_out<T>(&self, ends: Instant, within: Duration) -> Result<T, LinkError> {
        sleep_until(ends).await;
        self.fails(LinkError::TimedOut { ms: millis(within) }).await
    }

    fn arrives_after(&self, until: Instant, later: Later) {
        let (store, host, run) = (self.store.clone(), self.host, self.run);
        let backlog = store.lock().network.backlog();
        tokio::spawn(async move {
            sleep_until(until + backlog).await;
            let mut state = store.lock();
            if state.run() == run && state.network.way(host) == Way::Open {
                later(&mut state);
            }
        });
    }
}

/// Waits while a replica's process stands still; for ever when it is gone.
async fn awake(store: &Store, host: usize) {
    loop {
        let (is_dead, stalled_until) = {
            let state = store.lock();
            (state.network.is_dead(host), state.network.stalled_until(host))
        };
        if is_dead {
            std::future::pending::<()>().await;
        }
        match stalled_until {
            Some(until) => sleep_until(until).await,
            None => return,
        }
    }
}

/// A call by its name and what it says.
macro_rules! say {
    ($link:ident, $within:expr, $call:ident($($said:ident),*)) => {
        Box::pin($link.call(
            $within,
            move |state: &mut State| state.$call($($said),*),
            move || {
                $(let $said = $said.to_owned();)*
                Box::new(move |state: &mut State| {
                    state.$call($(&$said),*);
                })
            },
        ))
    };
}

impl Link for SimulatedLink {
    fn turn<'a>(&'a self, replica: &'a ReplicaId, turn: &'a Turn) -> Answer<'a, Result<TurnReply, LinkError>> {
        let host = self.host;
        Box::pin(async move {
            let later = move || -> Later {
                let (replica, turn) = (replica.clone(), turn.clone());
                Box::new(move |state| {
                    state.turn(host, &replica, &turn);
                })
            };
            let (reply, stamp) = self.call(TURN, move |state| state.turn(host, replica, turn), later).await?;
            // Whoever is granted something now was granted it then.
            self.store.lock().judge.delivered(host, stamp);
            Ok(reply)
        })
    }

    fn join<'a>(&'a self, replica: &'a ReplicaId, join: &'a Join) -> Answer<'a, Result<Joined, LinkError>> {
        say!(self, UPKEEP, join(replica, join))
    }

    fn replay<'a>(
        &'a self,
        replica: &'a ReplicaId,
        replay: &'a Replay,
    ) -> Answer<'a, Result<Option<Snapshot>, LinkError>> {
        say!(self, UPKEEP, replay(replica, replay))
    }

    fn told<'a>(
        &'a self,
        replica: &'a ReplicaId,
        told: &'a Told,
    ) -> Answer<'a, Result<Option<Option<Timestamp>>, LinkError>> {
        let host = self.host;
        let later = move || -> Later {
            let (replica, told) = (replica.clone(), told.clone());
            Box::new(move |state| {
                state.told(host, &replica, &told);
            })
        };
        Box::pin(self.call(UPKEEP, move |state| state.told(host, replica, told), later))
    }

    fn beat<'a>(&'a self, replica: &'a ReplicaId, beat: &'a Beat) -> Answer<'a, Result<Pulse, LinkError>> {
        say!(self, UPKEEP, beat(replica, beat))
    }

    fn reap<'a>(&'a self, dead: &'a ReplicaId, windows: &'a [QuotaName]) -> Answer<'a, Result<u64, LinkError>> {
        say!(self, UPKEEP, reap(dead, windows))
    }

    fn leave<'a>(&'a self, replica: &'a ReplicaId, vanished: bool) -> Answer<'a, Result<(), LinkError>> {
        let later = move || -> Later {
            let replica = replica.clone();
            Box::new(move |state| state.leave(&replica, vanished))
        };
        Box::pin(self.call(UPKEEP, move |state| state.leave(replica, vanished), later))
    }

    fn snapshot<'a>(
        &'a self,
        windows: &'a [QuotaName],
        members: &'a [DeploymentId],
    ) -> Answer<'a, Result<Snapshot, LinkError>> {
        say!(self, UPKEEP, snapshot(windows, members))
    }

    fn listen(&self) -> Answer<'_, Result<mpsc::Receiver<News>, LinkError>> {
        let host = self.host;
        Box::pin(self.call(UPKEEP, move |state| state.listen(host), move || Box::new(|_| ())))
    }

    /// Nobody has a session here.
    fn claim<'a>(&'a self, _: Claim<'a>) -> Answer<'a, Result<Claimed, LinkError>> {
        Box::pin(std::future::ready(Err(LinkError::Broken("sessions are not simulated".to_owned()))))
    }

    /// Nobody saves documents here.
    fn save<'a>(&'a self, _: &'a [(String, Record)], _: Option<usize>) -> Answer<'a, Result<Vec<Saved>, LinkError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn changes(&self, _: u64, _: usize) -> Answer<'_, Result<Changes, LinkError>> {
        Box::pin(std::future::ready(Ok(Changes { are_all: true, ..Changes::default() })))
    }

    fn keep<'a>(&'a self, records: &'a [String]) -> Answer<'a, Result<(), LinkError>> {
        let later = move || -> Later {
            let records = records.to_vec();
            Box::new(move |state| state.model.keep(&records))
        };
        Box::pin(self.call(UPKEEP, move |state| state.model.keep(records), later))
    }

    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Result<Vec<Kept>, LinkError>> {
        Box::pin(self.call(UPKEEP, move |state| state.model.kept(before, most), || Box::new(|_| ())))
    }

    fn operate<'a>(&'a self, id: &'a DeploymentId, operation: Operation) -> Answer<'a, Result<Operated, LinkError>> {
        let later = move || -> Later {
            let id = id.clone();
            Box::new(move |state| {
                state.operate(&id, operation);
            })
        };
        Box::pin(self.call(UPKEEP, move |state| state.operate(id, operation), later))
    }
}
