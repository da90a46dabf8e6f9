//! Tables of what is sent and what comes back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::{
    Embed, Vectors, path, read_reply, read_request, vertex_verb, write_reply, write_request, write_vertex_request,
};
use crate::format::{Format, Labels, Target};

const TITAN: &str = "amazon.titan-embed-text-v2:0";

const FORMATS: [(Format, &str); 5] = [
    (Format::Gemini, "g"),
    (Format::Cohere, "embed-v4.0"),
    (Format::Ollama, "nomic"),
    (Format::Bedrock, TITAN),
    (Format::Bedrock, "us.cohere.embed-v4:0"),
];

fn labels() -> Labels {
    Labels { request_id: "r".into(), model: "m".into(), created: 1 }
}

/// What is sent of `body`, and what is lost.
fn sent(format: Format, model: &str, body: &str) -> String {
    let embed = read_request(body.as_bytes()).unwrap();
    match write_request(&embed, format, Target { model, max_output_tokens: None }) {
        Ok(written) => {
            let lost: String = written.losses.iter().map(|loss| format!(" [{loss}]")).collect();
            format!("{}{lost}", std::str::from_utf8(&written.body).unwrap())
        }
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn requests_are_said_in_the_providers_words() {
    let two =
        r#"{"model":"g","input":["a","b"],"dimensions":64,"user":"u","input_type":"search_query","truncate":"END"}"#;
    let rows = [
        (
            Format::Gemini,
            "gemini-embedding-001",
            two,
            r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":64}]} [truncate is not known to Google]"#,
        ),
        (
            Format::Cohere,
            "embed-v4.0",
            two,
            r#"{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_query","embedding_types":["float"],"output_dimension":64,"truncate":"END"}"#,
        ),
        (
            Format::Cohere,
            "embed-v4.0",
            r#"{"input":"a"}"#,
            r#"{"model":"embed-v4.0","texts":["a"],"input_type":"search_document","embedding_types":["float"]}"#,
        ),
        (
            Format::Ollama,
            "nomic",
            r#"{"input":["a"],"keep_alive":"5m","input_type":"x","odd":1}"#,
            r#"{"model":"nomic","input":["a"],"keep_alive":"5m"} [odd is not known to Ollama] [input_type is not known to Ollama]"#,
        ),
        (
            Format::Bedrock,
            TITAN,
            r#"{"input":"a","dimensions":256,"normalize":true}"#,
            r#"{"inputText":"a","dimensions":256,"normalize":true}"#,
        ),
        (
            Format::Bedrock,
            "amazon.titan-embed-text-v1",
            r#"{"input":"a","dimensions":256}"#,
            r#"{"inputText":"a"} [dimensions is not known to this model of Amazon's]"#,
        ),
        (
            Format::Bedrock,
            TITAN,
            two,
            "input: holds several texts, and Titan takes one a request: send one at a time, or use a Cohere model on Bedrock",
        ),
        (
            Format::Bedrock,
            "us.cohere.embed-v4:0",
            two,
            r#"{"texts":["a","b"],"input_type":"search_query","output_dimension":64,"truncate":"END"}"#,
        ),
        (
            Format::Bedrock,
            "cohere.embed-english-v3",
            two,
            r#"{"texts":["a","b"],"input_type":"search_query","truncate":"END"} [dimensions is not known to this model of Cohere's]"#,
        ),
        (
            Format::Bedrock,
            "acme.embed",
            r#"{"input":"a"}"#,
            "model: is none of Amazon's Titan and Cohere's embedding models, which are the ones known here",
        ),
    ];
    for (format, model, body, expected) in rows {
        assert_eq!(sent(format, model, body), expected);
    }
}

#[test]
fn what_a_provider_knows_passes() {
    let rows = [
        (
            Format::Cohere,
            "embed-v4.0",
            r#"{"input":"a","max_tokens":9,"priority":1,"embedding_types":["float"]}"#,
            r#"{"model":"embed-v4.0","texts":["a"],"input_type":"search_document","embedding_types":["float"],"max_tokens":9,"priority":1}"#,
        ),
        (
            Format::Cohere,
            "embed-english-v3.0",
            r#"{"input":"a","dimensions":64,"embedding_types":["int8"]}"#,
            r#"{"model":"embed-english-v3.0","texts":["a"],"input_type":"search_document","embedding_types":["float"]} [dimensions is not known to this model of Cohere's] [embedding_types is set to float, which is what the reply has a place for]"#,
        ),
        (
            Format::Bedrock,
            "eu.cohere.embed-v4:0",
            r#"{"input":"a","max_tokens":9,"priority":1}"#,
            r#"{"texts":["a"],"input_type":"search_document","max_tokens":9} [priority is not known to this model of Cohere's]"#,
        ),
        (
            Format::Bedrock,
            "cohere.embed-multilingual-v3",
            r#"{"input":"a","max_tokens":9}"#,
            r#"{"texts":["a"],"input_type":"search_document"} [max_tokens is not known to this model of Cohere's]"#,
        ),
        (
            Format::Bedrock,
            "amazon.titan-embed-text-v1",
            r#"{"input":"a","normalize":true}"#,
            r#"{"inputText":"a"} [normalize is not known to this model of Amazon's]"#,
        ),
        (
            Format::Bedrock,
            "amazon.titan-embed-image-v1",
            r#"{"input":"a","dimensions":256}"#,
            r#"{"inputText":"a","embeddingConfig":{"outputEmbeddingLength":256}}"#,
        ),
        (
            Format::Gemini,
            "g",
            r#"{"input":"a","title":"t","task_type":"CLUSTERING","autoTruncate":true}"#,
            r#"{"requests":[{"model":"models/g","content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING","title":"t"}]} [autoTruncate is not known to Google]"#,
        ),
    ];
    for (format, model, body, expected) in rows {
        assert_eq!(sent(format, model, body), expected);
    }
}

#[test]
fn images_are_embedded_by_cohere() {
    let rows = [
        (
            Format::Cohere,
            "embed-v4.0",
            r#"{"input":["data:image/png;base64,AA==","data:image/png;base64,AQ=="]}"#,
            r#"{"model":"embed-v4.0","images":["data:image/png;base64,AA==","data:image/png;base64,AQ=="],"input_type":"image","embedding_types":["float"]}"#,
        ),
        (
            Format::Bedrock,
            "cohere.embed-english-v3",
            r#"{"input":"data:image/png;base64,AA=="}"#,
            r#"{"images":["data:image/png;base64,AA=="],"input_type":"image"}"#,
        ),
        (
            Format::Bedrock,
            "global.cohere.embed-v4:0",
            r#"{"input":"data:image/png;base64,AA=="}"#,
            r#"{"images":["data:image/png;base64,AA=="],"input_type":"search_document"}"#,
        ),
        (
            Format::Cohere,
            "embed-v4.0",
            r#"{"input":["a","data:image/png;base64,AA=="]}"#,
            "input[1]: is an image among texts or a text among images, and Cohere takes one kind a request",
        ),
    ];
    for (format, model, body, expected) in rows {
        assert_eq!(sent(format, model, body), expected);
    }
}

#[test]
fn vertex_predicts_or_embeds_as_the_model_has_it() {
    let rows = [
        (
            "text-embedding-005",
            r#"{"input":["a","b"],"dimensions":64,"input_type":"search_query"}"#,
            r#"predict {"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"},{"content":"b","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":64}}"#,
        ),
        (
            "text-embedding-005",
            r#"{"input":"a","title":"t","autoTruncate":false,"truncate":"END"}"#,
            r#"predict {"instances":[{"content":"a","title":"t"}],"parameters":{"autoTruncate":false}} [truncate is not known to Google]"#,
        ),
        (
            "gemini-embedding-001",
            r#"{"input":["a","b"],"dimensions":64,"auto_truncate":true}"#,
            r#"batchEmbedContents {"requests":[{"content":{"parts":[{"text":"a"}]},"embedContentConfig":{"outputDimensionality":64,"autoTruncate":true}},{"content":{"parts":[{"text":"b"}]},"embedContentConfig":{"outputDimensionality":64,"autoTruncate":true}}]}"#,
        ),
        (
            "gemini-embedding-2",
            r#"{"input":"a"}"#,
            r#"batchEmbedContents {"requests":[{"content":{"parts":[{"text":"a"}]}}]}"#,
        ),
    ];
    for (model, body, expected) in rows {
        let vertex = write_vertex_request(&read_request(body.as_bytes()).unwrap(), model);
        let mut sent = format!("{} {}", vertex_verb(model), std::str::from_utf8(&vertex.body).unwrap());
        vertex.losses.iter().for_each(|loss| sent.push_str(&format!(" [{loss}]")));
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_purpose_that_google_does_not_know_is_noted() {
    let rows = [
        (r#"{"input":"a","input_type":"passage"}"#, r#"}]} [input_type is none of the words that Google knows]"#),
        (r#"{"input":"a","input_type":"CODE_RETRIEVAL_QUERY"}"#, r#""taskType":"CODE_RETRIEVAL_QUERY"}]}"#),
    ];
    for (body, expected) in rows {
        let seen = sent(Format::Gemini, "g", body);
        assert!(seen.ends_with(expected), "{seen}");
    }
}

#[test]
fn requests_that_cannot_be_read_are_named() {
    let rows = [
        ("[]", "the body: "),
        ("{}", "input: expected a text or a list of texts"),
        (r#"{"input":[]}"#, "input: expected a text or a list of texts"),
        (r#"{"input":{}}"#, "input: expected a text or a list of texts"),
        (r#"{"input":[[1,2]]}"#, "input[0]: is tokens, which only OpenAI's models understand; send texts"),
        (r#"{"input":[1,2]}"#, "input[0]: is tokens"),
        (r#"{"input":["a",null]}"#, "input[1]: expected a text"),
        (r#"{"input":"a","encoding_format":"int8"}"#, "encoding_format: expected float or base64"),
        (r#"{"input":"a","dimensions":"many"}"#, "dimensions: expected a count"),
    ];
    for (body, expected) in rows {
        let refused = read_request(body.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{body}: {refused}");
    }
}

#[test]
fn replies_are_read() {
    let two = Embed { inputs: vec!["a".into(), "b".into()], ..Embed::default() };
    let one = Embed { inputs: vec!["a".into()], ..Embed::default() };
    let rows = [
        (&two, r#"{"embeddings":[{"values":[0.5]},{"values":[1,-2]}]}"#, "[[0.5], [1.0, -2.0]] 0"),
        (
            &two,
            r#"{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"truncated":false,"token_count":3.0}}},{"embeddings":{"values":[1],"statistics":{"token_count":4}}}]}"#,
            "[[0.5], [1.0]] 7",
        ),
        (
            &two,
            r#"{"id":"x","embeddings":{"float":[[0.5],[1]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":5}}}"#,
            "[[0.5], [1.0]] 5",
        ),
        (&two, r#"{"model":"m","embeddings":[[0.5],[1]],"prompt_eval_count":6}"#, "[[0.5], [1.0]] 6"),
        (&one, r#"{"embedding":[0.5],"embeddingsByType":{"float":[0.5]},"inputTextTokenCount":2}"#, "[[0.5]] 2"),
        (&one, r#"{"embeddingsByType":{"binary":[1],"float":[0.5]},"inputTextTokenCount":2}"#, "[[0.5]] 2"),
        (&one, r#"{"id":"x","embeddings":[[0.5]],"response_type":"embeddings_floats","texts":["a"]}"#, "[[0.5]] 0"),
        (&one, r#"{"embedding":[1e39]}"#, "broken_reply the provider's reply holds a number that is too large"),
        (&one, r#"{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":6}}"#, "[[0.5]] 6"),
        (&one, r#"{"embedding":{"values":[0.5]},"usageMetadata":{"promptTokenCount":6}}"#, "[[0.5]] 6"),
        (&one, r#"[{"error":{"code":429,"message":"slow down"}}]"#, "rate_limited slow down"),
        (&two, r#"{"embeddings":[[0.5]]}"#, "broken_reply the provider's reply holds 1 embeddings for 2 inputs"),
        (&one, r#"{"odd":1}"#, "broken_reply the provider's reply holds no embeddings of m (Ollama)"),
        (&one, "<html>", "broken_reply the provider's reply holds no embeddings"),
        (&one, r#"{"error":"model \"m\" not found"}"#, "server_error model \"m\" not found"),
    ];
    for (embed, body, expected) in rows {
        let seen = match read_reply(Format::Ollama, body.as_bytes(), embed, &labels()) {
            Ok(Vectors { vectors, usage }) => format!("{vectors:?} {}", usage.map_or(0, |usage| usage.prompt_tokens)),
            Err(failure) => format!("{} {}", failure.kind.label(), failure.message),
        };
        assert_eq!(seen, expected, "{body}");
    }
}

#[test]
fn each_format_has_its_path() {
    assert_eq!(path(Format::Gemini, "gemini-embedding-001"), "/models/gemini-embedding-001:batchEmbedContents");
    assert_eq!(path(Format::Bedrock, TITAN), "/model/amazon.titan-embed-text-v2%3A0/invoke");
    assert_eq!(path(Format::Cohere, "m"), "/embed");
    assert_eq!(path(Format::Ollama, "m"), "/api/embed");
}

proptest! {
    /// Both encodings tell the same numbers.
    #[test]
    fn base64_is_the_floats(numbers in proptest::collection::vec(-1e6_f32..1e6, 0..8), text in "\\PC{0,6}") {
        let vectors = Vectors { vectors: vec![numbers.clone()], usage: None };
        let body = |is_base64| {
            let embed = Embed { inputs: vec![text.clone()], is_base64, ..Embed::default() };
            let reply = write_reply(&vectors, &embed, &labels());
            serde_json::from_slice::<serde_json::Value>(&reply).unwrap()["data"][0]["embedding"].clone()
        };
        let floats: Vec<f32> = serde_json::from_value(body(false)).unwrap();
        prop_assert_eq!(&floats, &numbers);
        let bytes = STANDARD.decode(body(true).as_str().unwrap()).unwrap();
        let decoded: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        prop_assert_eq!(decoded, numbers);
    }

    #[test]
    fn garbage_is_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        // What looks like JSON gets further.
        field in "(input|embeddings|embedding|predictions|embeddingsByType|meta|error|embedding_types)",
        value in "[\\[{][\\[\\]{}\":,a-z0-9.-]{0,24}[\\]}]|-?[0-9]{1,3}(e[0-9]{1,3})?|\"[a-z:/]{0,12}\"",
    ) {
        let formed = format!("{{\"input\":[\"a\"],\"{field}\":{value}}}");
        for body in [bytes.as_slice(), formed.as_bytes()] {
            let asked = read_request(body).ok();
            for (format, model) in FORMATS {
                let target = Target { model, max_output_tokens: None };
                asked.iter().for_each(|embed| drop(write_request(embed, format, target)));
                read_reply(format, body, &Embed::default(), &labels()).ok();
            }
            asked.iter().for_each(|embed| drop(write_vertex_request(embed, "gemini")));
        }
    }
}
