//! Streams for clients.

use expect_test::{Expect, expect};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::{delta, frames, text, write};
use crate::json::Json;
use crate::reply::{Delta, Event, Finish, FinishReason};

/// The events without what they repeat: of a response its status, error, output and usage.
#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check(events: &[Event], expected: Expect) {
    let stream = write(events);
    let mut lines = Vec::new();
    for (at, (kind, data)) in frames(&stream).into_iter().enumerate() {
        let mut json: serde_json::Value = serde_json::from_str(data).unwrap();
        let object = json.as_object_mut().unwrap();
        assert_eq!((object["type"].as_str(), object["sequence_number"].as_u64()), (Some(kind), Some(at as u64)));
        object.remove("type");
        object.remove("sequence_number");
        if let Some(response) = object.get_mut("response") {
            let kept = ["id", "status", "error", "incomplete_details", "output", "usage"];
            response.as_object_mut().unwrap().retain(|name, value| kept.contains(&name.as_str()) && !value.is_null());
        }
        lines.push(format!("{} {json}", kind.trim_start_matches("response.")));
    }
    expected.assert_eq(&lines.join("\n"));
}

fn start() -> Event {
    Event::Start { id: Some("resp_up".into()), model: Some("gpt-5".into()) }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { choice: 0, finish: Finish::of(reason) }
}

fn call(index: u32, id: &str) -> Event {
    delta(Delta::ToolCall { index, id: id.into(), name: "get".into(), signature: None })
}

fn arguments(index: u32, json: &str) -> Event {
    delta(Delta::Arguments { index, json: json.into() })
}

#[test]
fn text_is_told_in_pieces_and_whole() {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4, reasoning_tokens: 1, ..Usage::default() };
    check(
        &[start(), text("he"), text(""), text("llo"), finish(FinishReason::Stop), Event::Usage(usage)],
        expect![[r#"
        created {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
        in_progress {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
        output_item.added {"item":{"content":[],"id":"msg_req10","role":"assistant","status":"in_progress","type":"message"},"output_index":0}
        content_part.added {"content_index":0,"item_id":"msg_req10","output_index":0,"part":{"annotations":[],"logprobs":[],"text":"","type":"output_text"}}
        output_text.delta {"content_index":0,"delta":"he","item_id":"msg_req10","logprobs":[],"output_index":0}
        output_text.delta {"content_index":0,"delta":"llo","item_id":"msg_req10","logprobs":[],"output_index":0}
        output_text.done {"content_index":0,"item_id":"msg_req10","logprobs":[],"output_index":0,"text":"hello"}
        content_part.done {"content_index":0,"item_id":"msg_req10","output_index":0,"part":{"annotations":[],"logprobs":[],"text":"hello","type":"output_text"}}
        output_item.done {"item":{"content":[{"annotations":[],"logprobs":[],"text":"hello","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"completed","type":"message"},"output_index":0}
        completed {"response":{"id":"resp_up","output":[{"content":[{"annotations":[],"logprobs":[],"text":"hello","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"completed","type":"message"}],"status":"completed","usage":{"input_tokens":3,"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":7}}}"#]],
    );
}

#[test]
fn thoughts_and_refusals_have_events_of_their_own() {
    check(
        &[
            start(),
            delta(Delta::Thinking("hm".into())),
            delta(Delta::Signature("sig".into())),
            delta(Delta::RedactedThinking("dark".into())),
            delta(Delta::Signature("alone".into())),
            text("a"),
            delta(Delta::Logprobs(Json::parse(r#"{"content":[{"token":"a","logprob":-0.5}]}"#).unwrap())),
            delta(Delta::Refusal("no".into())),
            finish(FinishReason::Length),
        ],
        expect![[r#"
            created {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
            in_progress {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
            output_item.added {"item":{"id":"rs_req10","summary":[],"type":"reasoning"},"output_index":0}
            reasoning_summary_part.added {"item_id":"rs_req10","output_index":0,"part":{"text":"","type":"summary_text"},"summary_index":0}
            reasoning_summary_text.delta {"delta":"hm","item_id":"rs_req10","output_index":0,"summary_index":0}
            reasoning_summary_text.done {"item_id":"rs_req10","output_index":0,"summary_index":0,"text":"hm"}
            reasoning_summary_part.done {"item_id":"rs_req10","output_index":0,"part":{"text":"hm","type":"summary_text"},"summary_index":0}
            output_item.done {"item":{"encrypted_content":"sig","id":"rs_req10","summary":[{"text":"hm","type":"summary_text"}],"type":"reasoning"},"output_index":0}
            output_item.added {"item":{"id":"rs_req11","summary":[],"type":"reasoning"},"output_index":1}
            output_item.done {"item":{"encrypted_content":"dark","id":"rs_req11","summary":[],"type":"reasoning"},"output_index":1}
            output_item.added {"item":{"id":"rs_req12","summary":[],"type":"reasoning"},"output_index":2}
            reasoning_summary_part.added {"item_id":"rs_req12","output_index":2,"part":{"text":"","type":"summary_text"},"summary_index":0}
            reasoning_summary_text.done {"item_id":"rs_req12","output_index":2,"summary_index":0,"text":""}
            reasoning_summary_part.done {"item_id":"rs_req12","output_index":2,"part":{"text":"","type":"summary_text"},"summary_index":0}
            output_item.done {"item":{"encrypted_content":"alone","id":"rs_req12","summary":[{"text":"","type":"summary_text"}],"type":"reasoning"},"output_index":2}
            output_item.added {"item":{"content":[],"id":"msg_req13","role":"assistant","status":"in_progress","type":"message"},"output_index":3}
            content_part.added {"content_index":0,"item_id":"msg_req13","output_index":3,"part":{"annotations":[],"logprobs":[],"text":"","type":"output_text"}}
            output_text.delta {"content_index":0,"delta":"a","item_id":"msg_req13","logprobs":[],"output_index":3}
            output_text.delta {"content_index":0,"delta":"","item_id":"msg_req13","logprobs":[{"logprob":-0.5,"token":"a"}],"output_index":3}
            output_text.done {"content_index":0,"item_id":"msg_req13","logprobs":[{"logprob":-0.5,"token":"a"}],"output_index":3,"text":"a"}
            content_part.done {"content_index":0,"item_id":"msg_req13","output_index":3,"part":{"annotations":[],"logprobs":[{"logprob":-0.5,"token":"a"}],"text":"a","type":"output_text"}}
            content_part.added {"content_index":1,"item_id":"msg_req13","output_index":3,"part":{"refusal":"","type":"refusal"}}
            refusal.delta {"content_index":1,"delta":"no","item_id":"msg_req13","output_index":3}
            refusal.done {"content_index":1,"item_id":"msg_req13","output_index":3,"refusal":"no"}
            content_part.done {"content_index":1,"item_id":"msg_req13","output_index":3,"part":{"refusal":"no","type":"refusal"}}
            output_item.done {"item":{"content":[{"annotations":[],"logprobs":[{"logprob":-0.5,"token":"a"}],"text":"a","type":"output_text"},{"refusal":"no","type":"refusal"}],"id":"msg_req13","role":"assistant","status":"incomplete","type":"message"},"output_index":3}
            incomplete {"response":{"id":"resp_up","incomplete_details":{"reason":"max_output_tokens"},"output":[{"encrypted_content":"sig","id":"rs_req10","summary":[{"text":"hm","type":"summary_text"}],"type":"reasoning"},{"encrypted_content":"dark","id":"rs_req11","summary":[],"type":"reasoning"},{"encrypted_content":"alone","id":"rs_req12","summary":[{"text":"","type":"summary_text"}],"type":"reasoning"},{"content":[{"annotations":[],"logprobs":[{"logprob":-0.5,"token":"a"}],"text":"a","type":"output_text"},{"refusal":"no","type":"refusal"}],"id":"msg_req13","role":"assistant","status":"incomplete","type":"message"}],"status":"incomplete"}}"#]],
    );
}

#[test]
fn calls_may_be_open_at_once() {
    check(
        &[
            start(),
            text("let me see"),
            call(0, "call_a"),
            call(1, "call_b"),
            arguments(1, "{\"b\":"),
            arguments(0, "{}"),
            arguments(1, "1}"),
            call(2, "call_c"),
            arguments(7, "lost"),
            finish(FinishReason::ToolCalls),
        ],
        expect![[r#"
            created {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
            in_progress {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
            output_item.added {"item":{"content":[],"id":"msg_req10","role":"assistant","status":"in_progress","type":"message"},"output_index":0}
            content_part.added {"content_index":0,"item_id":"msg_req10","output_index":0,"part":{"annotations":[],"logprobs":[],"text":"","type":"output_text"}}
            output_text.delta {"content_index":0,"delta":"let me see","item_id":"msg_req10","logprobs":[],"output_index":0}
            output_text.done {"content_index":0,"item_id":"msg_req10","logprobs":[],"output_index":0,"text":"let me see"}
            content_part.done {"content_index":0,"item_id":"msg_req10","output_index":0,"part":{"annotations":[],"logprobs":[],"text":"let me see","type":"output_text"}}
            output_item.done {"item":{"content":[{"annotations":[],"logprobs":[],"text":"let me see","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"completed","type":"message"},"output_index":0}
            output_item.added {"item":{"arguments":"","call_id":"call_a","id":"fc_req11","name":"get","status":"in_progress","type":"function_call"},"output_index":1}
            output_item.added {"item":{"arguments":"","call_id":"call_b","id":"fc_req12","name":"get","status":"in_progress","type":"function_call"},"output_index":2}
            function_call_arguments.delta {"delta":"{\"b\":","item_id":"fc_req12","output_index":2}
            function_call_arguments.delta {"delta":"{}","item_id":"fc_req11","output_index":1}
            function_call_arguments.delta {"delta":"1}","item_id":"fc_req12","output_index":2}
            output_item.added {"item":{"arguments":"","call_id":"call_c","id":"fc_req13","name":"get","status":"in_progress","type":"function_call"},"output_index":3}
            function_call_arguments.done {"arguments":"{}","item_id":"fc_req11","name":"get","output_index":1}
            output_item.done {"item":{"arguments":"{}","call_id":"call_a","id":"fc_req11","name":"get","status":"completed","type":"function_call"},"output_index":1}
            function_call_arguments.done {"arguments":"{\"b\":1}","item_id":"fc_req12","name":"get","output_index":2}
            output_item.done {"item":{"arguments":"{\"b\":1}","call_id":"call_b","id":"fc_req12","name":"get","status":"completed","type":"function_call"},"output_index":2}
            function_call_arguments.delta {"delta":"{}","item_id":"fc_req13","output_index":3}
            function_call_arguments.done {"arguments":"{}","item_id":"fc_req13","name":"get","output_index":3}
            output_item.done {"item":{"arguments":"{}","call_id":"call_c","id":"fc_req13","name":"get","status":"completed","type":"function_call"},"output_index":3}
            completed {"response":{"id":"resp_up","output":[{"content":[{"annotations":[],"logprobs":[],"text":"let me see","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"completed","type":"message"},{"arguments":"{}","call_id":"call_a","id":"fc_req11","name":"get","status":"completed","type":"function_call"},{"arguments":"{\"b\":1}","call_id":"call_b","id":"fc_req12","name":"get","status":"completed","type":"function_call"},{"arguments":"{}","call_id":"call_c","id":"fc_req13","name":"get","status":"completed","type":"function_call"}],"status":"completed"}}"#]],
    );
}

#[test]
fn failures_are_told_as_sdks_expect_them() {
    let failure = |kind, message: &str| Event::Failure(Box::new(Failure::new(kind, message)));
    check(
        &[start(), text("a"), failure(FailureKind::RateLimited, "slow down")],
        expect![[r#"
        created {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
        in_progress {"response":{"id":"resp_up","output":[],"status":"in_progress"}}
        output_item.added {"item":{"content":[],"id":"msg_req10","role":"assistant","status":"in_progress","type":"message"},"output_index":0}
        content_part.added {"content_index":0,"item_id":"msg_req10","output_index":0,"part":{"annotations":[],"logprobs":[],"text":"","type":"output_text"}}
        output_text.delta {"content_index":0,"delta":"a","item_id":"msg_req10","logprobs":[],"output_index":0}
        error {"code":"rate_limit_exceeded","error":{"code":"rate_limit_exceeded","message":"slow down","param":null,"type":"rate_limit_error"},"message":"slow down","param":null}
        failed {"response":{"error":{"code":"rate_limit_exceeded","message":"slow down"},"id":"resp_up","output":[],"status":"failed"}}"#]],
    );
    check(
        &[failure(FailureKind::Overloaded, "busy")],
        expect![[r#"
            error {"code":"server_is_overloaded","error":{"code":"server_is_overloaded","message":"busy","param":null,"type":"service_unavailable_error"},"message":"busy","param":null}
            failed {"response":{"error":{"code":"server_error","message":"busy"},"id":"resp_req1","output":[],"status":"failed"}}"#]],
    );
}

#[test]
fn an_empty_stream_is_an_empty_response() {
    check(
        &[],
        expect![[r#"
        created {"response":{"id":"resp_req1","output":[],"status":"in_progress"}}
        in_progress {"response":{"id":"resp_req1","output":[],"status":"in_progress"}}
        completed {"response":{"id":"resp_req1","output":[],"status":"completed"}}"#]],
    );
    check(
        &[Event::Delta { choice: 1, delta: Delta::Text("other".into()) }],
        expect![[r#"
        created {"response":{"id":"resp_req1","output":[],"status":"in_progress"}}
        in_progress {"response":{"id":"resp_req1","output":[],"status":"in_progress"}}
        completed {"response":{"id":"resp_req1","output":[],"status":"completed"}}"#]],
    );
}
