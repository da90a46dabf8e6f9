//! The clerk: one task that talks to the store on behalf of all requests.
//!
//! One call is under way at a time; whatever comes up meanwhile rides the next. So nothing waits for a
//! timer when little happens, and calls grow by themselves when much does. And since nobody else says what this
//! replica has in flight, that is always exact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, StoreOutcome};
use weighbridge_domain::limits::{ChargeBasis, Feedback, Tokens};
use weighbridge_domain::name::{DeploymentId, NameMap, QuotaName};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::Timestamp;

use super::link::LinkError;
use super::protocol::{
    Ask, AskAnswer, Changed, Ended, EndedHow, Granted, Member, Observed, Turn, TurnDone, TurnResult,
};
use super::shard::{Connection, Fault, Phase, Shard, is_certain};
use crate::books::Change;
use crate::latency::measured;
use crate::{Admission, Candidate, Counted, Grant, Outcome, Refusal, RefusalCause, Settlement, announce};

/// Jobs in one call, at most.
const BATCH: usize = 256;
/// How often others go first before a call, at most.
const ROUNDS: u32 = 8;
/// Ended requests that are kept to be told when the store is back; past that the oldest are forgotten, which
/// counts against this replica.
const KEPT: usize = 10_000;
/// So many calls in a row without an answer, over so long, mean that the store is of no use.
const TIMEOUTS: u32 = 3;
const TIMEOUTS_SPAN: Duration = Duration::from_millis(150);
/// A timeout that came so much too late says that this process was stalled, not the store.
const STALLED: Duration = Duration::from_millis(20);

/// What a request wants of the store.
#[derive(Debug)]
pub(crate) enum Job {
    /// Admission. The answer is `None` when the store could not be asked.
    Ask { candidates: Vec<Candidate>, tokens: Tokens, reply: oneshot::Sender<Option<Admission>> },
    /// It has ended; its place in flight is free already.
    Settle(Box<Settlement>),
    /// A provider said what it has counted.
    Observe { deployment: Arc<Deployment>, feedback: Feedback, counted: Counted },
    /// The next number of a counter. It is dropped when the store could not be asked.
    Ticket { counter: Arc<str>, reply: oneshot::Sender<u64> },
    /// Everything before it has been told, or cannot be.
    Flush(oneshot::Sender<()>),
}

/// What one call says beside what has ended.
#[derive(Default)]
struct Said {
    asks: Vec<Asked>,
    observations: Vec<(Arc<Deployment>, Feedback, Counted)>,
    tickets: Waiting,
}

impl Said {
    fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.observations.is_empty() && self.tickets.is_empty()
    }
}

struct Asked {
    candidates: Vec<Candidate>,
    tokens: Tokens,
    reply: oneshot::Sender<Option<Admission>>,
}

/// Those who want the next number of each counter, in the order of their coming.
type Waiting = BTreeMap<Arc<str>, Vec<oneshot::Sender<u64>>>;

/// Works until the shard is gone.
pub(crate) async fn work(shard: Arc<Shard>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut clerk = Clerk { shard, settlements: Vec::new(), timeouts: 0, first_timeout: None };
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut jobs, &mut batch).await;
        clerk.turn(batch.drain(..)).await;
    }
}

/// Lets everybody who can go on by now go first, and takes along what they want, as long as that is anything: with
/// nothing else to do, that is no time at all; with much to do, turns grow.
async fn gather(jobs: &mut mpsc::UnboundedReceiver<Job>, batch: &mut Vec<Job>) {
    for _ in 0..ROUNDS {
        let before = batch.len();
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        if batch.len() == before {
            return;
        }
    }
}

struct Clerk {
    shard: Arc<Shard>,
    /// Ended requests that the store has not been told of.
    settlements: Vec<Settlement>,
    /// Calls without an answer, in a row.
    timeouts: u32,
    first_timeout: Option<Instant>,
}

impl Clerk {
    async fn turn(&mut self, jobs: impl Iterator<Item = Job>) {
        let (mut said, mut flushes) = (Said::default(), Vec::new());
        for job in jobs {
            match job {
                Job::Ask { candidates, tokens, reply } => said.asks.push(Asked { candidates, tokens, reply }),
                Job::Settle(settlement) => self.settlements.push(*settlement),
                Job::Observe { deployment, feedback, counted } => {
                    said.observations.push((deployment, feedback, counted));
                }
                Job::Ticket { counter, reply } => said.tickets.entry(counter).or_default().push(reply),
                Job::Flush(done) => flushes.push(done),
            }
        }
        match &*self.shard.phase() {
            Phase::Shared(connection) => self.say(connection, said).await,
            Phase::Recovering(_) => {
                drop(said);
                self.keep();
            }
            Phase::Local | Phase::Left => {
                drop(said);
                self.report_alone();
            }
        }
        for done in flushes {
            // Whoever waited may have gone.
            done.send(()).unwrap_or(());
        }
    }

    /// One call. Asks that are dropped unanswered are answered from this replica's share.
    async fn say(&mut self, connection: &Connection, said: Said) {
        if said.is_empty() && self.settlements.is_empty() {
            return;
        }
        let shard = Arc::clone(&self.shard);
        let settlements = std::mem::take(&mut self.settlements);
        let draft = Draft::new(&shard, connection, &said, &settlements);
        let Said { asks, tickets, .. } = said;
        let sent = Instant::now();
        let answer = connection.link.turn(&shard.replica, &draft.turn).await;
        let took = sent.elapsed();
        let observe = |outcome| {
            let (asks, settlements) = (asks.len(), settlements.len());
            shard.observer.observe(&Event::StoreCalled { took, asks, settlements, outcome });
        };
        match answer {
            Ok(reply) => {
                self.timeouts = 0;
                let jump = shard.time.heard(reply.now, sent);
                if let Some(jump) = jump {
                    shard.jumped(jump);
                }
                match reply.result {
                    TurnResult::Done(done) => {
                        observe(StoreOutcome::Done);
                        shard.is_found();
                        give_out(tickets, &done.tickets);
                        self.carry_out(draft, done, reply.now, asks, &settlements);
                        if jump.is_some() {
                            // What others granted has left the window too early.
                            shard.fault(connection, Fault::Stale { saw_loss: true });
                        }
                        return;
                    }
                    TurnResult::Late => observe(StoreOutcome::TimedOut),
                    TurnResult::OtherEpoch | TurnResult::Recovering => {
                        observe(StoreOutcome::Stale);
                        shard.fault(connection, Fault::Stale { saw_loss: false });
                    }
                    TurnResult::Loss => {
                        observe(StoreOutcome::Stale);
                        shard.fault(connection, Fault::Stale { saw_loss: true });
                    }
                }
                // Nothing was done: it is told again.
                self.settlements = settlements;
                self.keep();
            }
            Err(LinkError::TimedOut { ms }) => {
                observe(StoreOutcome::TimedOut);
                draft.doubt(&shard);
                // It may have been done: nothing is given back twice.
                self.settlements = settlements.into_iter().map(without_refund).collect();
                if self.is_too_slow(took, Duration::from_millis(ms)) {
                    shard.fault(connection, Fault::Slow);
                    self.report_alone();
                }
            }
            Err(LinkError::Broken(reason)) => {
                observe(StoreOutcome::Failed);
                draft.doubt(&shard);
                shard.fault(connection, Fault::Broken(reason));
                self.settlements = settlements.into_iter().map(without_refund).collect();
                self.report_alone();
            }
        }
    }

    fn is_too_slow(&mut self, took: Duration, limit: Duration) -> bool {
        if took > limit + STALLED {
            return false;
        }
        self.timeouts += 1;
        if self.timeouts == 1 {
            self.first_timeout = Some(Instant::now() - took);
        }
        let span = self.first_timeout.map_or(Duration::ZERO, |first| first.elapsed());
        let is_too_slow = self.timeouts >= TIMEOUTS && span >= TIMEOUTS_SPAN;
        if is_too_slow {
            self.timeouts = 0;
        }
        is_too_slow
    }

    /// Takes over what the store did.
    fn carry_out(&mut self, draft: Draft, done: TurnDone, at: Timestamp, asks: Vec<Asked>, settlements: &[Settlement]) {
        let shard = &self.shard;
        let now = shard.time.now();
        for (member, report) in draft.turn.members.iter().zip(&done.members) {
            if let Some(report) = report {
                shard.heard_member(&member.id, report, now);
            }
        }
        let mut granted = vec![Granted::default(); draft.turn.windows.len()];
        let mut admissions = Vec::with_capacity(asks.len());
        for (asked, answer) in asks.iter().zip(&done.answers) {
            admissions.push(match answer {
                AskAnswer::Granted { candidate, is_probe } => {
                    let deployment = &asked.candidates[*candidate].deployment;
                    let window = usize::from(draft.windows[&deployment.quota]);
                    granted[window].add(asked.tokens);
                    shard.note(deployment);
                    let grant = shard.books.enter(*candidate, deployment, asked.tokens, *is_probe, at);
                    let usage = done.windows[window].map_or(grant.usage, |report| report.usage);
                    Admission::Granted(Grant { usage, ..grant })
                }
                AskAnswer::Refused { retry_at, is_full } => {
                    let cause = if *is_full { RefusalCause::AtLimit } else { RefusalCause::AllCooling };
                    let refusal = Refusal { retry_at: *retry_at, cause };
                    shard.note_full(&asked.candidates, asked.tokens, refusal, now);
                    Admission::Refused(refusal)
                }
            });
        }
        for (((quota, stake), report), granted) in draft.turn.windows.iter().zip(&done.windows).zip(granted) {
            if let Some(report) = report {
                shard.heard_window(quota, report, stake, granted);
            }
        }
        // What was certain has been announced already.
        for (settlement, change) in settlements.iter().zip(done.changes).filter(|(ended, _)| !is_certain(ended)) {
            announce::changed(&*shard.observer, &settlement.deployment.id, change_of(settlement, change), now);
        }
        for (asked, admission) in asks.into_iter().zip(admissions) {
            let candidates = asked.candidates;
            if let Err(Some(Admission::Granted(grant))) = asked.reply.send(Some(admission)) {
                let deployment = Arc::clone(&candidates[grant.candidate].deployment);
                self.give_back(grant, deployment, now);
            }
        }
    }

    /// A grant whose request has gone was used for nothing.
    fn give_back(&mut self, grant: Grant, deployment: Arc<Deployment>, now: Timestamp) {
        let settlement = Settlement {
            grant,
            deployment,
            used: Some(Tokens::default()),
            outcome: Outcome::Neutral,
            peers: Arc::from([]),
        };
        let _freed = self.shard.books.release(&settlement, now);
        self.shard.send(Job::Settle(Box::new(settlement)));
    }

    /// Keeps what has ended for later.
    fn keep(&mut self) {
        let above = self.settlements.len().saturating_sub(KEPT);
        self.settlements.drain(..above);
    }

    /// Counts outcomes here alone, and keeps what there is to charge for later.
    fn report_alone(&mut self) {
        for settlement in &mut self.settlements {
            if settlement.outcome != Outcome::Neutral {
                if !is_certain(settlement) {
                    self.shard.report_alone(settlement);
                }
                settlement.outcome = Outcome::Neutral;
                settlement.grant.is_probe = false;
            }
        }
        self.settlements.retain(|settlement| settlement.used.is_some());
        self.keep();
    }
}

/// A turn in the making: everything that is named in it has a place.
struct Draft {
    turn: Turn,
    windows: NameMap<QuotaName, u16>,
    members: NameMap<DeploymentId, u16>,
}

impl Draft {
    fn new(shard: &Shard, connection: &Connection, said: &Said, settlements: &[Settlement]) -> Self {
        let Said { asks, observations, tickets } = said;
        let turn = Turn {
            epoch: connection.epoch.clone(),
            deadline: shard.time.deadline(shard.habits.call_timeout),
            tickets: tickets.iter().map(|(counter, waiting)| (Arc::clone(counter), count(waiting.len()))).collect(),
            ..Turn::default()
        };
        let mut draft = Self { turn, windows: NameMap::default(), members: NameMap::default() };
        let now = shard.time.now();
        for settlement in settlements {
            let ended = draft.ended(settlement, shard, now);
            draft.turn.settlements.push(ended);
        }
        for (deployment, feedback, counted) in observations {
            let member = draft.counted(deployment, shard, now);
            draft.turn.observations.push(Observed { member, feedback: *feedback, counted: *counted });
        }
        for asked in asks {
            let mut ask = Ask { tokens: asked.tokens, candidates: Vec::with_capacity(asked.candidates.len()) };
            for candidate in &asked.candidates {
                ask.candidates.push((draft.counted(&candidate.deployment, shard, now), candidate.cooldown));
            }
            draft.turn.asks.push(ask);
        }
        draft
    }

    /// It came to nothing, as far as is known: what was asked for may have been granted.
    fn doubt(&self, shard: &Shard) {
        if !self.turn.asks.is_empty() {
            self.turn.windows.iter().for_each(|(quota, _)| shard.windows.doubt(quota));
        }
    }

    fn ended(&mut self, settlement: &Settlement, shard: &Shard, now: Timestamp) -> Ended {
        let Settlement { grant, deployment, used, outcome, peers } = settlement;
        let (more, less) = difference(deployment.limits.basis, grant, *used);
        let result = match *outcome {
            Outcome::Neutral => EndedHow::Neutral,
            Outcome::Success { sample } => EndedHow::Answered(sample.as_ref().map(measured)),
            Outcome::Failure { kind, verdict } => EndedHow::Failed { kind, verdict },
        };
        let member = self.counted(deployment, shard, now);
        let peers = match result {
            EndedHow::Failed { verdict: CooldownVerdict::ByShare(_), .. } => {
                peers.iter().filter(|peer| **peer != deployment.id).map(|peer| self.named(peer)).collect()
            }
            EndedHow::Failed { .. } | EndedHow::Neutral | EndedHow::Answered(_) => Vec::new(),
        };
        let second = grant.at.as_secs();
        Ended { member, second, more, less, probe: grant.probe_until(), result, peers }
    }

    /// The place of a deployment whose usage matters.
    fn counted(&mut self, deployment: &Arc<Deployment>, shard: &Shard, now: Timestamp) -> u16 {
        let member = self.named(&deployment.id);
        if self.turn.members[usize::from(member)].counted.is_none() {
            let window = *self.windows.entry(deployment.quota.clone()).or_insert_with(|| {
                self.turn.windows.push((deployment.quota.clone(), shard.stake(&deployment.quota, now)));
                place(self.turn.windows.len())
            });
            let limits = shard.limits(&deployment.limits);
            let deployment = if limits == deployment.limits {
                Arc::clone(deployment)
            } else {
                Arc::new(Deployment { limits, ..(**deployment).clone() })
            };
            self.turn.members[usize::from(member)].counted = Some((deployment, window));
        }
        member
    }

    /// The place of a deployment whose health matters.
    fn named(&mut self, id: &DeploymentId) -> u16 {
        *self.members.entry(id.clone()).or_insert_with(|| {
            self.turn.members.push(Member { id: id.clone(), counted: None });
            place(self.turn.members.len())
        })
    }
}

/// Each of those who wait gets a number of its own, from the first on.
fn give_out(tickets: Waiting, firsts: &[u64]) {
    for (waiting, first) in tickets.into_values().zip(firsts) {
        for (reply, number) in waiting.into_iter().zip(*first..) {
            // Whoever waited may have gone; its turn is lost.
            reply.send(number).unwrap_or(());
        }
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The place of the last of `count`. A batch names far fewer than 65,536.
fn place(count: usize) -> u16 {
    u16::try_from(count - 1).unwrap_or(u16::MAX)
}

/// What is charged and given back for a grant that used `used`. What was granted from a share has not been charged
/// to the store by its reservation, but by what was left of it.
fn difference(basis: ChargeBasis, grant: &Grant, used: Option<Tokens>) -> (Tokens, Tokens) {
    let Some(used) = used else { return (Tokens::default(), Tokens::default()) };
    let less = match basis {
        ChargeBasis::ReserveSettle if !grant.is_local => grant.tokens.beyond(used),
        ChargeBasis::ReserveSettle | ChargeBasis::ReserveMax => Tokens::default(),
    };
    (used.beyond(grant.tokens), less)
}

/// The same, but nothing is given back.
fn without_refund(mut settlement: Settlement) -> Settlement {
    settlement.grant.is_local = true;
    settlement
}

fn change_of(settlement: &Settlement, changed: Changed) -> Change {
    match (changed, settlement.outcome) {
        (Changed::Back, _) => Change::Back,
        (Changed::Rests(until), Outcome::Failure { kind, .. }) => Change::Rests { until, cause: kind },
        (Changed::Rests(_), Outcome::Success { .. } | Outcome::Neutral) | (Changed::Nothing, _) => Change::None,
    }
}
