//! Where requests go.

use std::fmt::Write;

/// The path below AI Studio's base address (which ends in `/v1beta`). `models/` before the model's name is no matter.
pub fn path(model: &str, stream: bool) -> String {
    format!("{}{}", model_path(model), method(stream))
}

/// The path at a host of Vertex AI. A tuned model is named by its endpoint, `endpoints/1234`.
pub fn vertex_path(project: &str, location: &str, model: &str, stream: bool) -> String {
    format!("{}{}", vertex_model_path(project, location, model), method(stream))
}

/// The host of Vertex AI for `location`: a region, `global`, or one of the two that span several (`us`, `eu`).
pub fn vertex_host(location: &str) -> String {
    match location {
        "global" | "" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

/// A model's path at AI Studio.
pub(crate) fn model_path(model: &str) -> String {
    match model.strip_prefix("tunedModels/") {
        Some(tuned) => format!("/tunedModels/{}", segment(tuned)),
        None => format!("/models/{}", segment(model.strip_prefix("models/").unwrap_or(model))),
    }
}

/// A model's path at Vertex AI.
pub(crate) fn vertex_model_path(project: &str, location: &str, model: &str) -> String {
    let location = if location.is_empty() { "global" } else { location };
    let parent = format!("/v1/projects/{}/locations/{}", segment(project), segment(location));
    if let Some(endpoint) = model.strip_prefix("endpoints/") {
        return format!("{parent}/endpoints/{}", segment(endpoint));
    }
    let name = model.strip_prefix("publishers/google/").unwrap_or(model);
    format!("{parent}/publishers/google/models/{}", segment(name.strip_prefix("models/").unwrap_or(name)))
}

/// `text` as one step of a path. A client may have written it, so nothing in it leads elsewhere.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    match out.as_str() {
        // Dots alone would lead upwards, escaped or not.
        "." | ".." => "_".to_owned(),
        _ => out,
    }
}

fn method(stream: bool) -> &'static str {
    if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" }
}

#[cfg(test)]
mod tests {
    use super::{path, vertex_host, vertex_path};

    #[test]
    fn paths_of_ai_studio() {
        let rows = [
            ("gemini-2.5-flash", false, "/models/gemini-2.5-flash:generateContent"),
            ("models/gemini-2.5-flash", true, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
            ("tunedModels/mine-1", false, "/tunedModels/mine-1:generateContent"),
            ("../x?y#z", false, "/models/..%2Fx%3Fy%23z:generateContent"),
            ("..", false, "/models/_:generateContent"),
        ];
        for (model, stream, expected) in rows {
            assert_eq!(path(model, stream), expected);
        }
    }

    #[test]
    fn paths_of_vertex() {
        let rows = [
            ("gemini-2.5-flash", "/v1/projects/p/locations/us-east1/publishers/google/models/gemini-2.5-flash"),
            (
                "publishers/google/models/gemini-2.5-pro@001",
                "/v1/projects/p/locations/us-east1/publishers/google/models/gemini-2.5-pro@001",
            ),
            ("endpoints/12", "/v1/projects/p/locations/us-east1/endpoints/12"),
            (
                "projects/q/locations/l/models/m",
                "/v1/projects/p/locations/us-east1/publishers/google/models/projects%2Fq%2Flocations%2Fl%2Fmodels%2Fm",
            ),
        ];
        for (model, expected) in rows {
            assert_eq!(vertex_path("p", "us-east1", model, false), format!("{expected}:generateContent"));
            assert_eq!(vertex_path("p", "us-east1", model, true), format!("{expected}:streamGenerateContent?alt=sse"));
        }
    }

    #[test]
    fn hosts_of_vertex() {
        let rows = [
            ("us-central1", "us-central1-aiplatform.googleapis.com"),
            ("global", "aiplatform.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
        ];
        for (location, expected) in rows {
            assert_eq!(vertex_host(location), expected);
        }
    }
}
