//! In turn, exactly by weight.

use weighbridge_domain::group::ModelGroup;

use super::Usable;

/// Whose turn it is at `ticket`, then the others as they come up. Weight 0 has no turn.
pub(super) fn order(group: &ModelGroup, usable: &[Usable], ticket: u64) -> Vec<usize> {
    let place = |member: usize| {
        let id = &group.deployments.get(member)?.id;
        usable.iter().position(|(deployment, _)| deployment.id == *id)
    };
    group.rotation.order_from(ticket).into_iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{busy, deployment, group};
    use super::order;

    #[test]
    fn turns_pass_over_who_is_out() {
        let all: Vec<_> = ["a", "b", "c"].into_iter().map(|id| deployment(id, |_| {})).collect();
        let group = group(all.clone());
        let usable = [(all[0].clone(), busy(0, 0)), (all[2].clone(), busy(0, 0))];
        assert_eq!(order(&group, &usable, 0), [0, 1]);
        assert_eq!(order(&group, &usable, 1), [1, 0], "b's turn goes to c");
        let even: Vec<_> = (0..300)
            .map(|t| {
                order(
                    &group,
                    &[(all[0].clone(), busy(0, 0)), (all[1].clone(), busy(0, 0)), (all[2].clone(), busy(0, 0))],
                    t,
                )[0]
            })
            .collect();
        assert_eq!((0..3).map(|i| even.iter().filter(|x| **x == i).count()).collect::<Vec<_>>(), [100, 100, 100]);
    }
}
