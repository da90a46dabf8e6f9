//! Which of a client's headers a plan has a use for.

use std::collections::BTreeSet;

use weighbridge_domain::plan::{Draw, FactKey, Plan};

/// The names, in lower case, of headers that sessions of `plan` look at or that its stops send on.
pub(super) fn wanted(plan: &Plan) -> Vec<String> {
    let mut names = BTreeSet::new();
    gather(plan, &mut names);
    names.into_iter().map(str::to_owned).collect()
}

fn gather<'p>(plan: &'p Plan, names: &mut BTreeSet<&'p str>) {
    match plan {
        Plan::Group { options, .. }
        | Plan::Target { options, .. }
        | Plan::Brought { options, .. }
        | Plan::Asked { options } => names.extend(options.forward_headers.iter().map(String::as_str)),
        Plan::Fallback { children, .. } | Plan::Conditional { children, .. } => {
            children.iter().for_each(|child| gather(child, names));
        }
        Plan::LoadBalance(balance) => {
            if let Draw::Sticky(sticky) = &balance.draw {
                names.extend(sticky.fields.iter().filter_map(|field| match field {
                    FactKey::Header(name) => Some(name.as_str()),
                    FactKey::Metadata(_) | FactKey::Param(_) | FactKey::Path => None,
                }));
            }
            balance.shares.iter().for_each(|share| gather(&share.plan, names));
        }
    }
}
