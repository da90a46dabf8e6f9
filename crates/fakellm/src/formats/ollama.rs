//! Ollama's words.

use serde_json::{Value, json};

use crate::ask::{Ask, Asked};
use crate::event::Event;
use crate::fault::Fault;
use crate::formats::shared::{items, tool_names};
use crate::refusal::{Refusal, seconds};
use crate::target::Operation;

mod form;
mod reply;

pub(crate) use reply::{events, whole};

/// Reads a request, and refuses what the server does. Fields that it does not know are ignored.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let mut ask = Ask::of(&asked.target);
    if asked.target.operation == Operation::Models {
        return Ok(ask);
    }
    let document = asked.document()?;
    form::check(asked, &document)?;
    document["model"].as_str().unwrap_or_default().clone_into(&mut ask.model);
    if asked.target.operation == Operation::Embeddings {
        ask.weigh(&document["input"]);
        ask.dimensions = document["dimensions"].as_u64();
        return Ok(ask);
    }
    // It streams unless told otherwise.
    ask.stream = document["stream"] != false;
    items(&document["messages"]).for_each(|message| ask.weigh(&json!([message])));
    ask.bound(document["options"]["num_predict"].as_u64());
    ask.tools = tool_names(&document["tools"], "/function/name");
    ask.schema = match &document["format"] {
        Value::String(json) if json == "json" => Some(Value::Bool(true)),
        schema @ Value::Object(_) => Some(schema.clone()),
        _ => None,
    };
    Ok(ask)
}

/// What Ollama says to a fault.
pub(crate) fn refusal(fault: Fault<'_>) -> Refusal {
    match fault {
        Fault::Invalid { message, .. } | Fault::Unknown { message } => error(400, message),
        Fault::Unauthorised | Fault::Signature { .. } => error(401, "unauthorized"),
        Fault::UnknownModel(model) => error(404, &format!("model '{model}' not found")),
        Fault::UnknownPath { .. } => error(404, "404 page not found"),
        Fault::WrongMethod(_) => error(405, "405 method not allowed"),
        Fault::TooLong { .. } => error(400, "the input length exceeds the context length"),
        Fault::Filtered => error(400, "the prompt was filtered"),
        Fault::OverLimit { wait, .. } => {
            let told = [("retry-after", seconds(wait).to_string())];
            error(429, "you've reached your usage limit, please upgrade or try again later").with(told)
        }
        Fault::OverParallel { .. } => error(503, "server busy, please try again.  maximum pending requests exceeded"),
        Fault::Status(401, _) => error(401, "unauthorized"),
        Fault::Status(404, _) => error(404, "model not found"),
        Fault::Status(429, _) => error(429, "too many requests"),
        Fault::Status(503, _) => error(503, "server busy, please try again.  maximum pending requests exceeded"),
        Fault::Status(status @ 400..500, _) => error(status, "invalid request"),
        Fault::Status(status, _) => error(status, "llama runner process has terminated: exit status 2"),
        Fault::MidAnswer => error(500, "an error was encountered while running the model: unexpected EOF"),
    }
}

/// An error in a stream.
pub(crate) fn error_event() -> Event {
    Event::data(refusal(Fault::MidAnswer).into_body())
}

fn error(status: u16, message: &str) -> Refusal {
    Refusal::json(status, &json!({"error": message}))
}
