//! What Converse is written.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::bedrock::messages::tool_use_id;
use crate::bedrock::{path, write_request};
use crate::chat::{
    Block, Cache, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::format::Target;
use crate::json::Json;
use crate::losses::Losses;
use crate::ordered::Fields;
use crate::told::lost;

const CLAUDE: &str = "anthropic.claude-3-7-sonnet-20250219-v1:0";
const NEWER: &str = "us.anthropic.claude-sonnet-5";
const NOVA: &str = "us.amazon.nova-pro-v1:0";

fn check(model: &str, chat: &Chat, expected: Expect) {
    let written = write_request(chat, Target { model, max_output_tokens: Some(8192) });
    let body = std::str::from_utf8(&written.body).unwrap();
    expected.assert_eq(&format!("{body}{}", lost(&written.losses)));
}

fn lost_paths(losses: &Losses) -> String {
    let paths: Vec<&str> = losses.iter().map(|loss| loss.path.as_ref()).collect();
    paths.join(",")
}

fn said(messages: Vec<Message>) -> Chat {
    Chat { messages, ..Chat::default() }
}

fn user(text: &str) -> Message {
    Message::of(Role::User, Content::Text(text.into()))
}

fn assistant(text: &str) -> Message {
    Message::of(Role::Assistant, Content::Text(text.into()))
}

fn turn(role: Role, contents: Vec<Content>) -> Message {
    Message { role, name: None, blocks: contents.into_iter().map(Block::new).collect() }
}

fn call(id: &str, arguments: &str) -> Content {
    Content::ToolCall(ToolCall {
        id: id.into(),
        name: "weigh".into(),
        arguments: arguments.into(),
        signature: Some("of another".into()),
    })
}

fn result(id: &str, blocks: Vec<Block>, is_error: bool) -> Content {
    Content::ToolResult(ToolResult { call_id: id.into(), blocks, is_error })
}

fn weigh() -> Tool {
    Tool {
        name: "weigh".into(),
        description: Some("Weighs.".into()),
        parameters: Json::parse(r#"{"type":"object","properties":{"z":{"type":"number","minimum":1.0},"a":{}}}"#),
        strict: Some(true),
        cache: None,
    }
}

fn base64(media_type: &str, data: &str) -> Source {
    Source::Base64 { media_type: media_type.into(), data: data.into() }
}

#[test]
fn plain_requests() {
    let chat = Chat {
        messages: vec![
            Message::of(Role::System, Content::Text("Be brief.".into())),
            Message::of(Role::Developer, Content::Text("Be right.".into())),
            user("Hello"),
            user(" "),
            user("there"),
            assistant("Hi"),
            Message::of(Role::System, Content::Text("Now rhyme.".into())),
            user("Go on"),
        ],
        max_tokens: Some(9000),
        temperature: Some(1.5),
        stop: vec!["END".into(), String::new()],
        user: Some("u".into()),
        n: Some(1),
        ..Chat::default()
    };
    check(
        CLAUDE,
        &chat,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Hello"},{"text":"there"}]},{"role":"assistant","content":[{"text":"Hi"}]},{"role":"user","content":[{"text":"Go on"}]}],"system":[{"text":"Be brief."},{"text":"Be right."},{"text":"Now rhyme."}],"inferenceConfig":{"maxTokens":8192,"temperature":1.0,"stopSequences":["END"]}}
            messages[6] was moved to the instructions that come first
            max_tokens is set to 8192, the most that this model gives
            temperature is set to 1, the highest that Bedrock takes"#]],
    );
}

#[test]
fn what_has_no_place_is_lost() {
    let extra = |name: &str, json: &str| (name.to_owned(), Json::parse(json).unwrap());
    let chat = Chat {
        messages: vec![user("Hello")],
        n: Some(2),
        logprobs: Some(0),
        seed: Some(4),
        top_k: Some(5),
        top_p: Some(0.5),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(0.0),
        extra: vec![
            extra("service_tier", "\"flex\""),
            extra("metadata", "{}"),
            extra("logit_bias", "{}"),
            extra("guardrailConfig", r#"{"guardrailIdentifier":"g","guardrailVersion":"1"}"#),
            extra("requestMetadata", r#"{"team":"a"}"#),
            extra("additionalModelRequestFields", r#"{"z":1.0,"a":2}"#),
        ],
        ..Chat::default()
    };
    check(
        NOVA,
        &chat,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"topP":0.5},"additionalModelRequestFields":{"z":1.0,"a":2,"inferenceConfig":{"topK":5}},"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"},"requestMetadata":{"team":"a"},"serviceTier":{"type":"flex"}}
            logit_bias is not known to Bedrock
            seed is not known to Bedrock
            presence_penalty is not known to Bedrock
            n is not known to Bedrock
            logprobs is not known to Bedrock"#]],
    );
    check(
        "openai.gpt-oss-20b-1:0",
        &Chat { extra: Vec::new(), n: None, logprobs: None, ..chat },
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"topP":0.5},"additionalModelRequestFields":{"seed":4,"presence_penalty":0.5}}
            top_k is not known to this model on Bedrock"#]],
    );
}

#[test]
fn tools_and_their_results() {
    let history = vec![
        user("Weigh both."),
        turn(Role::Assistant, vec![Content::Text("Well.".into()), call("a.b/1", r#"{"z":1.0,"a":2}"#), call("c", "")]),
        Message::of(Role::User, Content::Text("Quick!".into())),
        turn(Role::User, vec![result("a.b/1", vec![Block::text("17 t")], false), result("c", Vec::new(), true)]),
    ];
    let chat = Chat {
        messages: history,
        tools: vec![weigh(), Tool { name: "none".into(), description: None, parameters: None, ..weigh() }],
        tool_choice: Some(ToolChoice::Named("weigh".into())),
        ..Chat::default()
    };
    check(
        NOVA,
        &chat,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Weigh both."}]},{"role":"assistant","content":[{"text":"Well."},{"toolUse":{"toolUseId":"a_b_1","name":"weigh","input":{"z":1.0,"a":2}}},{"toolUse":{"toolUseId":"c","name":"weigh","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a_b_1","content":[{"text":"17 t"}]}},{"toolResult":{"toolUseId":"c","content":[{"text":"."}],"status":"error"}},{"text":"Quick!"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","description":"Weighs.","inputSchema":{"json":{"type":"object","properties":{"z":{"type":"number","minimum":1.0},"a":{}}}}}},{"toolSpec":{"name":"none","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"tool":{"name":"weigh"}}}}"#]],
    );
    // The tools are needed for what was called, even when none may be.
    let forbidden = Chat { tool_choice: Some(ToolChoice::None), tools: vec![weigh()], ..chat.clone() };
    let tools = r#""toolConfig":{"tools":[{"toolSpec":{"name":"weigh""#;
    let written = |chat: &Chat| {
        let written = write_request(chat, Target { model: CLAUDE, max_output_tokens: None });
        (String::from_utf8(written.body.to_vec()).unwrap(), lost(&written.losses))
    };
    let (body, losses) = written(&forbidden);
    assert!(body.contains(tools) && losses.contains("tool_choice is set to auto"), "{body} {losses}");
    let (body, losses) = written(&Chat { tools: Vec::new(), tool_choice: None, ..chat.clone() });
    assert!(body.contains(tools) && losses.is_empty(), "{body} {losses}");
    let (body, losses) = written(&Chat { messages: vec![user("x")], ..forbidden });
    assert!(!body.contains("toolConfig") && losses.is_empty(), "{body} {losses}");
    let one = Chat { messages: vec![user("x")], parallel_tool_calls: Some(false), tool_choice: None, ..chat };
    check(
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        &Chat { tools: vec![Tool { parameters: None, ..weigh() }], ..one.clone() },
        expect![[
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","description":"Weighs.","inputSchema":{"json":{"type":"object","properties":{}}}}}]},"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}}"#
        ]],
    );
    let llama = Chat { tool_choice: Some(ToolChoice::Required), tools: vec![weigh()], ..one };
    let losses = write_request(&llama, Target { model: "us.meta.llama4-x", max_output_tokens: None }).losses;
    assert_eq!(
        lost(&losses),
        "\ntool_choice is left to the model, which cannot be made to call a tool, or not while it thinks\nparallel_tool_calls is not known to this model on Bedrock"
    );
}

#[test]
fn pictures_documents_and_sound() {
    let image = |source| Content::Image { source, detail: Some("low".into()) };
    let document = |source, name: &str| Content::Document { source, name: Some(name.into()) };
    let chat = said(vec![
        turn(
            Role::User,
            vec![
                image(base64("image/jpg", "QUJD")),
                image(Source::Url("s3://bucket/scale.webp".into())),
                image(Source::Url("https://example.com/a.png".into())),
                image(base64("image/tiff", "QUJD")),
                document(base64("application/pdf", "QUJD"), "A_b/c.  d.pdf"),
                document(base64("application/octet-stream", "QUJD"), "a b c d.docx"),
                document(Source::Text("17 t".into()), ""),
                document(Source::File("file-1".into()), "x.pdf"),
                Content::Audio { data: "QUJD".into(), format: "wav".into() },
            ],
        ),
        turn(Role::Assistant, vec![image(base64("image/png", "QUJD")), Content::Text("Ok. ".into())]),
    ]);
    check(
        NOVA,
        &chat,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"image":{"format":"jpeg","source":{"bytes":"QUJD"}}},{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://bucket/scale.webp"}}}},{"document":{"name":"A b c d","format":"pdf","source":{"bytes":"QUJD"}}},{"document":{"name":"a b c d","format":"docx","source":{"bytes":"QUJD"}}},{"document":{"name":"document","format":"txt","source":{"bytes":"MTcgdA=="}}},{"audio":{"format":"wav","source":{"bytes":"QUJD"}}},{"text":"."}]},{"role":"assistant","content":[{"text":"Ok."}]}]}
            messages[0].content[2] is an address, and Bedrock fetches nothing but from S3
            messages[0].content[3] is no PNG, JPEG, GIF or WebP, which are what Bedrock takes
            messages[0].content[7] is a file uploaded elsewhere
            messages[1].content[0] stands in an assistant's turn, where Bedrock takes text only"#]],
    );
}

#[test]
fn thoughts_go_back_to_claude_only() {
    let thinking =
        |signature: Option<&str>| Content::Thinking { text: "Hm.".into(), signature: signature.map(Into::into) };
    let redacted = Content::RedactedThinking { data: "EmwKAhgB".into() };
    let chat = said(vec![
        user("Weigh."),
        turn(Role::Assistant, vec![thinking(Some("sig")), thinking(None), redacted, call("a", "{}")]),
        turn(Role::User, vec![result("a", vec![Block::text("17 t")], false)]),
    ]);
    check(
        CLAUDE,
        &Chat { reasoning: Some(Reasoning::Effort("low".into())), max_tokens: Some(500), ..chat.clone() },
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Weigh."}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"sig"}}},{"reasoningContent":{"redactedContent":"RW13S0FoZ0I="}},{"toolUse":{"toolUseId":"a","name":"weigh","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"17 t"}]}}]}],"inferenceConfig":{"maxTokens":1524},"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","inputSchema":{"json":{"type":"object","properties":{}}}}}]},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}}
            max_tokens is raised to 1524: Bedrock counts the thoughts in"#]],
    );
    check(
        NOVA,
        &Chat { reasoning: Some(Reasoning::Budget(2000)), ..chat },
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"Weigh."}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"weigh","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"17 t"}]}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}
            reasoning_effort is not known to this model on Bedrock"#]],
    );
}

#[test]
fn reasoning_is_asked_for_in_the_models_words() {
    let effort = |word: &str| Reasoning::Effort(word.into());
    let rows = [
        (CLAUDE, effort("high"), r#"{"thinking":{"type":"enabled","budget_tokens":4096}}"#, ""),
        (CLAUDE, Reasoning::Budget(100), r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#, ""),
        (CLAUDE, Reasoning::Adaptive, r#"{"thinking":{"type":"enabled","budget_tokens":2048}}"#, ""),
        (CLAUDE, Reasoning::Off, "", ""),
        (CLAUDE, effort("odd"), "", "reasoning_effort"),
        (
            NEWER,
            effort("minimal"),
            r#"{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}"#,
            "",
        ),
        (NEWER, Reasoning::Adaptive, r#"{"thinking":{"type":"adaptive","display":"summarized"}}"#, ""),
        (NEWER, Reasoning::Off, r#"{"thinking":{"type":"disabled"}}"#, ""),
        ("anthropic.claude-fable-5", Reasoning::Off, r#"{"output_config":{"effort":"low"}}"#, "reasoning_effort"),
        ("anthropic.claude-opus-4-7", Reasoning::Off, "", ""),
        ("anthropic.claude-3-haiku-20240307-v1:0", effort("low"), "", "reasoning_effort"),
        (
            "us.amazon.nova-2-lite-v1:0",
            effort("max"),
            r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}"#,
            "temperature,max_tokens",
        ),
        ("openai.gpt-oss-20b-1:0", effort("minimal"), r#"{"reasoning_effort":"low"}"#, ""),
        ("openai.gpt-oss-20b-1:0", Reasoning::Off, r#"{"reasoning_effort":"low"}"#, "reasoning_effort"),
        ("openai.gpt-6-sol", effort("xhigh"), r#"{"reasoning":{"effort":"xhigh"}}"#, ""),
        ("openai.gpt-6-sol", Reasoning::Off, r#"{"reasoning":{"effort":"none"}}"#, ""),
        ("deepseek.v3-v1:0", Reasoning::Budget(5000), r#"{"reasoning_effort":"high"}"#, ""),
        ("us.deepseek.r1-v1:0", Reasoning::Off, "", "reasoning_effort"),
    ];
    for (model, reasoning, fields, paths) in rows {
        let chat = Chat {
            messages: vec![user("x")],
            reasoning: Some(reasoning),
            temperature: Some(1.0),
            max_tokens: Some(6000),
            ..Chat::default()
        };
        let written = write_request(&chat, Target { model, max_output_tokens: None });
        let body = Fields::parse(std::str::from_utf8(&written.body).unwrap()).unwrap();
        assert_eq!(body.get("additionalModelRequestFields").map_or("", Json::as_str), fields, "{model}");
        assert_eq!(lost_paths(&written.losses), paths, "{model}");
    }
}

#[test]
fn sampling_is_left_out_where_it_is_refused() {
    let chat =
        Chat { messages: vec![user("x")], temperature: Some(0.5), top_p: Some(0.5), top_k: Some(3), ..Chat::default() };
    let rows = [
        (
            CLAUDE,
            None,
            r#""inferenceConfig":{"temperature":0.5,"topP":0.5},"additionalModelRequestFields":{"top_k":3}"#,
            "",
        ),
        (CLAUDE, Some(Reasoning::Budget(1024)), r#""thinking""#, "top_k,temperature,top_p"),
        (NEWER, None, r#"[{"text":"x"}]}]}"#, "top_k,temperature,top_p"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", None, r#""inferenceConfig":{"temperature":0.5}"#, "top_p"),
    ];
    for (model, reasoning, part, expected) in rows {
        let written = write_request(&Chat { reasoning, ..chat.clone() }, Target { model, max_output_tokens: None });
        let body = std::str::from_utf8(&written.body).unwrap();
        assert!(body.contains(part), "{model} {body}");
        assert_eq!(lost_paths(&written.losses), expected, "{model}");
    }
}

#[test]
fn caches_are_marked_where_the_model_has_one() {
    let mark = |text: &str, cache| Block { cache: Some(cache), ..Block::text(text) };
    let chat = Chat {
        messages: vec![
            Message { role: Role::System, name: None, blocks: vec![mark("Be brief.", Cache::Hour)] },
            Message { role: Role::User, name: None, blocks: vec![mark("Hello", Cache::Usual), Block::text("x")] },
        ],
        tools: vec![Tool { cache: Some(Cache::Usual), parameters: None, ..weigh() }],
        ..Chat::default()
    };
    check(
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        &chat,
        expect![[
            r#"{"messages":[{"role":"user","content":[{"text":"Hello"},{"cachePoint":{"type":"default"}},{"text":"x"}]}],"system":[{"text":"Be brief."},{"cachePoint":{"type":"default","ttl":"1h"}}],"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","description":"Weighs.","inputSchema":{"json":{"type":"object","properties":{}}}}},{"cachePoint":{"type":"default"}}]}}"#
        ]],
    );
    let marks = |model| {
        let body = write_request(&chat, Target { model, max_output_tokens: None }).body;
        std::str::from_utf8(&body).unwrap().matches("cachePoint").count()
    };
    assert_eq!([NOVA, "us.meta.llama4-x", CLAUDE].map(marks), [2, 0, 3]);
}

#[test]
fn a_users_turn_comes_first_and_the_reply_may_be_begun() {
    let one_dot = expect![[r#"
        {"messages":[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"Hi"}]},{"role":"user","content":[{"text":"Ho"}]}]}
        messages begin with no turn of a user, as Bedrock wants: one that says "." was put first"#]];
    check(NOVA, &said(vec![assistant("Hi"), user("Ho")]), one_dot);
    check(
        NOVA,
        &said(Vec::new()),
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"."}]}]}
            messages begin with no turn of a user, as Bedrock wants: one that says "." was put first"#]],
    );
    check(
        NEWER,
        &said(vec![user("x"), assistant("Once upon ")]),
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"Once upon "}]},{"role":"user","content":[{"text":"Continue."}]}]}
            messages end with the assistant, which this model does not go on from: it is asked to"#]],
    );
}

#[test]
fn json_by_a_schema() {
    let chat = Chat {
        messages: vec![user("x")],
        reply_format: ReplyFormat::JsonSchema {
            name: "load".into(),
            description: None,
            schema: Json::parse(r#"{"type":"object","properties":{"t":{"type":"number","minimum":0}}}"#).unwrap(),
            strict: Some(true),
        },
        ..Chat::default()
    };
    check(
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        &chat,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"x"}]}],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"number\"}},\"additionalProperties\":false}","name":"load"}}}}}
            response_format.json_schema.schema has bounds that are not known to this model on Bedrock"#]],
    );
    check(
        NOVA,
        &chat,
        expect![[
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"reply_with_json","description":"Gives the reply.","inputSchema":{"json":{"type":"object","properties":{"t":{"type":"number","minimum":0}}}}}}],"toolChoice":{"tool":{"name":"reply_with_json"}}}}"#
        ]],
    );
    check(
        NOVA,
        &Chat { tools: vec![Tool { parameters: None, ..weigh() }], ..chat.clone() },
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"x"}]}],"system":[{"text":"Reply with JSON and nothing else. It follows this JSON schema:\n{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"number\",\"minimum\":0}}}"}],"toolConfig":{"tools":[{"toolSpec":{"name":"weigh","description":"Weighs.","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}
            response_format is asked for in the instructions: Bedrock does not enforce it here"#]],
    );
    check(
        CLAUDE,
        &Chat { reply_format: ReplyFormat::JsonObject, ..chat },
        expect![[r#"
            {"messages":[{"role":"user","content":[{"text":"x"}]}],"system":[{"text":"Reply with a JSON object and nothing else."}]}
            response_format is asked for in the instructions: Bedrock does not enforce it here"#]],
    );
}

#[test]
fn paths_name_the_model() {
    let rows = [
        (
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            false,
            "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            true,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse-stream",
        ),
        ("ü~_", false, "/model/%C3%BC~_/converse"),
    ];
    for (model, stream, expected) in rows {
        assert_eq!(path(model, stream), expected);
    }
}

proptest! {
    #[test]
    fn ids_are_taken(id in "\\PC{0,120}") {
        let written = tool_use_id(&id);
        prop_assert!(!written.is_empty() && written.len() <= 64);
        prop_assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')));
        prop_assert_eq!(tool_use_id(&written), written.as_ref());
    }
}
