//! Gemini's words, at AI Studio and at Vertex AI.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{check_refused, fake, post_with, told};

const PATH: &str = "/p/v1beta/models/g:generateContent";
const STREAM: &str = "/p/v1beta/models/g:streamGenerateContent";
const VERTEX: &str = "/p/v1/projects/q/locations/l/publishers/google/models/g:generateContent";
const HELLO: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
const TOOLS: &str =
    r#"{"contents":[{"parts":[{"text":"hello"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}]}"#;

fn with(fields: &str) -> String {
    HELLO.replacen('{', &format!("{{{fields},"), 1)
}

async fn whole(script: &str, path: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), path, &[], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn whole_replies() {
    let expected = json!({
        "candidates": [{"content": {"parts": [{"text": "Every load"}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
        "modelVersion": "g",
        "responseId": "resp-000000000001",
        "usageMetadata": {
            "promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7, "cachedContentTokenCount": 1,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        },
    });
    for path in [PATH, VERTEX] {
        assert_eq!(whole("{tokens: 2, cached_tokens: 1, strict: true}", path, HELLO).await, expected);
    }
    let calls = whole("{parallel_tool_calls: 2, thinking: true}", PATH, TOOLS).await;
    let parts = json!([
        {"text": "First the load is weighed.", "thought": true},
        {"functionCall": {"name": "f", "args": {"load": 1}}, "thoughtSignature": "RmFrZUxMTSBzaWducyBpdHMgdGhvdWdodHMu"},
        {"functionCall": {"name": "g", "args": {"load": 1}}},
    ]);
    assert_eq!(calls["candidates"][0]["content"]["parts"], parts);
    assert_eq!(calls["usageMetadata"]["thoughtsTokenCount"], 5);
    let schema = with(
        r#""generationConfig":{"response_mime_type":"application/json","responseSchema":{"type":"OBJECT","required":["a"],"properties":{"a":{"type":"STRING"}}}}"#,
    );
    assert_eq!(
        whole("strict: true", PATH, &schema).await["candidates"][0]["content"]["parts"][0]["text"],
        r#"{"a":"load"}"#
    );
    let short = whole("", PATH, &with(r#""generationConfig":{"maxOutputTokens":1}"#)).await;
    assert_eq!(short["candidates"][0]["finishReason"], "MAX_TOKENS");
}

#[tokio::test]
async fn other_operations() {
    let strict = "strict: true";
    let content = r#""content":{"parts":[{"text":"a"}]},"outputDimensionality":2"#;
    let one = whole(strict, "/p/v1beta/models/e:embedContent", &format!("{{{content}}}")).await;
    assert_eq!(one, json!({"embedding": {"values": [0.0, 0.125]}}));
    let batch = format!(r#"{{"requests":[{{"model":"models/e",{content}}},{{{content}}}]}}"#);
    let two = whole(strict, "/p/v1beta/models/e:batchEmbedContents", &batch).await;
    assert_eq!(two, json!({"embeddings": [{"values": [0.0, 0.125]}, {"values": [0.125, 0.25]}]}));
    let counted = whole(strict, "/p/v1beta/models/e:countTokens", HELLO).await;
    assert_eq!(counted, json!({"totalTokens": 5}));
    let predict = VERTEX.replace("generateContent", "predict");
    let body = r#"{"instances":[{"content":"a"},{"content":"b"}],"parameters":{"outputDimensionality":1}}"#;
    let predictions = whole(strict, &predict, body).await;
    assert_eq!(predictions["predictions"][1]["embeddings"]["values"], json!([0.125]));
    check_refused("", "/p/v1beta/models/e:embedContent", &[], ("{}", "/error/status"), "400 INVALID_ARGUMENT").await;
}

#[tokio::test]
async fn streams() {
    let script = "{thinking: true, tokens: 1}";
    let answer = post_with(&fake(script), &format!("{STREAM}?alt=sse"), &[], HELLO).await;
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    let told = told(&answer.text());
    expect![[r#"
        {"candidates":[{"content":{"parts":[{"text":"weighed.","thought":true}],"role":"model"},"index":0}],"modelVersion":"g","responseId":"resp-000000000001","usageMetadata":{"candidatesTokenCount":0,"promptTokenCount":5,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],"thoughtsTokenCount":5,"totalTokenCount":10}}
        {"candidates":[{"content":{"parts":[{"text":"Every","thoughtSignature":"RmFrZUxMTSBzaWducyBpdHMgdGhvdWdodHMu"}],"role":"model"},"finishReason":"STOP","index":0}],"modelVersion":"g","responseId":"resp-000000000001","usageMetadata":{"candidatesTokenCount":1,"promptTokenCount":5,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],"thoughtsTokenCount":5,"totalTokenCount":11}}
    "#]]
    .assert_eq(&told.split_inclusive('\n').skip(4).collect::<String>());
    let array = post_with(&fake("tokens: 3"), STREAM, &[], HELLO).await;
    assert_eq!(array.json().as_array().unwrap().len(), 3);
    let cut = post_with(&fake("cut_after_chunks: 1"), STREAM, &[], HELLO).await;
    assert!(cut.broke && !cut.text().ends_with(']'));
    let error = post_with(&fake("error_frame_after: 1"), STREAM, &[], HELLO).await;
    assert_eq!(error.json()[1]["error"]["status"], "UNAVAILABLE");
}

#[tokio::test]
async fn what_is_refused_in_googles_words() {
    let rows = [
        ("strict: true", r#""x":1"#, "400 Invalid JSON payload received. Unknown name \"x\": Cannot find field."),
        ("", r#""x":1"#, "200"),
        ("strict: true", r#""generation_config":{"top_k":1}"#, "200"),
        (
            "strict: true",
            r#""generationConfig":{"n":1}"#,
            "400 Invalid JSON payload received. Unknown name \"n\" at 'generationConfig'",
        ),
        (
            "strict: true",
            r#""tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","const":"b"}}}}]}]"#,
            "400 Invalid JSON payload received. Unknown name \"const\" at 'tools[0].functionDeclarations[0].parameters.properties.a'",
        ),
        (
            "strict: true",
            r#""tools":[{"functionDeclarations":[{"name":"f","parameters":{"$schema":"x"}}]}]"#,
            "400 Invalid JSON payload received. Unknown name \"$schema\"",
        ),
        ("", r#""generationConfig":{"temperature":2.5}"#, "400 Unable to submit request because it has a temperature"),
        ("", r#""generationConfig":{"responseSchema":{}}"#, "400 response_mime_type must be set"),
        ("key: k", r#""labels":{}"#, "400 API key not valid."),
        ("models: [h]", r#""labels":{}"#, "404 models/g is not found"),
        (
            "context_window: 4",
            r#""labels":{}"#,
            "400 The input token count (5) exceeds the maximum number of tokens allowed (4).",
        ),
        ("content_filter: hell", r#""labels":{}"#, "200"),
        ("status: 503", r#""labels":{}"#, "503 The model is overloaded."),
    ];
    for (script, fields, expected) in rows {
        check_refused(script, PATH, &[], (&with(fields), "/error/message"), expected).await;
    }
    check_refused("content_filter: hell", PATH, &[], (HELLO, "/promptFeedback/blockReason"), "200 PROHIBITED_CONTENT")
        .await;
    check_refused("key: k", PATH, &[("x-goog-api-key", "k")], (HELLO, "/error"), "200").await;
    check_refused("key: k/1", &format!("{PATH}?key=k%2F1"), &[], (HELLO, "/error"), "200").await;
    check_refused("key: k", VERTEX, &[("x-goog-api-key", "k")], (HELLO, "/error/status"), "401 UNAUTHENTICATED").await;
    check_refused("key: k", VERTEX, &[("authorization", "Bearer k")], (HELLO, "/error"), "200").await;
}

#[tokio::test]
async fn conversations_are_held_to_the_rules() {
    const ASK: &str = r#"{"role":"user","parts":[{"text":"hi"}]}"#;
    const CALL: &str = r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}"#;
    const TWO: &str = r#"{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}]}"#;
    const SIGNED: &str = r#"{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"a"}]}"#;
    const RESULT: &str = r#"{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}"#;
    const PRO: &str = "/p/v1beta/models/gemini-3-pro:generateContent";
    let rows = [
        (PATH, format!("{ASK},{CALL},{RESULT}"), "200"),
        (PATH, format!("{ASK},{CALL},{ASK}"), "400 Please ensure that the number of function response parts"),
        (PATH, format!("{ASK},{TWO},{RESULT}"), "400 Please ensure that the number of function response parts"),
        (PATH, format!("{ASK},{CALL}"), "400 Please ensure that function call turn is followed"),
        (PATH, format!("{ASK},{RESULT}"), "400 Please ensure that function response turn comes immediately"),
        (PATH, format!("{CALL},{RESULT}"), "400 Please ensure that function call turn comes immediately"),
        (PATH, String::new(), "400 * GenerateContentRequest.contents: contents is not specified"),
        (PATH, r#"{"role":"user","parts":[]}"#.into(), "400 * GenerateContentRequest.contents[0].parts"),
        (PATH, r#"{"role":"user","parts":[{}]}"#.into(), "400 * GenerateContentRequest.contents[0].parts[0].data"),
        (PATH, r#"{"role":"assistant","parts":[{"text":"a"}]}"#.into(), "400 Please use a valid role"),
        (PRO, format!("{ASK},{CALL},{RESULT}"), "400 Function call is missing a thought_signature"),
        (PRO, format!("{ASK},{SIGNED},{RESULT}"), "200"),
        (PRO, format!("{ASK},{CALL},{RESULT},{ASK}"), "200"),
    ];
    for (path, contents, expected) in rows {
        let body = format!(r#"{{"contents":[{contents}]}}"#);
        check_refused("strict: true", path, &[], (&body, "/error/message"), expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_says_when_to_come_back() {
    let fake = fake("{statuses: [{status: 429, retry_after: 7}], limits: [{discipline: sliding_log, requests: 1}]}");
    for delay in ["7s", "60s"] {
        let answer = post_with(&fake, PATH, &[], HELLO).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, &error["status"], answer.header("retry-after")),
            (429, &json!("RESOURCE_EXHAUSTED"), "")
        );
        let details = error["details"].as_array().unwrap();
        assert_eq!(details.last().unwrap()["retryDelay"], delay);
    }
}
