//! Whole replies: an answer, or an error in the clothes of one.

use bytes::Bytes;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::Cursor;
use weighbridge_domain::request::Operation;
use weighbridge_domain::usage::Usage;

use crate::failure::in_band;
use crate::usage::UsageJson;

/// What a whole reply says besides its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplyFacts {
    /// What it used; `None` when the provider does not say.
    pub usage: Option<Usage>,
}

/// Reads a reply of status 2xx.
///
/// # Errors
/// `BrokenReply` when it is empty or not JSON where JSON is meant; whatever the provider means when it
/// holds an error object in place of an answer.
pub fn read(bytes: &Bytes, operation: Operation) -> Result<ReplyFacts, Failure> {
    if bytes.is_empty() {
        return Err(Failure::new(FailureKind::BrokenReply, "the provider's reply is empty"));
    }
    let Some(parts) = std::str::from_utf8(bytes).ok().and_then(Parts::read) else {
        return match operation {
            // Sound is binary, and transcripts may be asked for as plain text.
            Operation::Speech | Operation::Transcriptions | Operation::Translations => Ok(ReplyFacts::default()),
            _ => Err(Failure::new(FailureKind::BrokenReply, "the provider's reply is not JSON")),
        };
    };
    if parts.has_error && !parts.has_answer {
        return Err(in_band(std::str::from_utf8(bytes).unwrap_or_default(), bytes.clone()));
    }
    let usage = parts.usage.and_then(|raw| serde_json::from_str::<Option<UsageJson>>(raw).ok()).flatten();
    Ok(ReplyFacts { usage: usage.and_then(|usage| usage.usage()) })
}

/// What is of interest in a reply.
#[derive(Default)]
struct Parts<'a> {
    has_error: bool,
    has_answer: bool,
    usage: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Reads `text`, which has to be an object.
    fn read(text: &'a str) -> Option<Self> {
        let (mut parts, mut cursor) = (Self::default(), Cursor::new(text));
        let passed = cursor.object(|cursor, key| {
            let value = cursor.value()?;
            let is_said = value != "null";
            match key.text {
                "error" => parts.has_error = is_said,
                "choices" | "data" => parts.has_answer |= is_said,
                "usage" => parts.usage = Some(value),
                _ => {}
            }
            Ok(())
        });
        passed.and_then(|()| cursor.end()).ok().map(|()| parts)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::request::Operation;

    use super::read;

    #[test]
    fn answers_are_told_from_errors() {
        let rows = [
            (Operation::Chat, r#"{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#, "5"),
            (Operation::Chat, r#"{"choices":[],"usage":null}"#, "-"),
            (Operation::Chat, r#"{"choices":[],"usage":"odd"}"#, "-"),
            (Operation::Chat, r#"{"choices":[],"error":null}"#, "-"),
            (Operation::Chat, r#"{"error":{"message":"slow down","code":429}}"#, "rate_limited"),
            (Operation::Chat, "<html>", "broken_reply"),
            (Operation::Chat, "", "broken_reply"),
            (Operation::Embeddings, r#"{"data":[],"usage":{"total_tokens":4}}"#, "4"),
            (Operation::Speech, "\u{1}\u{2}", "-"),
            (Operation::Transcriptions, "plain text", "-"),
        ];
        for (operation, body, expected) in rows {
            let seen = match read(&Bytes::from_static(body.as_bytes()), operation) {
                Ok(facts) => facts.usage.map_or("-".to_owned(), |usage| usage.total_tokens().to_string()),
                Err(failure) => failure.kind.label().to_owned(),
            };
            assert_eq!(seen, expected, "{body}");
        }
    }
}
