//! What a provider turns away before it looks at its limits.

use http::{HeaderMap, Uri};

use crate::ask::Ask;
use crate::fields::check_fields;
use crate::refusal::Refusal;
use crate::script::ProviderScript;
use crate::target::{Operation, Target};

/// Headers that clients send to a router, by their beginnings.
const ROUTER_HEADERS: &[&str] = &["x-portkey-", "x-litellm-", "x-weighbridge-"];

/// Refuses a request without the script's key.
pub(crate) fn check_key(script: &ProviderScript, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(key) = &script.key else { return Ok(()) };
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if bearer.or_else(|| header("api-key")) == Some(key) { Ok(()) } else { Err(Refusal::unauthorised()) }
}

/// Refuses models there are not, prompts that are filtered, and requests that are too long.
pub(crate) fn check_ask(script: &ProviderScript, target: &Target<'_>, ask: &Ask, body: &[u8]) -> Result<(), Refusal> {
    let named = target.operation != Operation::Models;
    if named && !script.models.is_empty() && !script.models.contains(&ask.model) {
        return Err(Refusal::unknown_model(&ask.model));
    }
    if script.content_filter.as_ref().is_some_and(|word| String::from_utf8_lossy(body).contains(word.as_str())) {
        return Err(Refusal::filtered());
    }
    let Some(window) = script.context_window else { return Ok(()) };
    let (prompt, most) = (ask.prompt, ask.most.unwrap_or_default());
    if prompt > window {
        return Err(Refusal::too_long(window, &format!("your messages resulted in {prompt} tokens")));
    }
    if prompt + most > window {
        let asked =
            format!("you requested {} tokens ({prompt} in the messages, {most} in the completion)", prompt + most);
        return Err(Refusal::too_long(window, &asked));
    }
    Ok(())
}

/// Refuses what an OpenAI-compatible provider does not know. `ask` is `body`, read.
pub(crate) fn check_form(
    target: &Target<'_>,
    uri: &Uri,
    headers: &HeaderMap,
    ask: &Ask,
    body: &[u8],
) -> Result<(), Refusal> {
    let foreign = headers.keys().find(|name| ROUTER_HEADERS.iter().any(|start| name.as_str().starts_with(start)));
    if let Some(name) = foreign {
        return Err(Refusal::invalid(&format!("A router's header was passed on: {name}"), None, None));
    }
    if target.deployment.is_some() && !uri.query().unwrap_or_default().contains("api-version=") {
        return Err(Refusal::invalid("Missing required query parameter: api-version", Some("api-version"), None));
    }
    check_fields(target.operation, body)?;
    match target.operation {
        Operation::Chat | Operation::Completions | Operation::Embeddings if ask.model.is_empty() => {
            Err(missing("model"))
        }
        Operation::Chat if ask.inputs == 0 => Err(missing("messages")),
        Operation::Embeddings | Operation::Moderations if ask.inputs == 0 => Err(missing("input")),
        _ => Ok(()),
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::invalid(
        &format!("Missing required parameter: '{field}'."),
        Some(field),
        Some("missing_required_parameter"),
    )
}
