//! How much the model thinks: a bound on tokens, or for newer models a word; and the room that it leaves for the reply.

use serde::Serialize;

use super::model::{Model, Off};
use crate::chat::{Chat, Reasoning};
use crate::format::Target;
use crate::losses::Losses;

/// What the API takes at least.
const LEAST_BUDGET: u32 = 1024;
/// Room for a reply when nobody says how long it may be.
const USUAL_MAX_TOKENS: u32 = 4096;
/// Where it goes by the name of the client's field.
const PATH: &str = "reasoning_effort";

/// What is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    pub(super) config: Option<ThinkingJson>,
    /// Of `output_config`.
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u32,
}

/// `thinking`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct ThinkingJson {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

impl Thinking {
    /// For `chat`, of which `reasoning` is asked. `keeps_thoughts`: whether the turn that goes on has its thought.
    pub(super) fn of(
        chat: &Chat,
        reasoning: Option<&Reasoning>,
        target: Target<'_>,
        keeps_thoughts: bool,
        losses: &mut Losses,
    ) -> Self {
        let model = Model::of(target.model);
        let room = chat.max_tokens.or(target.max_output_tokens).unwrap_or(USUAL_MAX_TOKENS);
        let plain = Self { max_tokens: room, ..Self::default() };
        let Some(reasoning) = reasoning else { return plain };
        if !model.takes_budgets() {
            return by_effort(reasoning, model, plain, losses);
        }
        let budget = match reasoning {
            Reasoning::Off => {
                let config = (model.off() == Off::Disabled).then_some(ThinkingJson::of("disabled"));
                return Self { config, ..plain };
            }
            _ if !model.thinks() => {
                losses.note(PATH, "is left out: this model does not think");
                return plain;
            }
            Reasoning::Adaptive if model.takes_adaptive() => {
                return Self { config: Some(ThinkingJson::of("adaptive")), ..plain };
            }
            Reasoning::Adaptive => Chat::budget_of("medium"),
            Reasoning::Effort(word) => Chat::budget_of(word),
            Reasoning::Budget(tokens) => Some(*tokens),
        };
        let Some(budget) = budget else {
            losses.note(PATH, "is no effort that Anthropic knows");
            return plain;
        };
        if !keeps_thoughts {
            losses.note(PATH, "is left out: the thought that led to the last tool call is not Anthropic's");
            return plain;
        }
        by_budget(budget.max(LEAST_BUDGET), room, chat, target, losses)
    }

    pub(super) fn is_on(&self) -> bool {
        self.config.is_some_and(|config| config.kind != "disabled")
    }
}

impl ThinkingJson {
    const fn of(kind: &'static str) -> Self {
        Self { kind, budget_tokens: None, display: None }
    }
}

/// The bound on the reply counts the thoughts in, so it has to lie above theirs.
fn by_budget(mut budget: u32, room: u32, chat: &Chat, target: Target<'_>, losses: &mut Losses) -> Thinking {
    let mut max_tokens = room;
    if budget >= room {
        let most = target.max_output_tokens.unwrap_or(u32::MAX);
        max_tokens = budget.saturating_add(room).min(most);
        budget = budget.min(max_tokens.saturating_sub(1));
        if budget < LEAST_BUDGET {
            losses.note(PATH, "is left out: the replies of this model are too short for thoughts");
            return Thinking { max_tokens: room, ..Thinking::default() };
        }
        if chat.max_tokens.is_some() && max_tokens > room {
            losses.note("max_tokens", format!("is raised to {max_tokens}: Anthropic counts the thoughts in"));
        }
    }
    let config = ThinkingJson { budget_tokens: Some(budget), ..ThinkingJson::of("enabled") };
    Thinking { config: Some(config), effort: None, max_tokens }
}

fn by_effort(reasoning: &Reasoning, model: Model, plain: Thinking, losses: &mut Losses) -> Thinking {
    // Newer models leave the text of their thoughts out unless asked for it.
    let adaptive = Some(ThinkingJson { display: Some("summarized"), ..ThinkingJson::of("adaptive") });
    let effort = match reasoning {
        Reasoning::Off => match model.off() {
            Off::Unsaid => return plain,
            Off::Disabled => return Thinking { config: Some(ThinkingJson::of("disabled")), ..plain },
            Off::LowEffort => {
                losses.note(PATH, "is set to low: this model cannot but think");
                return Thinking { effort: Some("low"), ..plain };
            }
        },
        Reasoning::Adaptive => None,
        Reasoning::Budget(tokens) => effort(Chat::effort_of(*tokens)),
        Reasoning::Effort(word) => {
            let effort = effort(word);
            if effort.is_none() {
                losses.note(PATH, "is no effort that Anthropic knows");
                return plain;
            }
            effort
        }
    };
    Thinking { config: adaptive, effort, ..plain }
}

fn effort(word: &str) -> Option<&'static str> {
    Some(match word {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" => "xhigh",
        "max" => "max",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Thinking;
    use crate::chat::{Chat, Reasoning};
    use crate::format::Target;
    use crate::losses::Losses;

    /// `model reasoning max_tokens/most`, and what comes of it.
    fn check(model: &str, reasoning: &Reasoning, max_tokens: Option<u32>, most: Option<u32>, expected: &str) {
        let chat = Chat { max_tokens, ..Chat::default() };
        let target = Target { model, max_output_tokens: most };
        let mut losses = Losses::default();
        let seen = Thinking::of(&chat, Some(reasoning), target, true, &mut losses);
        let config = serde_json::to_string(&seen.config).unwrap();
        let losses: Vec<_> = losses.iter().map(|loss| loss.path.as_ref()).collect();
        let seen = format!("{config} {} {} {}", seen.effort.unwrap_or("-"), seen.max_tokens, losses.join(","));
        assert_eq!(seen.trim(), expected, "{model} {reasoning:?}");
    }

    #[test]
    fn older_models_get_a_bound() {
        let effort = |word: &str| Reasoning::Effort(word.to_owned());
        let older = "claude-sonnet-4-5";
        let enabled = |budget: u32| format!(r#"{{"type":"enabled","budget_tokens":{budget}}}"#);
        check(older, &effort("low"), None, None, &format!("{} - 4096", enabled(1024)));
        check(older, &effort("minimal"), None, Some(64000), &format!("{} - 64000", enabled(1024)));
        check(older, &effort("high"), Some(100), None, &format!("{} - 4196 max_tokens", enabled(4096)));
        check(older, &effort("high"), None, None, &format!("{} - 8192", enabled(4096)));
        check(older, &effort("odd"), None, None, "null - 4096 reasoning_effort");
        check(older, &Reasoning::Budget(9000), Some(9001), None, &format!("{} - 9001", enabled(9000)));
        check(older, &Reasoning::Budget(9000), None, Some(8192), &format!("{} - 8192", enabled(8191)));
        check(older, &Reasoning::Budget(9000), None, Some(1000), "null - 1000 reasoning_effort");
        check(
            older,
            &Reasoning::Budget(u32::MAX),
            Some(5),
            None,
            &format!("{} - 4294967295 max_tokens", enabled(u32::MAX - 1)),
        );
        check(older, &Reasoning::Off, None, None, r#"{"type":"disabled"} - 4096"#);
        check(older, &Reasoning::Adaptive, None, None, &format!("{} - 4096", enabled(2048)));
        check("claude-opus-4-6", &Reasoning::Adaptive, None, None, r#"{"type":"adaptive"} - 4096"#);
        check("claude-3-haiku-20240307", &effort("low"), None, None, "null - 4096 reasoning_effort");
        check("claude-3-haiku-20240307", &Reasoning::Off, None, None, "null - 4096");
    }

    #[test]
    fn newer_models_get_a_word() {
        let effort = |word: &str| Reasoning::Effort(word.to_owned());
        let newer = "claude-opus-5";
        let adaptive = r#"{"type":"adaptive","display":"summarized"}"#;
        check(newer, &effort("minimal"), None, None, &format!("{adaptive} low 4096"));
        check(newer, &effort("max"), Some(9), None, &format!("{adaptive} max 9"));
        check(newer, &effort("odd"), None, None, "null - 4096 reasoning_effort");
        check(newer, &Reasoning::Budget(3000), None, None, &format!("{adaptive} medium 4096"));
        check(newer, &Reasoning::Adaptive, None, None, &format!("{adaptive} - 4096"));
        check(newer, &Reasoning::Off, None, None, r#"{"type":"disabled"} - 4096"#);
        check("claude-opus-4-8", &Reasoning::Off, None, None, "null - 4096");
        check("claude-opus-5-5", &Reasoning::Off, None, None, "null low 4096 reasoning_effort");
    }
}
