//! Requests to providers.

use expect_test::{Expect, expect};

use crate::chat::{
    Block, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::format::Target;
use crate::json::Json;
use crate::responses::write_request;

#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check(chat: Chat, expected: Expect) {
    let written = write_request(&chat, Target { model: "gpt-5-pro", max_output_tokens: Some(1000) });
    let mut lines = vec![String::from_utf8(written.body.to_vec()).unwrap()];
    lines.extend(written.losses.iter().map(|loss| format!("lost: {loss}")));
    expected.assert_eq(&lines.join("\n"));
}

fn chat(messages: Vec<Message>) -> Chat {
    Chat { model: "m".into(), messages, ..Chat::default() }
}

fn turn(role: Role, contents: Vec<Content>) -> Message {
    Message { role, name: None, blocks: contents.into_iter().map(Block::new).collect() }
}

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn user(words: &str) -> Message {
    Message::of(Role::User, text(words))
}

#[test]
fn instructions_are_a_first_text() {
    let system = |words| Message::of(Role::System, text(words));
    check(
        chat(vec![system("be nice"), system("be brief"), user("hi")]),
        expect![[
            r#"{"model":"gpt-5-pro","instructions":"be nice","input":[{"type":"message","role":"system","content":"be brief"},{"type":"message","role":"user","content":"hi"}],"store":false}"#
        ]],
    );
    check(
        chat(vec![system("be nice")]),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"system","content":"be nice"}],"store":false}"#
        ]],
    );
    check(
        chat(vec![turn(Role::System, vec![text("a"), text("b")]), user("hi")]),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"system","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},{"type":"message","role":"user","content":"hi"}],"store":false}"#
        ]],
    );
    check(
        chat(vec![Message::of(Role::Developer, text("a")), user("hi")]),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"developer","content":"a"},{"type":"message","role":"user","content":"hi"}],"store":false}"#
        ]],
    );
}

#[test]
fn turns_become_items() {
    let call = |id: &str| {
        Content::ToolCall(ToolCall {
            id: id.into(),
            name: "get".into(),
            signature: Some("g".into()),
            ..Default::default()
        })
    };
    let result = |id: &str, blocks: Vec<Block>, is_error| {
        Content::ToolResult(ToolResult { call_id: id.into(), blocks, is_error })
    };
    let thought = |text: &str, signature: Option<&str>| Content::Thinking {
        text: text.into(),
        signature: signature.map(str::to_owned),
    };
    let long = "x".repeat(70);
    let image = Content::Image { source: Source::Url("https://x".into()), detail: None };
    check(
        chat(vec![
            user("weather?"),
            turn(
                Role::Assistant,
                vec![
                    thought("mine", Some("gAAAAmine")),
                    thought("claude's", Some("ErUB")),
                    thought("nobody's", None),
                    Content::RedactedThinking { data: "gAAAAhidden".into() },
                    text("let me see"),
                    Content::Refusal("no".into()),
                    call("call_1"),
                    call(&long),
                    thought("last", Some("gAAAAlast")),
                ],
            ),
            turn(
                Role::User,
                vec![
                    result("call_1", vec![Block::text("sunny")], false),
                    result(&long, vec![Block::text("see"), Block::new(image)], true),
                    result("call_3", Vec::new(), false),
                    text("so?"),
                ],
            ),
        ]),
        expect![[r#"
            {"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"weather?"},{"type":"reasoning","summary":[{"type":"summary_text","text":"mine"}],"encrypted_content":"gAAAAmine"},{"type":"reasoning","summary":[],"encrypted_content":"gAAAAhidden"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"let me see","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","call_id":"call_1","name":"get","arguments":"{}"},{"type":"function_call","call_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_8dee0515f3ccadd8","name":"get","arguments":"{}"},{"type":"function_call_output","call_id":"call_1","output":"sunny"},{"type":"function_call_output","call_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_8dee0515f3ccadd8","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"https://x","detail":"auto"}]},{"type":"function_call_output","call_id":"call_3","output":""},{"type":"message","role":"user","content":"so?"}],"store":false}
            lost: messages[2].content[1].is_error is not known to the responses API"#]],
    );
}

#[test]
fn pictures_and_documents_are_sent() {
    let base64 = |media_type: &str| Source::Base64 { media_type: media_type.into(), data: "AAAA".into() };
    let document = |source, name: Option<&str>| Content::Document { source, name: name.map(str::to_owned) };
    check(
        chat(vec![
            turn(
                Role::User,
                vec![
                    Content::Image { source: base64("image/png"), detail: Some("low".into()) },
                    Content::Image { source: Source::File("file-1".into()), detail: None },
                    document(base64("application/pdf"), None),
                    document(Source::Url("https://x".into()), Some("x.pdf")),
                    document(Source::Text("plain".into()), None),
                    Content::Audio { data: "AAAA".into(), format: "wav".into() },
                ],
            ),
            Message::of(Role::Assistant, Content::Image { source: base64("image/png"), detail: None }),
        ]),
        expect![[r#"
            {"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_image","detail":"auto","file_id":"file-1"},{"type":"input_file","file_data":"data:application/pdf;base64,AAAA","filename":"document.pdf"},{"type":"input_file","file_url":"https://x"},{"type":"input_text","text":"plain"}]}],"store":false}
            lost: messages[0].content[5] is sound, which the responses API does not take
            lost: messages[1].content[0] is shown by the model, which the responses API cannot say of it"#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn everything_else_is_said_or_lost() {
    let tool = |name: &str, parameters: Option<&str>, strict| Tool {
        name: name.into(),
        description: Some("d".into()),
        parameters: parameters.and_then(Json::parse),
        strict,
        cache: None,
    };
    let extra = ["metadata", "service_tier", "verbosity", "reasoning_summary", "store", "stream_options", "thinking"];
    check(
        Chat {
            tools: vec![tool("f", Some(r#"{"z":1.0,"a":2}"#), Some(true)), tool("g", None, None)],
            tool_choice: Some(ToolChoice::Named("f".into())),
            parallel_tool_calls: Some(false),
            reply_format: ReplyFormat::JsonSchema {
                name: "n".into(),
                description: None,
                schema: Json::parse("{}").unwrap(),
                strict: Some(true),
            },
            reasoning: Some(Reasoning::Budget(2048)),
            max_tokens: Some(4000),
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(5),
            frequency_penalty: Some(0.0),
            presence_penalty: Some(1.0),
            seed: Some(1),
            stop: vec!["x".into()],
            n: Some(2),
            logprobs: Some(2),
            user: Some("u".into()),
            stream: true,
            extra: extra.iter().map(|name| ((*name).to_owned(), Json::of(&"x"))).collect(),
            ..chat(vec![user("hi")])
        },
        expect![[r#"
            {"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"tools":[{"type":"function","name":"f","description":"d","parameters":{"z":1.0,"a":2},"strict":true},{"type":"function","name":"g","description":"d","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"text":{"format":{"type":"json_schema","name":"n","schema":{},"strict":true},"verbosity":"x"},"reasoning":{"effort":"medium","summary":"x"},"max_output_tokens":1000,"temperature":0.5,"top_p":0.9,"top_logprobs":2,"include":["reasoning.encrypted_content","message.output_text.logprobs"],"user":"u","stream":true,"store":false,"metadata":"x","service_tier":"x"}
            lost: top_k is not known to the responses API
            lost: presence_penalty is not known to the responses API
            lost: seed is not known to the responses API
            lost: stop is not known to the responses API
            lost: n is not known to the responses API
            lost: max_tokens is set to 1000, the highest that gpt-5-pro takes
            lost: thinking is not known to the responses API"#]],
    );
    let with = |change: fn(&mut Chat)| {
        let mut chat = chat(vec![user("hi")]);
        change(&mut chat);
        chat
    };
    check(
        with(|chat| chat.reasoning = Some(Reasoning::Off)),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"reasoning":{"effort":"none"},"store":false}"#
        ]],
    );
    check(
        with(|chat| chat.reasoning = Some(Reasoning::Adaptive)),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"include":["reasoning.encrypted_content"],"store":false}"#
        ]],
    );
    check(
        with(|chat| chat.reply_format = ReplyFormat::JsonObject),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"text":{"format":{"type":"json_object"}},"store":false}"#
        ]],
    );
    check(
        with(|chat| chat.max_tokens = Some(5)),
        expect![[r#"
        {"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"max_output_tokens":16,"store":false}
        lost: max_tokens is set to 16, the lowest that the responses API takes"#]],
    );
    check(
        with(|chat| (chat.n, chat.logprobs) = (Some(1), Some(0))),
        expect![[
            r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"include":["message.output_text.logprobs"],"store":false}"#
        ]],
    );
    check(
        with(|chat| chat.tool_choice = Some(ToolChoice::Auto)),
        expect![[r#"{"model":"gpt-5-pro","input":[{"type":"message","role":"user","content":"hi"}],"store":false}"#]],
    );
}
