//! A provider named `p`, and a client for it.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use weighbridge_fakellm::{FakeLlm, ProviderScript, Script};

/// A chat request.
pub(crate) const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#;
/// The same, streamed.
pub(crate) const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;

/// A simulation of one provider, `p`.
pub(crate) fn fake(script: &str) -> FakeLlm {
    let providers = BTreeMap::from([("p".to_owned(), ProviderScript::from_yaml(script).unwrap())]);
    FakeLlm::new(Script { seed: Some(1), providers })
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) frames: Vec<Vec<u8>>,
    /// It broke off.
    pub(crate) broke: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.frames.concat()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.frames.concat()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the events of a stream say, shortly: a role, content, an ending, usage.
    pub(crate) fn events(&self) -> Vec<String> {
        self.text().split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
    }
}

fn event(event: &str) -> String {
    let Some(data) = event.strip_prefix("data: ") else { return event.to_owned() };
    let Ok(chunk) = serde_json::from_str::<Value>(data) else { return data.to_owned() };
    let choice = &chunk["choices"][0];
    let texts = [
        chunk["error"]["code"].as_str().map(|code| format!("error {code}")),
        choice["delta"]["role"].as_str().map(|role| format!("role {role}")),
        choice["delta"]["content"].as_str().or(choice["text"].as_str()).map(|text| format!("{text:?}")),
        choice["delta"].get("tool_calls").map(Value::to_string),
        choice["finish_reason"].as_str().map(|reason| format!("finish {reason}")),
        chunk["usage"]["total_tokens"].as_u64().map(|total| format!("usage {total}")),
    ];
    let texts: Vec<_> = texts.into_iter().flatten().collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(" ") }
}

pub(crate) async fn begin(fake: &FakeLlm, path: &str, body: &str) -> Response<Body> {
    fake.router().oneshot(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

pub(crate) async fn finish(response: Response<Body>) -> Answer {
    let (parts, mut body) = response.into_parts();
    let (mut frames, mut broke) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => frames.push(frame.into_data().unwrap().to_vec()),
            Err(_) => broke = true,
        }
    }
    Answer { status: parts.status.as_u16(), headers: parts.headers, frames, broke }
}

pub(crate) async fn post(fake: &FakeLlm, path: &str, body: &str) -> Answer {
    finish(begin(fake, path, body).await).await
}

/// A chat completion by `p`.
pub(crate) async fn chat(fake: &FakeLlm, body: &str) -> Answer {
    post(fake, "/p/v1/chat/completions", body).await
}

/// The same, with headers.
pub(crate) async fn post_with(fake: &FakeLlm, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    finish(fake.router().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()).await
}

/// `expected` is the status and how the text at `pointer` in the answer begins.
pub(crate) async fn check_refused(
    script: &str,
    path: &str,
    headers: &[(&str, &str)],
    (body, pointer): (&str, &str),
    expected: &str,
) {
    let fake = fake(script);
    let answer = post_with(&fake, path, headers, body).await;
    let json = answer.json();
    let actual = match json.pointer(pointer).and_then(Value::as_str) {
        Some(text) => format!("{} {text}", answer.status),
        None => answer.status.to_string(),
    };
    assert!(actual.starts_with(expected), "{script} {body}: {actual}, not {expected}");
    assert_eq!(fake.report("p").by_status.get(&answer.status), Some(&1), "refusals are counted too");
    assert_eq!(fake.requests("p").len(), 1, "and recorded");
}

/// The events of a stream, a line each: the name if there is one, and the data.
pub(crate) fn told(stream: &str) -> String {
    let event = |event: &str| {
        event.replace("\r", "").replace("event: ", "").replace("\ndata: ", " ").replace("data: ", "") + "\n"
    };
    stream.replace("\r\n", "\n").split("\n\n").filter(|text| !text.is_empty()).map(event).collect()
}
