//! One turn of a replica: `turn.lua`, `settle.lua`, `reserve.lua` and the outcomes of `report.lua`.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::ErrorClass;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_state::Regard;
use weighbridge_state::fleet::protocol::{
    Ask, AskAnswer, Changed, Ended, EndedHow, Turn, TurnDone, TurnReply, TurnResult,
};

use super::condition::{Admits, Condition};
use super::contribution::{Loss, Open, join};
use super::window::Room;
use super::{Counter, Model, ReplicaId};

impl Model {
    /// Carries out a turn: all of it, or nothing.
    pub fn turn(&mut self, replica: &ReplicaId, turn: &Turn, now: u64) -> TurnReply {
        let result = self.carry_out(replica, turn, now);
        TurnReply { now: Timestamp::from_millis(now), result }
    }

    fn carry_out(&mut self, replica: &ReplicaId, turn: &Turn, now: u64) -> TurnResult {
        let Some(life) = self.epoch.as_ref().filter(|life| life.id == turn.epoch.0) else {
            return TurnResult::OtherEpoch;
        };
        if turn.deadline.is_some_and(|deadline| deadline.as_millis() > 0 && now > deadline.as_millis()) {
            return TurnResult::Late;
        }
        if life.recovering > now && !turn.asks.is_empty() {
            return TurnResult::Recovering;
        }
        let mut draft = Draft::new(self, replica, turn, now);
        let changes = turn.settlements.iter().map(|ended| draft.end(ended)).collect();
        for observed in &turn.observations {
            draft.load(observed.member);
            if let Some((deployment, window)) = draft.counted(observed.member) {
                let is_dirty = window.window.observe(&deployment.limits, observed);
                window.is_dirty |= is_dirty;
            }
        }
        let answers = turn.asks.iter().map(|ask| draft.reserve(ask)).collect();
        if draft.is_lost {
            return TurnResult::Loss;
        }
        let Draft { windows, members, counters, .. } = draft;
        let mut done = TurnDone { answers, changes, ..TurnDone::default() };
        for (open, (quota, _)) in windows.into_iter().zip(&turn.windows) {
            done.windows.push(open.map(|open| {
                if open.is_dirty { self.keep_open(quota, replica, open) } else { open.window.report(open.mine) }
            }));
        }
        for (condition, member) in members.into_iter().zip(&turn.members) {
            done.members.push(condition.map(|condition| {
                let report = condition.report();
                if condition.is_told {
                    self.publish(&member.id, report);
                }
                if condition.is_dirty {
                    self.keep_condition(&member.id, condition);
                }
                report
            }));
        }
        self.counters.extend(counters);
        for (counter, count) in &turn.tickets {
            let next = self.tickets.entry(Arc::clone(counter)).or_default();
            done.tickets.push(*next);
            *next += u64::from(*count);
        }
        TurnResult::Done(done)
    }
}

type CounterKey = (DeploymentId, Option<ErrorClass>);

/// What a turn has read and not yet written.
struct Draft<'a> {
    model: &'a Model,
    replica: &'a ReplicaId,
    turn: &'a Turn,
    now: u64,
    windows: Vec<Option<Open>>,
    members: Vec<Option<Condition>>,
    counters: Vec<(CounterKey, Counter)>,
    is_lost: bool,
}

impl<'a> Draft<'a> {
    fn new(model: &'a Model, replica: &'a ReplicaId, turn: &'a Turn, now: u64) -> Self {
        let windows = turn.windows.iter().map(|_| None).collect();
        let members = turn.members.iter().map(|_| None).collect();
        Self { model, replica, turn, now, windows, members, counters: Vec::new(), is_lost: false }
    }

    /// Reads a deployment and its window, if it has not been.
    fn load(&mut self, member: u16) {
        let at = usize::from(member);
        if self.members[at].is_some() {
            return;
        }
        let turn = self.turn;
        self.members[at] = Some(self.model.condition(&turn.members[at].id));
        let Some((_, window)) = &turn.members[at].counted else { return };
        let window = usize::from(*window);
        if self.windows[window].is_some() {
            return;
        }
        let (quota, stake) = &turn.windows[window];
        let stored = self.model.contribution(quota, self.replica);
        let found = self.model.windows.get(quota);
        self.windows[window] = join(found, stored, stake, Loss::Matters, self.now).or_else(|| {
            // Nothing of the turn will be written; it only has to be read to its end.
            self.is_lost = true;
            join(found, stored, stake, Loss::IsTold, self.now)
        });
    }

    fn counted(&mut self, member: u16) -> Option<(&'a Deployment, &mut Open)> {
        let (deployment, window) = self.turn.members[usize::from(member)].counted.as_ref()?;
        Some((deployment, self.windows[usize::from(*window)].as_mut()?))
    }

    fn condition(&mut self, member: u16) -> &mut Condition {
        self.load(member);
        self.members[usize::from(member)].get_or_insert_default()
    }

    fn end(&mut self, ended: &Ended) -> Changed {
        self.load(ended.member);
        if let Some((_, window)) = self.counted(ended.member) {
            let is_dirty = window.window.settle(ended.second, ended.more, ended.less);
            window.is_dirty |= is_dirty;
        }
        self.outcome(ended)
    }

    fn outcome(&mut self, ended: &Ended) -> Changed {
        let (now, member, probe) = (self.now, ended.member, ended.probe.is_some());
        let (kind, verdict) = match ended.result {
            EndedHow::Neutral => {
                self.condition(member).quiet(ended.probe, now);
                return Changed::Nothing;
            }
            EndedHow::Answered(sample) => {
                let condition = self.condition(member);
                if let Some(sample) = sample {
                    condition.blend(sample, now);
                }
                return condition.answered(probe, now);
            }
            EndedHow::Failed { kind, verdict } => (kind, verdict),
        };
        if kind.is_slow() {
            self.condition(member).penalty(now);
        }
        let (rests, lasts) = match verdict {
            CooldownVerdict::Never => {
                self.condition(member).quiet(ended.probe, now);
                return Changed::Nothing;
            }
            CooldownVerdict::AtOnce(lasts) => {
                self.condition(member).count(0, 1, now);
                (true, lasts)
            }
            CooldownVerdict::ByShare(lasts) => {
                self.condition(member).count(0, 1, now);
                let half = !probe && self.condition(member).half_failed(now);
                // All are read, even after one that is ready.
                let ready = if half { ended.peers.iter().filter(|peer| self.is_ready(**peer)).count() } else { 0 };
                (probe || ready > 0, lasts)
            }
            CooldownVerdict::Allowed { allowed, class, lasts } => {
                self.condition(member).count(0, 1, now);
                (probe || self.is_above(member, allowed, class, lasts), lasts)
            }
            CooldownVerdict::Breaker { failures, percent, least, lasts } => {
                let condition = self.condition(member);
                condition.count(0, 1, now);
                (probe || condition.breaker_opens(failures, percent, least, now), lasts)
            }
        };
        if rests { self.condition(member).trip(lasts, kind, probe, now) } else { Changed::Nothing }
    }

    fn is_ready(&mut self, peer: u16) -> bool {
        let now = self.now;
        self.condition(peer).is_ready(now)
    }

    fn is_above(&mut self, member: u16, allowed: u32, class: Option<ErrorClass>, lasts: Duration) -> bool {
        let (now, era, lasts) = (self.now, self.condition(member).era, millis(lasts));
        let key = (self.turn.members[usize::from(member)].id.clone(), class);
        let at = match self.counters.iter().position(|(known, _)| *known == key) {
            Some(at) => at,
            None => {
                let found = self.model.counters.get(&key).cloned().unwrap_or_default();
                self.counters.push((key, found));
                self.counters.len() - 1
            }
        };
        let (_, counter) = &mut self.counters[at];
        if counter.era != era {
            *counter = Counter { era, times: Vec::new() };
        }
        counter.times.push(now);
        let most = allowed as usize + 1;
        while counter.times.len() > most || counter.times.first().is_some_and(|at| now.saturating_sub(*at) >= lasts) {
            counter.times.remove(0);
        }
        counter.times.len() > allowed as usize
    }

    fn reserve(&mut self, ask: &Ask) -> AskAnswer {
        let (now, mut again, mut is_full) = (self.now, 0, false);
        for (place, (member, regard)) in ask.candidates.iter().enumerate() {
            let admits = self.condition(*member).admits(*regard == Regard::Heed, now);
            let retry = match admits {
                Admits::No(at) => at,
                Admits::Yes | Admits::AsProbe => {
                    let Some((deployment, open)) = self.counted(*member) else { continue };
                    let limits: &Limits = &deployment.limits;
                    match open.window.room(limits, ask.tokens, now) {
                        Room::Now => {
                            open.window.charge(limits, ask.tokens, now);
                            open.mine.requests += 1;
                            open.mine.input += u64::from(ask.tokens.input);
                            open.mine.output += u64::from(ask.tokens.output);
                            open.mine.in_flight += 1;
                            open.is_dirty = true;
                            let is_probe = matches!(admits, Admits::AsProbe);
                            if is_probe {
                                self.condition(*member).begin_probe(now);
                            }
                            return AskAnswer::Granted { candidate: place, is_probe };
                        }
                        Room::NotBefore(at) => {
                            is_full = true;
                            at
                        }
                    }
                }
            };
            if retry > 0 && (again == 0 || retry < again) {
                again = retry;
            }
        }
        AskAnswer::Refused { retry_at: (again > 0).then(|| Timestamp::from_millis(again)), is_full }
    }
}
