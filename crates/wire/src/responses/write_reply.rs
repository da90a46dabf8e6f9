//! A whole response for a client.

use bytes::Bytes;

use super::echo::Echo;
use super::object::{Body, IncompleteOut, Item, Part, ResponseOut, UsageOut, logprob_entries, print, response_id};
use crate::chat::{Block, Content};
use crate::format::Labels;
use crate::reply::{Choice, FinishReason, Reply};

/// `reply` as a response object, with what it repeats of its request. The first alternative is told: the API has no others.
pub fn write_reply(reply: &Reply, labels: &Labels, echo: &Echo) -> Bytes {
    let choice = reply.choices.first();
    let reason = choice.map_or(FinishReason::Stop, |choice| choice.finish.reason);
    let items = choice.map(|choice| items(choice, labels)).unwrap_or_default();
    print(&ResponseOut {
        id: &response_id(reply.id.as_deref(), labels),
        object: "response",
        created_at: labels.created,
        status: status(reason),
        error: None,
        incomplete_details: incomplete(reason),
        model: reply.model.as_deref().unwrap_or(&labels.model),
        output: items.iter().map(Item::out).collect(),
        usage: reply.usage.map(UsageOut::of),
        echo,
    })
}

/// The status of a response that ended so, and of the item it ended in.
pub(super) fn status(reason: FinishReason) -> &'static str {
    if incomplete(reason).is_some() { "incomplete" } else { "completed" }
}

pub(super) fn incomplete(reason: FinishReason) -> Option<IncompleteOut> {
    match reason {
        FinishReason::Stop | FinishReason::ToolCalls => None,
        FinishReason::Length => Some(IncompleteOut { reason: "max_output_tokens" }),
        FinishReason::ContentFilter => Some(IncompleteOut { reason: "content_filter" }),
    }
}

fn items(choice: &Choice, labels: &Labels) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut logprobs = choice.logprobs.as_ref().map(logprob_entries).unwrap_or_default();
    for Block { content, .. } in &choice.blocks {
        let part = match content {
            Content::Text(text) => Part::Text { text: text.clone(), logprobs: std::mem::take(&mut logprobs) },
            Content::Refusal(text) => Part::Refusal(text.clone()),
            content => {
                items.extend(body(content).map(|body| Item::new(body, items.len(), labels, "completed")));
                continue;
            }
        };
        match items.last_mut() {
            Some(Item { body: Body::Message(parts), .. }) => parts.push(part),
            _ => items.push(Item::new(Body::Message(vec![part]), items.len(), labels, "completed")),
        }
    }
    if let Some(last) = items.last_mut() {
        last.status = status(choice.finish.reason);
    }
    items
}

/// The item of a block that is no part of a message. Models draw and speak nothing here.
fn body(content: &Content) -> Option<Body> {
    Some(match content {
        Content::Thinking { text, signature } => {
            Body::Thought { summary: Some(text.clone()), proof: signature.clone() }
        }
        Content::RedactedThinking { data } => Body::Thought { summary: None, proof: Some(data.clone()) },
        Content::ToolCall(call) => {
            let mut call = call.clone();
            if call.arguments.is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
            Body::Call(call)
        }
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Image { .. }
        | Content::Document { .. }
        | Content::Audio { .. }
        | Content::ToolResult(_) => return None,
    })
}
