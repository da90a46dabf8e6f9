//! How long prompts are, before a provider has counted them.
//!
//! A prompt is estimated by its bytes. What providers then report corrects the estimate: each deployment has the ratio of its
//! latest prompts, so that its tokenizer and what it is asked are learned. Until there is one, prompts for `OpenAI`'s models are
//! counted with their tokenizer, off the threads that serve requests.

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
    let limited = fit.iter().filter(|deployment| has_token_limit(deployment));
    if estimate == 0 {
        return 0;
    }
    let mut most = None;
    for deployment in limited {
        let tokens = match ratios.of(&deployment.id) {
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
    let Payload::Json(body) = &request.payload else { return None };
    let (body, operation) = (body.clone(), request.operation);
    let count = tokio::task::spawn_blocking(move || count::prompt(encoding, operation, &body));
    let count = count.await.ok().flatten();
    *counted.get_or_init(|| count)
}
