//! What is written, in tables.

use expect_test::{Expect, expect};

use super::write_request;
use crate::chat::{
    Block, Cache, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::format::Target;
use crate::json::Json;

const OLDER: &str = "claude-sonnet-4-20250514";
const NEWER: &str = "claude-opus-5";

/// The body that is written, and below it what was lost.
fn check(model: &str, chat: &Chat, expected: Expect) {
    let written = write_request(chat, Target { model, max_output_tokens: None });
    let mut seen = String::from_utf8(written.body.to_vec()).unwrap();
    assert!(Json::parse(&seen).is_some(), "{seen}");
    for loss in written.losses.iter() {
        seen.push_str(&format!("\n{loss}"));
    }
    expected.assert_eq(&seen);
}

fn said(turns: Vec<(Role, Vec<Content>)>) -> Chat {
    let message = |(role, blocks): (Role, Vec<Content>)| Message {
        role,
        name: None,
        blocks: blocks.into_iter().map(Block::new).collect(),
    };
    Chat { messages: turns.into_iter().map(message).collect(), ..Chat::default() }
}

fn asked() -> Chat {
    said(vec![(Role::User, vec![text("hi")])])
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn call(id: &str, arguments: &str) -> Content {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Content::ToolCall(ToolCall { id, name: "add".to_owned(), arguments, signature: None })
}

fn result(id: &str, blocks: Vec<Content>) -> Content {
    let blocks = blocks.into_iter().map(Block::new).collect();
    Content::ToolResult(ToolResult { call_id: id.to_owned(), blocks, is_error: false })
}

fn thought(signature: Option<&str>) -> Content {
    Content::Thinking { text: "hm".to_owned(), signature: signature.map(str::to_owned) }
}

fn tool(parameters: Option<&str>) -> Tool {
    Tool {
        name: "add".to_owned(),
        description: Some("Adds.".to_owned()),
        parameters: parameters.and_then(Json::parse),
        strict: Some(true),
        cache: None,
    }
}

#[test]
fn settings_are_said_or_noted() {
    let chat = Chat {
        max_tokens: Some(50),
        temperature: Some(1.5),
        top_p: Some(0.5),
        top_k: Some(3),
        frequency_penalty: Some(0.0),
        presence_penalty: Some(0.5),
        seed: Some(1),
        stop: vec!["END".to_owned(), "\n".to_owned()],
        n: Some(2),
        logprobs: Some(0),
        user: Some("u1".to_owned()),
        stream: true,
        ..asked()
    };
    check(
        OLDER,
        &chat,
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":1.0,"top_p":0.5,"top_k":3,"stop_sequences":["END"],"metadata":{"user_id":"u1"},"stream":true}
        temperature is set to 1, the highest that Anthropic takes
        presence_penalty is not known to Anthropic
        seed is not known to Anthropic
        n is not known to Anthropic
        logprobs is not known to Anthropic
        stop[1] is left out: Anthropic takes no blank one"#]],
    );
    check(
        "claude-haiku-4-5",
        &chat,
        expect![[r#"
        {"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":1.0,"top_k":3,"stop_sequences":["END"],"metadata":{"user_id":"u1"},"stream":true}
        temperature is set to 1, the highest that Anthropic takes
        top_p is left out: this model takes it or temperature
        presence_penalty is not known to Anthropic
        seed is not known to Anthropic
        n is not known to Anthropic
        logprobs is not known to Anthropic
        stop[1] is left out: Anthropic takes no blank one"#]],
    );
    check(
        NEWER,
        &Chat { temperature: Some(1.0), ..chat },
        expect![[r#"
        {"model":"claude-opus-5","max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stop_sequences":["END"],"metadata":{"user_id":"u1"},"stream":true}
        top_p is not known to this model
        top_k is not known to this model
        presence_penalty is not known to Anthropic
        seed is not known to Anthropic
        n is not known to Anthropic
        logprobs is not known to Anthropic
        stop[1] is left out: Anthropic takes no blank one"#]],
    );
}

#[test]
fn unknown_fields_go_where_they_are_known() {
    let fields = [
        ("container", r#"{"id":"c_1"}"#),
        ("service_tier", r#""default""#),
        ("metadata", r#"{"topic":"x"}"#),
        ("store", "true"),
        ("logit_bias", r#"{"50256":-100}"#),
        ("prediction", "null"),
        ("modalities", "[]"),
        ("thinking", r#"{"type":"enabled","budget_tokens":2000}"#),
        ("output_config", r#"{"task_budget":1.50}"#),
    ];
    let extra = fields.map(|(name, json)| (name.to_owned(), Json::parse(json).unwrap())).to_vec();
    check(
        OLDER,
        &Chat { extra, ..asked() },
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"thinking":{"type":"enabled","budget_tokens":2000},"service_tier":"standard_only","container":{"id":"c_1"}}
        logit_bias is not known to Anthropic
        output_config has a value that Anthropic does not take"#]],
    );
}

#[test]
fn instructions_go_to_the_front() {
    let chat = said(vec![
        (Role::System, vec![text("Be brief."), text(" ")]),
        (Role::Developer, vec![text("Be kind.")]),
        (Role::User, vec![text("hi")]),
        (Role::System, vec![text("Now in French.")]),
        (Role::User, vec![text("well?")]),
    ]);
    check(
        OLDER,
        &chat,
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."},{"type":"text","text":"Now in French."}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"well?"}]}]}
        messages[3] is moved to the front, where Anthropic takes instructions"#]],
    );
    check(
        OLDER,
        &said(vec![(Role::System, vec![text("Tell a joke.")])]),
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"Tell a joke."}]}]}
        messages has instructions only, which are put as the user's: Anthropic wants a turn"#]],
    );
}

#[test]
fn turns_alternate_and_results_stand_first() {
    let chat = said(vec![
        (Role::Assistant, vec![text("Hello!")]),
        (Role::User, vec![text("add"), text("")]),
        (Role::Assistant, vec![text(""), call("call.1", r#"{ "a": 1.0 }"#), call("call|2", ""), call("", "1, 2")]),
        (Role::User, vec![text("here")]),
        (Role::User, vec![result("call.1", vec![text("3")])]),
        (Role::User, vec![result("call|2", vec![]), result("", vec![text(" ")])]),
        (Role::Assistant, vec![]),
        (Role::User, vec![text("and?")]),
    ]);
    check(
        OLDER,
        &chat,
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"."}]},{"role":"assistant","content":[{"type":"text","text":"Hello!"}]},{"role":"user","content":[{"type":"text","text":"add"}]},{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"add","input":{ "a": 1.0 }},{"type":"tool_use","id":"call_2","name":"add","input":{}},{"type":"tool_use","id":"_","name":"add","input":{"arguments":"1, 2"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":[{"type":"text","text":"3"}]},{"type":"tool_result","tool_use_id":"call_2"},{"type":"tool_result","tool_use_id":"_"},{"type":"text","text":"here"},{"type":"text","text":"and?"}]}],"tools":[{"name":"add","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}}
        messages begins with the assistant; Anthropic gets a user's turn of one dot before it"#]],
    );
}

#[test]
fn pictures_documents_and_sound() {
    let base64 =
        |media_type: &str, data: &str| Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() };
    let image = |source| Content::Image { source, detail: Some("low".to_owned()) };
    let document = |source| Content::Document { source, name: Some("a.pdf".to_owned()) };
    let chat = said(vec![
        (
            Role::User,
            vec![
                image(base64("image/jpg", "aGk=")),
                image(Source::Url("https://a/b.png".to_owned())),
                document(base64("application/pdf", "aGk=")),
                document(base64("text/csv", "YSxi")),
                document(base64("application/msword", "aGk=")),
                document(Source::Text("plain".to_owned())),
                document(Source::File("file_1".to_owned())),
                Content::Audio { data: String::new(), format: "wav".to_owned() },
            ],
        ),
        (Role::Assistant, vec![Content::Refusal("No.".to_owned()), image(Source::File("f".to_owned()))]),
        (Role::User, vec![result("c", vec![image(Source::Url("https://a".to_owned())), call("x", "")])]),
    ]);
    check(
        OLDER,
        &chat,
        expect![[r#"
            {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"aGk="}},{"type":"image","source":{"type":"url","url":"https://a/b.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGk="},"title":"a.pdf"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"},"title":"a.pdf"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"},"title":"a.pdf"},{"type":"document","source":{"type":"file","file_id":"file_1"},"title":"a.pdf"}]},{"role":"assistant","content":[{"type":"text","text":"No."}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"image","source":{"type":"url","url":"https://a"}}]}]}]}
            messages[0].content[4] is of a type that Anthropic does not take: PDF and plain text it does
            messages[0].content[7] is sound, which Anthropic does not take
            messages[1].content[1] has no place in a turn of this role at Anthropic
            messages[2].content[0] has no place in a turn of this role at Anthropic"#]],
    );
}

#[test]
fn tools_and_the_choice_of_them() {
    let chat = Chat { parallel_tool_calls: Some(false), tools: vec![tool(None)], ..asked() };
    check(
        OLDER,
        &chat,
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}"#
        ]],
    );
    let chat = Chat {
        tools: vec![tool(Some(r#"{"properties":{"a":{"maximum":1.0}}}"#)), tool(Some("{ }"))],
        tool_choice: Some(ToolChoice::Named("add".to_owned())),
        ..asked()
    };
    check(
        OLDER,
        &chat,
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{"a":{"maximum":1.0}}}},{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"tool","name":"add"}}"#
        ]],
    );
    let parameters = r#"{"type": "object", "properties": {}}"#;
    let chat = Chat { tools: vec![tool(Some(parameters))], tool_choice: Some(ToolChoice::Required), ..asked() };
    check(
        OLDER,
        &chat,
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type": "object", "properties": {}}}],"tool_choice":{"type":"any"}}"#
        ]],
    );
    check(
        OLDER,
        &Chat { reasoning: Some(Reasoning::Effort("low".to_owned())), ..chat.clone() },
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type": "object", "properties": {}}}],"tool_choice":{"type":"auto"},"thinking":{"type":"enabled","budget_tokens":1024}}
        tool_choice is left to the model: Anthropic forces no call on a model that thinks"#]],
    );
    check(
        OLDER,
        &Chat { tool_choice: Some(ToolChoice::None), ..chat },
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type": "object", "properties": {}}}],"tool_choice":{"type":"none"}}"#
        ]],
    );
    check(
        OLDER,
        &Chat { tool_choice: Some(ToolChoice::Required), ..asked() },
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
        ]],
    );
}

#[test]
fn thoughts_go_on_only_where_they_are_anthropics() {
    let turns = |thought: Content| {
        let turns = vec![
            (Role::User, vec![text("add")]),
            (Role::Assistant, vec![thought, call("c", "{}")]),
            (Role::User, vec![result("c", vec![text("3")])]),
        ];
        let effort = Some(Reasoning::Effort("low".to_owned()));
        Chat { reasoning: effort, tools: vec![tool(None)], max_tokens: Some(9000), ..said(turns) }
    };
    check(
        OLDER,
        &turns(thought(Some("EqRs"))),
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":9000,"messages":[{"role":"user","content":[{"type":"text","text":"add"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqRs"},{"type":"tool_use","id":"c","name":"add","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"3"}]}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}],"thinking":{"type":"enabled","budget_tokens":1024}}"#
        ]],
    );
    check(
        OLDER,
        &turns(thought(None)),
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":9000,"messages":[{"role":"user","content":[{"type":"text","text":"add"}]},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"add","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"3"}]}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}]}
        messages[1].content[0] is a thought without Anthropic's signature
        reasoning_effort is left out: the thought that led to the last tool call is not Anthropic's"#]],
    );
    check(
        NEWER,
        &turns(Content::RedactedThinking { data: "gAAAAABo".to_owned() }),
        expect![[r#"
        {"model":"claude-opus-5","max_tokens":9000,"messages":[{"role":"user","content":[{"type":"text","text":"add"}]},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"add","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"3"}]}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}],"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}
        messages[1].content[0] is a thought without Anthropic's signature"#]],
    );
}

#[test]
fn thinking_leaves_no_room_for_sampling() {
    let chat = Chat {
        reasoning: Some(Reasoning::Budget(2000)),
        temperature: Some(0.2),
        top_p: Some(0.9),
        top_k: Some(5),
        ..asked()
    };
    check(
        OLDER,
        &chat,
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"thinking":{"type":"enabled","budget_tokens":2000}}
        temperature is left out: Anthropic does not take it of a model that thinks
        top_p is left out: Anthropic does not take it of a model that thinks
        top_k is left out: Anthropic does not take it of a model that thinks"#]],
    );
}

#[test]
fn the_form_of_the_reply() {
    let schema = Json::parse(r#"{"type":"object","properties":{"n":{"const":1.0}}}"#).unwrap();
    let reply_format = ReplyFormat::JsonSchema { name: "n".to_owned(), description: None, schema, strict: Some(true) };
    let chat = Chat { reply_format, reasoning: Some(Reasoning::Effort("max".to_owned())), ..asked() };
    check(
        NEWER,
        &chat,
        expect![[
            r#"{"model":"claude-opus-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object","properties":{"n":{"const":1.0}}}}}}"#
        ]],
    );
    check(
        OLDER,
        &Chat { reasoning: None, ..chat },
        expect![[r#"
        {"model":"claude-sonnet-4-20250514","max_tokens":4096,"system":[{"type":"text","text":"Reply with nothing but JSON that follows this schema: {\"type\":\"object\",\"properties\":{\"n\":{\"const\":1.0}}}"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}
        response_format is asked for in the system prompt: Anthropic does not enforce it here"#]],
    );
    check(
        NEWER,
        &Chat { reply_format: ReplyFormat::JsonObject, ..asked() },
        expect![[r#"
        {"model":"claude-opus-5","max_tokens":4096,"system":[{"type":"text","text":"Reply with nothing but one JSON object."}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}
        response_format is asked for in the system prompt: Anthropic does not enforce it here"#]],
    );
}

#[test]
fn a_beginning_of_the_reply_ends_in_no_blank() {
    let chat = said(vec![(Role::User, vec![text("hi")]), (Role::Assistant, vec![text("Once upon \n")])]);
    check(
        OLDER,
        &chat,
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"Once upon"}]}]}"#
        ]],
    );
    check(
        NEWER,
        &chat,
        expect![[r#"
        {"model":"claude-opus-5","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"Once upon \n"}]},{"role":"user","content":[{"type":"text","text":"Continue."}]}]}
        messages ends with the assistant, which this model does not go on from: it is asked to"#]],
    );
}

#[test]
fn marks_of_the_cache_are_kept() {
    let mut chat = said(vec![(Role::System, vec![text("long")]), (Role::User, vec![text("hi")])]);
    chat.messages[0].blocks[0].cache = Some(Cache::Hour);
    chat.messages[1].blocks[0].cache = Some(Cache::Usual);
    chat.tools = vec![Tool { cache: Some(Cache::Usual), ..tool(None) }];
    check(
        OLDER,
        &chat,
        expect![[
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"system":[{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}],"tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}}]}"#
        ]],
    );
}
