//! How many tokens a request will take, before anybody has counted them.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::Estimate;

/// Bytes of JSON text per token. English prose is at about 4 characters a token; code, and the
/// JSON around it, at fewer. Rather too many tokens than too few.
const BYTES_PER_TOKEN: usize = 3;
/// Tokens an image counts for.
const IMAGE_TOKENS: usize = 800;
/// The body fields that make up the prompt.
const PROMPT_FIELDS: [&str; 11] = [
    "system",
    "instructions",
    "messages",
    "prompt",
    "input",
    "tools",
    "functions",
    "response_format",
    "text",
    "query",
    "documents",
];

/// The estimate for `body`: its prompt, and the larger of the bounds it sets on output.
pub fn estimate(body: &JsonObject) -> Estimate {
    let input: usize = PROMPT_FIELDS.iter().filter_map(|field| body.raw(field)).map(prompt_tokens).sum();
    let bound = |field| body.get::<u32>(field).ok().flatten();
    let output = ["max_tokens", "max_completion_tokens", "max_output_tokens"].into_iter().filter_map(bound).max();
    Estimate { input: u32::try_from(input).unwrap_or(u32::MAX), output }
}

/// Tokens of one field's JSON text. Data URLs count as images, whatever their length.
fn prompt_tokens(json: &str) -> usize {
    let bytes = json.as_bytes();
    let mut length = bytes.len();
    let mut images = 0;
    let mut from = 0;
    // Made once: that takes longer than to look through a short prompt.
    static DATA_URL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"data:"));
    while let Some(at) = DATA_URL.find(&bytes[from..]) {
        let start = from + at + 1;
        let end = memchr::memchr(b'"', &bytes[start..]).map_or(bytes.len(), |end| start + end);
        length -= end - start;
        images += 1;
        from = end;
    }
    length.div_ceil(BYTES_PER_TOKEN) + images * IMAGE_TOKENS
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::request::Estimate;

    use super::estimate;

    fn check(body: &str) -> Estimate {
        estimate(&JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    #[test]
    fn prompts_and_bounds() {
        let hello = check(r#"{"messages":[{"role":"user","content":"Hello, how are you today?"}]}"#);
        assert!((8..30).contains(&hello.input) && hello.output.is_none(), "{hello:?}");
        let both = check(r#"{"messages":[],"max_tokens":1,"max_completion_tokens":30000}"#);
        assert_eq!(both.output, Some(30_000));
        assert_eq!(check(r#"{"input":["abc","def"]}"#).input, 5);
        assert_eq!(check("{}"), Estimate::default());
    }

    #[test]
    fn an_image_counts_the_same_whatever_its_size() {
        let of =
            |size| check(&format!(r#"{{"messages":[{{"u":"data:image/png;base64,{}"}}]}}"#, "A".repeat(size))).input;
        assert_eq!(of(10), of(1_000_000));
        assert!(of(10) > 800);
    }
}
