//! The words of OpenAI's Responses API.

use serde_json::{Value, json};

use crate::support::{check_refused, fake, post_with, told};

const PATH: &str = "/p/v1/responses";
const TOOLS: &str = r#""tools":[{"type":"function","name":"f","parameters":{}}]"#;

fn request(fields: &str) -> String {
    format!(r#"{{"model":"m","input":"hello",{fields}}}"#)
}

async fn whole(script: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), PATH, &[], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn whole_replies() {
    let reply =
        whole("{tokens: 2, cached_tokens: 1, thinking: true, strict: true}", &request(r#""store":false"#)).await;
    assert_eq!(
        (&reply["id"], &reply["object"], &reply["status"]),
        (&json!("resp_000000000001"), &json!("response"), &json!("completed"))
    );
    let summary = json!([{"type": "summary_text", "text": "First the load is weighed."}]);
    assert_eq!(reply["output"][0], json!({"type": "reasoning", "id": "rs_00000000000100", "summary": summary}));
    let text = json!([{"type": "output_text", "text": "Every load", "annotations": [], "logprobs": []}]);
    let message = json!({"type": "message", "id": "msg_00000000000101", "status": "completed", "role": "assistant", "content": text});
    assert_eq!(reply["output"][1], message);
    let usage = json!({
        "input_tokens": 5, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0}, "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 12,
    });
    assert_eq!(reply["usage"], usage);
    let calls = whole("{parallel_tool_calls: 2, strict: true}", &request(TOOLS)).await;
    let call = json!({
        "type": "function_call", "id": "fc_00000000000101", "status": "completed", "call_id": "call_000000000001_1",
        "name": "f", "arguments": "{\"load\":1}",
    });
    assert_eq!(calls["output"][1], call);
    let one = whole("parallel_tool_calls: 2", &request(&format!(r#"{TOOLS},"parallel_tool_calls":false"#))).await;
    assert_eq!(one["output"].as_array().unwrap().len(), 1);
    let schema = request(r#""text":{"format":{"type":"json_schema","name":"n","schema":{"enum":[7]}}}"#);
    assert_eq!(whole("strict: true", &schema).await["output"][0]["content"][0]["text"], "7");
    let short = whole("", &request(r#""max_output_tokens":1"#)).await;
    assert_eq!(
        (&short["status"], &short["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
}

#[tokio::test]
async fn streams() {
    let stream = |fields: &str| request(&format!(r#""stream":true{fields}"#));
    let answer = post_with(&fake("{tokens: 1, thinking: true}"), PATH, &[], &stream("")).await;
    let told = told(&answer.text());
    let mut names = Vec::new();
    for (number, line) in told.lines().enumerate() {
        let (name, data) = line.split_once(' ').unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
        names.push(name.trim_start_matches("response.").to_owned());
    }
    names.dedup();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names, expected);
    let calls = post_with(&fake("tool_calls: true"), PATH, &[], &stream(&format!(",{TOOLS}"))).await.text();
    assert_eq!(calls.matches("event: response.function_call_arguments.delta").count(), 3);
    let broken = post_with(&fake("error_frame_after: 1"), PATH, &[], &stream("")).await.text();
    assert!(
        broken.contains("event: error\n")
            && broken.contains("\"sequence_number\":5,\"type\":\"error\"")
            && !broken.contains("response.completed"),
        "{broken}"
    );
}

#[tokio::test]
async fn what_is_refused() {
    let rows = [
        ("", r#""x":1"#, "200"),
        ("strict: true", r#""x":1"#, "400 Unknown parameter: 'x'."),
        ("strict: true", r#""text":{"x":1}"#, "400 Unknown parameter: 'text.x'."),
        ("strict: true", r#""stop":["a"]"#, "400 Unknown parameter: 'stop'."),
        (
            "strict: true",
            r#""tools":[{"type":"function","name":"f","function":{}}]"#,
            "400 Unknown parameter: 'tools[0].function'.",
        ),
        (
            "",
            r#""messages":[]"#,
            "400 Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to 'input'.",
        ),
        ("strict: true", r#""max_tokens":99"#, "400 Unsupported parameter: 'max_tokens'."),
        ("strict: true", r#""max_output_tokens":1"#, "400 Invalid 'max_output_tokens': integer below minimum value."),
        (
            "",
            r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
            "400 Missing required parameter: 'tools[0].name'.",
        ),
        (
            "",
            r#""text":{"format":{"type":"json_schema","schema":{}}}"#,
            "400 Missing required parameter: 'text.format.name'.",
        ),
        ("key: k", r#""store":true"#, "401 Incorrect API key provided."),
        ("models: [n]", r#""store":true"#, "404 The model `m` does not exist"),
        ("status: 429", r#""store":true"#, "429 Rate limit reached."),
    ];
    for (script, fields, expected) in rows {
        check_refused(script, PATH, &[], (&request(fields), "/error/message"), expected).await;
    }
    check_refused("", PATH, &[], (r#"{"model":"m"}"#, "/error/param"), "400 input").await;
}

#[tokio::test]
async fn inputs_are_held_to_the_rules() {
    const CALL: &str = r#"{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}"#;
    const RESULT: &str = r#"{"type":"function_call_output","call_id":"a","output":"1"}"#;
    let rows = [
        (r#"{"role":"user","content":"hi"}"#.to_owned(), "200"),
        (format!("{CALL},{RESULT}"), "200"),
        (CALL.to_owned(), "400 No tool output found for function call a."),
        (RESULT.to_owned(), "400 No tool call found for function call output with call_id a."),
        (r#"{"role":"tool","content":"hi"}"#.into(), "400 Invalid value: 'tool'."),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#.into(),
            "400 Invalid value: 'text'. Supported values are: 'input_text'",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"input_text","text":"a"}]}"#.into(),
            "400 Invalid value: 'input_text'. Supported values are: 'output_text'",
        ),
        (
            format!("{},{RESULT}", CALL.replacen('{', r#"{"id":"call_1","#, 1)),
            "400 Invalid 'input[0].id': 'call_1'. Expected an ID that begins with 'fc'.",
        ),
        (r#"{"type":"reasoning","id":"rs_1"}"#.into(), "400 Missing required parameter: 'input[0].summary'."),
    ];
    for (input, expected) in rows {
        let body = format!(r#"{{"model":"m","input":[{input}]}}"#);
        check_refused("strict: true", PATH, &[], (&body, "/error/message"), expected).await;
    }
}
