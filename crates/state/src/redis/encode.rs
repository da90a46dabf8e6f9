//! Calls as the scripts read them; what each string holds stands in the Lua file that unpacks it.

use std::time::Duration;

use redis::{Cmd, Pipeline, cmd, pipe};
use weighbridge_domain::limits::{Left, Limits, Tokens};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::{Timestamp, millis};

use super::keys::Keys;
use super::scripts::Source;
use crate::Regard;
use crate::documents::Record;
use crate::fleet::protocol::{Ask, Ended, EndedHow, Member, Observed, Replay, ReplicaId, Report, Stake, Turn};
use crate::health::Rest;

/// A call of `script` with `keys`; arguments follow.
pub(crate) fn call(script: &Source, keys: &[&[u8]]) -> Cmd {
    let mut call = cmd("EVALSHA");
    call.arg(&script.sha).arg(keys.len());
    for key in keys {
        call.arg(*key);
    }
    call
}

/// A turn.
pub(crate) fn turn(script: &Source, keys: &Keys, replica: &ReplicaId, turn: &Turn) -> Cmd {
    let counters = counters(keys, turn);
    let windows: Vec<_> = turn.windows.iter().map(|(quota, _)| keys.window(quota)).collect();
    let conditions: Vec<_> = turn.members.iter().map(|member| keys.condition(&member.id)).collect();
    let epoch = keys.epoch();
    let mut names: Vec<&[u8]> = vec![epoch.as_bytes()];
    for window in &windows {
        names.extend([window.window.as_bytes(), window.contributions.as_bytes()]);
    }
    names.extend(conditions.iter().map(|key| key.as_bytes()));
    names.extend(counters.iter().map(|key| key.as_bytes()));
    let tickets: Vec<_> = turn.tickets.iter().map(|(counter, _)| keys.tickets(counter)).collect();
    names.extend(tickets.iter().map(|key| key.as_bytes()));
    let mut call = call(script, &names);
    call.arg(&turn.epoch.0).arg(&replica.0);
    call.arg(turn.deadline.map_or(0, |deadline| deadline.as_millis())).arg(keys.channel());
    let told = [turn.settlements.len(), turn.observations.len(), turn.asks.len()];
    let counts = [windows.len(), conditions.len(), counters.len(), told[0], told[1], told[2], tickets.len()];
    call.arg(Bytes::new().shorts(counts).0);
    call.arg(turn.windows.iter().fold(Bytes::new(), |packed, (_, told)| packed.stake(told)).0);
    call.arg(turn.members.iter().fold(Bytes::new(), member).0);
    let counter = |ended: &Ended| place_of_counter(keys, turn, &counters, ended);
    let settle = |packed: Bytes, ended| outcome(settlement(packed, ended), ended, counter(ended));
    call.arg(turn.settlements.iter().fold(Bytes::new(), settle).0);
    call.arg(turn.observations.iter().fold(Bytes::new(), observation).0);
    call.arg(turn.asks.iter().fold(Bytes::new(), ask).0);
    for (_, count) in &turn.tickets {
        call.arg(count);
    }
    call
}

/// A replay.
pub(crate) fn replay(script: &Source, keys: &Keys, replica: &ReplicaId, replay: &Replay) -> Cmd {
    let windows: Vec<_> = replay.windows.iter().map(|(quota, _)| keys.window(quota)).collect();
    let conditions: Vec<_> = replay.members.iter().map(|(id, _)| keys.condition(id)).collect();
    let epoch = keys.epoch();
    let mut names: Vec<&[u8]> = vec![epoch.as_bytes()];
    for window in &windows {
        names.extend([window.window.as_bytes(), window.contributions.as_bytes()]);
    }
    names.extend(conditions.iter().map(|key| key.as_bytes()));
    let mut call = call(script, &names);
    call.arg(&replay.epoch.0).arg(&replica.0).arg(Bytes::new().short(windows.len()).0);
    for (_, stake) in &replay.windows {
        call.arg(Bytes::new().stake(stake).0);
    }
    for (_, report) in &replay.members {
        call.arg(self::report(report).0);
    }
    call
}

/// Records of requests that have ended, for a stream that keeps about so many, for so long after the last. A script would
/// have to read each of them, which takes longer than to append it.
pub(crate) fn keep(keys: &Keys, records: &[String], (most, lasts): (usize, Duration)) -> Pipeline {
    let stream = keys.records();
    let mut calls = pipe();
    for (record, left) in records.iter().zip((0..records.len()).rev()) {
        calls.cmd("XADD").arg(&stream);
        // The oldest are forgotten once.
        if left == 0 {
            calls.arg("MAXLEN").arg("~").arg(most);
        }
        calls.arg("*").arg("r").arg(record);
    }
    calls.cmd("PEXPIRE").arg(&stream).arg(millis(lasts));
    calls
}

/// The keys of the counters that a turn touches, each once.
fn counters(keys: &Keys, turn: &Turn) -> Vec<String> {
    let mut names = Vec::new();
    for ended in &turn.settlements {
        if let Some(class) = ended.result.counter() {
            let name = keys.counter(&turn.members[usize::from(ended.member)].id, class);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The place of the counter of what was let pass, from 1 on; 0 when nothing is counted.
fn place_of_counter(keys: &Keys, turn: &Turn, counters: &[String], ended: &Ended) -> usize {
    ended.result.counter().map_or(0, |class| {
        let key = keys.counter(&turn.members[usize::from(ended.member)].id, class);
        counters.iter().position(|known| *known == key).map_or(0, |at| at + 1)
    })
}

fn member(packed: Bytes, member: &Member) -> Bytes {
    match &member.counted {
        Some((deployment, window)) => limits(packed, window + 1, &deployment.limits),
        None => limits(packed, 0, &Limits::default()),
    }
}

fn limits(packed: Bytes, window: u16, limits: &Limits) -> Bytes {
    let limit = |limit: Option<u32>| limit.map_or(f64::INFINITY, f64::from);
    let burst = limits.smoothing.map_or(-1.0, |smoothing| ms(smoothing.burst));
    packed
        .short(window.into())
        .doubles([limits.rpm, limits.tpm, limits.itpm, limits.otpm, limits.max_parallel_requests].map(limit))
        .double(burst)
}

fn ask(packed: Bytes, ask: &Ask) -> Bytes {
    let packed = packed.tokens(ask.tokens).short(ask.candidates.len());
    ask.candidates.iter().fold(packed, |packed, (member, regard)| {
        packed.short(usize::from(*member) + 1).byte(u8::from(*regard == Regard::Heed))
    })
}

fn settlement(packed: Bytes, ended: &Ended) -> Bytes {
    packed.short(usize::from(ended.member) + 1).counts([ended.second]).tokens(ended.more).tokens(ended.less)
}

fn outcome(packed: Bytes, ended: &Ended, counter: usize) -> Bytes {
    let turn = ended.probe.map_or(0.0, instant);
    match ended.result {
        EndedHow::Neutral => packed.byte(0).byte(0).double(turn),
        EndedHow::Answered(None) => packed.byte(1).byte(0).double(turn),
        EndedHow::Answered(Some(latency)) => {
            let sample = [latency.first_token_ms, latency.per_token_ms, latency.tokens];
            packed.byte(1).byte(2).double(turn).doubles(sample)
        }
        EndedHow::Failed { kind, verdict } => {
            let what = match verdict {
                CooldownVerdict::Never => 2,
                CooldownVerdict::AtOnce(_) => 3,
                CooldownVerdict::ByShare(_) => 4,
                CooldownVerdict::Allowed { .. } => 5,
                CooldownVerdict::Breaker { .. } => 6,
            };
            let packed = packed.byte(what).byte(u8::from(kind.is_slow())).double(turn).byte(kind as u8);
            failure(packed, verdict, counter, &ended.peers)
        }
    }
}

/// What follows the cause of a failure.
fn failure(packed: Bytes, verdict: CooldownVerdict, counter: usize, peers: &[u16]) -> Bytes {
    let (lasts, failures, percent, least) = match verdict {
        CooldownVerdict::Never => (Duration::ZERO, 0, 0, 0),
        CooldownVerdict::AtOnce(lasts) | CooldownVerdict::ByShare(lasts) => (lasts, 0, 0, 0),
        CooldownVerdict::Allowed { allowed, lasts, .. } => (lasts, allowed, 0, 0),
        // More failures than there can be, and more than all, open nothing.
        CooldownVerdict::Breaker { failures, percent, least, lasts } => {
            (lasts, failures.unwrap_or(u32::MAX), percent.unwrap_or(u8::MAX), least)
        }
    };
    let packed = packed.double(ms(lasts)).int(failures).short(counter).byte(percent).int(least).short(peers.len());
    peers.iter().fold(packed, |packed, peer| packed.short(usize::from(*peer) + 1))
}

/// A document.
pub(crate) fn record(record: &Record) -> Vec<u8> {
    let Record { changes, last, document } = record;
    let head = Bytes::new().counts([*changes, *last, document.live]);
    let versions = document.versions.iter().fold(head, |packed, version| {
        packed.counts([version.number]).double(instant(version.at)).text(version.text.reveal())
    });
    versions.0
}

fn observation(packed: Bytes, observed: &Observed) -> Bytes {
    let Observed { member, feedback, counted } = observed;
    let of = |left: Option<Left>| match left {
        None => [-1.0, 0.0],
        Some(left) => [float(left.amount), left.resets_in.as_secs_f64().ceil()],
    };
    packed
        .short(usize::from(*member) + 1)
        .counts([counted.at.as_secs(), counted.usage.requests.into(), counted.usage.tokens()])
        .doubles(of(feedback.requests))
        .doubles(of(feedback.tokens))
}

fn report(report: &Report) -> Bytes {
    let rest = report.standing.rest;
    let at = |rest: Option<Rest>, get: fn(Rest) -> f64| rest.map_or(0.0, get);
    let drained = match report.standing.drained {
        None => 0.0,
        Some(drain) => drain.until.map_or(-1.0, instant),
    };
    let packed = Bytes::new()
        .double(at(rest, |rest| instant(rest.until)))
        .double(at(rest, |rest| ms(rest.lasted)))
        .double(at(rest, |rest| rest.probe_until.map_or(0.0, instant)))
        .double(drained)
        .int(rest.map_or(0, |rest| rest.cause as u32))
        .int(rest.map_or(0, |rest| rest.failed_probes))
        .counts([report.generation])
        .int(report.era);
    match report.pace {
        None => packed.doubles([0.0, 0.0, 0.0, -1.0]),
        Some(pace) => {
            let latency = pace.average();
            packed.doubles([latency.first_token_ms, latency.per_token_ms, latency.tokens, instant(pace.updated())])
        }
    }
}

/// How many tokens and requests a window may hold in [`Limits`] is an `f64` in Lua: exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and ms are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

const fn instant(at: Timestamp) -> f64 {
    float(at.as_millis())
}

fn ms(span: Duration) -> f64 {
    float(millis(span))
}

/// Numbers packed in little-endian order, as Lua's `struct` reads them.
#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn new() -> Self {
        Self::default()
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// A place or a count: at most 65,535, which [`Turn`]s keep to.
    fn short(mut self, count: usize) -> Self {
        self.0.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
        self
    }

    fn shorts<const N: usize>(self, counts: [usize; N]) -> Self {
        counts.into_iter().fold(self, Self::short)
    }

    fn int(mut self, count: u32) -> Self {
        self.0.extend_from_slice(&count.to_le_bytes());
        self
    }

    fn double(mut self, number: f64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn doubles<const N: usize>(self, numbers: [f64; N]) -> Self {
        numbers.into_iter().fold(self, Self::double)
    }

    fn counts<const N: usize>(self, counts: [u64; N]) -> Self {
        self.doubles(counts.map(float))
    }

    /// A text of less than 4 GB, behind its length.
    fn text(self, text: &str) -> Self {
        let mut packed = self.int(u32::try_from(text.len()).unwrap_or(u32::MAX));
        packed.0.extend_from_slice(text.as_bytes());
        packed
    }

    fn stake(self, stake: &Stake) -> Self {
        let Stake { granted, acknowledged, recent, in_flight } = stake;
        self.counts([granted.requests, granted.input, granted.output, *acknowledged])
            .counts([recent.requests.into(), recent.input, recent.output])
            .int(*in_flight)
    }

    fn tokens(self, tokens: Tokens) -> Self {
        self.int(tokens.input).int(tokens.output)
    }
}
