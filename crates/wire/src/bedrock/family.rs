//! Which models on Bedrock take what, by their names.
//!
//! An application inference profile's ARN hides the model: it is treated as one of which nothing is known.

/// Whose model it is, as far as it matters to the shape of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude(Claude),
    /// Amazon's, first generation.
    Nova,
    /// Amazon's, second generation: these think.
    Nova2,
    /// `OpenAI`'s with open weights.
    GptOss,
    /// `OpenAI`'s others.
    Gpt,
    /// `DeepSeek`'s, but R1.
    DeepSeek,
    /// Thinks always, and takes no word on it.
    DeepSeekR1,
    /// Takes tools, but no choice among them.
    Llama,
    /// Of which is known whether JSON by a schema is theirs, and nothing else.
    Other {
        /// Whether it is.
        writes_schemas: bool,
    },
}

/// A model of Anthropic's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claude {
    /// As in 4.5.
    version: (u8, u8),
    /// Whether it is one of 3.5 that came too early for the cache.
    is_early: bool,
    /// Of the line that always thinks.
    is_thinker: bool,
    /// Whether it can be made to call a tool.
    is_forced: bool,
    /// Whether it writes JSON by a schema.
    writes_schemas: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinks {
    /// `thinking` with a budget of tokens.
    Budget,
    /// `thinking` that is adaptive, with an effort.
    Adaptive,
    /// `reasoningConfig`.
    Nova,
    /// `reasoning_effort`.
    Effort,
    /// `reasoning` with an effort.
    Object,
    /// It cannot be told.
    Untold,
}

/// How a model is told not to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Off {
    /// It does not unless told to.
    Unsaid,
    /// `thinking` that is disabled.
    Disabled,
    /// `output_config` of little effort is what comes closest.
    LowEffort,
    /// `reasoning_effort` that is low is what comes closest.
    LowWord,
    /// `reasoning` with the effort none.
    None,
    /// It cannot be told.
    Never,
}

/// Those of others that write JSON by a schema, as `LiteLLM` has found.
const SCHEMA_WRITERS: &[&str] = &[
    "qwen.qwen3",
    "minimax.minimax-m2",
    "mistral.ministral",
    "mistral.mistral-large-3",
    "mistral.voxtral",
    "moonshot.kimi-k2",
    "nvidia.nemotron-nano-3",
    "zai.glm-5",
];

impl Family {
    /// The family of `model`: a name, an inference profile's name, or the ARN of either.
    pub(super) fn of(model: &str) -> Self {
        if let Some((_, name)) = model.split_once("claude-") {
            return Self::Claude(Claude::of(name));
        }
        let has = |part: &str| model.contains(part);
        match () {
            () if has("nova-2") => Self::Nova2,
            () if has("amazon.nova") => Self::Nova,
            () if has("gpt-oss") => Self::GptOss,
            () if has("openai.gpt-") => Self::Gpt,
            () if has("deepseek.r1") => Self::DeepSeekR1,
            () if has("deepseek") => Self::DeepSeek,
            () if has("llama") || has("pixtral") => Self::Llama,
            () => Self::Other { writes_schemas: SCHEMA_WRITERS.iter().any(|name| has(name)) },
        }
    }

    pub(super) fn is_claude(self) -> bool {
        matches!(self, Self::Claude(_))
    }

    pub(super) fn is_nova(self) -> bool {
        matches!(self, Self::Nova | Self::Nova2)
    }

    /// Whether it takes marks of the prompt cache.
    pub(super) fn caches(self) -> bool {
        self.is_nova() || self.claude().is_some_and(|claude| claude.version >= (3, 5) && !claude.is_early)
    }

    /// Whether its cache keeps for an hour.
    pub(super) fn caches_for_an_hour(self) -> bool {
        self.claude().is_some_and(|claude| claude.version >= (4, 5))
    }

    /// Whether it takes temperature and the like at all.
    pub(super) fn samples(self) -> bool {
        self.claude().is_none_or(|claude| claude.version < (4, 7))
    }

    /// Whether it takes temperature and `top_p` together.
    pub(super) fn samples_both_ways(self) -> bool {
        self.claude().is_none_or(|claude| claude.version < (4, 1))
    }

    /// Whether it can be made to call a tool.
    pub(super) fn is_forced(self) -> bool {
        match self {
            Self::Llama | Self::DeepSeekR1 => false,
            Self::Claude(claude) => claude.is_forced,
            Self::Nova | Self::Nova2 | Self::GptOss | Self::Gpt | Self::DeepSeek | Self::Other { .. } => true,
        }
    }

    /// Whether it takes `outputConfig.textFormat`.
    pub(super) fn writes_schemas(self) -> bool {
        match self {
            Self::Claude(claude) => claude.writes_schemas,
            Self::Other { writes_schemas } => writes_schemas,
            Self::DeepSeek => true,
            Self::Nova | Self::Nova2 | Self::GptOss | Self::Gpt | Self::DeepSeekR1 | Self::Llama => false,
        }
    }

    /// Whether it can be told to call one tool at a time.
    pub(super) fn calls_one_at_a_time(self) -> bool {
        self.claude().is_some_and(|claude| claude.version >= (4, 5))
    }

    /// How it is told to think.
    pub(super) fn thinks(self) -> Thinks {
        match self {
            Self::Claude(claude) if claude.version >= (4, 6) => Thinks::Adaptive,
            Self::Claude(claude) if claude.version >= (3, 7) => Thinks::Budget,
            Self::Nova2 => Thinks::Nova,
            Self::GptOss | Self::DeepSeek => Thinks::Effort,
            Self::Gpt => Thinks::Object,
            Self::Claude(_) | Self::Nova | Self::DeepSeekR1 | Self::Llama | Self::Other { .. } => Thinks::Untold,
        }
    }

    /// How it is told not to think.
    pub(super) fn off(self) -> Off {
        match self {
            Self::Claude(claude) if claude.is_thinker || claude.version > (5, 0) => Off::LowEffort,
            Self::Claude(claude) if claude.version == (5, 0) => Off::Disabled,
            Self::Gpt => Off::None,
            Self::GptOss => Off::LowWord,
            Self::DeepSeekR1 => Off::Never,
            Self::Claude(_) | Self::Nova | Self::Nova2 | Self::DeepSeek | Self::Llama | Self::Other { .. } => {
                Off::Unsaid
            }
        }
    }

    /// Whether it goes on from a beginning of its reply.
    pub(super) fn takes_prefill(self) -> bool {
        self.claude().is_none_or(|claude| claude.version < (4, 6))
    }

    fn claude(self) -> Option<Claude> {
        match self {
            Self::Claude(claude) => Some(claude),
            _ => None,
        }
    }
}

impl Claude {
    /// Of `claude-NAME`: `3-5-sonnet-20241022-v2:0`, `opus-4-1-20250805-v1:0`, `sonnet-5`.
    fn of(name: &str) -> Self {
        let mut numbers = [0_u8; 2];
        let mut seen = 0;
        for part in name.split(['-', ':', '@', '.', '/']) {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            // A date or a revision ends the version.
            if seen == 2 || (is_number && part.len() > 2) || part.starts_with(['v', 'V']) {
                break;
            }
            if is_number {
                numbers[seen] = part.parse().unwrap_or_default();
                seen += 1;
            }
        }
        let has = |part: &str| name.contains(part);
        let is_thinker = has("fable") || has("mythos");
        // The first of its line had a name only.
        let version = if seen == 0 && is_thinker { (5, 0) } else { (numbers[0], numbers[1]) };
        let is_forced = !is_thinker && (version < (5, 5) || has("haiku"));
        let writes_schemas = match version {
            (4, 5 | 6 | 8) => true,
            (5.., _) => has("sonnet") || has("haiku") || !is_forced,
            _ => false,
        };
        Self { version, is_early: version == (3, 5) && has("20240620"), is_thinker, is_forced, writes_schemas }
    }
}

#[cfg(test)]
mod tests {
    use super::{Family, Thinks};

    #[test]
    fn models_are_known_by_their_names() {
        let rows = [
            ("anthropic.claude-v2:1", "Untold cache=false schema=false sampling=true"),
            ("anthropic.claude-3-haiku-20240307-v1:0", "Untold cache=false schema=false sampling=true"),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", "Untold cache=false schema=false sampling=true"),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "Untold cache=true schema=false sampling=true"),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "Budget cache=true schema=false sampling=true"),
            ("anthropic.claude-opus-4-20250514-v1:0", "Budget cache=true schema=false sampling=true"),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "Budget cache=true schema=true sampling=true"),
            ("anthropic.claude-opus-4-6-v1", "Adaptive cache=true schema=true sampling=true"),
            ("anthropic.claude-opus-4-7", "Adaptive cache=true schema=false sampling=false"),
            ("anthropic.claude-sonnet-5-5", "Adaptive cache=true schema=true sampling=false"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
                "Budget cache=true schema=false sampling=true",
            ),
            ("us.amazon.nova-pro-v1:0", "Untold cache=true schema=false sampling=true"),
            ("us.amazon.nova-2-lite-v1:0", "Nova cache=true schema=false sampling=true"),
            ("openai.gpt-oss-120b-1:0", "Effort cache=false schema=false sampling=true"),
            ("openai.gpt-6-sol", "Object cache=false schema=false sampling=true"),
            ("deepseek.v3-v1:0", "Effort cache=false schema=true sampling=true"),
            ("us.deepseek.r1-v1:0", "Untold cache=false schema=false sampling=true"),
            ("meta.llama4-scout-17b-instruct-v1:0", "Untold cache=false schema=false sampling=true"),
            ("qwen.qwen3-32b-v1:0", "Untold cache=false schema=true sampling=true"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
                "Untold cache=false schema=false sampling=true",
            ),
        ];
        for (model, expected) in rows {
            let family = Family::of(model);
            let seen = format!(
                "{:?} cache={} schema={} sampling={}",
                family.thinks(),
                family.caches(),
                family.writes_schemas(),
                family.samples()
            );
            assert_eq!(seen, expected, "{model}");
        }
        assert!(!Family::of("us.meta.llama3-3-70b-instruct-v1:0").is_forced());
        assert_eq!(Family::of("x").thinks(), Thinks::Untold);
    }
}
