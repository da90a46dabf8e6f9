//! The cases of which there may be more and more.

use super::configs::{ROOMY, by, group, groups};
use super::guarded::by_object;
use super::{Case, bodies, replies};

/// A quantity of which there may be more and more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    /// Its name in those of cases.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) title: &'static str,
    /// How much of it is tried.
    pub(crate) amounts: &'static [usize],
    /// Whether all of it is used in turn, and not only a part that is always the same.
    pub(crate) is_used_whole: bool,
}

/// All of them.
pub(crate) const GROWING: &[Growing] = &[
    part("deployments", "deployments in groups of 4, one group asked", &[10, 100, 1000, 10_000]),
    whole("spread", "the same, all groups asked in turn", &[10, 100, 1000, 10_000]),
    part("groups", "groups of one deployment", &[10, 100, 1000, 10_000]),
    whole("members", "deployments in the group that is asked, by least usage", SIZES),
    whole("members-by-shuffle", "the same, `simple-shuffle`", SIZES),
    whole("members-by-latency", "the same, `latency-based-routing`", SIZES),
    whole("members-by-busy", "the same, `least-busy`", SIZES),
    part("depth", "levels of a config object", &[1, 2, 4, 8]),
    part("body", "bytes of the body", &[300, 1000, 10_000, 100_000, 1_000_000]),
];

/// Sizes of groups.
const SIZES: &[usize] = &[4, 16, 64, 256];

const fn part(name: &'static str, title: &'static str, amounts: &'static [usize]) -> Growing {
    Growing { name, title, amounts, is_used_whole: false }
}

const fn whole(name: &'static str, title: &'static str, amounts: &'static [usize]) -> Growing {
    Growing { name, title, amounts, is_used_whole: true }
}

/// As many deployments as make a group.
const MEMBERS: usize = 4;

/// A chat with `amount` of `quantity`.
pub(super) fn case(quantity: &str, amount: usize) -> Option<Case> {
    let chat = |config, model: &str, bytes| Case::new(config, bodies::chat(model, bytes), replies::chat());
    let of = |count, members| groups(count, members, "openai/m", ROOMY);
    Some(match quantity {
        "deployments" => {
            let count = amount.div_ceil(MEMBERS);
            chat(of(count, MEMBERS), &group(count / 2), 300)
        }
        "spread" => {
            let count = amount.div_ceil(MEMBERS);
            let requests = (0..count).map(|number| bodies::chat(&group(number), 300)).collect();
            Case { requests, ..chat(of(count, MEMBERS), "", 300) }
        }
        "groups" => chat(of(amount, 1), &group(amount / 2), 300),
        "members" => chat(of(1, amount), &group(0), 300),
        "members-by-shuffle" => chat(by("simple-shuffle", &of(1, amount)), &group(0), 300),
        "members-by-latency" => chat(by("latency-based-routing", &of(1, amount)), &group(0), 300),
        "members-by-busy" => chat(by("least-busy", &of(1, amount)), &group(0), 300),
        "depth" => by_object(amount),
        "body" => chat(of(1, MEMBERS), &group(0), amount),
        _ => return None,
    })
}
