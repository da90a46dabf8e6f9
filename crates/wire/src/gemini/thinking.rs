//! How much to think, in the words of each generation.

use serde::Serialize;

use super::model::{Model, Thinking};
use crate::chat::{Chat, Reasoning};
use crate::losses::Losses;

const PATH: &str = "reasoning_effort";

/// `thinkingConfig`.
#[derive(Debug, Serialize, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThinkingConfig {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

/// What tells `model` to think as `reasoning` says.
pub(super) fn thinking_config(reasoning: &Reasoning, model: Model<'_>, losses: &mut Losses) -> Option<ThinkingConfig> {
    let is_off = matches!(reasoning, Reasoning::Off | Reasoning::Budget(0))
        || matches!(reasoning, Reasoning::Effort(word) if word == "none");
    match model.thinking() {
        Thinking::Never => {
            if !is_off {
                losses.note(PATH, "is not known to this model, which does not think");
            }
            None
        }
        Thinking::Budget { can_be_off: true, .. } if is_off => {
            Some(ThinkingConfig { thinking_budget: Some(0), ..ThinkingConfig::default() })
        }
        Thinking::Budget { least, .. } if is_off => {
            losses.note(PATH, "cannot be turned off for this model, which thinks as little as it can");
            Some(ThinkingConfig { thinking_budget: Some(least.into()), ..ThinkingConfig::default() })
        }
        Thinking::Level { lowest } if is_off => {
            losses.note(PATH, "cannot be turned off for this model, which thinks as little as it can");
            Some(ThinkingConfig { thinking_level: Some(lowest), ..ThinkingConfig::default() })
        }
        Thinking::Budget { least, most, .. } => {
            let thinking_budget = match reasoning {
                Reasoning::Adaptive | Reasoning::Off => Some(-1),
                Reasoning::Budget(tokens) => Some(bounded(*tokens, least, most, losses)),
                Reasoning::Effort(word) => known(Chat::budget_of(word), losses).map(|n| n.clamp(least, most).into()),
            };
            Some(ThinkingConfig { include_thoughts: true, thinking_budget, ..ThinkingConfig::default() })
        }
        Thinking::Level { lowest } => {
            let thinking_level = match reasoning {
                // It decides by itself when it is told nothing.
                Reasoning::Adaptive | Reasoning::Off => None,
                Reasoning::Budget(tokens) => {
                    losses.note(PATH, "is a level for this model: the nearest to the number of tokens was taken");
                    level(Chat::effort_of(*tokens), lowest, losses)
                }
                Reasoning::Effort(word) => known(level(word, lowest, losses), losses),
            };
            Some(ThinkingConfig { include_thoughts: true, thinking_level, ..ThinkingConfig::default() })
        }
    }
}

fn level(word: &str, lowest: &'static str, losses: &mut Losses) -> Option<&'static str> {
    Some(match word {
        "minimal" => lowest,
        "low" => "LOW",
        "medium" => "MEDIUM",
        "high" => "HIGH",
        "xhigh" | "max" => {
            losses.note(PATH, "is set to high, the most that Gemini takes");
            "HIGH"
        }
        _ => return None,
    })
}

fn bounded(tokens: u32, least: u32, most: u32, losses: &mut Losses) -> i64 {
    if tokens < least {
        losses.note(PATH, format!("is set to {least} tokens, the fewest that this model takes"));
    }
    if tokens > most {
        losses.note(PATH, format!("is set to {most} tokens, the most that this model takes"));
    }
    tokens.clamp(least, most).into()
}

fn known<T>(value: Option<T>, losses: &mut Losses) -> Option<T> {
    if value.is_none() {
        losses.note(PATH, "is none of the words that Gemini knows: the model decides");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::thinking_config;
    use crate::chat::Reasoning;
    use crate::gemini::model::Model;
    use crate::losses::Losses;

    fn check(model: &str, reasoning: &Reasoning, expected: &str) {
        let mut losses = Losses::default();
        let config = thinking_config(reasoning, Model::of(model), &mut losses);
        let config = config.map_or("-".to_owned(), |config| serde_json::to_string(&config).unwrap());
        let losses: String = losses.iter().map(|loss| format!(" ! {loss}")).collect();
        assert_eq!(format!("{config}{losses}"), expected, "{model} {reasoning:?}");
    }

    #[test]
    fn each_generation_is_told_in_its_words() {
        let effort = |word: &str| Reasoning::Effort(word.to_owned());
        let off = " ! reasoning_effort cannot be turned off for this model, which thinks as little as it can";
        let unknown = " ! reasoning_effort is none of the words that Gemini knows: the model decides";
        check(
            "gemini-2.0-flash",
            &effort("low"),
            "- ! reasoning_effort is not known to this model, which does not think",
        );
        check("gemini-2.0-flash", &Reasoning::Off, "-");

        check("gemini-2.5-flash", &effort("low"), r#"{"includeThoughts":true,"thinkingBudget":1024}"#);
        check("gemini-2.5-flash", &effort("max"), r#"{"includeThoughts":true,"thinkingBudget":8192}"#);
        check("gemini-2.5-flash", &effort("none"), r#"{"thinkingBudget":0}"#);
        check("gemini-2.5-flash", &effort("huge"), &format!(r#"{{"includeThoughts":true}}{unknown}"#));
        check("gemini-2.5-flash", &Reasoning::Off, r#"{"thinkingBudget":0}"#);
        check("gemini-2.5-flash", &Reasoning::Adaptive, r#"{"includeThoughts":true,"thinkingBudget":-1}"#);
        check("gemini-2.5-flash", &Reasoning::Budget(500), r#"{"includeThoughts":true,"thinkingBudget":500}"#);
        check(
            "gemini-2.5-flash",
            &Reasoning::Budget(99_999),
            r#"{"includeThoughts":true,"thinkingBudget":24576} ! reasoning_effort is set to 24576 tokens, the most that this model takes"#,
        );
        check("gemini-2.5-flash-lite", &effort("minimal"), r#"{"includeThoughts":true,"thinkingBudget":512}"#);
        check("gemini-2.5-pro", &Reasoning::Off, &format!(r#"{{"thinkingBudget":128}}{off}"#));
        check(
            "gemini-2.5-pro",
            &Reasoning::Budget(1),
            r#"{"includeThoughts":true,"thinkingBudget":128} ! reasoning_effort is set to 128 tokens, the fewest that this model takes"#,
        );

        check("gemini-3-flash", &effort("minimal"), r#"{"includeThoughts":true,"thinkingLevel":"MINIMAL"}"#);
        check("gemini-3.1-pro", &effort("minimal"), r#"{"includeThoughts":true,"thinkingLevel":"LOW"}"#);
        check("gemini-3.1-pro", &effort("medium"), r#"{"includeThoughts":true,"thinkingLevel":"MEDIUM"}"#);
        check(
            "gemini-3.1-pro",
            &effort("xhigh"),
            r#"{"includeThoughts":true,"thinkingLevel":"HIGH"} ! reasoning_effort is set to high, the most that Gemini takes"#,
        );
        check("gemini-3.1-pro", &effort("huge"), &format!(r#"{{"includeThoughts":true}}{unknown}"#));
        check("gemini-3.1-pro", &Reasoning::Off, &format!(r#"{{"thinkingLevel":"LOW"}}{off}"#));
        check("gemini-3-flash", &Reasoning::Off, &format!(r#"{{"thinkingLevel":"MINIMAL"}}{off}"#));
        check("gemini-3-flash", &Reasoning::Adaptive, r#"{"includeThoughts":true}"#);
        check(
            "gemini-3-flash",
            &Reasoning::Budget(5000),
            r#"{"includeThoughts":true,"thinkingLevel":"HIGH"} ! reasoning_effort is a level for this model: the nearest to the number of tokens was taken"#,
        );
    }
}
