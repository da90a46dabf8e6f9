//! Requests as clients write them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;

use super::content::{self, CacheJson, object, wrong};
use crate::chat::{Chat, Message, NativeTool, Reasoning, ReplyFormat, Role, Tool, ToolChoice};
use crate::format::Unreadable;
use crate::json::Json;

/// Reads a request.
///
/// # Errors
/// When it is no object, has no messages, or a field holds what it cannot.
pub fn read_request(body: &[u8]) -> Result<Chat, Unreadable> {
    let request = JsonObject::parse(Bytes::copy_from_slice(body)).map_err(|error| wrong("body", error.to_string()))?;
    let mut chat = Chat::default();
    let mut output = OutputJson::default();
    for key in request.keys() {
        match request.raw(key) {
            None | Some("null") => {}
            Some(raw) => read_field(&mut chat, &mut output, key, raw)?,
        }
    }
    if !request.has("messages") {
        return Err(wrong("messages", "expected a list of turns"));
    }
    // Instructions stand in front, wherever the field stands in the object.
    if let Some(raw) = request.raw("system").filter(|raw| *raw != "null") {
        let blocks = content::read(raw, "system", &mut chat.losses)?;
        if !blocks.is_empty() {
            chat.messages.insert(0, Message { role: Role::System, name: None, blocks });
        }
    }
    chat.reasoning = match (chat.reasoning, output.effort) {
        (None | Some(Reasoning::Adaptive), Some(effort)) => Some(Reasoning::Effort(effort)),
        (reasoning, _) => reasoning,
    };
    if let Some(format) = output.format {
        chat.reply_format = reply_format(format)?;
    }
    Ok(chat)
}

/// `output_config`.
#[derive(Deserialize, Default)]
struct OutputJson {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    format: Option<FormatJson>,
}

#[derive(Deserialize)]
struct FormatJson {
    #[serde(rename = "type")]
    kind: String,
    schema: Option<Json>,
}

#[derive(Deserialize)]
struct MetadataJson {
    user_id: Option<String>,
}

fn read_field(chat: &mut Chat, output: &mut OutputJson, key: &str, raw: &str) -> Result<(), Unreadable> {
    match key {
        "model" => chat.model = value(key, raw, "a text")?,
        "messages" => chat.messages = messages(chat, raw)?,
        "system" => {}
        "tools" => chat.tools = tools(chat, raw)?,
        "tool_choice" => tool_choice(chat, raw)?,
        "thinking" => chat.reasoning = Some(thinking_of(raw)?),
        "output_config" => {
            let config: OutputJson = value(key, raw, "an object with effort or format")?;
            *output = OutputJson { effort: config.effort, format: config.format.or(output.format.take()) };
        }
        // As it was called in its beta.
        "output_format" => output.format = Some(value(key, raw, "an object with type and schema")?),
        "max_tokens" => chat.max_tokens = Some(value(key, raw, "a count")?),
        "temperature" => chat.temperature = Some(value(key, raw, "a number")?),
        "top_p" => chat.top_p = Some(value(key, raw, "a number")?),
        "top_k" => chat.top_k = Some(value(key, raw, "a count")?),
        "stop_sequences" => chat.stop = value(key, raw, "a list of texts")?,
        "stream" => chat.stream = value(key, raw, "true or false")?,
        "metadata" => {
            let metadata: MetadataJson = value(key, raw, "an object with user_id")?;
            chat.user = metadata.user_id;
        }
        // In the words that other providers know.
        "service_tier" if raw == "\"standard_only\"" => chat.extra.push((key.to_owned(), Json::of(&"default"))),
        _ => {
            let json = Json::parse(raw).ok_or_else(|| wrong(key, "expected JSON"))?;
            chat.extra.push((key.to_owned(), json));
        }
    }
    Ok(())
}

fn value<'a, T: Deserialize<'a>>(path: &str, raw: &'a str, expected: &str) -> Result<T, Unreadable> {
    serde_json::from_str(raw).map_err(|error| wrong(path, format!("expected {expected}: {error}")))
}

/// What `thinking` asks for.
pub(super) fn thinking_of(raw: &str) -> Result<Reasoning, Unreadable> {
    #[derive(Deserialize)]
    struct ThinkingJson {
        #[serde(rename = "type")]
        kind: String,
        budget_tokens: Option<u32>,
    }
    let json: ThinkingJson = value("thinking", raw, "an object with a type")?;
    match (json.kind.as_str(), json.budget_tokens) {
        ("enabled", Some(budget)) => Ok(Reasoning::Budget(budget)),
        ("enabled", None) => Err(wrong("thinking.budget_tokens", "expected a count")),
        ("adaptive", _) => Ok(Reasoning::Adaptive),
        ("disabled" | "between_tools", _) => Ok(Reasoning::Off),
        _ => Err(wrong("thinking.type", "expected enabled, disabled, between_tools or adaptive")),
    }
}

fn reply_format(format: FormatJson) -> Result<ReplyFormat, Unreadable> {
    let path = "output_config.format";
    if format.kind != "json_schema" {
        return Err(wrong(&format!("{path}.type"), "expected json_schema"));
    }
    let schema = format.schema.filter(Json::is_object);
    let schema = schema.ok_or_else(|| wrong(&format!("{path}.schema"), "expected an object"))?;
    // Others want a name for it, and are told what is a matter of course here.
    Ok(ReplyFormat::JsonSchema { name: "reply".to_owned(), description: None, schema, strict: Some(true) })
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

fn messages(chat: &mut Chat, raw: &str) -> Result<Vec<Message>, Unreadable> {
    let turns: Vec<&RawValue> = value("messages", raw, "a list of turns")?;
    let mut messages = Vec::with_capacity(turns.len());
    for (at, turn) in turns.iter().enumerate() {
        let path = format!("messages[{at}]");
        let turn: MessageJson<'_> = serde_json::from_str(turn.get())
            .map_err(|error| wrong(&path, format!("expected an object with role and content: {error}")))?;
        let role = match turn.role.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => return Err(wrong(&format!("{path}.role"), "expected user, assistant or system")),
        };
        let content = format!("{path}.content");
        let raw = turn.content.ok_or_else(|| wrong(&content, "expected a text or a list of blocks"))?;
        let blocks = content::read(raw.get(), &content, &mut chat.losses)?;
        messages.push(Message { role, name: None, blocks });
    }
    Ok(messages)
}

#[derive(Deserialize)]
struct ToolJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input_schema: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

fn tools(chat: &mut Chat, raw: &str) -> Result<Vec<Tool>, Unreadable> {
    let all: Vec<&RawValue> = value("tools", raw, "a list of tools")?;
    let mut tools = Vec::with_capacity(all.len());
    for (at, tool) in all.iter().enumerate() {
        let path = format!("tools[{at}]");
        let tool: ToolJson<'_> = serde_json::from_str(tool.get())
            .map_err(|error| wrong(&path, format!("expected an object with name and input_schema: {error}")))?;
        if let Some(kind) = tool.kind.as_deref().filter(|kind| *kind != "custom") {
            let json = Json::parse(all[at].get()).unwrap_or_else(Json::empty_object);
            chat.native_tools.push(NativeTool { path, kind: kind.to_owned(), json });
            continue;
        }
        let name = tool.name.ok_or_else(|| wrong(&format!("{path}.name"), "expected a text"))?;
        tools.push(Tool {
            name: name.into_owned(),
            description: tool.description.map(Cow::into_owned),
            parameters: Some(object(tool.input_schema, &format!("{path}.input_schema"))?),
            strict: tool.strict,
            cache: tool.cache_control.map(|cache| cache.cache()),
        });
    }
    Ok(tools)
}

fn tool_choice(chat: &mut Chat, raw: &str) -> Result<(), Unreadable> {
    #[derive(Deserialize)]
    struct ToolChoiceJson {
        #[serde(rename = "type")]
        kind: String,
        name: Option<String>,
        disable_parallel_tool_use: Option<bool>,
    }
    let json: ToolChoiceJson = value("tool_choice", raw, "an object with a type")?;
    chat.tool_choice = Some(match (json.kind.as_str(), json.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name),
        ("tool", None) => return Err(wrong("tool_choice.name", "expected the name of a tool")),
        _ => return Err(wrong("tool_choice.type", "expected auto, any, tool or none")),
    });
    chat.parallel_tool_calls = json.disable_parallel_tool_use.map(|is_disabled| !is_disabled);
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::read_request;
    use crate::chat::{Reasoning, ReplyFormat};

    /// What is read, shown as Rust shows it, or what is wrong.
    fn check(body: &str, expected: Expect) {
        let seen = match read_request(body.as_bytes()) {
            Ok(chat) => format!("{chat:?}").replace("cache: None", "").replace("content: ", "").replace(", }", "}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&seen);
    }

    #[test]
    fn mistakes_are_named_by_their_place() {
        let rows = [
            ("[]", "body: "),
            ("{}", "messages: expected a list of turns"),
            (r#"{"messages":"hi"}"#, "messages: expected a list of turns: "),
            (r#"{"messages":["hi"]}"#, "messages[0]: expected an object with role and content: "),
            (r#"{"messages":[{"role":"tool","content":"x"}]}"#, "messages[0].role: expected user, assistant or system"),
            (r#"{"messages":[{"role":"user"}]}"#, "messages[0].content: expected a text or a list of blocks"),
            (
                r#"{"messages":[{"role":"user","content":7}]}"#,
                "messages[0].content: expected a text or a list of blocks",
            ),
            (r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#, "messages[0].content[0].type: "),
            (r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#, "messages[0].content[0].text: "),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"odd"}}]}]}"#,
                "messages[0].content[0].source.type: ",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"x"}}]}]}"#,
                "messages[0].content[0].source.media_type: ",
            ),
            (
                r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":"x"}]}]}"#,
                "messages[0].content[0].input: expected an object",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text"}]}]}]}"#,
                "messages[0].content[0].content[0].text: expected a text",
            ),
            (r#"{"messages":[],"system":{"x":1}}"#, "system: expected a text or a list of blocks"),
            (r#"{"messages":[],"tools":[{"name":"a"}]}"#, "tools[0].input_schema: expected an object"),
            (r#"{"messages":[],"tools":[{"input_schema":{}}]}"#, "tools[0].name: expected a text"),
            (r#"{"messages":[],"tool_choice":{"type":"tool"}}"#, "tool_choice.name: expected the name of a tool"),
            (r#"{"messages":[],"tool_choice":"auto"}"#, "tool_choice: expected an object with a type: "),
            (r#"{"messages":[],"max_tokens":-1}"#, "max_tokens: expected a count: "),
            (r#"{"messages":[],"thinking":{"type":"enabled"}}"#, "thinking.budget_tokens: expected a count"),
            (r#"{"messages":[],"stop_sequences":"x"}"#, "stop_sequences: expected a list of texts: "),
            (r#"{"messages":[],"output_config":{"format":{"type":"json"}}}"#, "output_config.format.type: "),
        ];
        for (body, expected) in rows {
            let error = read_request(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
    }

    #[test]
    fn blocks_do_not_nest_without_end() {
        let open = r#"[{"type":"tool_result","tool_use_id":"a","content":"#.repeat(100_000);
        let body = format!(r#"{{"messages":[{{"role":"user","content":{open}[]{}}}]}}"#, "}]".repeat(100_000));
        let error = read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.problem, "expected no further blocks so deep in blocks");
    }

    #[test]
    fn every_block_is_read() {
        check(
            r#"{"model":"m","system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
                "messages":[
                {"role":"user","content":"hi"},
                {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"Eq"},
                    {"type":"redacted_thinking","data":"Em"},{"type":"text","text":"Let me see."},
                    {"type":"tool_use","id":"toolu_1","name":"add","input":{ "a": 1.0 }},
                    {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}]},
                {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,
                    "content":[{"type":"text","text":"3"},{"type":"tool_reference","tool_name":"x"}]},
                    {"type":"tool_result","tool_use_id":"toolu_2"},
                    {"type":"search_result","source":"https://a","title":"A","content":[{"type":"text","text":"found"}]}]},
                {"role":"system","content":"Go on."}]}"#,
            expect![[
                r#"Chat { model: "m", messages: [Message { role: System, name: None, blocks: [Block { Text("Be brief."), cache: Some(Hour) }] }, Message { role: User, name: None, blocks: [Block { Text("hi"),  }] }, Message { role: Assistant, name: None, blocks: [Block { Thinking { text: "hm", signature: Some("Eq") },  }, Block { RedactedThinking { data: "Em" },  }, Block { Text("Let me see."),  }, Block { ToolCall(ToolCall { id: "toolu_1", name: "add", arguments: "{ \"a\": 1.0 }", signature: None }),  }] }, Message { role: User, name: None, blocks: [Block { ToolResult(ToolResult { call_id: "toolu_1", blocks: [Block { Text("3"),  }], is_error: true }),  }, Block { ToolResult(ToolResult { call_id: "toolu_2", blocks: [], is_error: false }),  }, Block { Text("A\nhttps://a\nfound"),  }] }, Message { role: System, name: None, blocks: [Block { Text("Go on."),  }] }], tools: [], native_tools: [], tool_choice: None, parallel_tool_calls: None, reply_format: Text, reasoning: None, max_tokens: None, temperature: None, top_p: None, top_k: None, frequency_penalty: None, presence_penalty: None, seed: None, stop: [], n: None, logprobs: None, user: None, stream: false, extra: [], losses: Losses([Loss { path: "messages[1].content[4]", why: "is a block of type server_tool_use, which only Anthropic knows" }, Loss { path: "messages[2].content[0].content[1]", why: "is a block of type tool_reference, which only Anthropic knows" }]) }"#
            ]],
        );
    }

    #[test]
    fn pictures_and_documents_are_read() {
        check(
            r#"{"messages":[{"role":"user","content":[
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
                {"type":"image","source":{"type":"url","url":"https://a/b.png"}},
                {"type":"document","title":"A","context":"c","citations":{"enabled":true},
                    "source":{"type":"base64","media_type":"application/pdf","data":"aGk="}},
                {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},
                {"type":"document","source":{"type":"file","file_id":"file_1"}},
                {"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}]}"#,
            expect![[
                r#"Chat { model: "", messages: [Message { role: User, name: None, blocks: [Block { Image { source: Base64 { media_type: "image/png", data: "aGk=" }, detail: None },  }, Block { Image { source: Url("https://a/b.png"), detail: None },  }, Block { Document { source: Base64 { media_type: "application/pdf", data: "aGk=" }, name: Some("A") },  }, Block { Document { source: Text("plain"), name: None },  }, Block { Document { source: File("file_1"), name: None },  }, Block { Document { source: Text("ab"), name: None },  }] }], tools: [], native_tools: [], tool_choice: None, parallel_tool_calls: None, reply_format: Text, reasoning: None, max_tokens: None, temperature: None, top_p: None, top_k: None, frequency_penalty: None, presence_penalty: None, seed: None, stop: [], n: None, logprobs: None, user: None, stream: false, extra: [], losses: Losses([Loss { path: "messages[0].content[2].citations", why: "is not known to other providers" }, Loss { path: "messages[0].content[2].context", why: "is not known to other providers" }]) }"#
            ]],
        );
    }

    #[test]
    fn settings_are_read() {
        check(
            r#"{"messages":[],"model":"m","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop_sequences":["END"],
                "stream":true,"metadata":{"user_id":"u"},"service_tier":"standard_only","container":"c_1","cache_control":null,
                "tools":[{"name":"add","description":"Adds.","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},
                    {"type":"web_search_20250305","name":"web_search"}],
                "tool_choice":{"type":"any","disable_parallel_tool_use":true}}"#,
            expect![[
                r#"Chat { model: "m", messages: [], tools: [Tool { name: "add", description: Some("Adds."), parameters: Some({"type":"object"}), strict: None, cache: Some(Usual) }], native_tools: [NativeTool { path: "tools[1]", kind: "web_search_20250305", json: {"type":"web_search_20250305","name":"web_search"} }], tool_choice: Some(Required), parallel_tool_calls: Some(false), reply_format: Text, reasoning: None, max_tokens: Some(9), temperature: Some(0.5), top_p: Some(0.9), top_k: Some(3), frequency_penalty: None, presence_penalty: None, seed: None, stop: ["END"], n: None, logprobs: None, user: Some("u"), stream: true, extra: [("service_tier", "default"), ("container", "c_1")], losses: Losses([]) }"#
            ]],
        );
    }

    #[test]
    fn thinking_and_effort_are_one_wish() {
        let effort = |word: &str| Some(Reasoning::Effort(word.to_owned()));
        let rows = [
            (r#""thinking":{"type":"enabled","budget_tokens":2000}"#, Some(Reasoning::Budget(2000))),
            (r#""thinking":{"type":"disabled"},"output_config":{"effort":"low"}"#, Some(Reasoning::Off)),
            (r#""thinking":{"type":"adaptive"}"#, Some(Reasoning::Adaptive)),
            (r#""output_config":{"effort":"max"},"thinking":{"type":"adaptive","display":"omitted"}"#, effort("max")),
            (r#""output_config":{"effort":"low"}"#, effort("low")),
            (r#""output_config":{}"#, None),
        ];
        for (fields, expected) in rows {
            let chat = read_request(format!(r#"{{"messages":[],{fields}}}"#).as_bytes()).unwrap();
            assert_eq!(chat.reasoning, expected, "{fields}");
        }
        for field in [r#""output_config":{"format":"#, r#""output_format":"#] {
            let end = if field.contains("config") { "}" } else { "" };
            let body = format!(r#"{{"messages":[],{field}{{"type":"json_schema","schema":{{"a":1.0}}}}{end}}}"#);
            let format = read_request(body.as_bytes()).unwrap().reply_format;
            assert!(matches!(format, ReplyFormat::JsonSchema { schema, .. } if schema.as_str() == r#"{"a":1.0}"#));
        }
    }
}
