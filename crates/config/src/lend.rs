//! Groups for names that only a wildcard matches, where fallbacks speak of them.

use weighbridge_domain::deployment::ModelTemplate;
use weighbridge_domain::table::Pattern;

use crate::deployment::Compiled;
use crate::fallbacks::{List, Lists};
use crate::groups::Draft;

/// Adds a group for every name in `lists` that a wildcard group serves: the same deployments, with
/// the model's name filled in, and the same limits and cooldowns.
pub(crate) fn add_groups(drafts: &mut Vec<Draft>, lists: &Lists<'_>, aliases: &[String]) {
    let all = [&lists.general, &lists.context_window, &lists.content_policy];
    for name in all.into_iter().flatten().flat_map(names) {
        let is_known = drafts.iter().any(|draft| {
            draft.name == name
                || draft.members.iter().any(|member| member.deployment.id.as_str() == name || member.written == name)
        });
        if !is_known && name != "*" && !aliases.iter().any(|alias| alias == name) {
            drafts.extend(borrowed(drafts, name));
        }
    }
}

fn names<'l>(list: &'l List<'_>) -> impl Iterator<Item = &'l str> {
    std::iter::once(list.source.as_str()).chain(list.targets.iter().map(|target| target.name.as_str()))
}

/// The group `name` out of the wildcard group that matches it best.
fn borrowed(drafts: &[Draft], name: &str) -> Option<Draft> {
    let matching = drafts.iter().filter(|draft| !draft.is_named());
    let matching = matching.filter_map(|draft| Some((draft, Pattern::new(&draft.name).captures(name)?)));
    let (lender, captures) = matching.max_by_key(|(draft, _)| draft.name.len())?;
    let can_serve = |member: &&Compiled| member.left_out.is_none() && !member.blocked;
    let borrow = |member: &Compiled| {
        let mut member = member.clone();
        member.deployment.model = ModelTemplate::new(member.deployment.model.fill(&captures, name));
        member.discoverable = false;
        member
    };
    let members = lender.members.iter().filter(can_serve).map(borrow).collect();
    Some(Draft { name: name.to_owned(), members, lent_by: Some(lender.name.clone()) })
}
