//! What a provider turns away before it looks at its limits.

use crate::ask::{Ask, Asked};
use crate::fault::Fault;
use crate::refusal::Refusal;
use crate::target::Operation;

/// Headers that clients send to a router, by their beginnings.
const ROUTER_HEADERS: &[&str] = &["x-portkey-", "x-litellm-", "x-weighbridge-"];

/// Refuses headers that were meant for the router.
pub(crate) fn check_headers(asked: &Asked<'_>) -> Result<(), Refusal> {
    let mut names = asked.headers.keys().map(|name| name.as_str());
    let foreign = names.find(|name| ROUTER_HEADERS.iter().any(|start| name.starts_with(start)));
    match foreign.filter(|_| asked.script.strict) {
        Some(name) => {
            let message = format!("A router's header was passed on: {name}");
            Err(Refusal::invalid(asked.target.format, &message))
        }
        None => Ok(()),
    }
}

/// Refuses models there are not, prompts that are filtered, and requests that are too long.
pub(crate) fn check_ask(asked: &Asked<'_>, ask: &Ask) -> Result<(), Refusal> {
    let Asked { script, target, .. } = asked;
    let refuse = |fault| Err(Refusal::of(target.format, fault));
    let named = target.operation != Operation::Models;
    if named && !script.models.is_empty() && !script.models.contains(&ask.model) {
        return refuse(Fault::UnknownModel(&ask.model));
    }
    if script.content_filter.as_ref().is_some_and(|word| String::from_utf8_lossy(asked.body).contains(word.as_str())) {
        let refusal = Refusal::of(target.format, Fault::Filtered);
        return Err(if refusal.status == 200 && ask.stream { refusal.streamed() } else { refusal });
    }
    let Some(window) = script.context_window else { return Ok(()) };
    let (prompt, most) = (ask.prompt, ask.most.unwrap_or_default());
    if prompt > window || prompt + most > window {
        return refuse(Fault::TooLong { window, prompt, most });
    }
    Ok(())
}
