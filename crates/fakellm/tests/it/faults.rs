//! Each fault, in process.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{CHAT, STREAM, begin, chat, fake, finish};

/// The events of a stream, and whether it broke.
async fn check_stream(script: &str, expected: &str) {
    let answer = chat(&fake(script), STREAM).await;
    let end = if answer.broke { " | (broke)" } else { "" };
    assert_eq!(answer.events().join(" | ") + end, expected, "{script}");
}

#[tokio::test]
async fn streams_go_wrong() {
    check_stream("cut_after_chunks: 0", r#"role assistant "" | (broke)"#).await;
    check_stream("cut_after_chunks: 2", r#"role assistant "" | "Every" | " load" | (broke)"#).await;
    check_stream("{tokens: 1, cut_after_chunks: 9}", r#"role assistant "" | "Every" | (broke)"#).await;
    check_stream("{cut_after_chunks: 2, error_frame_after: 0}", r#"role assistant "" | error server_error"#).await;
    check_stream("error_frame_after: 1", r#"role assistant "" | "Every" | error server_error"#).await;
    check_stream("error_in_200: true", "error server_error").await;
    check_stream("{tokens: 1, no_done: true}", r#"role assistant "" | "Every" | finish stop"#).await;
    let late = r#": keepalive | : still thinking | nothing | "" | role assistant "" | "Every" | finish stop | [DONE]"#;
    check_stream("{tokens: 1, comments: true, empty_first_chunks: 2}", late).await;
}

#[tokio::test]
async fn a_chunk_may_not_be_json() {
    let events = chat(&fake("invalid_json: true"), STREAM).await.events();
    // What is JSON would be told in short.
    assert!(events[1].starts_with(r#"{"id":"chatcmpl-"#) && events[1].len() > 40, "{}", events[1]);
}

#[tokio::test]
async fn lines_may_end_in_crlf() {
    let text = chat(&fake("{tokens: 1, crlf: true}"), STREAM).await.text();
    assert!(text.ends_with("data: [DONE]\r\n\r\n"));
    assert!(text.split("\r\n").all(|line| !line.contains('\n')));
}

#[tokio::test]
async fn pieces_are_as_small_as_asked() {
    let script = "{text: 'größer wägen', ";
    let plain = chat(&fake(&format!("{script} tokens: 2}}")), STREAM).await;
    let split = chat(&fake(&format!("{script} tokens: 2, split_bytes: 3}}")), STREAM).await;
    assert_eq!(split.text(), plain.text());
    assert!(split.frames.iter().all(|piece| piece.len() <= 3));
    assert!(split.frames.iter().any(|piece| std::str::from_utf8(piece).is_err()), "some cut a character");
}

#[tokio::test(start_paused = true)]
async fn silence_lasts() {
    let hour = Duration::from_secs(3600);
    let fake_hang = fake("hang: true");
    assert!(timeout(hour, chat(&fake_hang, CHAT)).await.is_err());
    assert_eq!(fake_hang.requests("p")[0].status, 0);

    let fake = fake("{hang_after_chunks: 2, tokens: 3}");
    let response = begin(&fake, "/p/v1/chat/completions", STREAM).await;
    assert!(timeout(hour, finish(response)).await.is_err());
    assert_eq!(fake.report("p").tokens.completion, 2);
}

#[tokio::test]
async fn whole_replies_go_wrong() {
    let cut = chat(&fake("cut_body: true"), CHAT).await;
    assert!(cut.broke);
    assert_eq!(cut.header("content-length"), (cut.text().len() * 2 + 1).to_string(), "half of an odd length");

    let broken = chat(&fake("invalid_json: true"), CHAT).await;
    assert!(serde_json::from_str::<Value>(&broken.text()).is_err() && !broken.broke);

    let error = chat(&fake("error_in_200: true"), CHAT).await;
    assert_eq!((error.status, error.json()["error"]["code"].as_str()), (200, Some("server_error")));
}

async fn statuses(script: &str, requests: usize) -> Vec<u16> {
    let fake = fake(script);
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(chat(&fake, CHAT).await.status);
    }
    assert_eq!(fake.requests("p").iter().map(|request| request.status).collect::<Vec<_>>(), statuses);
    statuses
}

#[tokio::test]
async fn statuses_come_in_turn() {
    assert_eq!(statuses("statuses: [500, 503, 200]", 5).await, [500, 503, 200, 200, 200]);
    assert_eq!(statuses("{statuses: [500, 200], statuses_repeat: true}", 5).await, [500, 200, 500, 200, 500]);
    assert_eq!(statuses("{statuses: [200], status: 404}", 3).await, [200, 404, 404]);
    assert_eq!(statuses("{error_rate: 1, error_status: 502}", 2).await, [502, 502]);
    let drawn = statuses("error_rate: 0.25", 1000).await;
    assert!((200..300).contains(&drawn.iter().filter(|status| **status == 500).count()));
}

#[tokio::test]
async fn dictated_answers_are_dictated() {
    let script = "statuses: [{status: 429, retry_after: 7, retry_after_ms: 6500}, \
                  {status: 503, retry_after: 'Wed, 21 Oct 2026 07:28:00 GMT', body: down for lunch}, \
                  {status: 400, body: {a: 1}, headers: {x-a: b}}, {status: 200, body: 'not json'}, \
                  {status: 200, headers: {x-a: c}}]";
    let fake = fake(script);
    let limited = chat(&fake, CHAT).await;
    assert_eq!((limited.header("retry-after"), limited.header("retry-after-ms")), ("7", "6500"));
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    let down = chat(&fake, CHAT).await;
    assert_eq!((down.header("retry-after"), &*down.text()), ("Wed, 21 Oct 2026 07:28:00 GMT", "down for lunch"));
    let own = chat(&fake, CHAT).await;
    assert_eq!((own.status, own.header("x-a"), &*own.text()), (400, "b", r#"{"a":1}"#));
    let text = chat(&fake, CHAT).await;
    assert_eq!((text.status, &*text.text()), (200, "not json"));
    let reply = chat(&fake, CHAT).await;
    assert_eq!((reply.header("x-a"), reply.json()["object"].as_str()), ("c", Some("chat.completion")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_cancels() {
    let fake = fake("{token_ms: 100, latency: 100}");
    let response = begin(&fake, "/p/v1/chat/completions", STREAM).await;
    assert_eq!((fake.report("p").open_streams, fake.report("p").in_flight), (1, 1));
    // Content comes at 100, 200 and 300 ms.
    assert!(timeout(Duration::from_millis(250), finish(response)).await.is_err());
    let report = fake.report("p");
    assert_eq!((report.open_streams, report.in_flight, report.cancelled), (0, 0, 1));
    assert_eq!(report.tokens.completion, 3, "what was sent is written down");

    assert!(timeout(Duration::from_millis(50), chat(&fake, CHAT)).await.is_err());
    assert_eq!(fake.report("p").cancelled, 2, "before the headers, too");

    chat(&fake, STREAM).await;
    chat(&fake, CHAT).await;
    assert_eq!(fake.report("p").cancelled, 2, "those that read to the end do not");
}

#[tokio::test]
async fn a_client_that_stops_reading_at_the_last_event_does_not_cancel() {
    let fake = fake("");
    let mut body = begin(&fake, "/p/v1/chat/completions", STREAM).await.into_body();
    while !body.frame().await.unwrap().unwrap().into_data().unwrap().starts_with(b"data: [DONE]") {}
    drop(body);
    assert_eq!((fake.report("p").cancelled, fake.report("p").open_streams), (0, 0));
}

#[tokio::test]
async fn a_fault_of_ours_is_no_cancellation() {
    for script in ["cut_after_chunks: 1", "error_frame_after: 1", "cut_body: true", "no_done: true", "status: 500"] {
        let fake = fake(script);
        chat(&fake, STREAM).await;
        chat(&fake, CHAT).await;
        let report = fake.report("p");
        assert_eq!((report.cancelled, report.in_flight, report.open_streams), (0, 0, 0), "{script}");
    }
}
