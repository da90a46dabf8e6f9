use expect_test::{Expect, expect};

use crate::chat::{
    Block, Cache, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::format::Target;
use crate::gemini::write_request;
use crate::json::Json;

/// The body in lines for each field at the top, and the losses below.
fn check(model: &str, chat: &Chat, expected: Expect) {
    let written = write_request(chat, Target { model, max_output_tokens: Some(65_536) });
    let body: Vec<(String, Json)> = fields(std::str::from_utf8(&written.body).unwrap());
    let mut out = String::new();
    for (name, value) in body {
        out.push_str(&format!("{name}: {}\n", value.as_str()));
    }
    for loss in written.losses.iter() {
        out.push_str(&format!("! {loss}\n"));
    }
    expected.assert_eq(&out);
}

fn fields(object: &str) -> Vec<(String, Json)> {
    struct Fields;
    impl<'de> serde::de::Visitor<'de> for Fields {
        type Value = Vec<(String, Json)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(entry) = map.next_entry()? {
                out.push(entry);
            }
            Ok(out)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(object), Fields).unwrap()
}

fn user(text: &str) -> Message {
    Message::of(Role::User, Content::Text(text.to_owned()))
}

fn call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Block {
    let signature = signature.map(str::to_owned);
    Block::new(Content::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), signature }))
}

fn result(call_id: &str, blocks: Vec<Block>, is_error: bool) -> Block {
    Block::new(Content::ToolResult(ToolResult { call_id: call_id.into(), blocks, is_error }))
}

fn turn(role: Role, blocks: Vec<Block>) -> Message {
    Message { role, name: None, blocks }
}

fn tool(name: &str, parameters: Option<&str>) -> Tool {
    let parameters = parameters.and_then(Json::parse);
    Tool { name: name.into(), description: Some("Does it.".into()), parameters, strict: Some(true), cache: None }
}

#[test]
fn what_all_formats_say_has_its_place() {
    let chat = Chat {
        messages: vec![
            Message::of(Role::System, Content::Text("Be brief.".into())),
            user("Hi"),
            user("there"),
            Message::of(Role::Assistant, Content::Text("Hello".into())),
            Message::of(Role::Developer, Content::Text("Be kind.".into())),
            user("Go"),
        ],
        max_tokens: Some(100_000),
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        frequency_penalty: Some(0.25),
        presence_penalty: Some(-1.0),
        seed: Some(7),
        stop: ["a", "b", "", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
        n: Some(2),
        logprobs: Some(3),
        user: Some("me".into()),
        stream: true,
        ..Chat::default()
    };
    check(
        "gemini-2.5-flash",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Hi"},{"text":"there"}]},{"role":"model","parts":[{"text":"Hello"}]},{"role":"user","parts":[{"text":"Go"}]}]
        systemInstruction: {"parts":[{"text":"Be brief."},{"text":"Be kind."}]}
        generationConfig: {"temperature":0.5,"topP":0.9,"topK":40,"maxOutputTokens":65536,"stopSequences":["a","b","c","d","e"],"candidateCount":2,"seed":7,"frequencyPenalty":0.25,"presencePenalty":-1.0,"responseLogprobs":true,"logprobs":3}
        ! max_tokens is set to 65536, the most that this model takes
        ! stop has more than 5 entries: the first 5 were taken, as Gemini takes no more
    "#]],
    );
}

#[test]
fn what_changes_nothing_is_neither_sent_nor_lost() {
    let mut first = user("Hi");
    first.name = Some("ann".into());
    first.blocks[0].cache = Some(Cache::Hour);
    let chat = Chat {
        messages: vec![first, Message::of(Role::Assistant, Content::Text(String::new()))],
        n: Some(1),
        parallel_tool_calls: Some(false),
        tool_choice: Some(ToolChoice::Auto),
        extra: vec![
            ("metadata".into(), Json::of(&"x")),
            ("store".into(), Json::of(&true)),
            ("service_tier".into(), Json::of(&"auto")),
        ],
        ..Chat::default()
    };
    check(
        "gemini-2.5-flash",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Hi"}]}]
    "#]],
    );
}

#[test]
fn media_are_sent_along_or_named() {
    let url = |url: &str| Source::Url(url.to_owned());
    let base64 = |media_type: &str| Source::Base64 { media_type: media_type.into(), data: "QUJD".into() };
    let image = |source| Block::new(Content::Image { source, detail: Some("high".into()) });
    let document = |source| Block::new(Content::Document { source, name: Some("report".into()) });
    let blocks = vec![
        Block::text("Look:"),
        image(base64("image/jpg")),
        image(url("https://example.org/cat.png?x=1")),
        image(url("https://example.org/cat")),
        document(base64("application/pdf")),
        document(url("gs://bucket/notes.txt")),
        document(Source::Text("plain".into())),
        document(Source::File("files/abc".into())),
        document(Source::File("file-abc".into())),
        Block::new(Content::Audio { data: "QUJD".into(), format: "wav".into() }),
    ];
    let chat = Chat { messages: vec![turn(Role::User, blocks)], ..Chat::default() };
    check(
        "gemini-2.5-flash",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Look:"},{"inlineData":{"mimeType":"image/jpeg","data":"QUJD"}},{"fileData":{"mimeType":"image/png","fileUri":"https://example.org/cat.png?x=1"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://example.org/cat"}},{"inlineData":{"mimeType":"application/pdf","data":"QUJD"}},{"fileData":{"mimeType":"text/plain","fileUri":"gs://bucket/notes.txt"}},{"text":"plain"},{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}},{"inlineData":{"mimeType":"audio/wav","data":"QUJD"}}]}]
        ! messages[0].content[8] names a file that was uploaded elsewhere, which Gemini cannot get
    "#]],
    );
}

/// Two calls at once that another model made, a thought of its, and both results, one of them a picture.
fn in_mid_flight() -> Chat {
    let thought = Content::Thinking { text: "Hm.".into(), signature: Some("ErUB".into()) };
    let png = Source::Base64 { media_type: "image/png".into(), data: "QUJD".into() };
    Chat {
        messages: vec![
            user("Weather?"),
            turn(
                Role::Assistant,
                vec![
                    Block::new(thought),
                    Block::new(Content::RedactedThinking { data: "x".into() }),
                    Block::text("Let me see."),
                    call("toolu_1", "weather", r#"{"b":1.50, "a":[]}"#, None),
                    call("toolu_2", "map", "", None),
                ],
            ),
            turn(
                Role::User,
                vec![
                    result("toolu_1", vec![Block::text(r#"{"t": 3.10}"#)], false),
                    result(
                        "toolu_2",
                        vec![Block::text("here"), Block::new(Content::Image { source: png, detail: None })],
                        false,
                    ),
                    Block::text("And?"),
                ],
            ),
        ],
        tools: vec![
            tool("weather", Some(r#"{"type":"object","properties":{"b":{"type":"number"},"a":{}},"$defs":{}}"#)),
            tool("map", None),
        ],
        tool_choice: Some(ToolChoice::Named("map".into())),
        parallel_tool_calls: Some(false),
        ..Chat::default()
    }
}

#[test]
fn calls_and_results_of_another_model_are_taken_over() {
    check(
        "gemini-2.5-flash",
        &in_mid_flight(),
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Weather?"}]},{"role":"model","parts":[{"text":"Let me see."},{"functionCall":{"id":"toolu_1","name":"weather","args":{"b":1.50, "a":[]}}},{"functionCall":{"id":"toolu_2","name":"map","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"toolu_1","name":"weather","response":{"t": 3.10}}},{"functionResponse":{"id":"toolu_2","name":"map","response":{"result":"here"}}},{"inlineData":{"mimeType":"image/png","data":"QUJD"}},{"text":"And?"}]}]
        tools: [{"functionDeclarations":[{"name":"weather","description":"Does it.","parametersJsonSchema":{"type":"object","properties":{"b":{"type":"number"},"a":{}},"$defs":{}}},{"name":"map","description":"Does it."}]}]
        toolConfig: {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["map"]}}
        ! parallel_tool_calls is not known to Gemini, which may call several at once
    "#]],
    );
}

#[test]
fn the_third_generation_wants_signatures_and_takes_media_in_results() {
    check(
        "gemini-3-pro-preview",
        &in_mid_flight(),
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Weather?"}]},{"role":"model","parts":[{"text":"Let me see."},{"functionCall":{"id":"toolu_1","name":"weather","args":{"b":1.50, "a":[]}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"toolu_2","name":"map","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"toolu_1","name":"weather","response":{"t": 3.10}}},{"functionResponse":{"id":"toolu_2","name":"map","response":{"result":"here"},"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}},{"text":"And?"}]}]
        tools: [{"functionDeclarations":[{"name":"weather","description":"Does it.","parametersJsonSchema":{"type":"object","properties":{"b":{"type":"number"},"a":{}},"$defs":{}}},{"name":"map","description":"Does it."}]}]
        toolConfig: {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["map"]}}
        ! parallel_tool_calls is not known to Gemini, which may call several at once
    "#]],
    );
}

#[test]
fn signatures_go_back_where_they_came_from() {
    let chat = Chat {
        messages: vec![
            user("Go"),
            turn(Role::Assistant, vec![call("a", "f", "{}", Some("c2ln")), call("b", "f", "{}", None)]),
            turn(Role::User, vec![result("a", vec![], true), result("b", vec![Block::text("broken")], true)]),
            turn(Role::Assistant, vec![call("c", "f", "oops", Some(""))]),
            turn(Role::User, vec![result("zzz", vec![Block::text("[1]")], false)]),
        ],
        ..Chat::default()
    };
    check(
        "gemini-3-pro-preview",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"b","name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"error":""}}},{"functionResponse":{"id":"b","name":"f","response":{"error":"broken"}}}]},{"role":"model","parts":[{"functionCall":{"id":"c","name":"f","args":{"arguments":"oops"}},"thoughtSignature":"skip_thought_signature_validator"}]},{"role":"user","parts":[{"functionResponse":{"id":"zzz","name":"zzz","response":{"result":"[1]"}}}]}]
        ! messages[3].content[0] has arguments that are no JSON object: Gemini gets their text
        ! messages[4].content[0] is of no call among the messages: Gemini gets the id for a name
    "#]],
    );
}

#[test]
fn the_form_of_the_reply() {
    let schema =
        || Json::parse(r#"{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"string"}}}"#).unwrap();
    let form = |reply_format| Chat { messages: vec![user("Go")], reply_format, ..Chat::default() };
    check(
        "gemini-2.5-flash",
        &form(ReplyFormat::JsonObject),
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        generationConfig: {"responseMimeType":"application/json"}
    "#]],
    );
    let by_schema =
        ReplyFormat::JsonSchema { name: "x".into(), description: None, schema: schema(), strict: Some(true) };
    check(
        "gemini-2.5-flash",
        &form(by_schema.clone()),
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        generationConfig: {"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"string"}}}}
    "#]],
    );
    let with_tools = Chat { tools: vec![tool("f", None)], tool_choice: Some(ToolChoice::Required), ..form(by_schema) };
    check(
        "gemini-2.5-flash",
        &with_tools,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        tools: [{"functionDeclarations":[{"name":"f","description":"Does it."}]}]
        toolConfig: {"functionCallingConfig":{"mode":"ANY"}}
        ! response_format is not taken by this model where there are tools
    "#]],
    );
    check(
        "gemini-3-flash-preview",
        &with_tools,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        tools: [{"functionDeclarations":[{"name":"f","description":"Does it."}]}]
        toolConfig: {"functionCallingConfig":{"mode":"ANY"}}
        generationConfig: {"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"string"}}}}
    "#]],
    );
    let without = Chat { tool_choice: Some(ToolChoice::None), ..with_tools };
    check(
        "gemini-2.5-flash",
        &without,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        tools: [{"functionDeclarations":[{"name":"f","description":"Does it."}]}]
        toolConfig: {"functionCallingConfig":{"mode":"NONE"}}
        generationConfig: {"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"string"}}}}
    "#]],
    );
}

#[test]
fn fields_of_its_own_are_sent_in_either_spelling_and_go_first() {
    let json = |text: &str| Json::parse(text).unwrap();
    let chat = Chat {
        messages: vec![user("Go")],
        temperature: Some(1.0),
        reasoning: Some(Reasoning::Effort("low".into())),
        seed: Some(1 << 40),
        extra: vec![
            ("safety_settings".into(), json(r#"[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]"#)),
            ("cachedContent".into(), json(r#""cachedContents/1""#)),
            ("labels".into(), json(r#"{"team":"x"}"#)),
            ("media_resolution".into(), json(r#""MEDIA_RESOLUTION_LOW""#)),
            ("thinkingConfig".into(), json(r#"{"thinkingBudget":9}"#)),
            ("modalities".into(), json(r#"["text","image"]"#)),
            ("service_tier".into(), json(r#""flex""#)),
            ("logit_bias".into(), json("{}")),
        ],
        ..Chat::default()
    };
    check(
        "gemini-2.5-flash",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Go"}]}]
        generationConfig: {"temperature":1.0,"thinkingConfig":{"thinkingBudget":9},"mediaResolution":"MEDIA_RESOLUTION_LOW","responseModalities":["TEXT","IMAGE"]}
        safetySettings: [{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]
        cachedContent: "cachedContents/1"
        labels: {"team":"x"}
        ! service_tier is not known to Gemini
        ! logit_bias is not known to Gemini
        ! seed is beyond the 32 bits that Gemini takes
    "#]],
    );
}

#[test]
fn instructions_alone_are_the_users() {
    let chat = Chat { messages: vec![Message::of(Role::System, Content::Text("Sing.".into()))], ..Chat::default() };
    check(
        "gemini-2.5-flash",
        &chat,
        expect![[r#"
        contents: [{"role":"user","parts":[{"text":"Sing."}]}]
        ! messages holds instructions alone, which Gemini refuses: they are sent as the user's
    "#]],
    );
}
