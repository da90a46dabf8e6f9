//! Every interval of a minute, exactly: what was granted in it, and what might have been.

use std::collections::{HashMap, VecDeque};

use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_state::Regard;

use super::{Entry, Judge, Violation, What};
use crate::simulation::world::Kind;

/// A limit's minute, in ms.
const MINUTE: u64 = 60_000;
/// How long a probe has its turn, in ms.
const PROBE_TURN: u64 = 60_000;
/// The most tokens that a request takes.
const MOST_TOKENS: u64 = 550;
/// Seconds that a window counts.
const LIVE: u64 = 61;

/// What a window must hold.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) requests: u32,
    pub(super) least_tokens: u64,
    pub(super) most_tokens: u64,
    pub(super) in_flight: u32,
}

/// What was granted in the minute before an instant.
#[derive(Debug, Default)]
struct Minute {
    /// When, and the place of the grant in the log.
    grants: VecDeque<(u64, usize, Option<usize>)>,
    charges: HashMap<usize, Tokens>,
    requests: u64,
    input: u64,
    output: u64,
    in_flight: u64,
    /// Requests of those that were granted from shares, by deployment.
    alone: HashMap<usize, u64>,
}

/// What is known of a deployment's rests.
#[derive(Debug, Default)]
struct Rest {
    until: u64,
    /// When the last probe was granted, by the server's clock, and its place in the log while it is under way.
    probe: Option<(u64, usize)>,
    /// When the server last lost data, and who knew then until when at least.
    forgotten: Option<(u64, Vec<(usize, u64)>)>,
}

impl Rest {
    /// Somebody who was alone was granted or has ended: that may have given the probe's turn to another, and what was
    /// its own probe may have ended the rest.
    fn forget(&mut self, is_probe: bool) {
        self.probe = None;
        if is_probe {
            self.until = 0;
        }
    }
}

impl Judge {
    /// Looks through all that was written down.
    pub fn sweep(&mut self) {
        for window in 0..self.log.len() {
            let mut order: Vec<usize> = (0..self.log[window].len()).collect();
            order.sort_by_key(|at| self.log[window][*at].number);
            let found = self.sweep_window(window, &order);
            self.violations.extend(found);
        }
    }

    fn sweep_window(&mut self, window: usize, order: &[usize]) -> Vec<Violation> {
        let (mut minute, mut rests, mut found) = (Minute::default(), HashMap::<usize, Rest>::new(), Vec::new());
        for at in order {
            let entry = self.log[window][*at].clone();
            minute.forget(entry.ms);
            let rest = rests.entry(entry.deployment).or_default();
            if entry.server_ms >= rest.until {
                // It is over, even should the clock go back.
                rest.until = 0;
            }
            let mut violate = |what: String| found.push(Violation { ms: entry.ms, window: Some(window), what });
            match entry.what {
                What::Granted { tokens, is_local, is_probe, regard, .. } => {
                    minute.take(*at, entry.ms, tokens, is_local.then_some(entry.deployment));
                    self.hold_limits(&entry, &minute).into_iter().for_each(&mut violate);
                    let is_out = entry.server_ms < rest.until && self.is_known(rest, entry.number);
                    if !is_local && regard == Regard::Heed && is_out {
                        let left = rest.until - entry.server_ms;
                        violate(format!("{} was granted {left} ms before its rest ended", self.name(&entry)));
                    }
                    if is_local {
                        rest.forget(is_probe);
                    }
                    if is_probe && !is_local {
                        if let Some((since, _)) = rest.probe
                            && entry.server_ms < since + PROBE_TURN
                        {
                            violate(format!("{} was probed while another probe was under way", self.name(&entry)));
                        }
                        rest.probe = Some((entry.server_ms, *at));
                    }
                }
                What::Charged { .. } => {}
                What::Ended { grant, .. } | What::Died { grant } => {
                    let charge = match (&entry.what, &self.log[window][grant].what) {
                        (What::Ended { .. }, What::Granted { charge, .. }) => Some(*charge),
                        _ => None,
                    };
                    minute.end(grant, charge);
                    if let What::Granted { is_local: true, is_probe, .. } = self.log[window][grant].what {
                        rest.forget(is_probe);
                    }
                    // A failure may begin another rest, and that another turn.
                    let has_failed = matches!(entry.what, What::Ended { how, .. } if how.starts_with("failed"));
                    if has_failed || rest.probe.is_some_and(|(_, probe)| probe == grant) {
                        rest.probe = None;
                    }
                }
                What::Rests { until } if until >= rest.until => {
                    rest.until = until;
                    rest.forgotten = None;
                }
                What::Rests { .. } => {}
                What::Forgotten { known } => rest.forgotten = Some((entry.number, known)),
            }
        }
        found
    }

    /// Whether the server can know of a rest: once it has lost data, from a replica that has told it since.
    fn is_known(&self, rest: &Rest, number: u64) -> bool {
        let Some((since, known)) = &rest.forgotten else { return true };
        let has_told = |host: usize| self.told[host].iter().any(|told| (*since..number).contains(told));
        known.iter().any(|(host, until)| *until >= rest.until && has_told(*host))
    }

    /// Whether what was granted in the last minute is above what may be.
    fn hold_limits(&mut self, entry: &Entry, minute: &Minute) -> Vec<String> {
        let limits: Limits = self.world.deployments[entry.deployment].limits;
        let tokens = minute.input + minute.output;
        let is_shared = self.world.is_shared(entry.deployment);
        let checks = [
            ("requests a minute", minute.requests, limits.rpm, Exceeds::Requests),
            ("tokens a minute", tokens, limits.tpm, Exceeds::Tokens(limits.tpm)),
            ("input tokens a minute", minute.input, limits.itpm, Exceeds::Tokens(limits.tpm)),
            ("output tokens a minute", minute.output, limits.otpm, Exceeds::Tokens(limits.tpm)),
            ("in flight", minute.in_flight, limits.max_parallel_requests, Exceeds::Parallel),
        ];
        let mut found = Vec::new();
        for (what, used, limit, exceeds) in checks {
            let Some(limit) = limit else { continue };
            if used <= u64::from(limit) {
                continue;
            }
            let mut above = used - u64::from(limit);
            if is_shared {
                // Others may use more of the window than this one may: only what it was granted alone is beyond.
                let alone = minute.alone.get(&entry.deployment).copied().unwrap_or_default();
                above = above.min(if matches!(exceeds, Exceeds::Tokens(_)) { alone * MOST_TOKENS } else { alone });
            }
            let above = float(above);
            let (bound, away) = self.bound(entry, limit, exceeds);
            self.tally.most_exceeded = self.tally.most_exceeded.max(above / bound.max(1.0));
            if above > bound + 0.5 {
                found.push(format!(
                    "{}: {used} {what} of {limit}, {above} above it, where {away} replicas away might exceed it by {bound}",
                    self.name(entry)
                ));
            }
        }
        found
    }

    /// How far a limit may be exceeded in the minute before an entry, and because of how many replicas.
    fn bound(&self, entry: &Entry, limit: u32, exceeds: Exceeds) -> (f64, usize) {
        let from = entry.ms.saturating_sub(MINUTE);
        let (mut bound, mut count) = (0.0, 0);
        for spans in &self.away {
            let during =
                spans.iter().filter(|away| away.from <= entry.ms && away.until.is_none_or(|until| until >= from));
            let most = during.map(|away| {
                let exposure = away.exposures.get(entry.deployment).copied().unwrap_or_default();
                match exceeds {
                    Exceeds::Requests => exposure.requests,
                    Exceeds::Tokens(Some(tpm)) if tpm > 0 => exposure.tokens * f64::from(limit) / f64::from(tpm),
                    // Nobody says: a part of it, and one that cannot be divided.
                    Exceeds::Tokens(_) | Exceeds::Parallel => {
                        f64::from(limit / away.replicas.max(1)) + f64::from(u8::from(limit > 0))
                    }
                }
            });
            if let Some(most) = most.reduce(f64::max) {
                bound += most;
                count += 1;
            }
        }
        (bound, count)
    }

    /// What a window must hold at `now`, by the server's clock.
    pub(super) fn truth(&self, window: usize, now: u64) -> Truth {
        let counts = |ms: u64| ms / 1000 + LIVE > now / 1000;
        // What is charged when a request ends is charged when the server hears of it, a moment later.
        let surely = |ms: u64| counts(ms.saturating_sub(1000));
        let mut truth = Truth { in_flight: self.in_flight(window), ..Truth::default() };
        let (mut charged, mut known) = (0, 0);
        for entry in &self.log[window] {
            match &entry.what {
                What::Charged { tokens } if counts(entry.server_ms) => {
                    truth.requests += 1;
                    charged += tokens.total();
                }
                What::Granted { tokens, charge, .. } if counts(entry.server_ms) => {
                    known += tokens.total();
                    truth.least_tokens += charge.total();
                }
                What::Ended { grant, used: Some(used), .. } => {
                    if let What::Granted { tokens, .. } = &self.log[window][*grant].what {
                        let more = used.beyond(*tokens).total();
                        truth.least_tokens += if surely(entry.server_ms) { more } else { 0 };
                        truth.most_tokens += if counts(entry.server_ms + 1000) { more } else { 0 };
                    }
                }
                What::Charged { .. }
                | What::Granted { .. }
                | What::Ended { .. }
                | What::Died { .. }
                | What::Rests { .. }
                | What::Forgotten { .. } => {}
            }
        }
        // What was granted to whoever had left is given back where the provider does so.
        let least: u64 = truth.least_tokens;
        truth.most_tokens += self.granted_charge(window, now) + charged.saturating_sub(known);
        truth.least_tokens = least;
        truth
    }

    fn granted_charge(&self, window: usize, now: u64) -> u64 {
        let counts = |ms: u64| ms / 1000 + LIVE > now / 1000;
        let charges = self.log[window].iter().filter(|entry| counts(entry.server_ms)).map(|entry| match &entry.what {
            What::Granted { charge, .. } => charge.total(),
            What::Charged { .. }
            | What::Ended { .. }
            | What::Died { .. }
            | What::Rests { .. }
            | What::Forgotten { .. } => 0,
        });
        charges.sum()
    }

    /// How much of the limits was used of groups that were asked for more: between `from` and `until`, as a share.
    pub fn utilisation(&self, from: u64, until: u64) -> f64 {
        let (mut used, mut possible) = (0.0, 0.0);
        for group in self.world.groups.iter().filter(|group| group.kind == Kind::Full) {
            for member in &group.members {
                let Some(rpm) = self.world.deployments[*member].limits.rpm else { continue };
                let granted = self.log[self.world.window_of[*member]]
                    .iter()
                    .filter(|entry| matches!(entry.what, What::Granted { .. }) && (from..until).contains(&entry.ms));
                used += float(granted.count() as u64);
                possible += f64::from(rpm) * float(until - from) / float(MINUTE);
            }
        }
        used / possible
    }
}

/// What a limit limits, and how far away from it a replica may lead.
#[derive(Debug, Clone, Copy)]
enum Exceeds {
    Requests,
    /// Of `tpm`, where there is one.
    Tokens(Option<u32>),
    Parallel,
}

impl Minute {
    fn forget(&mut self, now: u64) {
        while let Some((ms, at, alone)) = self.grants.front().copied()
            && ms + MINUTE <= now
        {
            self.grants.pop_front();
            let charge = self.charges.remove(&at).unwrap_or_default();
            self.requests -= 1;
            if let Some(count) = alone.and_then(|deployment| self.alone.get_mut(&deployment)) {
                *count -= 1;
            }
            self.input -= u64::from(charge.input);
            self.output -= u64::from(charge.output);
        }
    }

    fn take(&mut self, at: usize, ms: u64, tokens: Tokens, alone: Option<usize>) {
        self.grants.push_back((ms, at, alone));
        if let Some(deployment) = alone {
            *self.alone.entry(deployment).or_default() += 1;
        }
        self.charges.insert(at, tokens);
        self.requests += 1;
        self.input += u64::from(tokens.input);
        self.output += u64::from(tokens.output);
        self.in_flight += 1;
    }

    fn end(&mut self, at: usize, charge: Option<Tokens>) {
        self.in_flight -= 1;
        if let (Some(charge), Some(known)) = (charge, self.charges.get_mut(&at)) {
            self.input -= u64::from(known.input - charge.input);
            self.output -= u64::from(known.output - charge.output);
            *known = charge;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
