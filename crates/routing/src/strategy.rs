//! In which order the usable deployments of a group are asked. Each strategy is a function of
//! what is known, a draw and a turn, and yields places in `usable`, the best first.

mod cost;
mod latency;
mod least_busy;
mod least_usage;
mod round_robin;
mod shuffle;

#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::group::{ModelGroup, Strategy};
use weighbridge_domain::view::DeploymentView;

/// A deployment and what is known of it.
pub type Usable = (Arc<Deployment>, DeploymentView);

/// The places of `usable` in the order in which they are asked. `draw` yields uniform samples
/// from `[0, 1)`; `turn` is a number from the group's counter of turns, where [`takes_turns`] says so.
pub fn order(group: &ModelGroup, usable: &[Usable], draw: &mut dyn FnMut() -> f64, turn: u64) -> Vec<usize> {
    match usable.len() {
        0 => return Vec::new(),
        // Nothing to choose; turns and weights still count where they may say no.
        1 if !matches!(group.strategy, Strategy::SimpleShuffle | Strategy::RoundRobin) => return vec![0],
        _ => {}
    }
    match group.strategy {
        Strategy::LeastUsage => least_usage::order(usable, draw),
        Strategy::SimpleShuffle => shuffle::order(usable, draw),
        Strategy::LeastBusy => least_busy::order(usable, draw),
        Strategy::Latency { buffer } => latency::order(usable, buffer, draw),
        Strategy::Cost => cost::order(usable, draw),
        Strategy::RoundRobin => round_robin::order(group, usable, turn),
    }
}

/// Whether a group's deployments are asked in turn.
pub const fn takes_turns(group: &ModelGroup) -> bool {
    matches!(group.strategy, Strategy::RoundRobin)
}

/// Places sorted by `key`, equal ones in random order.
fn sorted_by<K: PartialOrd>(
    usable: &[Usable],
    draw: &mut dyn FnMut() -> f64,
    key: impl Fn(&Usable) -> K,
) -> Vec<usize> {
    let mut keyed: Vec<(K, f64, usize)> = usable.iter().enumerate().map(|(i, u)| (key(u), draw(), i)).collect();
    keyed.sort_by(|a, b| {
        let by_key = a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal);
        by_key.then(a.1.total_cmp(&b.1))
    });
    keyed.into_iter().map(|(_, _, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge_domain::group::Strategy as Pick;

    use super::order;
    use super::sample::{busy, deployment, group};

    proptest! {
        /// Every strategy asks each usable deployment at most once, and leaves out none but those of weight 0.
        #[test]
        fn an_order_holds_everybody_once(
            members in proptest::collection::vec((0_u32..3, 0_u32..5, 0_u64..3000), 1..9),
            seed in 0_u64..1000,
        ) {
            let deployments: Vec<_> = members.iter().enumerate().map(|(i, (weight, _, _))| {
                deployment(&i.to_string(), |d| d.weight = Some(f64::from(*weight)))
            }).collect();
            let usable: Vec<_> = deployments.iter().cloned().zip(members.iter().map(|(_, n, t)| busy(*n, *t))).collect();
            let mut group = group(deployments);
            let latency = Pick::Latency { buffer: 0.0 };
            for strategy in [Pick::LeastUsage, Pick::SimpleShuffle, Pick::LeastBusy, latency, Pick::Cost, Pick::RoundRobin] {
                group.strategy = strategy;
                let mut state = seed;
                let mut draw = || { state = state.wrapping_mul(6364136223846793005).wrapping_add(1); (state >> 11) as f64 / (1_u64 << 53) as f64 };
                let mut order = order(&group, &usable, &mut draw, seed);
                order.sort_unstable();
                let weighted = matches!(strategy, Pick::SimpleShuffle | Pick::RoundRobin);
                let expected: Vec<usize> =
                    (0..members.len()).filter(|i| !weighted || members[*i].0 > 0).collect();
                prop_assert_eq!(order, expected, "{:?}", strategy);
            }
        }
    }
}
