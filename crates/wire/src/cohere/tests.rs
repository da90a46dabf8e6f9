//! What Cohere is written, and what is read of it.

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

const MODEL: &str = "command-a-03-2025";
const THINKER: &str = "command-a-reasoning-08-2025";

fn check(model: &str, chat: &Chat, expected: Expect) {
    let written = write_request(chat, Target { model, max_output_tokens: None });
    let body = std::str::from_utf8(&written.body).unwrap();
    expected.assert_eq(&format!("{body}{}", lost(&written.losses)));
}

fn user(text: &str) -> Message {
    Message::of(Role::User, Content::Text(text.into()))
}

fn asked() -> Chat {
    Chat { messages: vec![user("x")], ..Chat::default() }
}

fn turn(role: Role, contents: Vec<Content>) -> Message {
    Message { role, name: None, blocks: contents.into_iter().map(Block::new).collect() }
}

fn weigh(strict: bool) -> Tool {
    Tool {
        name: "weigh".into(),
        description: Some("Weighs.".into()),
        parameters: Json::parse(r#"{"type":"object","required":["z"],"properties":{"z":{"minimum":1.0},"a":{}}}"#),
        strict: Some(strict),
        cache: None,
    }
}

#[test]
fn plain_requests() {
    let chat = Chat {
        messages: vec![
            Message::of(Role::System, Content::Text("Be brief.".into())),
            user("Hello"),
            Message::of(Role::Developer, Content::Text("Be right.".into())),
            turn(
                Role::User,
                vec![
                    Content::Text("What is this?".into()),
                    Content::Image {
                        source: Source::Url("https://example.com/a.png".into()),
                        detail: Some("low".into()),
                    },
                    Content::Image {
                        source: Source::Base64 { media_type: "image/png".into(), data: "QUJD".into() },
                        detail: None,
                    },
                    Content::Document { source: Source::Text("17 t".into()), name: None },
                    Content::Document {
                        source: Source::Base64 { media_type: "application/pdf".into(), data: "QUJD".into() },
                        name: None,
                    },
                    Content::Audio { data: "QUJD".into(), format: "wav".into() },
                ],
            ),
        ],
        stream: true,
        max_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(1.0),
        top_k: Some(600),
        seed: Some(7),
        frequency_penalty: Some(-1.0),
        presence_penalty: Some(0.0),
        stop: ["a", "b", "c", "d", "e", "f"].map(String::from).to_vec(),
        logprobs: Some(2),
        n: Some(1),
        user: Some("u".into()),
        ..Chat::default()
    };
    check(
        MODEL,
        &chat,
        expect![[r#"
            {"model":"command-a-03-2025","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"},{"role":"system","content":"Be right."},{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},{"type":"text","text":"17 t"}]}],"stream":true,"max_tokens":100,"temperature":1.0,"p":0.99,"k":500,"frequency_penalty":0.0,"seed":7,"stop_sequences":["a","b","c","d","e"],"logprobs":true}
            messages[3].content[4] is a document, of which Cohere takes text only
            messages[3].content[5] is not known to Cohere
            temperature is set to 1, the highest that Cohere takes
            top_k is set to 500, the highest that Cohere takes
            frequency_penalty is set to 0, the lowest that Cohere takes
            stop is cut to its first 5, the most that Cohere takes
            top_logprobs is not known to Cohere"#]],
    );
}

#[test]
fn calls_and_their_results() {
    let call = |id: &str, arguments: &str| {
        Content::ToolCall(ToolCall {
            id: id.into(),
            name: "weigh".into(),
            arguments: arguments.into(),
            signature: Some("of another".into()),
        })
    };
    let result = |id: &str, blocks| Content::ToolResult(ToolResult { call_id: id.into(), blocks, is_error: true });
    let thought = Content::Thinking { text: "Hm.".into(), signature: Some("of another".into()) };
    let picture = Block::new(Content::Image { source: Source::Url("https://example.com/a.png".into()), detail: None });
    let chat = Chat {
        messages: vec![
            user("Weigh both."),
            turn(
                Role::Assistant,
                vec![thought.clone(), Content::Text("Well.".into()), call("a", r#"{"z":1.0,"a":2}"#), call("b", "")],
            ),
            turn(
                Role::User,
                vec![
                    result("a", vec![Block::text("17 t")]),
                    Content::Text("Quick!".into()),
                    result("b", vec![Block::text("1"), picture]),
                    result("c", Vec::new()),
                ],
            ),
            turn(Role::Assistant, vec![thought.clone(), Content::Text("18 t.".into())]),
            turn(Role::Assistant, vec![thought]),
        ],
        tools: vec![weigh(true), Tool { name: "other".into(), ..weigh(true) }],
        tool_choice: Some(ToolChoice::Named("weigh".into())),
        parallel_tool_calls: Some(true),
        ..Chat::default()
    };
    check(
        MODEL,
        &chat,
        expect![[r#"
            {"model":"command-a-03-2025","messages":[{"role":"user","content":"Weigh both."},{"role":"assistant","content":"Well.","tool_plan":"Hm.","tool_calls":[{"id":"a","type":"function","function":{"name":"weigh","arguments":"{\"z\":1.0,\"a\":2}"}},{"id":"b","type":"function","function":{"name":"weigh","arguments":"{}"}}]},{"role":"tool","content":"17 t","tool_call_id":"a"},{"role":"tool","content":[{"type":"text","text":"1"}],"tool_call_id":"b"},{"role":"tool","content":"","tool_call_id":"c"},{"role":"user","content":"Quick!"},{"role":"assistant","content":"18 t."}],"stream":false,"tools":[{"type":"function","function":{"name":"weigh","description":"Weighs.","parameters":{"type":"object","required":["z"],"properties":{"z":{"minimum":1.0},"a":{}}}}}],"tool_choice":"REQUIRED","strict_tools":true}
            messages[2].content[2].content has pictures, which Cohere does not take from a tool"#]],
    );
}

#[test]
fn tool_choices() {
    let rows = [
        (None, false, r#"],"stream":false,"tools":[{"#, ""),
        (Some(ToolChoice::None), true, r#""tool_choice":"NONE","strict_tools":true"#, ""),
        (Some(ToolChoice::Required), false, r#""tool_choice":"REQUIRED"}"#, ""),
        (Some(ToolChoice::Named("x".into())), false, "weigh", "\ntool_choice names no tool that there is"),
    ];
    for (tool_choice, strict, part, losses) in rows {
        let chat = Chat { tool_choice, tools: vec![weigh(strict)], ..asked() };
        let written = write_request(&chat, Target { model: MODEL, max_output_tokens: None });
        let body = std::str::from_utf8(&written.body).unwrap();
        assert!(body.contains(part), "{part} {body}");
        assert_eq!(lost(&written.losses), losses);
    }
}

#[test]
fn thinking_and_what_clients_say_in_coheres_words() {
    let extra = |name: &str, json: &str| (name.to_owned(), Json::parse(json).unwrap());
    let rows = [
        (THINKER, Some(Reasoning::Effort("high".into())), r#""thinking":{"type":"enabled","token_budget":4096}"#, ""),
        (THINKER, Some(Reasoning::Budget(77)), r#""thinking":{"type":"enabled","token_budget":77}"#, ""),
        (THINKER, Some(Reasoning::Adaptive), r#""thinking":{"type":"enabled"}"#, ""),
        (THINKER, Some(Reasoning::Off), r#""thinking":{"type":"disabled"}"#, ""),
        (
            THINKER,
            Some(Reasoning::Effort("odd".into())),
            r#""thinking":{"type":"enabled"}"#,
            "\nreasoning_effort is no effort that Cohere knows",
        ),
        (
            MODEL,
            Some(Reasoning::Adaptive),
            r#""stream":false}"#,
            "\nreasoning_effort is left out: this model does not think",
        ),
        (MODEL, Some(Reasoning::Off), r#""stream":false}"#, ""),
    ];
    for (model, reasoning, part, losses) in rows {
        let written = write_request(&Chat { reasoning, ..asked() }, Target { model, max_output_tokens: None });
        assert!(std::str::from_utf8(&written.body).unwrap().contains(part), "{written:?}");
        assert_eq!(lost(&written.losses), losses);
    }
    let chat = Chat {
        reasoning: Some(Reasoning::Off),
        top_k: Some(3),
        n: Some(3),
        parallel_tool_calls: Some(false),
        extra: vec![
            extra("thinking", r#"{"type":"enabled"}"#),
            extra("k", "1.50"),
            extra("documents", r#"["a"]"#),
            extra("safety_mode", "\"STRICT\""),
            extra("stream_options", "{}"),
            extra("service_tier", "\"auto\""),
        ],
        reply_format: ReplyFormat::JsonObject,
        ..asked()
    };
    check(
        THINKER,
        &chat,
        expect![[r#"
            {"model":"command-a-reasoning-08-2025","messages":[{"role":"system","content":"Reply with a JSON object and nothing else."},{"role":"user","content":"x"}],"stream":false,"thinking":{"type":"enabled"},"k":1.50,"documents":["a"],"safety_mode":"STRICT"}
            service_tier is not known to Cohere
            response_format is asked for in the instructions: Cohere takes it without tools and documents only
            n is not known to Cohere"#]],
    );
}

#[test]
fn json_is_asked_for() {
    let schema = ReplyFormat::JsonSchema {
        name: "load".into(),
        description: None,
        schema: Json::parse(r#"{"type":"object","required":["t"],"properties":{"t":{"minimum":0.0}}}"#).unwrap(),
        strict: None,
    };
    check(
        MODEL,
        &Chat { reply_format: schema, ..asked() },
        expect![[
            r#"{"model":"command-a-03-2025","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_object","json_schema":{"type":"object","required":["t"],"properties":{"t":{"minimum":0.0}}}}}"#
        ]],
    );
    check(
        MODEL,
        &Chat { reply_format: ReplyFormat::JsonObject, ..asked() },
        expect![[
            r#"{"model":"command-a-03-2025","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_object"}}"#
        ]],
    );
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
        let whole = read_reply(&golden(&format!("cohere/{case}.reply.json")), &labels()).unwrap();
        let frames = frames(Framing::Events, &golden(&format!("cohere/{case}.stream")));
        let (events, is_complete) = read(&frames);
        assert!(is_complete);
        assert_eq!(folded(&events), whole, "{case}");
        // The last two are the end and `[DONE]`.
        for at in 0..frames.len() - 1 {
            assert!(!read(&frames[..at]).1, "{case} cut at {at}");
        }
    }
}

#[test]
fn replies_are_read() {
    let check = |case: &str, expected: Expect| {
        let reply = read_reply(&golden(&format!("cohere/{case}.reply.json")), &labels()).unwrap();
        expected.assert_eq(&summary(&reply));
    };
    check(
        "parallel_tools",
        expect![[r#"
            thinking I will look at both scales. None
            call get_weight_k0nm8vb5ah2z get_weight {"scale":"north","unit":"t"}
            call get_weight_1e6qd90ppw3s get_weight {"scale":"süd"}
            ToolCalls Some("TOOL_CALL") None
            1570 in (0 read, 0 written), 52 out (0 reasoning)"#]],
    );
    check(
        "thinking",
        expect![[r#"
            thinking The load is what is left when the empty lorry is taken away: 31.2 - 13.8 = 17.4. None
            text The lorry carries 17.4 tonnes.
            Stop Some("COMPLETE") None
            590 in (512 read, 0 written), 74 out (0 reasoning)"#]],
    );
    check(
        "length",
        expect![[r#"
            text The scale was first described in
            Length Some("MAX_TOKENS") None
            500 in (0 read, 0 written), 8 out (0 reasoning)"#]],
    );
}

#[test]
fn odd_replies() {
    let billed = r#"{"message":{"content":[{"type":"text","text":"x"},{"type":"new"}],"tool_calls":null},"finish_reason":"STOP_SEQUENCE","usage":{"billed_units":{"input_tokens":3.0,"output_tokens":2},"tokens":null,"cached_tokens":null},"logprobs":[{"text":"x","token_ids":[1,2],"logprobs":[-0.5,-0.25]}]}"#;
    let reply = read_reply(billed.as_bytes(), &labels()).unwrap();
    assert_eq!(
        summary(&reply),
        "text x\nStop Some(\"STOP_SEQUENCE\") None\n3 in (0 read, 0 written), 2 out (0 reasoning)"
    );
    assert_eq!(
        reply.choices[0].logprobs.as_ref().unwrap().as_str(),
        r#"{"content":[{"token":"x","logprob":-0.75,"bytes":[120],"top_logprobs":[]}]}"#
    );
    let bare = r#"{"message":{"tool_calls":[{"function":{"name":"f"}}]},"finish_reason":"COMPLETE"}"#;
    let reply = read_reply(bare.as_bytes(), &labels()).unwrap();
    assert!(summary(&reply).starts_with("call call_req10 f {}\nToolCalls Some(\"COMPLETE\")"), "{}", summary(&reply));
    let failures = [
        ("", "broken_reply the provider's reply is none of Cohere's chat"),
        ("{}", "broken_reply the provider's reply is none of Cohere's chat"),
        (r#"{"message":"too many requests"}"#, "rate_limited too many requests"),
        (r#"{"message":{"content":[]},"finish_reason":"ERROR"}"#, "server_error the provider gave the reply up"),
        (r#"{"message":{"content":[]},"finish_reason":"TIMEOUT"}"#, "timeout the provider gave the reply up"),
    ];
    for (body, expected) in failures {
        let failure = read_reply(body.as_bytes(), &labels()).unwrap_err();
        assert_eq!(format!("{} {}", failure.kind.label(), failure.message), expected, "{body}");
    }
}

#[test]
fn errors_end_streams() {
    let (events, is_complete) = read(&frames(Framing::Events, &golden("cohere/error.stream")));
    let Some(Event::Failure(failure)) = events.last() else { panic!("{events:?}") };
    assert_eq!(failure.message, "internal server error, this has been reported to our developers");
    assert!(!is_complete);
    let (events, _) = read(&frames(
        Framing::Events,
        b"data: {\"message\":\"too many requests\"}\n\ndata: {\"type\":\"message-start\"}\n\n",
    ));
    assert!(
        matches!(events.as_slice(), [Event::Failure(failure)] if failure.kind.label() == "rate_limited"),
        "{events:?}"
    );
}

#[test]
fn a_place_in_the_content_is_no_choice() {
    let stream = concat!(
        "event: content-delta\ndata: {\"index\":3,\"delta\":{\"message\":{\"content\":{\"text\":\"x\"}}},\"logprobs\":{\"text\":\"x\",\"token_ids\":[1],\"logprobs\":[-0.5]}}\n\n",
        "event: citation-start\ndata: {\"type\":\"citation-start\",\"index\":0,\"delta\":{\"message\":{\"citations\":{}}}}\n\n",
        "event: tool-call-start\ndata: {\"type\":\"tool-call-start\",\"index\":4,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"a\",\"function\":{\"name\":\"f\"}}}}}\n\n",
        "event: tool-call-end\ndata: {\"type\":\"tool-call-end\",\"index\":4}\n\n",
        "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n",
    );
    let (events, is_complete) = read(&frames(Framing::Events, stream.as_bytes()));
    let reply = folded(&events);
    assert!(is_complete);
    assert!(summary(&reply).starts_with("text x\ncall a f {}\nToolCalls"), "{}", summary(&reply));
    assert!(reply.choices[0].logprobs.is_some());
}

proptest! {
    #[test]
    fn garbage_is_read(kind in 0..8_usize, data in "[\\[\\]{}\":,a-z0-9 ]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let kinds = ["message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "message-end", "x"];
        let mut events = Vec::new();
        let mut reader = Reader::new(&labels());
        for data in [data.as_bytes(), &bytes] {
            reader.read(Frame { kind: Some(kinds[kind]), data }, &mut events);
            drop(read_reply(data, &labels()));
        }
    }
}
