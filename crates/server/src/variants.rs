//! `model:nitro` and `model:floor`: a model with an order of its deployments.

use weighbridge_domain::preferences::SortBy;
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;

const VARIANTS: [(&str, SortBy); 2] = [(":nitro", SortBy::Throughput), (":floor", SortBy::Price)];

/// Takes the variant off the names of `request`'s models where no model is configured under the whole of them. The first
/// that is found orders the deployments, unless `provider.sort` does.
pub(crate) fn apply(request: &mut Request, table: &RoutingTable) {
    let mut sort = shorten(&mut request.model, table);
    if let Some(choice) = &mut request.controls.models {
        for terms in choice.asked.iter_mut().chain(&mut choice.models).chain(&mut choice.default) {
            let found = shorten(&mut terms.model, table);
            sort = sort.or(found);
        }
    }
    if sort.is_some() {
        let wants = request.controls.preferences.get_or_insert_default();
        wants.sort = wants.sort.or(sort);
    }
}

fn shorten(model: &mut String, table: &RoutingTable) -> Option<SortBy> {
    let (base, sort) = VARIANTS.iter().find_map(|(suffix, sort)| Some((model.strip_suffix(suffix)?, *sort)))?;
    let is_variant = !table.is_named(model) && (table.is_named(base) || table.find(model).is_none());
    if !is_variant || table.find(base).is_none() {
        return None;
    }
    *model = base.to_owned();
    Some(sort)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weighbridge_domain::plan::Plan;
    use weighbridge_domain::preferences::SortBy;
    use weighbridge_domain::table::{Entry, Pattern};

    use super::shorten;
    use crate::testkit;

    #[test]
    fn only_what_is_not_configured_in_full_is_a_variant() {
        let mut table = testkit::table();
        let entry = || Entry { plan: Arc::new(Plan::group("gpt-4o".into())), group: Some("gpt-4o".into()) };
        table.add_entry("own:floor", entry());
        table.add_entry("own", entry());
        table.add_pattern(Pattern::new("openrouter/*"), entry());
        let check = |model: &str| {
            let mut model = model.to_owned();
            let sort = shorten(&mut model, &table);
            (model, sort)
        };
        assert_eq!(check("gpt-4o:nitro"), ("gpt-4o".to_owned(), Some(SortBy::Throughput)));
        assert_eq!(check("gpt-4o:floor"), ("gpt-4o".to_owned(), Some(SortBy::Price)));
        for other in ["gpt-4o", "own:floor", "nobody:nitro", "gpt-4o:free", "openrouter/m:nitro"] {
            assert_eq!(check(other), (other.to_owned(), None));
        }
    }
}
