//! What Ollama is written, and what is read of it.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Reader, read_reply, write_request};
use crate::chat::{
    Block, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::format::{Frame, Target};
use crate::frames::Framing;
use crate::json::Json;
use crate::reply::Event;
use crate::told::{CASES, folded, frames, golden, labels, lost, summary};

const MODEL: &str = "qwen3:8b-q4_K_M";

fn check(chat: &Chat, expected: Expect) {
    let written = write_request(chat, Target { model: MODEL, max_output_tokens: None });
    let body = std::str::from_utf8(&written.body).unwrap();
    expected.assert_eq(&format!("{body}{}", lost(&written.losses)));
}

fn asked() -> Chat {
    Chat { messages: vec![Message::of(Role::User, Content::Text("x".into()))], ..Chat::default() }
}

fn turn(role: Role, contents: Vec<Content>) -> Message {
    Message { role, name: None, blocks: contents.into_iter().map(Block::new).collect() }
}

fn weigh() -> Tool {
    Tool {
        name: "weigh".into(),
        description: Some("Weighs.".into()),
        parameters: Json::parse(r#"{"type":"object","properties":{"z":{"minimum":1.0},"a":{}}}"#),
        strict: Some(true),
        cache: None,
    }
}

#[test]
fn plain_requests() {
    let base64 = |media_type: &str| Source::Base64 { media_type: media_type.into(), data: "QUJD".into() };
    let extra = |name: &str, json: &str| (name.to_owned(), Json::parse(json).unwrap());
    let chat = Chat {
        messages: vec![
            Message::of(Role::Developer, Content::Text("Be brief.".into())),
            turn(
                Role::User,
                vec![
                    Content::Text("What is".into()),
                    Content::Image { source: base64("image/png"), detail: Some("low".into()) },
                    Content::Text("this?".into()),
                    Content::Image { source: Source::Url("https://example.com/a.png".into()), detail: None },
                    Content::Document { source: Source::Text("17 t".into()), name: None },
                    Content::Document { source: base64("application/pdf"), name: None },
                    Content::Audio { data: "QUJD".into(), format: "wav".into() },
                ],
            ),
            Message::of(Role::User, Content::Text(String::new())),
        ],
        stream: true,
        max_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(40),
        seed: Some(-1),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(-0.5),
        stop: vec!["END".into()],
        logprobs: Some(2),
        n: Some(2),
        user: Some("u".into()),
        extra: vec![
            extra("keep_alive", "\"10m\""),
            extra("num_ctx", "32768"),
            extra("options", r#"{"top_k":50,"future":1.50}"#),
            extra("min_p", "0.05"),
            extra("truncate", "false"),
            extra("template", "\"x\""),
            extra("store", "true"),
        ],
        ..Chat::default()
    };
    check(
        &chat,
        expect![[r#"
            {"model":"qwen3:8b-q4_K_M","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is\nthis?\n17 t","images":["QUJD"]}],"stream":true,"logprobs":true,"top_logprobs":2,"options":{"num_predict":100,"temperature":1.5,"top_p":0.9,"top_k":50,"seed":-1,"frequency_penalty":0.5,"presence_penalty":-0.5,"stop":["END"],"min_p":0.05,"num_ctx":32768,"future":1.50},"keep_alive":"10m","truncate":false}
            template is not known to Ollama
            messages[1].content[3] is an address, and Ollama fetches nothing
            messages[1].content[5] is a document, of which Ollama takes text only
            messages[1].content[6] is not known to Ollama
            n is not known to Ollama"#]],
    );
}

#[test]
fn calls_and_their_results() {
    let call = |id: &str, arguments: &str| {
        Content::ToolCall(ToolCall {
            id: id.into(),
            name: "weigh".into(),
            arguments: arguments.into(),
            signature: None,
        })
    };
    let result = |id: &str, text: &str| {
        Content::ToolResult(ToolResult { call_id: id.into(), blocks: vec![Block::text(text)], is_error: false })
    };
    let thought = Content::Thinking { text: "Hm.".into(), signature: Some("of another".into()) };
    let chat = Chat {
        messages: vec![
            turn(Role::Assistant, vec![thought, call("a", r#"{"z":1.0,"a":2}"#), call("b", "[1]")]),
            turn(Role::User, vec![result("b", "1"), Content::Text("Quick!".into()), result("lost", "2")]),
        ],
        tools: vec![weigh(), Tool { name: "other".into(), description: None, parameters: None, ..weigh() }],
        tool_choice: Some(ToolChoice::Required),
        parallel_tool_calls: Some(false),
        ..Chat::default()
    };
    check(
        &chat,
        expect![[r#"
            {"model":"qwen3:8b-q4_K_M","messages":[{"role":"assistant","content":"","thinking":"Hm.","tool_calls":[{"id":"a","function":{"name":"weigh","arguments":{"z":1.0,"a":2}}},{"id":"b","function":{"name":"weigh","arguments":{}}}]},{"role":"tool","content":"1","tool_name":"weigh","tool_call_id":"b"},{"role":"tool","content":"2","tool_call_id":"lost"},{"role":"user","content":"Quick!"}],"stream":false,"tools":[{"type":"function","function":{"name":"weigh","description":"Weighs.","parameters":{"type":"object","properties":{"z":{"minimum":1.0},"a":{}}}}},{"type":"function","function":{"name":"other","parameters":{"type":"object","properties":{}}}}]}
            messages[0].content[2].function.arguments are no JSON object
            tool_choice is left to the model: Ollama forces no call
            parallel_tool_calls is not known to Ollama"#]],
    );
    check(
        &Chat { tools: vec![weigh()], tool_choice: Some(ToolChoice::None), ..asked() },
        expect![[r#"{"model":"qwen3:8b-q4_K_M","messages":[{"role":"user","content":"x"}],"stream":false}"#]],
    );
    let named = Chat { tool_choice: Some(ToolChoice::Named("other".into())), ..chat };
    let written = write_request(&named, Target { model: MODEL, max_output_tokens: None });
    assert!(!std::str::from_utf8(&written.body).unwrap().contains("Weighs."), "{written:?}");
}

#[test]
fn thinking_and_formats() {
    let effort = |word: &str| Some(Reasoning::Effort(word.into()));
    let oss = "gpt-oss:20b";
    let rows = [
        (MODEL, effort("low"), "true", ""),
        (MODEL, Some(Reasoning::Budget(9)), "true", ""),
        (MODEL, Some(Reasoning::Off), "false", ""),
        (oss, effort("minimal"), "\"low\"", ""),
        (oss, effort("max"), "\"high\"", ""),
        (oss, effort("odd"), "true", "\nreasoning_effort is no effort that Ollama knows"),
        (oss, Some(Reasoning::Budget(2100)), "\"medium\"", ""),
        (oss, Some(Reasoning::Adaptive), "\"medium\"", ""),
        (oss, Some(Reasoning::Off), "\"low\"", "\nreasoning_effort is set to low: this model cannot but think"),
    ];
    for (model, reasoning, think, losses) in rows {
        let chat = Chat { reasoning, ..asked() };
        let written = write_request(&chat, Target { model, max_output_tokens: None });
        let body = std::str::from_utf8(&written.body).unwrap();
        assert!(body.ends_with(&format!(",\"think\":{think}}}")), "{think} {body}");
        assert_eq!(lost(&written.losses), losses);
    }
    let schema = ReplyFormat::JsonSchema {
        name: "load".into(),
        description: None,
        schema: Json::parse(r#"{"z":{},"a":1.0}"#).unwrap(),
        strict: None,
    };
    let rows = [(ReplyFormat::JsonObject, "\"json\""), (schema, r#"{"z":{},"a":1.0}"#)];
    for (reply_format, format) in rows {
        let written =
            write_request(&Chat { reply_format, ..asked() }, Target { model: MODEL, max_output_tokens: None });
        let body = std::str::from_utf8(&written.body).unwrap();
        assert!(body.ends_with(&format!(",\"format\":{format}}}")), "{format} {body}");
    }
}

fn read(frames: &[(Option<String>, Vec<u8>)]) -> (Vec<Event>, bool) {
    let mut reader = Reader::new(&labels());
    let mut events = Vec::new();
    for (kind, data) in frames {
        reader.read(Frame { kind: kind.as_deref(), data }, &mut events);
    }
    (events, reader.is_complete())
}

#[test]
fn streams_tell_what_whole_replies_hold() {
    for case in CASES {
        let whole = read_reply(&golden(&format!("ollama/{case}.reply.json")), &labels()).unwrap();
        let frames = frames(Framing::Lines, &golden(&format!("ollama/{case}.stream")));
        let (events, is_complete) = read(&frames);
        assert!(is_complete);
        assert_eq!(folded(&events), whole, "{case}");
        for at in 0..frames.len() {
            assert!(!read(&frames[..at]).1, "{case} cut at {at}");
        }
    }
}

#[test]
fn replies_are_read() {
    let check = |case: &str, expected: Expect| {
        let reply = read_reply(&golden(&format!("ollama/{case}.reply.json")), &labels()).unwrap();
        assert!(reply.model.is_some());
        expected.assert_eq(&summary(&reply));
    };
    check(
        "parallel_tools",
        expect![[r#"
            text I will look at both scales.
            call call_q7w3k9zp get_weight {"scale":"north","unit":"t"}
            call call_b2n8x4rt get_weight {"scale":"süd"}
            ToolCalls Some("stop") None
            180 in (0 read, 0 written), 49 out (0 reasoning)"#]],
    );
    check(
        "thinking",
        expect![[r#"
            thinking The load is what is left when the empty lorry is taken away: 31.2 - 13.8 = 17.4. None
            text The lorry carries 17.4 tonnes.
            Stop Some("stop") None
            28 in (0 read, 0 written), 74 out (0 reasoning)"#]],
    );
    check(
        "length",
        expect![[r#"
            text The scale was first described in
            Length Some("length") None
            29 in (0 read, 0 written), 8 out (0 reasoning)"#]],
    );
}

#[test]
fn odd_replies() {
    let older = r#"{"message":{"role":"assistant","content":"x","images":null,"tool_calls":[{"function":{"name":"f","arguments":{"b":1.0}}},{"function":{"name":"g"}}]},"done":true,"logprobs":[{"token":"x","logprob":-0.5}]}"#;
    let reply = read_reply(older.as_bytes(), &labels()).unwrap();
    assert_eq!(
        summary(&reply),
        "text x\ncall call_req10 f {\"b\":1.0}\ncall call_req11 g {}\nToolCalls None None\n0 in (0 read, 0 written), 0 out (0 reasoning)"
    );
    assert_eq!(reply.choices[0].logprobs.as_ref().unwrap().as_str(), r#"{"content":[{"token":"x","logprob":-0.5}]}"#);
    let line = [(None, older.as_bytes().to_vec())];
    assert_eq!(summary(&folded(&read(&line).0)), summary(&reply));
    let failures = [
        ("", "broken_reply the provider's reply is none of Ollama's chat"),
        ("{}", "broken_reply the provider's reply is none of Ollama's chat"),
        (r#"{"error":"model runner has unexpectedly stopped"}"#, "server_error model runner has unexpectedly stopped"),
        (r#"{"error":{"message":"slow down","code":429}}"#, "rate_limited slow down"),
    ];
    for (body, expected) in failures {
        let failure = read_reply(body.as_bytes(), &labels()).unwrap_err();
        assert_eq!(format!("{} {}", failure.kind.label(), failure.message), expected, "{body}");
    }
}

#[test]
fn errors_end_streams() {
    let mut all = frames(Framing::Lines, &golden("ollama/error.stream"));
    all.push((None, br#"{"message":{"content":"more"},"done":true}"#.to_vec()));
    let (events, is_complete) = read(&all);
    let Some(Event::Failure(failure)) = events.last() else { panic!("{events:?}") };
    assert_eq!(failure.message, "an error was encountered while running the model: unexpected EOF");
    assert!(!is_complete);
}

proptest! {
    #[test]
    fn garbage_is_read(data in "[\\[\\]{}\":,a-z0-9 ]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut events = Vec::new();
        let mut reader = Reader::new(&labels());
        for data in [data.as_bytes(), &bytes] {
            reader.read(Frame { kind: None, data }, &mut events);
            drop(read_reply(data, &labels()));
        }
    }
}
