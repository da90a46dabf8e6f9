#![no_main]

use libfuzzer_sys::fuzz_target;
use weighbridge_fuzz::labels;
use weighbridge_wire::embeddings;
use weighbridge_wire::format::{Format, Target};

fuzz_target!(|data: &[u8]| {
    let target = Target { model: "amazon.titan-embed-text-v2:0", max_output_tokens: None };
    for format in [Format::Gemini, Format::Bedrock, Format::Cohere, Format::Ollama] {
        if let Ok(embed) = embeddings::read_request(data) {
            embeddings::write_request(&embed, format, target).ok();
        }
        let asked = embeddings::read_request(br#"{"input":["a","b"],"encoding_format":"base64"}"#).unwrap();
        if let Ok(vectors) = embeddings::read_reply(format, data, &asked, &labels()) {
            embeddings::write_reply(&vectors, &asked, &labels());
        }
    }
});
