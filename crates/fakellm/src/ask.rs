//! What a request asks for, as far as an answer depends on it.

use std::borrow::Cow;

use http::{HeaderMap, header};
use serde::Deserialize;

use crate::refusal::Refusal;
use crate::target::Target;
use crate::text::{CHARACTERS_PER_TOKEN, Text};

/// Tokens that each message or input has on top of its text.
const TOKENS_PER_ITEM: u64 = 3;
/// No request means more tokens than these, and sums of them do not overflow.
const TOKENS_MAX: u64 = u32::MAX as u64;

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The model, from the body, or else from the path.
    pub(crate) model: String,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// Whether the stream is to end with usage.
    pub(crate) include_usage: bool,
    /// The most tokens the answer may have.
    pub(crate) most: Option<u64>,
    /// Alternative answers, or images.
    pub(crate) n: u64,
    /// Tokens of the prompt: one for four characters of text, and three for each message or input.
    pub(crate) prompt: u64,
    /// Messages, prompts or inputs; 0 if there are none.
    pub(crate) inputs: u64,
    /// The first tool's name.
    pub(crate) tool: Option<String>,
    /// Whether embeddings are wanted as base64.
    pub(crate) base64: bool,
    /// The length of embeddings.
    pub(crate) dimensions: Option<u64>,
    /// Documents to rank.
    pub(crate) documents: u64,
}

impl Ask {
    /// Reads a body, JSON or a multipart form.
    ///
    /// # Errors
    /// 400 if it is neither, or a field has the wrong type.
    pub(crate) fn read(target: &Target<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let deployment = target.deployment.unwrap_or_default();
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        if content_type.starts_with(b"multipart/form-data") {
            let model = form_field(&String::from_utf8_lossy(body), "model").unwrap_or(deployment).to_owned();
            return Ok(Self { model, n: 1, ..Self::default() });
        }
        if body.is_empty() {
            return Ok(Self { model: deployment.to_owned(), n: 1, ..Self::default() });
        }
        let body: Body<'_> = serde_json::from_slice(body).map_err(|error| {
            let message = format!("We could not parse the JSON body of your request: {error}");
            Refusal::invalid(&message, None, None)
        })?;
        Ok(body.into_ask(deployment))
    }
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
    fn into_ask(self, deployment: &str) -> Ask {
        let texts = [&self.messages, &self.prompt, &self.input];
        let inputs = texts.into_iter().flatten().map(|text| text.items).sum();
        let all = texts.into_iter().chain([&self.query, &self.documents]).flatten();
        let characters: u64 = all.map(|text| text.characters).sum();
        Ask {
            model: self.model.unwrap_or(Cow::Borrowed(deployment)).into_owned(),
            stream: self.stream.unwrap_or_default(),
            include_usage: self.stream_options.and_then(|options| options.include_usage).unwrap_or_default(),
            most: self.max_tokens.into_iter().chain(self.max_completion_tokens).max().map(|most| most.min(TOKENS_MAX)),
            n: self.n.unwrap_or(1).clamp(1, 128),
            prompt: characters.div_ceil(CHARACTERS_PER_TOKEN) + TOKENS_PER_ITEM * inputs,
            inputs,
            tool: self.tools.into_iter().flatten().find_map(|tool| tool.function).map(|function| function.name),
            base64: self.encoding_format.as_deref() == Some("base64"),
            dimensions: self.dimensions,
            documents: self.documents.map_or(0, |text| text.items),
        }
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
    use http::{HeaderMap, HeaderValue};

    use super::Ask;
    use crate::target::Target;

    fn read(path: &str, body: &str) -> Ask {
        Ask::read(&Target::of(path), &HeaderMap::new(), body.as_bytes()).unwrap()
    }

    fn check_prompt(body: &str, prompt: u64, inputs: u64) {
        let ask = read("/v1/chat/completions", body);
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
        let ask = read("/v1/chat/completions", body);
        assert_eq!((ask.most, ask.stream, ask.include_usage, ask.n), (Some(30000), true, true, 2));
        assert_eq!(ask.tool.as_deref(), Some("f"));
    }

    #[test]
    fn the_model_may_stand_in_the_path_or_in_a_form() {
        assert_eq!(read("/openai/deployments/d/chat/completions", "{}").model, "d");
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("multipart/form-data; boundary=X"));
        let form = "--X\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--X--\r\n";
        let ask = Ask::read(&Target::of("/v1/audio/transcriptions"), &headers, form.as_bytes()).unwrap();
        assert_eq!(ask.model, "whisper-1");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for body in ["{", "[]", r#"{"stream":"yes"}"#, r#"{"model":"a","model":"b"}"#] {
            let refusal = Ask::read(&Target::of("/v1/chat/completions"), &HeaderMap::new(), body.as_bytes());
            assert_eq!(refusal.unwrap_err().status, 400, "{body}");
        }
    }
}
