//! Replies of the scripts as values.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{Latency, WindowUsage};

use crate::Kept;
use crate::documents::{Document, Record, Totals, Version};
use crate::fleet::protocol::{
    AskAnswer, Changed, Changes, Claimed, Epoch, Granted, Joined, Operated, Pulse, ReplicaId, Report, Saved, Snapshot,
    TurnDone, TurnReply, TurnResult, WindowReport,
};
use crate::health::{Drain, Rest, Standing};
use crate::latency::Pace;

/// A reply that is not what the scripts give: the server is not what it seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's reply cannot be read: {0}")]
pub(crate) struct Unreadable(&'static str);

type Read<T> = Result<T, Unreadable>;

/// The bytes of a packed standing.
const STANDING_BYTES: usize = 84;

pub(crate) fn turn(value: &Value, windows: usize, members: usize) -> Read<TurnReply> {
    let items = items(value)?;
    let now = time(items.get(1))?;
    let result = match text(items.first())?.as_str() {
        "OK" => TurnResult::Done(TurnDone {
            answers: answers(bytes(items.get(2))?)?,
            changes: changes(bytes(items.get(3))?)?,
            windows: looked_at(bytes(items.get(4))?, windows, contribution)?,
            members: looked_at(bytes(items.get(5))?, members, report)?,
            tickets: all(bytes(items.get(6))?, |cursor| cursor.count())?,
        }),
        "LATE" => TurnResult::Late,
        "EPOCH" => TurnResult::OtherEpoch,
        "RECOVERING" => TurnResult::Recovering,
        "LOSS" => TurnResult::Loss,
        _ => return Err(Unreadable("a turn's result")),
    };
    Ok(TurnReply { now, result })
}

/// `None` when the epoch is another one.
pub(crate) fn replay(value: &Value) -> Read<Option<Snapshot>> {
    let items = items(value)?;
    if text(items.first())? != "OK" {
        return Ok(None);
    }
    let windows = all(bytes(items.get(2))?, contribution)?;
    let members = all(bytes(items.get(3))?, report)?;
    Ok(Some(Snapshot { now: time(items.get(1))?, windows, members }))
}

pub(crate) fn snapshot(value: &Value) -> Read<Snapshot> {
    let items = items(value)?;
    let windows = all(bytes(items.get(1))?, window)?;
    let members = all(bytes(items.get(2))?, report)?;
    Ok(Snapshot { now: time(items.first())?, windows, members })
}

pub(crate) fn joined(value: &Value) -> Read<Joined> {
    let items = items(value)?;
    let epoch = Epoch(text(items.first())?);
    Ok(Joined { epoch, recovering: moment(items.get(1))?, now: time(items.get(2))? })
}

/// Entries of a stream: id, and one field with its value.
pub(crate) fn kept(value: &Value) -> Read<Vec<Kept>> {
    let kept = |entry: &Value| {
        let entry = items(entry)?;
        let fields = items(entry.get(1).ok_or(Unreadable("an entry"))?)?;
        Ok(Kept { mark: text(entry.first())?, record: text(fields.get(1))? })
    };
    items(value)?.iter().map(kept).collect()
}

/// The outer `None`: the epoch is another one.
pub(crate) fn told(value: &Value) -> Read<Option<Option<Timestamp>>> {
    let items = items(value)?;
    match integer(items.first())? {
        -1 => Ok(None),
        _ => moment(items.first()).map(Some),
    }
}

pub(crate) fn beat(value: &Value) -> Read<Pulse> {
    let items = items(value)?;
    let count = |at: usize| integer(items.get(at)).map(|count| u32::try_from(count).unwrap_or_default());
    let mut names: Vec<ReplicaId> =
        items.iter().skip(6).map(|id| text(Some(id)).map(ReplicaId)).collect::<Read<_>>()?;
    let everybody = names.split_off(names.len().min(count(5)? as usize));
    Ok(Pulse {
        must_join: text(items.first())? != "OK",
        now: time(items.get(1))?,
        recovering: moment(items.get(2))?,
        heard: count(3)?,
        vanished: count(4)?,
        dead: names,
        everybody,
    })
}

pub(crate) fn operated(value: &Value) -> Read<Operated> {
    let items = items(value)?;
    let report = report(&mut Cursor(bytes(items.get(2))?))?;
    Ok(Operated { now: time(items.first())?, was_out: integer(items.get(1))? == 1, report })
}

pub(crate) fn saved(value: &Value) -> Read<Vec<Saved>> {
    let saved = |reply: &Value| match bytes(Some(reply))? {
        b"+" => Ok(Saved::Taken),
        b"-" => Ok(Saved::TooMany),
        packed => record(packed).map(Saved::Not),
    };
    items(value)?.iter().map(saved).collect()
}

pub(crate) fn changes_of_documents(value: &Value) -> Read<Changes> {
    let items = items(value)?;
    let pairs = items.get(4..).unwrap_or_default().chunks_exact(2);
    let records = pairs.map(|pair| Ok((text(pair.first())?, record(bytes(pair.get(1))?)?))).collect::<Read<_>>()?;
    let number = |at: usize| count(items.get(at).unwrap_or(&Value::Nil));
    let totals = Totals { there: number(2)?, changes: number(3)? };
    Ok(Changes { place: number(0)?, are_all: number(1)? == 1, totals, records })
}

fn record(packed: &[u8]) -> Read<Record> {
    let mut cursor = Cursor(packed);
    let (changes, last, live) = (cursor.count()?, cursor.count()?, cursor.count()?);
    let mut versions = Vec::new();
    while !cursor.0.is_empty() {
        let (number, at) = (cursor.count()?, timestamp(cursor.double()?));
        versions.push(Version { number, at, text: Secret::new(cursor.text()?) });
    }
    Ok(Record { changes, last, document: Arc::new(Document { live, versions }) })
}

pub(crate) fn claimed(value: &Value) -> Read<Claimed> {
    let items = items(value)?;
    Ok(Claimed { now: time(items.first())?, until: time(items.get(1))?, given: text(items.get(2))? })
}

pub(crate) fn count(value: &Value) -> Read<u64> {
    integer(Some(value)).map(|count| u64::try_from(count).unwrap_or_default())
}

/// A message of the channel that tells of a deployment: its mark and its standing.
pub(crate) fn standing(message: &[u8]) -> Option<(String, Report)> {
    let at = message.len().checked_sub(STANDING_BYTES)?;
    let mark = std::str::from_utf8(&message[..at]).ok()?.to_owned();
    Some((mark, report(&mut Cursor(&message[at..])).ok()?))
}

fn answers(packed: &[u8]) -> Read<Vec<AskAnswer>> {
    all(packed, |cursor| {
        let (place, is_probe, is_full, again) = (cursor.short()?, cursor.byte()?, cursor.byte()?, cursor.moment()?);
        Ok(match usize::from(place).checked_sub(1) {
            Some(candidate) => AskAnswer::Granted { candidate, is_probe: is_probe == 1 },
            None => AskAnswer::Refused { retry_at: again, is_full: is_full == 1 },
        })
    })
}

fn changes(packed: &[u8]) -> Read<Vec<Changed>> {
    all(packed, |cursor| {
        let (what, until) = (cursor.byte()?, cursor.moment()?);
        Ok(match what {
            1 => Changed::Back,
            2 => Changed::Rests(until.unwrap_or_default()),
            _ => Changed::Nothing,
        })
    })
}

fn window(cursor: &mut Cursor<'_>) -> Read<WindowReport> {
    let _second = cursor.int()?;
    let usage = WindowUsage { requests: cursor.int()?, input: cursor.count()?, output: cursor.count()? };
    let in_flight = u32::try_from(cursor.int()?.cast_signed()).unwrap_or_default();
    Ok(WindowReport { usage, in_flight, granted: Granted::default() })
}

fn contribution(cursor: &mut Cursor<'_>) -> Read<WindowReport> {
    let report = window(cursor)?;
    let granted = Granted { requests: cursor.count()?, input: cursor.count()?, output: cursor.count()? };
    Ok(WindowReport { granted, ..report })
}

fn report(cursor: &mut Cursor<'_>) -> Read<Report> {
    let (until, lasted, probe_until) = (cursor.moment()?, cursor.double()?, cursor.moment()?);
    let drained = cursor.double()?;
    let (cause, failed_probes) = (cursor.int()?, cursor.int()?);
    let (generation, era) = (cursor.count()?, cursor.int()?);
    let average =
        Latency { first_token_ms: cursor.double()?, per_token_ms: cursor.double()?, tokens: cursor.double()? };
    let updated = cursor.double()?;
    let cause = FailureKind::ALL.get(cause as usize).copied().ok_or(Unreadable("a cause"))?;
    let lasted = Duration::from_secs_f64((lasted / 1000.0).clamp(0.0, 1e9));
    let rest = until.map(|until| Rest { until, cause, lasted, failed_probes, probe_until });
    let drained = if drained < 0.0 {
        Some(Drain { until: None })
    } else {
        (drained > 0.0).then(|| Drain { until: Some(timestamp(drained)) })
    };
    let pace = (updated >= 0.0).then(|| Pace::new(average, timestamp(updated)));
    Ok(Report { standing: Standing { rest, drained }, generation, era, pace })
}

/// Values packed one behind the other.
fn all<T>(packed: &[u8], one: impl Fn(&mut Cursor<'_>) -> Read<T>) -> Read<Vec<T>> {
    let mut cursor = Cursor(packed);
    let mut values = Vec::new();
    while !cursor.0.is_empty() {
        values.push(one(&mut cursor)?);
    }
    Ok(values)
}

/// `count` values, each behind a byte that says whether it is there.
fn looked_at<T>(packed: &[u8], count: usize, one: impl Fn(&mut Cursor<'_>) -> Read<T>) -> Read<Vec<Option<T>>> {
    let values = all(packed, |cursor| match cursor.byte()? {
        0 => Ok(None),
        _ => one(cursor).map(Some),
    })?;
    if values.len() == count { Ok(values) } else { Err(Unreadable("a list of another length")) }
}

fn items(value: &Value) -> Read<&[Value]> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(Unreadable("not a list")),
    }
}

fn bytes(value: Option<&Value>) -> Read<&[u8]> {
    match value {
        Some(Value::BulkString(bytes)) => Ok(bytes),
        Some(Value::SimpleString(text)) => Ok(text.as_bytes()),
        _ => Err(Unreadable("not a string")),
    }
}

fn text(value: Option<&Value>) -> Read<String> {
    String::from_utf8(bytes(value)?.to_vec()).map_err(|_| Unreadable("not text"))
}

fn integer(value: Option<&Value>) -> Read<i64> {
    match value {
        Some(Value::Int(int)) => Ok(*int),
        _ => Err(Unreadable("not a number")),
    }
}

fn time(value: Option<&Value>) -> Read<Timestamp> {
    integer(value).map(|ms| Timestamp::from_millis(u64::try_from(ms).unwrap_or_default()))
}

/// An instant; 0 is none.
fn moment(value: Option<&Value>) -> Read<Option<Timestamp>> {
    time(value).map(|at| (at > Timestamp::default()).then_some(at))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate, as is meant")]
fn timestamp(ms: f64) -> Timestamp {
    Timestamp::from_millis(ms as u64)
}

/// Reads what Lua's `struct` packed.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Unreadable("a string that is too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Read<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn short(&mut self) -> Read<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn int(&mut self) -> Read<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn double(&mut self) -> Read<f64> {
        self.take().map(f64::from_le_bytes)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, below 2^53")]
    fn count(&mut self) -> Read<u64> {
        self.double().map(|count| count as u64)
    }

    /// A text behind its length.
    fn text(&mut self) -> Read<&str> {
        let length = self.int()? as usize;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Unreadable("a text that is too short"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Unreadable("not text"))
    }

    /// An instant in ms; 0 is none.
    fn moment(&mut self) -> Read<Option<Timestamp>> {
        self.double().map(|ms| (ms > 0.0).then(|| timestamp(ms)))
    }
}
