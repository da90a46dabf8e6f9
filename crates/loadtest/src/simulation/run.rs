//! One run: a fleet, its requests, what goes wrong, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use weighbridge_domain::time::millis;
use weighbridge_domain::view::DeploymentView;
use weighbridge_state::{Mode, SharedState};

use super::fault::Fault;
use super::judge::{Judge, Tally};
use super::network::{Network, Said, Way};
use super::replica::{Begins, Replica, Start};
use super::store::{Store, ms};
use super::traffic::Seen;
use super::world::World;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where all random numbers start.
    pub seed: u64,
    /// Replicas.
    pub replicas: usize,
    /// Deployments.
    pub deployments: usize,
    /// How long requests come.
    pub lasts: Duration,
    /// The most requests a second that the fleet is asked; less when less than that is enough for its limits.
    pub rate: f64,
    /// What goes wrong, one after the other.
    pub faults: Vec<Fault>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How often what happened.
    pub tally: Tally,
    /// How much of the limits was used where more was asked for; of a run in which nothing goes wrong.
    pub utilisation: Option<f64>,
    /// What must not have been, each with what came before it; the earliest first.
    pub violations: Vec<String>,
    /// The same in short: what sort, how often, and how soon in ms.
    pub sorts: BTreeMap<String, (usize, u64)>,
}

/// How much of a limit must be used, where more is asked for.
const UTILISATION: f64 = 0.97;
/// How long after the last fault everything must be right again.
const HEALED: Duration = Duration::from_secs(70);
/// How long after its end a replica's requests may be shown to be in flight.
const REAPED: Duration = Duration::from_secs(6);

/// Runs `plan` in virtual time.
pub fn run(plan: &Plan) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(async { Run::begin(plan).play().await }))
}

struct Run<'a> {
    plan: &'a Plan,
    dice: fastrand::Rng,
    store: Store,
    start: Start,
    replicas: Vec<Replica>,
    began: Instant,
    healed_at: Instant,
}

impl<'a> Run<'a> {
    fn begin(plan: &'a Plan) -> Self {
        let mut dice = fastrand::Rng::with_seed(plan.seed);
        let world = Arc::new(World::new(plan.deployments, &mut dice));
        let judge = Judge::new(Arc::clone(&world), plan.replicas);
        let store = Store::new(Network::new(plan.replicas, dice.fork()), judge);
        let began = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let rate = world.demand().min(plan.rate) / plan.replicas as f64;
        let start = Start {
            store: store.clone(),
            table: Arc::new(world.table()),
            world,
            most: u32::try_from(plan.replicas).unwrap_or(u32::MAX),
            rate,
            ends: began + plan.lasts,
        };
        let replicas = (0..plan.replicas).map(|host| start.replica(host, Begins::Joined, &mut dice)).collect();
        Self { plan, dice, store, start, replicas, began, healed_at: began }
    }

    async fn play(mut self) -> Outcome {
        sleep_until(self.began + ms(10_000)).await;
        for fault in self.plan.faults.clone() {
            self.happens(fault).await;
            // What heals is left alone for a moment, mostly.
            sleep(ms(self.dice.u64(200..1500))).await;
        }
        self.healed_at = Instant::now();
        let ends = self.start.ends.max(self.healed_at + HEALED);
        sleep_until(ends).await;
        for replica in &mut self.replicas {
            replica.done().await;
        }
        // What ended last has been told, and the others have read it.
        sleep(ms(1500)).await;
        self.hold_all().await;
        self.judged()
    }

    async fn happens(&mut self, fault: Fault) {
        self.note(&format!("{fault} begins"));
        let lasts = ms(fault.lasts() * self.dice.u64(50..=100) / 100);
        let until = Instant::now() + lasts;
        let host = self.somebody();
        match fault {
            Fault::Unreachable => self.for_all(Way::Refused, lasts).await,
            Fault::SilentLate => self.for_all(Way::Silent { until, said: Said::ArrivesLate }, lasts).await,
            Fault::SilentLost => self.for_all(Way::Silent { until, said: Said::IsLost }, lasts).await,
            Fault::CutOff => self.for_one(host, Way::Refused, lasts).await,
            Fault::CutOffSilently => self.for_one(host, Way::Silent { until, said: Said::ArrivesLate }, lasts).await,
            Fault::RepliesLost => {
                self.store.lock().network.reply_loss = 0.3;
                sleep(lasts).await;
                self.store.lock().network.reply_loss = 0.0;
            }
            Fault::RestartEmpty => {
                let lasts = ms(self.dice.u64(1..800));
                self.for_all(Way::Refused, lasts).await;
                self.store.lock().restart_empty();
                self.forgot();
            }
            Fault::RestartEarlier => {
                self.store.lock().save();
                sleep(ms(self.dice.u64(100..1500))).await;
                let lasts = ms(self.dice.u64(1..800));
                self.for_all(Way::Refused, lasts).await;
                self.store.lock().restart_from_saved();
                self.forgot();
            }
            Fault::Flush => {
                self.store.lock().model.flush();
                self.forgot();
            }
            Fault::ClockForward => self.store.lock().step(30_000),
            Fault::ClockBack => self.store.lock().step(-20_000),
            Fault::Killed => self.replace(1).await,
            Fault::ManyKilled => self.replace(self.replicas.len().div_ceil(4)).await,
            Fault::Stalled | Fault::StalledBriefly => {
                self.note(&format!("replica {host} stands still for {} ms", lasts.as_millis()));
                self.store.lock().network.stall(host, until);
                sleep(lasts).await;
            }
            Fault::Deaf => {
                for host in 0..self.replicas.len() {
                    let host = self.replicas[host].seen.host;
                    self.store.lock().deafen(host);
                }
                sleep(lasts).await;
            }
        }
        self.note(&format!("{fault} is over"));
    }

    /// The server has lost data: who knows what is noted.
    fn forgot(&self) {
        let shown: Vec<_> = self.replicas.iter().map(|replica| self.shown(&replica.seen)).collect();
        let mut state = self.store.lock();
        let now = state.at();
        state.judge.forgot(&shown, now);
    }

    /// The number of a replica.
    fn somebody(&mut self) -> usize {
        let at = self.dice.usize(..self.replicas.len());
        self.replicas[at].seen.host
    }

    async fn for_all(&self, way: Way, lasts: Duration) {
        self.store.lock().network.set_all(way);
        sleep(lasts).await;
        self.store.lock().network.set_all(Way::Open);
    }

    async fn for_one(&self, host: usize, way: Way, lasts: Duration) {
        self.note(&format!("it is replica {host}"));
        self.store.lock().network.set(host, way);
        sleep(lasts).await;
        self.store.lock().network.set(host, Way::Open);
    }

    /// Replicas die; others take their places.
    async fn replace(&mut self, count: usize) {
        for _ in 0..count {
            let at = self.dice.usize(..self.replicas.len());
            let replica = self.replicas.swap_remove(at);
            self.note(&format!("replica {} dies", replica.seen.host));
            replica.kill();
        }
        let died = Instant::now();
        sleep(ms(self.dice.u64(1..1000))).await;
        for _ in 0..count {
            let host = {
                let mut state = self.store.lock();
                state.judge.add_host();
                state.network.add()
            };
            let begins = if self.dice.bool() { Begins::Joined } else { Begins::AtOnce };
            self.note(&format!("replica {host} starts"));
            self.replicas.push(self.start.replica(host, begins, &mut self.dice));
        }
        sleep_until(died + REAPED).await;
        for Replica { seen, .. } in &self.replicas {
            let views = self.views(seen).await;
            let mut state = self.store.lock();
            let elapsed = state.elapsed_ms();
            state.judge.hold_in_flight(&views, elapsed);
        }
    }

    /// What a replica shows, as fresh as it can be.
    async fn views(&self, seen: &Seen) -> [(usize, Vec<DeploymentView>); 1] {
        seen.fleet.refresh().await;
        [self.shown(seen)]
    }

    /// What a replica shows as it is.
    fn shown(&self, seen: &Seen) -> (usize, Vec<DeploymentView>) {
        (seen.host, seen.fleet.view(&self.start.world.deployments, seen.now()))
    }

    /// Nothing goes on any more, and nothing of what went wrong is in the window.
    async fn hold_all(&self) {
        for Replica { seen, .. } in &self.replicas {
            let mode = seen.fleet.status().mode;
            if mode != Mode::Shared {
                let mut state = self.store.lock();
                let elapsed = state.elapsed_ms();
                state.judge.complain(elapsed, format!("replica {} is still {}", seen.host, mode.label()));
            }
        }
        for Replica { seen, .. } in &self.replicas {
            self.amid_a_second().await;
            let views = self.views(seen).await;
            let mut state = self.store.lock();
            let (elapsed, now) = (state.elapsed_ms(), state.now());
            state.judge.hold_views(&views, elapsed, now);
        }
    }

    /// Waits until no second ends soon: who reads a clock a millisecond earlier forgets a second later.
    async fn amid_a_second(&self) {
        let into = self.store.lock().now() % 1000;
        if !(50..800).contains(&into) {
            sleep(ms((1050 - into) % 1000)).await;
        }
    }

    fn judged(self) -> Outcome {
        let mut state = self.store.lock();
        state.judge.sweep();
        let utilisation = self.plan.faults.is_empty().then(|| state.judge.utilisation(0, millis(self.plan.lasts)));
        if let Some(used) = utilisation.filter(|used| *used < UTILISATION) {
            let elapsed = state.elapsed_ms();
            state.judge.complain(elapsed, format!("only {:.1} % of what might be used was used", used * 100.0));
        }
        let violations = state.judge.violations();
        let mut sorts = BTreeMap::new();
        for violation in &violations {
            let (count, _) = sorts.entry(violation.sort()).or_insert((0, violation.ms));
            *count += 1;
        }
        let violations = violations.iter().map(|violation| state.judge.tell(violation)).collect();
        Outcome { tally: state.judge.tally, utilisation, violations, sorts }
    }

    fn note(&self, what: &str) {
        let mut state = self.store.lock();
        let elapsed = state.elapsed_ms();
        state.judge.note_fault(what, elapsed);
    }
}
