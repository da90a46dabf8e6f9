//! Clients' requests.

use expect_test::{Expect, expect};

use crate::chat::{Chat, Content, Source};
use crate::responses::read_request;

fn block(content: &Content) -> String {
    let cut = |source: &Source| match source {
        Source::Base64 { media_type, data } => format!("{media_type} {data}"),
        other => format!("{other:?}"),
    };
    match content {
        Content::Image { source, detail } => format!("Image({}, {detail:?})", cut(source)),
        Content::Document { source, name } => format!("Document({}, {name:?})", cut(source)),
        Content::ToolResult(result) => {
            let blocks: Vec<String> = result.blocks.iter().map(|it| block(&it.content)).collect();
            format!("ToolResult({}: {})", result.call_id, blocks.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn show(chat: &Chat) -> String {
    let mut lines = Vec::new();
    for message in &chat.messages {
        lines.push(format!("{:?}", message.role));
        lines.extend(message.blocks.iter().map(|it| {
            let cache = it.cache.map_or(String::new(), |cache| format!(" cache {cache:?}"));
            format!("  {}{cache}", block(&it.content))
        }));
    }
    lines.extend(chat.tools.iter().map(|tool| format!("{tool:?}")));
    let rest = Chat { messages: Vec::new(), tools: Vec::new(), losses: Default::default(), ..chat.clone() };
    let usual = format!("{:#?}", Chat::default());
    let told = format!("{rest:#?}");
    lines.extend(told.lines().filter(|line| !usual.contains(line)).map(|line| line.trim().to_owned()));
    lines.extend(chat.losses.iter().map(|loss| format!("lost: {loss}")));
    lines.join("\n")
}

#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check(body: &str, expected: Expect) {
    expected.assert_eq(&match read_request(body.as_bytes()) {
        Ok(chat) => show(&chat),
        Err(problem) => format!("unreadable: {problem}"),
    });
}

fn check_input(items: &str, expected: Expect) {
    check(&format!(r#"{{"model":"m","input":{items}}}"#), expected);
}

#[test]
fn input_is_read() {
    check_input(
        r#""hi""#,
        expect![[r#"
        User
          Text("hi")
        model: "m","#]],
    );
    check_input(
        r#"[{"role":"user","content":"hi"},{"type":"message","role":"developer","content":[{"type":"input_text","text":"be brief","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]},{"role":"system","content":"x"}]"#,
        expect![[r#"
            User
              Text("hi")
            Developer
              Text("be brief") cache Hour
            System
              Text("x")
            model: "m","#]],
    );
    check_input(
        r#"[{"role":"user","content":[
            {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"high"},
            {"type":"input_image","image_url":"https://x/y.png"},
            {"type":"input_image","file_id":"file-1","image_url":null},
            {"type":"input_file","file_data":"data:application/pdf;base64,BBBB","filename":"a.pdf"},
            {"type":"input_file","file_data":"CCCC","filename":"a.txt"},
            {"type":"input_file","file_url":"https://x/y.pdf"},
            {"type":"input_file","file_id":"file-2"},
            {"type":"input_audio","input_audio":{"data":"DDDD","format":"wav"}}]}]"#,
        expect![[r#"
            User
              Image(image/png AAAA, Some("high"))
              Image(Url("https://x/y.png"), None)
              Image(File("file-1"), None)
              Document(application/pdf BBBB, Some("a.pdf"))
              Document(text/plain CCCC, Some("a.txt"))
              Document(Url("https://x/y.pdf"), None)
              Document(File("file-2"), None)
              Audio { data: "DDDD", format: "wav" }
            model: "m","#]],
    );
}

#[test]
fn what_the_model_did_is_one_turn_and_what_tools_returned_another() {
    check_input(
        r#"[
        {"role":"user","content":"weather?"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAAAx"},
        {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAAAy"},
        {"type":"reasoning","id":"rs_3","summary":[],"encrypted_content":null},
        {"type":"reasoning","id":"rs_4","summary":[],"content":[{"type":"reasoning_text","text":"in full"}]},
        {"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"let me see","annotations":[]},{"type":"refusal","refusal":"no"}]},
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"get","arguments":"{\"a\": 1}","status":"completed"},
        {"type":"function_call","call_id":"call_2","name":"get","arguments":"{}","extra_content":{"google":{"thought_signature":"sig"}}},
        {"type":"function_call_output","call_id":"call_1","output":"sunny"},
        {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"rain"},{"type":"input_image","image_url":"https://x"}]},
        {"role":"user","content":"so?"}]"#,
        expect![[r#"
            User
              Text("weather?")
            Assistant
              Thinking { text: "a\n\nb", signature: Some("gAAAAx") }
              RedactedThinking { data: "gAAAAy" }
              Thinking { text: "in full", signature: None }
              Text("let me see")
              Refusal("no")
              ToolCall(ToolCall { id: "call_1", name: "get", arguments: "{\"a\": 1}", signature: None })
              ToolCall(ToolCall { id: "call_2", name: "get", arguments: "{}", signature: Some("sig") })
            User
              ToolResult(call_1: Text("sunny"))
              ToolResult(call_2: Text("rain"), Image(Url("https://x"), None))
            User
              Text("so?")
            model: "m","#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn everything_else_is_read() {
    check(
        r#"{"model":"m","input":"hi","instructions":"be nice","max_output_tokens":9,"temperature":0.5,"top_p":0.9,
        "parallel_tool_calls":false,"stream":true,"top_logprobs":3,"include":["message.output_text.logprobs"],
        "user":"u","safety_identifier":"s","reasoning":{"effort":"high","summary":"auto"},
        "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"b":1.0,"a":2},"strict":true}},
        "tools":[{"type":"function","name":"f","parameters":{"z":1},"strict":true,"description":"d"},{"type":"function","name":"g","parameters":null,"strict":null}],
        "tool_choice":{"type":"function","name":"f"},
        "store":true,"metadata":{"a":"b"},"service_tier":"flex","truncation":"auto","stop":null,"top_k":4}"#,
        expect![[r#"
            System
              Text("be nice")
            User
              Text("hi")
            Tool { name: "f", description: Some("d"), parameters: Some({"z":1}), strict: Some(true), cache: None }
            Tool { name: "g", description: None, parameters: None, strict: None, cache: None }
            model: "m",
            tool_choice: Some(
            Named(
            "f",
            ),
            parallel_tool_calls: Some(
            false,
            reply_format: JsonSchema {
            name: "n",
            description: None,
            schema: {"b":1.0,"a":2},
            strict: Some(
            true,
            ),
            },
            reasoning: Some(
            Effort(
            "high",
            ),
            max_tokens: Some(
            9,
            temperature: Some(
            0.5,
            top_p: Some(
            0.9,
            logprobs: Some(
            3,
            user: Some(
            "u",
            stream: true,
            (
            "verbosity",
            "low",
            ),
            (
            "metadata",
            {"a":"b"},
            ),
            (
            "safety_identifier",
            "s",
            ),
            (
            "service_tier",
            "flex",
            ),
            (
            "top_k",
            4,
            ),
            (
            "truncation",
            "auto",
            ),
            ],"#]],
    );
    check(
        r#"{"model":"m","input":"hi","reasoning":{"effort":"none"},"text":{"format":{"type":"json_object"}},
        "tools":[{"type":"web_search"},{"type":"function","name":"f"},{"type":"custom","name":"c"},{"type":"function","name":"g"},{"type":"function","name":"h"}],
        "tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"h"},{"type":"function","name":"f"}]},
        "truncation":"disabled","service_tier":"auto","background":false,"previous_response_id":null,"safety_identifier":"s"}"#,
        expect![[r#"
            User
              Text("hi")
            Tool { name: "f", description: None, parameters: None, strict: None, cache: None }
            Tool { name: "h", description: None, parameters: None, strict: None, cache: None }
            model: "m",
            tool_choice: Some(
            Required,
            reply_format: JsonObject,
            reasoning: Some(
            Off,
            user: Some(
            "s",
            lost: tools[0] is of type web_search, which only OpenAI has
            lost: tools[2] is of type custom, which only OpenAI has"#]],
    );
    check(
        r#"{"model":"m","input":"hi","tool_choice":{"type":"web_search_preview"}}"#,
        expect![[r#"
        User
          Text("hi")
        model: "m",
        lost: tool_choice is of type web_search_preview, which only OpenAI has"#]],
    );
}

#[test]
fn tools_that_only_openai_runs_are_lost() {
    check_input(
        r#"[{"type":"web_search_call","id":"ws_1","status":"completed"},{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"computer_screenshot"}]},{"type":"custom_tool_call_output","call_id":"c","output":"x"}]"#,
        expect![[r#"
            User
              Text("hi")
            model: "m",
            lost: input[0] is a web_search_call, which no other format has
            lost: input[1].content[1] is a computer_screenshot, which no other format has
            lost: input[2] is a custom_tool_call_output, which no other format has"#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn mistakes_are_told() {
    check(
        "[1]",
        expect!["unreadable: body: is not a JSON object: invalid type: sequence, expected a map at line 1 column 0"],
    );
    check(r#"{"input":"hi"}"#, expect!["unreadable: model: is missing"]);
    check(r#"{"model":"m"}"#, expect!["unreadable: input: expected a text or a list of items"]);
    check(r#"{"model":"m","input":7}"#, expect!["unreadable: input: expected a text or a list of items"]);
    check(
        r#"{"model":"m","input":[7]}"#,
        expect![
            "unreadable: input[0]: is not an item: invalid type: integer `7`, expected struct ItemJson at line 1 column 1"
        ],
    );
    check(r#"{"model":"m","input":[{}]}"#, expect!["unreadable: input[0].type: is missing"]);
    check(
        r#"{"model":"m","input":[{"id":"msg_1"}]}"#,
        expect![[
            r#"unreadable: input[0]: refers to the item "msg_1" of an earlier response, and this router keeps no responses: send the item itself"#
        ]],
    );
    check(
        r#"{"model":"m","input":[{"type":"item_reference","id":"rs_1"}]}"#,
        expect![[
            r#"unreadable: input[0]: refers to the item "rs_1" of an earlier response, and this router keeps no responses: send the item itself"#
        ]],
    );
    check(
        r#"{"model":"m","input":[{"role":"tool","content":"x"}]}"#,
        expect!["unreadable: input[0].role: expected user, assistant, system or developer"],
    );
    check(
        r#"{"model":"m","input":[{"role":"user"}]}"#,
        expect!["unreadable: input[0].content: expected a text or a list of parts"],
    );
    check(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"text_input","text":"x"}]}]}"#,
        expect![[
            r#"unreadable: input[0].content[0].type: is "text_input"; expected input_text, input_image, input_file, input_audio, output_text or refusal"#
        ]],
    );
    check(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}"#,
        expect!["unreadable: input[0].content[0]: has neither `image_url` nor `file_id`"],
    );
    check(
        r#"{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#,
        expect!["unreadable: input[0].call_id: is missing"],
    );
    check(
        r#"{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}"#,
        expect!["unreadable: input[0].output: expected a text or a list of parts"],
    );
    check(
        r#"{"model":"m","input":"hi","previous_response_id":"resp_1"}"#,
        expect![
            "unreadable: previous_response_id: refers to what was said before, and this router keeps no responses: send the whole conversation in `input`"
        ],
    );
    check(
        r#"{"model":"m","input":"hi","conversation":{"id":"conv_1"}}"#,
        expect![
            "unreadable: conversation: refers to what was said before, and this router keeps no responses: send the whole conversation in `input`"
        ],
    );
    check(
        r#"{"model":"m","input":"hi","background":true}"#,
        expect![
            "unreadable: background: asks for a response to be fetched later, and this router keeps none: wait for it, or stream it"
        ],
    );
    check(
        r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#,
        expect![
            "unreadable: prompt: refers to a stored prompt, and this router keeps none: send its text in `instructions` and `input`"
        ],
    );
    check(r#"{"model":"m","input":"hi","temperature":"hot"}"#, expect!["unreadable: temperature: expected a number"]);
    check(r#"{"model":"m","input":"hi","tools":{}}"#, expect!["unreadable: tools: expected a list"]);
    check(
        r#"{"model":"m","input":"hi","tools":[{"type":"function"}]}"#,
        expect!["unreadable: tools[0].name: is missing"],
    );
    check(
        r#"{"model":"m","input":"hi","tool_choice":"maybe"}"#,
        expect!["unreadable: tool_choice: expected none, auto, required or an object that names a tool"],
    );
    check(
        r#"{"model":"m","input":"hi","text":{"format":{"type":"xml"}}}"#,
        expect![[r#"unreadable: text.format.type: is "xml"; expected text, json_object or json_schema"#]],
    );
    check(
        r#"{"model":"m","input":"hi","text":{"format":{"type":"json_schema","name":"n"}}}"#,
        expect!["unreadable: text.format.schema: is missing"],
    );
}
