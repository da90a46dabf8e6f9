//! How long prompts are, before a provider has counted them.
//!
//! A prompt is estimated by its bytes. What providers then report corrects the estimate: each deployment has the ratio of its
//! latest prompts, so that its tokenizer and what it is asked are learned. Until there is one, prompts for `OpenAI`'s models are
//! counted with their tokenizer, off the threads that serve requests, once its tables are there.

mod count;
mod lesson;
mod ratios;

use std::sync::{Arc, OnceLock};

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::request::{Payload, Request};

use self::count::Encoding;
pub(crate) use self::lesson::Lesson;
pub(crate) use self::ratios::Ratios;

/// A request's prompt as a tokenizer counts it; counted once, and only where that is needed.
pub(crate) type Counted = OnceLock<Option<u32>>;

/// The prompt tokens to reserve for `request` on any of `fit`: the most that one of them will take.
pub(crate) async fn prompt(request: &Request, fit: &[Arc<Deployment>], ratios: &Ratios, counted: &Counted) -> u32 {
    let estimate = request.estimate.input;
    if estimate == 0 {
        return 0;
    }
    let limited = || fit.iter().filter(|deployment| has_token_limit(deployment));
    let ratios = ratios.of_all(limited().map(|deployment| &deployment.id));
    let mut most = None;
    for (deployment, ratio) in limited().zip(ratios) {
        let tokens = match ratio {
            Some(ratio) => scaled(estimate, ratio),
            None => match Encoding::of(deployment.model.as_str()) {
                Some(encoding) => exact(request, encoding, counted).await.unwrap_or(estimate),
                None => estimate,
            },
        };
        most = most.max(Some(tokens));
    }
    // Where nothing holds tokens against a limit, the estimate is as good as any.
    most.unwrap_or(estimate)
}

fn has_token_limit(deployment: &Deployment) -> bool {
    deployment.limits.tpm.is_some() || deployment.limits.itpm.is_some()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count; the cast saturates")]
fn scaled(estimate: u32, ratio: f64) -> u32 {
    ((f64::from(estimate) * ratio).ceil() as u32).max(1)
}

async fn exact(request: &Request, encoding: Encoding, counted: &Counted) -> Option<u32> {
    if let Some(known) = counted.get() {
        return *known;
    }
    if !encoding.is_at_hand() {
        // Nobody waits for that.
        tokio::task::spawn_blocking(move || encoding.prepare());
        return None;
    }
    let Payload::Json(body) = &request.payload else { return None };
    let (body, operation) = (body.clone(), request.operation);
    let count = tokio::task::spawn_blocking(move || count::prompt(encoding, operation, &body));
    let count = count.await.ok().flatten();
    *counted.get_or_init(|| count)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::request::{Controls, Estimate, Operation, Payload, Request};

    use super::{Counted, Encoding, Ratios, prompt};

    fn deployment(id: &str, model: &str, tpm: Option<u32>) -> Arc<Deployment> {
        let endpoint = Endpoint::new("openai", "http://host/v1");
        let mut deployment = Deployment::new(id, "g", ModelTemplate::new(model), endpoint);
        deployment.limits.tpm = tpm;
        Arc::new(deployment)
    }

    /// Estimated at a thousand tokens, whatever it says.
    fn request(text: &str) -> Request {
        let body = format!(r#"{{"model":"g","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        Request {
            id: "r".into(),
            trace_id: "r".into(),
            operation: Operation::Chat,
            model: "g".to_owned(),
            payload: Payload::Json(JsonObject::parse(Bytes::from(body)).unwrap()),
            stream: false,
            stream_usage: false,
            estimate: Estimate { input: 1000, output: None },
            controls: Controls::default(),
            format_headers: Vec::new(),
        }
    }

    #[tokio::test]
    async fn prompts_are_counted_until_their_length_is_learned() {
        Encoding::O200k.prepare();
        let ratios = Ratios::default();
        let limited = deployment("limited", "gpt-4o", Some(10_000));
        let claude = deployment("claude", "claude-sonnet-4-5", Some(10_000));
        let free = deployment("free", "gpt-4o", None);
        let request = request("hello world");
        let all = |of: &[&Arc<Deployment>]| of.iter().map(|d| Arc::clone(d)).collect::<Vec<_>>();
        let reserved = async |of: &[&Arc<Deployment>]| prompt(&request, &all(of), &ratios, &Counted::new()).await;

        assert_eq!(reserved(&[&free]).await, 1000, "nothing is held against a limit");
        assert_eq!(reserved(&[&limited]).await, 9, "counted with the model's own tokenizer");
        assert_eq!(reserved(&[&claude]).await, 1000, "nobody here has its tokenizer");
        assert_eq!(reserved(&[&limited, &claude, &free]).await, 1000, "whoever takes most");

        ratios.learn(&limited.id, 1000, 800);
        ratios.learn(&claude.id, 1000, 1250);
        assert_eq!(reserved(&[&limited]).await, 800);
        assert_eq!(reserved(&[&limited, &claude]).await, 1250);
    }

    #[tokio::test]
    async fn a_prompt_is_counted_once() {
        Encoding::O200k.prepare();
        let counted = Counted::new();
        let fit = [deployment("a", "gpt-4o", Some(1)), deployment("b", "gpt-4o", Some(1))];
        prompt(&request("hello world"), &fit, &Ratios::default(), &counted).await;
        assert_eq!(counted.get(), Some(&Some(9)));
        assert_eq!(prompt(&request("and now for more"), &fit, &Ratios::default(), &counted).await, 9);
    }
}
