//! Amazon Bedrock's Converse and ConverseStream.
//!
//! One shape for models of many makers, which do not take the same things; `family` knows who takes what.

mod family;
mod fields;
mod media;
mod messages;
mod reply;
mod request;
mod schema;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

pub use reply::read_reply;
pub use request::write_request;
pub use stream::Reader;

/// What a loss says about a field that Bedrock has no place for.
const UNKNOWN: &str = "is not known to Bedrock";
/// What a loss says about a field that some models on Bedrock take.
const UNKNOWN_TO_MODEL: &str = "is not known to this model on Bedrock";

/// The tool whose arguments are the reply, for models that write JSON by a schema in no other way.
const REPLY_TOOL: &str = "reply_with_json";

/// Where a request to `model` is sent, below the region's host. Names and ARNs are percent-encoded as AWS's own clients
/// do, which is what the signature is made over.
pub fn path(model: &str, stream: bool) -> String {
    let mut path = String::from("/model/");
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path.push_str(if stream { "/converse-stream" } else { "/converse" });
    path
}
