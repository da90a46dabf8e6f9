//! The cases of which there may be more and more.

use super::configs::{ROOMY, group, groups};
use super::guarded::by_object;
use super::{Case, bodies, replies};

/// As many deployments as make a group.
const MEMBERS: usize = 4;

/// A chat with `amount` of `quantity`.
pub(super) fn case(quantity: &str, amount: usize) -> Option<Case> {
    let chat = |config, model: &str, bytes| Case::new(config, bodies::chat(model, bytes), replies::chat());
    let of = |count, members| groups(count, members, "openai/m", ROOMY);
    Some(match quantity {
        // Deployments in the file, of which one group is asked.
        "deployments" => {
            let count = amount.div_ceil(MEMBERS);
            chat(of(count, MEMBERS), &group(count / 2), 300)
        }
        // The same, all groups asked in turn.
        "spread" => {
            let count = amount.div_ceil(MEMBERS);
            let requests = (0..count).map(|number| bodies::chat(&group(number), 300)).collect();
            Case { requests, ..chat(of(count, MEMBERS), "", 300) }
        }
        // Groups of one deployment.
        "groups" => chat(of(amount, 1), &group(amount / 2), 300),
        // Deployments in the group that is asked.
        "members" => chat(of(1, amount), &group(0), 300),
        // Levels of a config object.
        "depth" => by_object(amount),
        // Bytes of the body.
        "body" => chat(of(1, MEMBERS), &group(0), amount),
        _ => return None,
    })
}
