//! `generationConfig`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::model::Model;
use super::thinking::thinking_config;
use crate::chat::{Chat, ReplyFormat, ToolChoice};
use crate::format::Target;
use crate::json::Json;
use crate::losses::Losses;

/// The most stop sequences.
const STOPS: usize = 5;

/// Fields in the order they were set.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Json)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: &impl Serialize) {
        self.put(name, Json::of(value));
    }

    fn set_some<T: Serialize>(&mut self, name: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.set(name, &value);
        }
    }

    fn put(&mut self, name: &'static str, value: Json) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What `chat` says of the reply, and `own`, which clients wrote in Google's words and which goes first.
pub(super) fn generation_config(
    chat: &Chat,
    own: Vec<(&'static str, Json)>,
    target: Target<'_>,
    losses: &mut Losses,
) -> Fields {
    let mut fields = Fields::default();
    let model = Model::of(target.model);
    fields.set_some("temperature", chat.temperature);
    fields.set_some("topP", chat.top_p);
    fields.set_some("topK", chat.top_k);
    fields.set_some("maxOutputTokens", max_tokens(chat, target, losses));
    stop(chat, &mut fields, losses);
    fields.set_some("candidateCount", chat.n.filter(|n| *n > 1));
    fields.set_some("seed", seed(chat, losses));
    fields.set_some("frequencyPenalty", chat.frequency_penalty);
    fields.set_some("presencePenalty", chat.presence_penalty);
    fields.set_some("responseLogprobs", chat.logprobs.map(|_| true));
    fields.set_some("logprobs", chat.logprobs.filter(|n| *n > 0));
    reply_format(chat, model, &mut fields, losses);
    if let Some(reasoning) = &chat.reasoning {
        fields.set_some("thinkingConfig", thinking_config(reasoning, model, losses));
    }
    for (name, value) in own {
        fields.put(name, value);
    }
    fields
}

fn max_tokens(chat: &Chat, target: Target<'_>, losses: &mut Losses) -> Option<u32> {
    match (chat.max_tokens, target.max_output_tokens) {
        (Some(asked), Some(most)) if asked > most => {
            losses.note("max_tokens", format!("is set to {most}, the most that this model takes"));
            Some(most)
        }
        (asked, _) => asked,
    }
}

fn stop(chat: &Chat, fields: &mut Fields, losses: &mut Losses) {
    let stops: Vec<&str> = chat.stop.iter().map(String::as_str).filter(|stop| !stop.is_empty()).take(STOPS).collect();
    if chat.stop.len() > STOPS {
        losses.note(
            "stop",
            format!("has more than {STOPS} entries: the first {STOPS} were taken, as Gemini takes no more"),
        );
    }
    if !stops.is_empty() {
        fields.set("stopSequences", &stops);
    }
}

fn seed(chat: &Chat, losses: &mut Losses) -> Option<i32> {
    let seed = i32::try_from(chat.seed?).ok();
    if seed.is_none() {
        losses.note("seed", "is beyond the 32 bits that Gemini takes");
    }
    seed
}

fn reply_format(chat: &Chat, model: Model<'_>, fields: &mut Fields, losses: &mut Losses) {
    let has_tools = !chat.tools.is_empty() && chat.tool_choice != Some(ToolChoice::None);
    if chat.reply_format == ReplyFormat::Text {
        return;
    }
    if has_tools && model.refuses_json_with_tools() {
        losses.note("response_format", "is not taken by this model where there are tools");
        return;
    }
    fields.set("responseMimeType", &"application/json");
    if let ReplyFormat::JsonSchema { schema, .. } = &chat.reply_format {
        fields.put("responseJsonSchema", schema.clone());
    }
}
