//! Records of requests that have ended, as `GET /router/logs` shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use weighbridge_domain::event::{AttemptRecord, Event, Line, Observer, RequestRecord};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::name::{DeploymentId, GroupName};

/// Records that wait to be written; further ones are lost.
const WAITING: usize = 8192;

/// Takes a record of every request that ends, for a [`Writer`] to write it down. Nothing waits for that.
#[derive(Debug)]
pub struct Recorder {
    records: mpsc::Sender<Arc<RequestRecord>>,
    shared: Arc<Shared>,
}

/// What a recorder has taken.
#[derive(Debug)]
pub struct Writer {
    records: mpsc::Receiver<Arc<RequestRecord>>,
    shared: Arc<Shared>,
    batch: Vec<Arc<RequestRecord>>,
}

/// Tells whether all has been written.
#[derive(Debug, Clone)]
pub struct Waiting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// A recorder, whoever writes down what it takes, and how many records wait for that.
pub fn recorder() -> (Recorder, Writer, Waiting) {
    let (sender, records) = mpsc::channel(WAITING);
    let shared = Arc::new(Shared::default());
    let writer = Writer { records, shared: Arc::clone(&shared), batch: Vec::new() };
    (Recorder { records: sender, shared: Arc::clone(&shared) }, writer, Waiting(shared))
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        let Event::RequestFinished(record) = event else { return };
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        if self.records.try_send(Arc::clone(record)).is_err() {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// All records that wait, each a line of JSON, and how many were lost before them; nothing once the recorder is gone.
    /// They count as written when the next are asked for.
    pub async fn next(&mut self) -> Option<(Vec<Arc<dyn Line>>, u64)> {
        self.shared.waiting.fetch_sub(self.batch.len(), Ordering::Relaxed);
        self.batch.clear();
        if self.records.recv_many(&mut self.batch, WAITING).await == 0 {
            return None;
        }
        let kept = |record: &Arc<RequestRecord>| Arc::new(Kept(Arc::clone(record))) as Arc<dyn Line>;
        let lines = self.batch.iter().map(kept).collect();
        Some((lines, self.shared.lost.swap(0, Ordering::Relaxed)))
    }
}

impl Waiting {
    /// How many records have not been written.
    pub fn count(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

/// A record that is to be shown.
#[derive(Debug)]
struct Kept(Arc<RequestRecord>);

impl Line for Kept {
    fn line(&self) -> String {
        line(&self.0)
    }
}

/// A record as a line of JSON.
fn line(record: &RequestRecord) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(record.time.as_millis());
    let row = Row {
        request_id: &record.request_id,
        trace_id: &record.trace_id,
        time: humantime::format_rfc3339_millis(time).to_string(),
        path: record.operation.path(),
        model: &record.model,
        group: record.group.as_ref().map(GroupName::as_str),
        deployment: record.deployment.as_ref().map(DeploymentId::as_str),
        status: record.status,
        kind: record.kind.map(FailureKind::label),
        stream: record.stream,
        client_gone: record.client_gone,
        plan_path: &record.plan_path,
        attempts: record.attempts.iter().map(attempt).collect(),
        retries: record.retries,
        fallbacks: record.fallbacks,
        usage: record.usage.map(|usage| Used {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }),
        cost: record.cost,
        ms: record.ms,
        first_token_ms: record.first_token_ms,
        // It was taken for an object when the request came.
        metadata: record.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()),
    };
    // Names, numbers and text: nothing that cannot be printed.
    serde_json::to_string(&row).unwrap_or_default()
}

fn attempt(attempt: &AttemptRecord) -> Attempt<'_> {
    Attempt {
        deployment: attempt.deployment.as_ref().map(DeploymentId::as_str),
        status: attempt.status,
        kind: attempt.kind.map(FailureKind::label),
        ms: attempt.ms,
    }
}

/// A record as it is shown.
#[derive(Serialize)]
struct Row<'a> {
    request_id: &'a str,
    trace_id: &'a str,
    time: String,
    path: &'a str,
    model: &'a str,
    group: Option<&'a str>,
    deployment: Option<&'a str>,
    status: u16,
    kind: Option<&'a str>,
    stream: bool,
    client_gone: bool,
    plan_path: &'a str,
    attempts: Vec<Attempt<'a>>,
    retries: u32,
    fallbacks: u32,
    usage: Option<Used>,
    cost: Option<f64>,
    ms: u64,
    first_token_ms: Option<u64>,
    metadata: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    deployment: Option<&'a str>,
    status: u16,
    kind: Option<&'a str>,
    ms: u64,
}

#[derive(Serialize)]
struct Used {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    cache_read_tokens: u32,
    cache_write_tokens: u32,
    reasoning_tokens: u32,
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use weighbridge_domain::event::{Event, Observer};

    use super::{WAITING, line, recorder};
    use crate::sample::{refused, served};

    #[test]
    fn a_record_tells_all() {
        let value: serde_json::Value = serde_json::from_str(&line(&served())).unwrap();
        let text = serde_json::to_string_pretty(&value).unwrap();
        expect![[r#"
            {
              "attempts": [
                {
                  "deployment": "azure-eu",
                  "kind": "rate_limited",
                  "ms": 12,
                  "status": 429
                },
                {
                  "deployment": "azure-us",
                  "kind": null,
                  "ms": 310,
                  "status": 200
                }
              ],
              "client_gone": false,
              "cost": 0.00025,
              "deployment": "azure-us",
              "fallbacks": 0,
              "first_token_ms": 120,
              "group": "gpt-4o",
              "kind": null,
              "metadata": {
                "user": "u"
              },
              "model": "gpt-4o",
              "ms": 330,
              "path": "/chat/completions",
              "plan_path": "config.targets[0]",
              "request_id": "req-1",
              "retries": 1,
              "status": 200,
              "stream": true,
              "time": "1970-01-01T00:00:00.000Z",
              "trace_id": "trace-1",
              "usage": {
                "cache_read_tokens": 5,
                "cache_write_tokens": 0,
                "completion_tokens": 7,
                "prompt_tokens": 20,
                "reasoning_tokens": 0,
                "total_tokens": 27
              }
            }"#]]
        .assert_eq(&text);
    }

    #[tokio::test]
    async fn what_cannot_be_written_in_time_is_lost_and_counted() {
        let (recorder, mut writer, waiting) = recorder();
        recorder.observe(&Event::RequestStarted { operation: served().operation });
        assert_eq!(waiting.count(), 0);
        for _ in 0..WAITING + 3 {
            recorder.observe(&Event::RequestFinished(&refused("m").into()));
        }
        assert_eq!(waiting.count(), WAITING);
        let (lines, lost) = writer.next().await.unwrap();
        assert_eq!((lines.len(), lost), (WAITING, 3));
        assert_eq!(waiting.count(), WAITING, "nobody has said that they are written");
        recorder.observe(&Event::RequestFinished(&refused("m").into()));
        let (lines, lost) = writer.next().await.unwrap();
        assert_eq!((lines.len(), lost, waiting.count()), (1, 0, 1));
        drop(recorder);
        assert!(writer.next().await.is_none());
        assert_eq!(waiting.count(), 0);
    }
}
