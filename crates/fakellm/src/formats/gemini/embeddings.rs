//! Embeddings of Google.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::formats::shared::vectors;

/// The reply to what `verb` asks.
pub(super) fn embeddings(ask: &Ask, verb: &str) -> Value {
    let vectors = vectors(ask);
    match verb {
        "embedContent" => json!({"embedding": {"values": vectors.first()}}),
        "batchEmbedContents" => {
            let embeddings: Vec<_> = vectors.iter().map(|values| json!({"values": values})).collect();
            json!({"embeddings": embeddings})
        }
        _ => {
            let each = ask.prompt / ask.inputs.max(1);
            let statistics = json!({"truncated": false, "token_count": each});
            let prediction = |values| json!({"embeddings": {"values": values, "statistics": statistics}});
            let predictions: Vec<_> = vectors.iter().map(prediction).collect();
            json!({"predictions": predictions, "metadata": {"billableCharacterCount": ask.prompt * 4}})
        }
    }
}
