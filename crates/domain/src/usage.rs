//! What a reply says it used, and what that costs.

use std::collections::HashMap;

use crate::limits::Tokens;

/// Token counts as a provider reports them. The cached and reasoning counts are parts of the
/// prompt and completion counts, as `OpenAI` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub prompt_tokens: u32,
    /// Completion tokens, reasoning included.
    pub completion_tokens: u32,
    /// Prompt tokens read from the provider's cache.
    pub cache_read_tokens: u32,
    /// Prompt tokens written to the provider's cache.
    pub cache_write_tokens: u32,
    /// Completion tokens spent on reasoning.
    pub reasoning_tokens: u32,
}

impl Usage {
    /// Prompt and completion together.
    pub fn total_tokens(&self) -> u64 {
        u64::from(self.prompt_tokens) + u64::from(self.completion_tokens)
    }

    /// The two counts that limits are about.
    pub fn tokens(&self) -> Tokens {
        Tokens { input: self.prompt_tokens, output: self.completion_tokens }
    }
}

/// USD per token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Price {
    /// Per fresh prompt token.
    pub input: f64,
    /// Per completion token.
    pub output: f64,
    /// Per prompt token read from the cache; `None` costs as a fresh one.
    pub cache_read: Option<f64>,
    /// Per prompt token written to the cache; `None` costs as a fresh one.
    pub cache_write: Option<f64>,
}

impl Price {
    /// USD for `usage`.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
        let fresh = usage.prompt_tokens.saturating_sub(cached);
        f64::from(fresh) * self.input
            + f64::from(usage.cache_read_tokens) * self.cache_read.unwrap_or(self.input)
            + f64::from(usage.cache_write_tokens) * self.cache_write.unwrap_or(self.input)
            + f64::from(usage.completion_tokens) * self.output
    }
}

/// What models cost by their names, for deployments that take whatever model they are asked for.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    /// By `provider/model` or by the model alone, as the operator has them.
    pub own: HashMap<String, Price>,
    /// What is known of a provider and its model otherwise.
    pub known: Option<fn(provider: &str, model: &str) -> Option<Price>>,
}

impl Prices {
    /// What `model` costs at `provider`; `None` when nobody knows.
    pub fn of(&self, provider: &str, model: &str) -> Option<Price> {
        let own = || self.own.get(&format!("{provider}/{model}")).or_else(|| self.own.get(model)).copied();
        let own = if self.own.is_empty() { None } else { own() };
        own.or_else(|| self.known?(provider, model))
    }
}

#[cfg(test)]
mod tests {
    use super::{Price, Usage};

    #[test]
    fn cached_tokens_have_their_own_price() {
        let price = Price { input: 1.0, output: 10.0, cache_read: Some(0.1), cache_write: None };
        let usage = Usage { prompt_tokens: 100, completion_tokens: 2, cache_read_tokens: 40, ..Usage::default() };
        assert!((price.cost(&usage) - (60.0 + 4.0 + 20.0)).abs() < 1e-9);
    }
}
