//! What Converse has no place for and a model takes all the same: `additionalModelRequestFields`.

use serde::Serialize;

use super::family::{Family, Off, Thinks};
use super::{UNKNOWN, UNKNOWN_TO_MODEL};
use crate::chat::{Chat, Content, Reasoning, Role};
use crate::json::Json;
use crate::losses::Losses;
use crate::ordered::Fields;

/// The least that Claude takes for a budget.
const LEAST_BUDGET: u32 = 1024;

/// Where it goes by the name of the client's field.
const PATH: &str = "reasoning_effort";

/// Fields of Claude's own format that it takes here under the same name.
pub(super) const OF_CLAUDE: &[&str] = &["anthropic_beta", "context_management", "output_config", "thinking"];

/// Whether a model will think, and thus takes less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// As it does unasked.
    Usual,
    /// It was told to think.
    Thinking,
}

/// The bound on a reply, which counts its thoughts in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// What is asked for.
    pub(super) max_tokens: Option<u32>,
    /// What the model gives, where that is known.
    pub(super) most: Option<u32>,
}

/// Puts what tells the model how much to think into `fields`, and makes room for it.
pub(super) fn reasoning(
    chat: &Chat,
    family: Family,
    room: &mut Room,
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Mood {
    if let Some(thinking) = fields.get("thinking") {
        return if thinking.as_str().contains("\"disabled\"") { Mood::Usual } else { Mood::Thinking };
    }
    let Some(reasoning) = &chat.reasoning else { return Mood::Usual };
    if *reasoning == Reasoning::Off {
        off(family, fields, losses);
        return Mood::Usual;
    }
    let refusal = match family.thinks() {
        Thinks::Budget => budget(chat, reasoning, room, fields, losses),
        Thinks::Adaptive => adaptive(reasoning, fields),
        Thinks::Nova => nova(reasoning, fields),
        Thinks::Effort => {
            fields.put("reasoning_effort", Json::of(&low_to_high(&effort(reasoning))));
            Ok(())
        }
        Thinks::Object => {
            fields.put("reasoning", Json::of(&Effort { effort: &effort(reasoning) }));
            Ok(())
        }
        Thinks::Untold => Err(UNKNOWN_TO_MODEL),
    };
    match refusal {
        Ok(()) if family.is_claude() => Mood::Thinking,
        Ok(()) => Mood::Usual,
        Err(why) => {
            losses.note(PATH, why);
            Mood::Usual
        }
    }
}

/// Puts `top_k`, `seed` and penalties into `fields`, for models that take them there.
pub(super) fn sampling(chat: &Chat, family: Family, mood: Mood, fields: &mut Fields<'_>, losses: &mut Losses) {
    if let Some(top_k) = chat.top_k {
        match family {
            _ if !family.samples() => losses.note("top_k", UNKNOWN_TO_MODEL),
            _ if mood == Mood::Thinking => losses.note("top_k", "is not taken by Claude while it thinks"),
            Family::Claude(_) => fields.put("top_k", Json::of(&top_k)),
            Family::Nova2 if thinks_hardest(chat) => {
                losses.note("top_k", "is not taken by Nova while it thinks its hardest")
            }
            Family::Nova | Family::Nova2 => fields.put("inferenceConfig", Json::of(&TopK { top_k })),
            _ => losses.note("top_k", UNKNOWN_TO_MODEL),
        }
    }
    let rest = [
        ("seed", chat.seed.map(|seed| Json::of(&seed))),
        (
            "frequency_penalty",
            chat.frequency_penalty.filter(|penalty| *penalty != 0.0).map(|penalty| Json::of(&penalty)),
        ),
        ("presence_penalty", chat.presence_penalty.filter(|penalty| *penalty != 0.0).map(|penalty| Json::of(&penalty))),
    ];
    for (name, value) in rest {
        match value {
            Some(value) if family == Family::GptOss => fields.put(name, value),
            Some(_) => losses.note(name, UNKNOWN),
            None => {}
        }
    }
}

fn off(family: Family, fields: &mut Fields<'_>, losses: &mut Losses) {
    match family.off() {
        Off::Unsaid => {}
        Off::Disabled => {
            fields.put("thinking", Json::of(&Thinking { r#type: "disabled", budget_tokens: None, display: None }));
        }
        Off::LowEffort => {
            losses.note(PATH, "is set to low: this model cannot but think");
            put_effort("low", fields);
        }
        Off::LowWord => {
            losses.note(PATH, "is set to low: this model cannot but think");
            fields.put("reasoning_effort", Json::of(&"low"));
        }
        Off::None => fields.put("reasoning", Json::of(&Effort { effort: "none" })),
        Off::Never => losses.note(PATH, "has no effect: this model cannot but think"),
    }
}

fn budget(
    chat: &Chat,
    reasoning: &Reasoning,
    room: &mut Room,
    fields: &mut Fields<'_>,
    losses: &mut Losses,
) -> Result<(), &'static str> {
    if goes_on_without_thought(chat) {
        return Err("is left out: the thought that led to the last tool call is not this model's");
    }
    let budget = match reasoning {
        Reasoning::Budget(budget) => Some(*budget),
        Reasoning::Effort(effort) => Chat::budget_of(effort),
        Reasoning::Adaptive | Reasoning::Off => Chat::budget_of("medium"),
    };
    let mut budget = budget.ok_or("is no effort that this model knows")?.max(LEAST_BUDGET);
    if let Some(asked) = room.max_tokens.filter(|asked| *asked <= budget) {
        let raised = budget.saturating_add(asked).min(room.most.unwrap_or(u32::MAX));
        budget = budget.min(raised.saturating_sub(1));
        if budget < LEAST_BUDGET {
            return Err("is left out: the replies of this model are too short for thoughts");
        }
        if raised > asked {
            losses.note("max_tokens", format!("is raised to {raised}: Bedrock counts the thoughts in"));
        }
        room.max_tokens = Some(raised);
    }
    let thinking = Thinking { r#type: "enabled", budget_tokens: Some(budget), display: None };
    fields.put("thinking", Json::of(&thinking));
    Ok(())
}

/// What a model thinks is otherwise not shown.
fn adaptive(reasoning: &Reasoning, fields: &mut Fields<'_>) -> Result<(), &'static str> {
    let asked = effort(reasoning);
    let effort = match asked.as_str() {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" => "xhigh",
        "max" => "max",
        _ => return Err("is no effort that this model knows"),
    };
    let thinking = Thinking { r#type: "adaptive", budget_tokens: None, display: Some("summarized") };
    fields.put("thinking", Json::of(&thinking));
    if *reasoning != Reasoning::Adaptive {
        put_effort(effort, fields);
    }
    Ok(())
}

/// Into Claude's `output_config`, which the client may have begun.
fn put_effort(effort: &str, fields: &mut Fields<'_>) {
    let config = fields.get("output_config").and_then(|config| Fields::parse(config.as_str()));
    let mut config = config.unwrap_or_default();
    if config.get("effort").is_none() {
        config.put("effort", Json::of(&effort));
    }
    fields.put("output_config", Json::of(&config));
}

fn nova(reasoning: &Reasoning, fields: &mut Fields<'_>) -> Result<(), &'static str> {
    let effort = effort(reasoning);
    let config = NovaThinking { r#type: "enabled", max_reasoning_effort: low_to_high(&effort) };
    fields.put("reasoningConfig", Json::of(&config));
    Ok(())
}

/// Whether the highest of three efforts is asked for.
pub(super) fn thinks_hardest(chat: &Chat) -> bool {
    chat.reasoning.as_ref().is_some_and(|reasoning| low_to_high(&effort(reasoning)) == "high")
}

/// The nearest of three words.
fn low_to_high(effort: &str) -> &str {
    match effort {
        "minimal" => "low",
        "xhigh" | "max" => "high",
        effort => effort,
    }
}

/// How hard to think, as a word.
fn effort(reasoning: &Reasoning) -> String {
    match reasoning {
        Reasoning::Effort(effort) => effort.clone(),
        Reasoning::Budget(budget) => Chat::effort_of(*budget).to_owned(),
        Reasoning::Adaptive | Reasoning::Off => "medium".to_owned(),
    }
}

/// Whether the model is in the middle of a turn of calls that does not begin with a thought of its own: told to think by
/// a budget, it refuses to go on there. So it is when another model made the calls.
fn goes_on_without_thought(chat: &Chat) -> bool {
    let is_result = |content: &Content| matches!(content, Content::ToolResult(_));
    let mut turns = chat.messages.iter().rev();
    let Some(last) = turns.find(|message| !message.blocks.is_empty()) else { return false };
    if !last.blocks.iter().any(|block| is_result(&block.content)) {
        return false;
    }
    let calls = turns.find(|message| message.role == Role::Assistant);
    calls.is_some_and(|calls| {
        !calls.blocks.iter().any(|block| match &block.content {
            Content::Thinking { signature, .. } => signature.as_ref().is_some_and(|signature| !signature.is_empty()),
            Content::RedactedThinking { .. } => true,
            _ => false,
        })
    })
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaThinking<'a> {
    r#type: &'static str,
    max_reasoning_effort: &'a str,
}

#[derive(Serialize)]
struct Effort<'a> {
    effort: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopK {
    top_k: u32,
}
