//! `prices`: what models cost that the built-in table does not know, or knows otherwise.

use std::collections::HashMap;

use weighbridge_domain::usage::Price;

use crate::reader::{Field, Section};

/// What the file says of models' prices and windows.
#[derive(Debug, Default)]
pub(crate) struct Prices(HashMap<String, Row>);

/// What the file says of one model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row {
    pub(crate) price: Option<Price>,
    pub(crate) max_input_tokens: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
}

impl Prices {
    /// The section `prices` of `top`.
    pub(crate) fn read(top: &Section<'_>) -> Self {
        let mut rows = HashMap::new();
        for (model, field) in top.section("prices").fields() {
            let Some(section) = field.section() else { continue };
            section.only(&[
                "input_cost_per_token",
                "output_cost_per_token",
                "cache_read_input_token_cost",
                "cache_creation_input_token_cost",
                "max_input_tokens",
                "max_output_tokens",
            ]);
            let count = |key: &str| section.get(key).and_then(|field| field.count());
            let row = Row {
                price: price(|key| section.get(key)),
                max_input_tokens: count("max_input_tokens"),
                max_output_tokens: count("max_output_tokens"),
            };
            rows.insert(model.to_owned(), row);
        }
        Self(rows)
    }

    /// What the file says models cost, by their names there.
    pub(crate) fn by_name(&self) -> HashMap<String, Price> {
        self.0.iter().filter_map(|(name, row)| Some((name.clone(), row.price?))).collect()
    }

    /// What the file says of a model under the first of `names` that it has.
    pub(crate) fn find(&self, names: &[&str]) -> Row {
        names.iter().find_map(|name| self.0.get(*name)).copied().unwrap_or_default()
    }
}

/// The price in the settings that `get` finds; `None` when there is none.
pub(crate) fn price<'a>(get: impl Fn(&str) -> Option<Field<'a>>) -> Option<Price> {
    let usd = |key: &str| get(key).and_then(|field| field.number());
    let (input, output) = (usd("input_cost_per_token"), usd("output_cost_per_token"));
    (input.is_some() || output.is_some()).then(|| Price {
        input: input.unwrap_or_default(),
        output: output.unwrap_or_default(),
        cache_read: usd("cache_read_input_token_cost"),
        cache_write: usd("cache_creation_input_token_cost"),
    })
}
