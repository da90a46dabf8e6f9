//! Limits that are enforced, and limits that are only judged.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::advance;

use crate::support::{CHAT, STREAM, begin, chat, fake, finish};

#[tokio::test(start_paused = true)]
async fn what_is_above_gets_429_and_is_told_when_to_come_back() {
    let fake = fake("limits: [{discipline: sliding_log, requests: 2, tokens: 1000}]");
    let first = chat(&fake, CHAT).await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), "2");
    assert_eq!(first.header("x-ratelimit-remaining-requests"), "1");
    assert_eq!(first.header("x-ratelimit-remaining-tokens"), "987", "5 for the prompt, 8 for the reply");
    advance(Duration::from_millis(500)).await;
    chat(&fake, CHAT).await;
    advance(Duration::from_millis(40)).await;

    let rejected = chat(&fake, CHAT).await;
    assert_eq!(rejected.status, 429);
    assert_eq!((rejected.header("retry-after"), rejected.header("retry-after-ms")), ("60", "59460"));
    assert_eq!(rejected.header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(rejected.header("x-ratelimit-reset-requests"), "59s");
    let error = &rejected.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&"rate_limit_exceeded".into(), &"rate_limit_exceeded".into()));

    advance(Duration::from_millis(59_459)).await;
    assert_eq!(chat(&fake, CHAT).await.status, 429);
    advance(Duration::from_millis(1)).await;
    assert_eq!(chat(&fake, CHAT).await.status, 200);

    let report = fake.report("p");
    assert_eq!((report.requests, report.served, report.rejected, report.violations), (5, 3, 2, 2));
    assert_eq!(report.by_status, BTreeMap::from([(200, 3), (429, 2)]));
    assert_eq!((report.per_second_peak, report.per_minute_peak), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn what_is_only_judged_is_served() {
    let fake = fake("limits: [{discipline: fixed_minute, phase_ms: 59000, requests: 1, enforce: false}]");
    for _ in 0..3 {
        assert_eq!(chat(&fake, CHAT).await.status, 200);
    }
    advance(Duration::from_secs(1)).await;
    chat(&fake, CHAT).await;
    let report = fake.report("p");
    assert_eq!((report.served, report.rejected, report.violations), (4, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn reservations_count_what_a_request_allows() {
    let fake = fake("limits: [{discipline: sliding_log, tokens: 100}]");
    let most = |most: u64| format!(r#"{{"model":"m","max_tokens":{most},"messages":[{{"content":"hello"}}]}}"#);
    assert_eq!(chat(&fake, &most(90)).await.status, 200);
    assert_eq!(chat(&fake, &most(1)).await.status, 429, "nothing is given back");
    advance(Duration::from_secs(60)).await;
    assert_eq!(chat(&fake, &most(96)).await.status, 429, "larger than the limit");
    assert_eq!(chat(&fake, &most(95)).await.status, 200);
    assert_eq!(fake.report("p").tokens_per_minute_peak, 96 + 5 + 95 + 5);
}

#[tokio::test(start_paused = true)]
async fn actual_charges_count_what_was_sent() {
    let fake = fake("{token_ms: 1, tokens: 50, limits: [{discipline: sliding_log, tokens: 60, charge: actual}]}");
    assert_eq!(chat(&fake, STREAM).await.status, 200);
    let next = chat(&fake, CHAT).await;
    assert_eq!((next.status, next.header("x-ratelimit-remaining-tokens")), (200, "0"), "5 + 50 + 5");
    assert_eq!(chat(&fake, CHAT).await.status, 429);
}

#[tokio::test]
async fn only_so_many_at_once() {
    let fake = fake("max_in_flight: 1");
    let open = begin(&fake, "/p/v1/chat/completions", STREAM).await;
    let rejected = chat(&fake, CHAT).await;
    assert_eq!((rejected.status, rejected.header("retry-after")), (429, "1"));
    finish(open).await;
    assert_eq!(chat(&fake, CHAT).await.status, 200);
    let report = fake.report("p");
    assert_eq!((report.max_in_flight, report.rejected, report.in_flight), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_for_the_limit_is_counted_to_the_last_request() {
    let fake = fake("limits: [{discipline: sliding_log, requests: 100, window_ms: 3600000}]");
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let fake = fake.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    chat(&fake, CHAT).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let report = fake.report("p");
    assert_eq!((report.served, report.rejected, report.violations, report.requests), (100, 300, 300, 400));
    assert_eq!(report.tokens.completion, 800);
}
