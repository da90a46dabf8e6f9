//! The answers, as the bytes that go out.

use super::CHUNKS;

const CHAT: &str = r#"{"id":"chatcmpl-bare","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog, and the dog does not mind at all, as it is a very patient dog.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":60,"completion_tokens":25,"total_tokens":85},"system_fingerprint":"fp_bare"}"#;
const EMBEDDING: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.0125,-0.5,0.25,0.0625,-0.125,0.75,0.375,-0.0625]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#;

/// Everything that is ever said, written once.
pub(super) struct Answers {
    pub(super) chat: Vec<u8>,
    pub(super) embedding: Vec<u8>,
    /// A whole stream.
    pub(super) burst: Vec<u8>,
    /// A stream's head and its first content.
    pub(super) opening: Vec<u8>,
    /// Further content of a stream.
    pub(super) chunk: Vec<u8>,
    /// Why it finished, what it used, and its end.
    pub(super) ending: Vec<u8>,
    /// To who does not tell how long a body is.
    pub(super) unreadable: Vec<u8>,
}

impl Answers {
    pub(super) fn new() -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        let role = event(r#"{"role":"assistant","content":"","refusal":null}"#, "null");
        let chunk = event(r#"{"content":" tick"}"#, "null");
        let finish = event("{}", "\"stop\"");
        let opening = format!("{head}{role}{chunk}");
        let ending = format!("{finish}{}{}0\r\n\r\n", framed(&usage()), framed("data: [DONE]\n\n"));
        Self {
            chat: whole(CHAT),
            embedding: whole(EMBEDDING),
            burst: format!("{opening}{}{ending}", chunk.repeat(CHUNKS - 1)).into(),
            opening: opening.into(),
            chunk: chunk.into(),
            ending: ending.into(),
            unreadable: b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        }
    }
}

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
}

/// An event of a stream, in an HTTP chunk of its own, as providers send it.
fn event(delta: &str, finish: &str) -> String {
    framed(&format!(
        r#"data: {{"id":"chatcmpl-bare","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","system_fingerprint":"fp_bare","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]}}{}"#,
        "\n\n"
    ))
}

fn usage() -> String {
    format!(
        r#"data: {{"id":"chatcmpl-bare","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","system_fingerprint":"fp_bare","choices":[],"usage":{{"prompt_tokens":60,"completion_tokens":{CHUNKS},"total_tokens":{}}}}}{}"#,
        60 + CHUNKS,
        "\n\n"
    )
}

fn framed(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
