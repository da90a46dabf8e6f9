//! Streams over real connections: passed on as they come, broken off, hung up.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::Instant;
use weighbridge_loadtest::wait::eventually;

use crate::support::http::{Reply, chat, chat_stream};
use crate::support::live::Live;

/// How long a client that hung up may keep a provider busy.
const A_SECOND: Duration = Duration::from_secs(1);

/// How a stream ends whose preferred provider behaves as in `script`.
struct Ending {
    script: &'static str,
    /// The words that reach the client.
    text: &'static str,
    deployment: &'static str,
    /// What the error event at the end says; without one the stream is whole.
    error: Option<&'static str>,
}

const WHOLE: &str = "one two three four";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_well_or_in_an_error() {
    let check = async |ending: Ending| {
        let Ending { script, text, deployment, error } = ending;
        let script = format!(
            "providers: {{ first: {{ text: {WHOLE}, {script} }}, second: {{ text: all is well again here }} }}"
        );
        let live = Live::start(&script, &["first", "second"]).await;
        let reply = live.router.chat(&chat_stream("g")).await;
        let told = format!("{script}: {reply:#?}");
        assert_eq!(reply.status, 200, "{told}");
        assert_eq!(reply.header("x-weighbridge-deployment"), deployment, "{told}");
        assert_eq!(reply.text().trim_end(), text, "{told}");
        match error {
            None => {
                assert!(reply.is_whole_stream(), "{told}");
                assert!(reply.events().iter().all(|event| event.get("error").is_none()), "{told}");
            }
            Some(error) => {
                assert!(!reply.is_cut && !reply.body.contains("[DONE]"), "{told}");
                let last = reply.events().pop().unwrap_or_default();
                assert!(last["error"]["message"].as_str().is_some_and(|text| text.contains(error)), "{told}");
            }
        }
    };
    let first = |script, text, error| Ending { script, text, deployment: "first", error };
    let second = |script| Ending { script, text: "all is well again here", deployment: "second", error: None };
    check(first("usage: true", WHOLE, None)).await;
    check(first("token_ms: 20, crlf: false, comments: true", WHOLE, None)).await;
    check(first("split_bytes: 7", WHOLE, None)).await;
    check(first("cut_after_chunks: 2", "one two", Some("broke off"))).await;
    check(first("token_ms: 20, cut_after_chunks: 3", "one two three", Some("broke off"))).await;
    // One that comes together with the first content has not been shown to anybody, and another may answer.
    check(first("token_ms: 20, error_frame_after: 2", "one two", Some(""))).await;
    check(second("cut_after_chunks: 0")).await;
    check(second("error_frame_after: 0")).await;
    check(second("error_in_200: true")).await;
    check(second("status: 503")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_reach_the_client_as_they_come() {
    let live = Live::start("providers: { first: { tokens: 5, token_ms: 200 } }", &["first"]).await;
    let sent = Instant::now();
    let mut chunks = live.router.begin(&chat_stream("g")).await.bytes_stream();
    let mut arrivals = Vec::new();
    while let Some(chunk) = chunks.next().await {
        if String::from_utf8_lossy(&chunk.unwrap()).contains("\"content\":\"") {
            arrivals.push(sent.elapsed());
        }
    }
    let whole = sent.elapsed();
    assert!(whole >= Duration::from_millis(800), "it took {whole:?}");
    assert!(arrivals[0] < Duration::from_millis(400), "the first came after {:?} of {whole:?}", arrivals[0]);
    assert!(arrivals.len() >= 5, "{arrivals:?}");
    assert!(arrivals.last().unwrap().saturating_sub(arrivals[0]) >= Duration::from_millis(700), "{arrivals:?}");
}

/// A client that hangs up.
struct HangUp {
    script: &'static str,
    body: Value,
    /// Chunks that it reads first.
    reads: usize,
    /// The fewest and the most tokens that it is charged for.
    tokens: (u64, u64),
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_frees_the_provider() {
    let check = async |hang_up: HangUp| {
        let HangUp { script, body, reads, tokens } = hang_up;
        let live = Live::start(&format!("providers: {{ first: {{ {script} }} }}"), &["first"]).await;
        let (router, fake) = (&live.router, &live.providers);
        let asking = tokio::spawn({
            let (router, body) = (router.clone(), body.clone());
            async move {
                let mut chunks = router.begin(&body).await.bytes_stream();
                for _ in 0..reads {
                    chunks.next().await.unwrap().unwrap();
                }
                chunks
            }
        });
        if reads == 0 {
            eventually("the provider is asked", 5 * A_SECOND, async || fake.report("first").in_flight == 1).await;
            asking.abort();
        } else {
            drop(asking.await.unwrap());
        }
        let hung_up = Instant::now();
        eventually(script, A_SECOND, async || {
            let report = fake.report("first");
            (report.in_flight, report.open_streams, report.cancelled) == (0, 0, 1)
        })
        .await;
        eventually("nothing in flight", A_SECOND, async || {
            router.deployment("first").await["in_flight"] == 0 && router.in_flight().await == 0
        })
        .await;
        println!("{script}: free after {:?}", hung_up.elapsed());
        let row = router.deployment("first").await;
        assert_eq!((&row["state"], &row["cooldown"]), (&"ready".into(), &Value::Null), "{script}");
        assert_eq!(row["usage"]["requests"], 1);
        let (least, most) = tokens;
        assert!((least..=most).contains(&row["usage"]["tokens"].as_u64().unwrap()), "{script}: {row}");
        assert_eq!(fake.report("first").requests, 1, "nobody asks again for a client that is gone");
    };
    // Five words of five hundred, and the prompt.
    let slow = "tokens: 500, token_ms: 20";
    check(HangUp { script: slow, body: chat_stream("g"), reads: 5, tokens: (6, 250) }).await;
    check(HangUp { script: "hang_after_chunks: 3", body: chat_stream("g"), reads: 1, tokens: (2, 60) }).await;
    // Nothing was delivered: what was reserved stays charged, as the provider may have worked.
    check(HangUp { script: "latency: 30000", body: chat("g"), reads: 0, tokens: (1, 5000) }).await;
    check(HangUp { script: "first_token_ms: 30000", body: chat_stream("g"), reads: 0, tokens: (1, 5000) }).await;
    check(HangUp { script: "hang: true", body: chat("g"), reads: 0, tokens: (1, 5000) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hung_up_streams_leave_no_task_behind() {
    let live = Live::start("providers: { first: { tokens: 500, token_ms: 20 } }", &["first"]).await;
    let router = &live.router;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(Reply::read(router.begin(&chat("g")).await).await.status == 200);
    let before = tasks();
    let streams = futures_util::future::join_all((0..50).map(async |_| {
        let mut chunks = router.begin(&chat_stream("g")).await.bytes_stream();
        chunks.next().await.unwrap().unwrap();
        chunks
    }))
    .await;
    assert_eq!(live.providers.report("first").open_streams, 50);
    assert!(tasks() > before + 50);
    drop(streams);
    eventually("all tasks end", 5 * A_SECOND, async || {
        tasks() <= before && live.providers.report("first").cancelled == 50
    })
    .await;
}
