//! What a request in OpenAI's words asks for.

use std::borrow::Cow;

use http::header;
use serde::Deserialize;
use serde_json::Value;

use crate::ask::{Ask, Asked, ToolChoice};
use crate::refusal::Refusal;
use crate::text::Text;

/// Reads a body, JSON or a multipart form.
///
/// # Errors
/// 400 if it is neither, or a field has the wrong type.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let ask = Ask::of(&asked.target);
    let content_type = asked.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if content_type.starts_with(b"multipart/form-data") {
        let form = String::from_utf8_lossy(asked.body);
        let model = form_field(&form, "model").map_or(ask.model, str::to_owned);
        return Ok(Ask { model, n: 1, ..Ask::default() });
    }
    if asked.body.is_empty() {
        return Ok(ask);
    }
    let body: Body<'_> = serde_json::from_slice(asked.body).map_err(|error| {
        let message = format!("We could not parse the JSON body of your request: {error}");
        Refusal::invalid(asked.target.format, &message)
    })?;
    Ok(body.into_ask(ask))
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    messages: Option<Text>,
    prompt: Option<Text>,
    input: Option<Text>,
    query: Option<Text>,
    documents: Option<Text>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<Value>,
    encoding_format: Option<Cow<'a, str>>,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Tool {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
}

impl Body<'_> {
    fn into_ask(self, mut ask: Ask) -> Ask {
        let texts = [&self.messages, &self.prompt, &self.input];
        let inputs = texts.into_iter().flatten().map(|text| text.items).sum();
        let all = texts.into_iter().chain([&self.query, &self.documents]).flatten();
        ask.weigh_all(all.map(|text| text.characters).sum(), inputs);
        ask.bound(self.max_tokens);
        ask.bound(self.max_completion_tokens);
        let tools = self.tools.into_iter().flatten().filter_map(|tool| tool.function);
        Ask {
            model: self.model.map_or(ask.model, Cow::into_owned),
            stream: self.stream.unwrap_or_default(),
            include_usage: self.stream_options.and_then(|options| options.include_usage).unwrap_or_default(),
            n: self.n.unwrap_or(1).clamp(1, 128),
            tools: tools.map(|function| function.name).collect(),
            tool_choice: match (self.tool_choice, self.parallel_tool_calls) {
                (Some(choice), _) if choice == "none" => ToolChoice::None,
                (_, Some(false)) => ToolChoice::One,
                _ => ToolChoice::Any,
            },
            schema: self.response_format.and_then(schema),
            base64: self.encoding_format.as_deref() == Some("base64"),
            dimensions: self.dimensions,
            documents: self.documents.map_or(0, |text| text.items),
            ..ask
        }
    }
}

/// The schema of a `response_format`.
fn schema(format: Value) -> Option<Value> {
    match format["type"].as_str() {
        Some("json_object") => Some(Value::Bool(true)),
        Some("json_schema") => Some(format["json_schema"]["schema"].clone()),
        _ => None,
    }
}

/// A text field of a multipart form.
fn form_field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = form.split_once(&format!("name=\"{name}\""))?;
    let (_, value) = rest.split_once("\r\n\r\n")?;
    value.split("\r\n").next()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Uri};

    use super::read;
    use crate::ask::{Ask, Asked};
    use crate::refusal::Refusal;
    use crate::script::ProviderScript;
    use crate::target::Target;

    fn try_read(path: &str, headers: &HeaderMap, body: &str) -> Result<Ask, Refusal> {
        let (script, uri) = (ProviderScript::default(), Uri::default());
        let body = Bytes::from(body.to_owned());
        read(&Asked { script: &script, target: Target::of(path), uri: &uri, headers, body: &body })
    }

    fn ask(path: &str, body: &str) -> Ask {
        try_read(path, &HeaderMap::new(), body).unwrap()
    }

    fn check_prompt(body: &str, prompt: u64, inputs: u64) {
        let ask = ask("/v1/chat/completions", body);
        assert_eq!((ask.prompt, ask.inputs), (prompt, inputs), "{body}");
    }

    #[test]
    fn prompts_are_weighed() {
        check_prompt(r#"{"messages":[{"role":"user","content":"four"}]}"#, 4, 1);
        check_prompt(r#"{"messages":[{"role":"user","content":"fünf5"},{"role":"user","content":null}]}"#, 8, 2);
        check_prompt(r#"{"messages":[{"content":[{"type":"text","text":"12345678"},{"type":"image_url"}]}]}"#, 5, 1);
        check_prompt(r#"{"prompt":["1234","1234"]}"#, 8, 2);
        check_prompt(r#"{"input":[17,18,19]}"#, 6, 1);
        check_prompt(r#"{"input":[[17,18],[19]]}"#, 9, 2);
        check_prompt(r#"{"query":"1234","documents":["1234","12345678"]}"#, 4, 0);
        check_prompt(r#"{"messages":[]}"#, 0, 0);
    }

    #[test]
    fn the_larger_bound_on_tokens_holds() {
        let body = r#"{"model":"m","max_tokens":1,"max_completion_tokens":30000,"stream":true,
            "stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f"}}],"n":2}"#;
        let ask = ask("/v1/chat/completions", body);
        assert_eq!((ask.most, ask.stream, ask.include_usage, ask.n), (Some(30000), true, true, 2));
        assert_eq!(ask.tools, ["f"]);
    }

    #[test]
    fn the_model_may_stand_in_the_path_or_in_a_form() {
        assert_eq!(ask("/openai/deployments/d/chat/completions", "{}").model, "d");
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("multipart/form-data; boundary=X"));
        let form = "--X\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--X--\r\n";
        let ask = try_read("/v1/audio/transcriptions", &headers, form).unwrap();
        assert_eq!(ask.model, "whisper-1");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for body in ["{", "[]", r#"{"stream":"yes"}"#, r#"{"model":"a","model":"b"}"#] {
            let refusal = try_read("/v1/chat/completions", &HeaderMap::new(), body);
            assert_eq!(refusal.unwrap_err().status, 400, "{body}");
        }
    }
}
