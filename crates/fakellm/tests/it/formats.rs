//! What every format has in common: the books, the pace, the limits and the faults.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::support::{Answer, fake, post_with};

/// A way to say `hello`, whole and streamed.
struct Way {
    name: &'static str,
    whole: (&'static str, &'static str),
    stream: (&'static str, &'static str),
}

const CONTENTS: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
const CONVERSE: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#;
const RAW: &str =
    r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":99,"messages":[{"role":"user","content":"hello"}]}"#;

const WAYS: &[Way] = &[
    Way {
        name: "openai",
        whole: ("v1/chat/completions", r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#),
        stream: (
            "v1/chat/completions",
            r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}"#,
        ),
    },
    Way {
        name: "responses",
        whole: ("v1/responses", r#"{"model":"m","input":"hello"}"#),
        stream: ("v1/responses", r#"{"model":"m","stream":true,"input":"hello"}"#),
    },
    Way {
        name: "anthropic",
        whole: ("v1/messages", r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hello"}]}"#),
        stream: (
            "v1/messages",
            r#"{"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hello"}]}"#,
        ),
    },
    Way {
        name: "vertex anthropic",
        whole: ("v1/projects/q/locations/l/publishers/anthropic/models/m:rawPredict", RAW),
        stream: ("v1/projects/q/locations/l/publishers/anthropic/models/m:streamRawPredict", RAW),
    },
    Way {
        name: "gemini",
        whole: ("v1beta/models/m:generateContent", CONTENTS),
        stream: ("v1beta/models/m:streamGenerateContent?alt=sse", CONTENTS),
    },
    Way {
        name: "gemini's array",
        whole: ("v1beta/models/m:generateContent", CONTENTS),
        stream: ("v1beta/models/m:streamGenerateContent", CONTENTS),
    },
    Way {
        name: "vertex",
        whole: ("v1/projects/q/locations/l/publishers/google/models/m:generateContent", CONTENTS),
        stream: ("v1/projects/q/locations/l/publishers/google/models/m:streamGenerateContent?alt=sse", CONTENTS),
    },
    Way { name: "bedrock", whole: ("model/m/converse", CONVERSE), stream: ("model/m/converse-stream", CONVERSE) },
    Way {
        name: "cohere",
        whole: ("v2/chat", r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#),
        stream: ("v2/chat", r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}"#),
    },
    Way {
        name: "ollama",
        whole: ("api/chat", r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hello"}]}"#),
        stream: ("api/chat", r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#),
    },
];

async fn say(fake: &weighbridge_fakellm::FakeLlm, (path, body): (&str, &str)) -> Answer {
    post_with(fake, &format!("/p/{path}"), &[("anthropic-version", "2023-06-01")], body).await
}

fn count(answer: &Answer, word: &str) -> usize {
    String::from_utf8_lossy(&answer.frames.concat()).matches(word).count()
}

#[tokio::test]
async fn the_books_are_alike() {
    for Way { name, whole, stream } in WAYS {
        let fake = fake("{tokens: 4, models: [m], strict: true}");
        assert_eq!(say(&fake, *whole).await.status, 200, "{name}");
        assert_eq!(say(&fake, *stream).await.status, 200, "{name}");
        let report = fake.report("p");
        assert_eq!((report.requests, report.served, report.cancelled, report.in_flight), (2, 2, 0, 0), "{name}");
        assert_eq!((report.tokens.prompt, report.tokens.completion), (10, 8), "{name}");
        assert_eq!(fake.requests("p").len(), 2, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_take_their_time() {
    for Way { name, stream, .. } in WAYS {
        let fake = fake("{latency: 100, first_token_ms: 50, token_ms: 10, tokens: 4}");
        let start = Instant::now();
        say(&fake, *stream).await;
        assert_eq!(start.elapsed(), Duration::from_millis(100 + 50 + 3 * 10), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_are_played_in_every_format() {
    for Way { name, whole, stream } in WAYS {
        let cut = say(&fake("{text: wort, tokens: 5, cut_after_chunks: 2}"), *stream).await;
        assert!(cut.broke && count(&cut, "wort") == 2, "{name}: {cut:?}");
        let error = say(&fake("{text: wort, tokens: 5, error_frame_after: 2}"), *stream).await;
        let told = ["rror\"", "Exception", "ERROR"].iter().any(|word| count(&error, word) > 0);
        assert!(!error.broke && count(&error, "wort") == 2 && told, "{name}: {error:?}");
        let hang = fake("{tokens: 5, hang_after_chunks: 2}");
        assert!(timeout(Duration::from_secs(3600), say(&hang, *stream)).await.is_err(), "{name}");
        assert_eq!(hang.report("p").tokens.completion, 2, "{name}");
        let split = say(&fake("split_bytes: 5"), *stream).await;
        assert!(split.frames.iter().all(|frame| frame.len() <= 5), "{name}");
        assert_eq!(split.frames.concat(), say(&fake(""), *stream).await.frames.concat(), "{name}");
        let broken = say(&fake("invalid_json: true"), *whole).await;
        assert!(serde_json::from_slice::<Value>(&broken.frames.concat()).is_err() && !broken.broke, "{name}");
        assert!(say(&fake("cut_body: true"), *whole).await.broke, "{name}");
        let error = say(&fake("error_in_200: true"), *whole).await;
        assert!(
            error.status == 200 && (error.json().get("error").is_some() || error.json().get("message").is_some()),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn limits_hold_in_every_format() {
    for Way { name, whole, stream } in WAYS {
        let fake = fake("limits: [{discipline: sliding_log, tokens: 120}]");
        assert_eq!(say(&fake, *whole).await.status, 200, "{name}");
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(say(&fake, *stream).await.status);
        }
        assert_eq!(statuses.last(), Some(&429), "{name}");
        let report = fake.report("p");
        assert_eq!(report.rejected, report.by_status[&429], "{name}");
    }
}

#[tokio::test]
async fn statuses_are_worded_by_the_provider() {
    for Way { name, whole, .. } in WAYS {
        for status in [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529] {
            let answer = say(&fake(&format!("status: {status}")), *whole).await;
            assert_eq!(answer.header("content-type"), "application/json", "{name} {status}");
            let json = answer.json();
            let message = json.pointer("/error/message").or_else(|| json.get("message")).or_else(|| json.get("error"));
            assert!(message.and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{name} {status}: {json}");
            assert_eq!(answer.status, status, "{name}");
        }
    }
}
