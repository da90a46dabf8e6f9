//! What a request in Bedrock's words asks for.

use serde_json::{Value, json};

use super::{conversation, embeddings, fields};
use crate::ask::{Ask, Asked};
use crate::formats::shared::{items, tool_names};
use crate::refusal::Refusal;
use crate::target::Operation;

/// Reads a request, and refuses what the API does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let document = asked.document()?;
    if asked.target.operation == Operation::Embeddings {
        return embeddings::read(asked, &document);
    }
    if asked.script.strict {
        fields::check(asked, &document)?;
    }
    conversation::check(asked, &document)?;
    Ok(ask(asked, &document))
}

fn ask(asked: &Asked<'_>, document: &Value) -> Ask {
    let mut ask = Ask::of(&asked.target);
    for message in items(&document["messages"]) {
        let results = items(&message["content"]).flat_map(|block| items(&block["toolResult"]["content"]));
        let texts: Vec<_> = items(&message["content"]).chain(results).map(|block| &block["text"]).collect();
        ask.weigh(&json!({"content": texts}));
    }
    if !document["system"].is_null() {
        ask.weigh(&json!({"content": document["system"]}));
    }
    ask.bound(document["inferenceConfig"]["maxTokens"].as_u64());
    ask.tools = tool_names(&document["toolConfig"]["tools"], "/toolSpec/name");
    let schema = document.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").and_then(Value::as_str);
    ask.schema = schema.map(|schema| serde_json::from_str(schema).unwrap_or(Value::Bool(true)));
    ask
}
