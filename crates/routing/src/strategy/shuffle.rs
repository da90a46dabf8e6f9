//! At random by weight, else by rpm, else by tpm, else evenly: `LiteLLM`'s simple-shuffle.

use super::Usable;

/// The first of weight, rpm and tpm that anybody has weighs; who lacks it comes last, as a
/// substitute. An explicit weight of 0 is never asked.
pub(super) fn order(usable: &[Usable], draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..usable.len()).filter(|i| usable[*i].0.weight != Some(0.0)).collect();
    let weights = weights(usable, &left);
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total: f64 = left.iter().map(|i| weights[*i]).sum();
        let drawn = if total > 0.0 {
            pick(&left, &weights, draw() * total)
        } else {
            // Nobody left has a weight: evenly.
            pick(&left, &vec![1.0; usable.len()], draw() * f64::from(u32::try_from(left.len()).unwrap_or(u32::MAX)))
        };
        order.push(left.remove(drawn));
    }
    order
}

/// The place in `left` whose stretch of the summed weights holds `point`.
fn pick(left: &[usize], weights: &[f64], mut point: f64) -> usize {
    let mut last = 0;
    for (place, i) in left.iter().enumerate() {
        if weights[*i] <= 0.0 {
            continue;
        }
        last = place;
        point -= weights[*i];
        if point < 0.0 {
            break;
        }
    }
    last
}

fn weights(usable: &[Usable], left: &[usize]) -> Vec<f64> {
    let by = |get: &dyn Fn(&Usable) -> Option<f64>| -> Vec<f64> {
        usable.iter().map(|u| get(u).filter(|w| w.is_finite() && *w > 0.0).unwrap_or(0.0)).collect()
    };
    let candidates =
        [by(&|(d, _)| d.weight), by(&|(d, _)| d.limits.rpm.map(f64::from)), by(&|(d, _)| d.limits.tpm.map(f64::from))];
    let counts = |weights: &Vec<f64>| left.iter().any(|i| weights[*i] > 0.0);
    candidates.into_iter().find(counts).unwrap_or_else(|| vec![1.0; usable.len()])
}

#[cfg(test)]
mod tests {
    use super::super::Usable;
    use super::super::sample::{busy, deployment};
    use super::order;

    fn usable(weights: &[Option<f64>]) -> Vec<Usable> {
        let member = |(i, w): (usize, &Option<f64>)| (deployment(&i.to_string(), |d| d.weight = *w), busy(0, 0));
        weights.iter().enumerate().map(member).collect()
    }

    /// How many of 100 evenly spaced draws each member gets first.
    fn firsts(usable: &[Usable]) -> Vec<usize> {
        let mut counts = vec![0; usable.len()];
        for step in 0..100 {
            counts[order(usable, &mut || (f64::from(step) + 0.5) / 100.0)[0]] += 1;
        }
        counts
    }

    #[test]
    fn shares_follow_the_weights() {
        assert_eq!(firsts(&usable(&[Some(3.0), Some(1.0)])), [75, 25]);
        assert_eq!(firsts(&usable(&[None, None, None, None])), [25, 25, 25, 25]);
        assert_eq!(firsts(&usable(&[Some(10.0), Some(0.0)])), [100, 0]);
        assert_eq!(firsts(&usable(&[Some(10.0), None])), [100, 0], "who has no weight is a substitute");
        let by_rpm = [
            (deployment("a", |d| d.limits.rpm = Some(900)), busy(0, 0)),
            (deployment("b", |d| d.limits.rpm = Some(100)), busy(0, 0)),
        ];
        assert_eq!(firsts(&by_rpm), [90, 10]);
    }

    #[test]
    fn substitutes_come_last_and_zero_never() {
        assert_eq!(order(&usable(&[None, Some(1.0), Some(0.0)]), &mut || 0.0), [1, 0]);
        assert!(order(&usable(&[Some(0.0)]), &mut || 0.0).is_empty());
    }
}
