//! Replies of Ollama, whole and streamed.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

use crate::event::Event;
use crate::formats::shared::{json_body, text, vectors};
use crate::replies::{Finish, Part, Reply};
use crate::stream::{Chunk, Events};
use crate::target::Operation;

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>) -> (Vec<u8>, &'static str) {
    let ask = reply.ask;
    let body = match reply.operation {
        Operation::Models => models(reply),
        Operation::Embeddings => json!({
            "model": ask.model, "embeddings": vectors(ask), "total_duration": 1_000_000, "load_duration": 1000,
            "prompt_eval_count": ask.prompt,
        }),
        _ => {
            let mut message = json!({"role": "assistant", "content": ""});
            let mut calls = Vec::new();
            for part in &reply.parts {
                match part {
                    Part::Thought(pieces) => message["thinking"] = json!(text(pieces)),
                    Part::Text(pieces) => message["content"] = json!(text(pieces)),
                    Part::Call { name, .. } => calls.push(call(calls.len(), name)),
                }
            }
            if !calls.is_empty() {
                message["tool_calls"] = json!(calls);
            }
            last(reply, line(reply, message))
        }
    };
    json_body(&body)
}

/// The events of a stream: a line each, and calls come whole.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let say = |name: &str, piece: &str| {
        let mut message = json!({"role": "assistant", "content": ""});
        message[name] = json!(piece);
        Event::data(line(reply, message).to_string())
    };
    let opening = (0..reply.stage.script.empty_first_chunks).map(|_| say("content", "")).collect();
    let mut content = Vec::new();
    let mut calls = 0;
    for part in &reply.parts {
        match part {
            Part::Thought(pieces) => content.extend(pieces.iter().map(|piece| Chunk::token(say("thinking", piece)))),
            Part::Text(pieces) => content.extend(pieces.iter().map(|piece| Chunk::token(say("content", piece)))),
            Part::Call { name, .. } => {
                let message = json!({"role": "assistant", "content": "", "tool_calls": [call(calls, name)]});
                let event = Event::data(line(reply, message).to_string());
                content.push(Chunk { events: vec![event], tokens: part.tokens() });
                calls += 1;
            }
        }
    }
    let end = last(reply, line(reply, json!({"role": "assistant", "content": ""})));
    Events { opening, content, ending: vec![Event::data(end.to_string())] }
}

fn call(index: usize, name: &str) -> Value {
    json!({"function": {"index": index, "name": name, "arguments": {"load": 1}}})
}

fn line(reply: &Reply<'_>, message: Value) -> Value {
    json!({"model": reply.ask.model, "created_at": date(reply.created), "message": message, "done": false})
}

/// What the last line has more than others.
fn last(reply: &Reply<'_>, mut line: Value) -> Value {
    line["done"] = json!(true);
    line["done_reason"] = json!(if reply.finish == Finish::Length { "length" } else { "stop" });
    for duration in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
        line[duration] = json!(1_000_000);
    }
    if reply.stage.script.usage {
        line["prompt_eval_count"] = json!(reply.ask.prompt);
        line["eval_count"] = json!(reply.completion());
    }
    line
}

fn models(reply: &Reply<'_>) -> Value {
    let details = json!({"format": "gguf", "family": "fake", "parameter_size": "1B", "quantization_level": "Q4_0"});
    let model = |name: &str| {
        json!({"name": name, "model": name, "modified_at": date(reply.created), "size": 1, "digest": "fa4e",
            "details": details})
    };
    let models: Vec<_> = reply.stage.models().into_iter().map(model).collect();
    json!({"models": models})
}

fn date(seconds: u64) -> String {
    DateTime::from_secs(i64::try_from(seconds).unwrap_or_default()).fmt(Format::DateTime).unwrap_or_default()
}
