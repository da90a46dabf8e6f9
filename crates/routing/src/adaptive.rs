//! Weights that shift to whoever has been fast.

use weighbridge_domain::plan::Bounds;

/// What the weight of each share is multiplied with, from the time in ms that a reply of its deployments takes by
/// measurement: the median of all over its own, within `bounds`. Failures that take a deployment's time count as slow
/// replies. A share of which nothing is known keeps its weight.
pub fn factors(expected_ms: &[Option<f64>], bounds: Bounds) -> Vec<f64> {
    let mut known: Vec<f64> = expected_ms.iter().copied().flatten().collect();
    known.sort_unstable_by(f64::total_cmp);
    let Some(median) = known.get(known.len() / 2).copied() else { return vec![1.0; expected_ms.len()] };
    // The lower of two in the middle would make the other one the slow one, and the higher the fast one.
    let median = if known.len().is_multiple_of(2) { f64::midpoint(median, known[known.len() / 2 - 1]) } else { median };
    let factor = |ms: &Option<f64>| match *ms {
        Some(ms) if ms > 0.0 => (median / ms).clamp(bounds.least, bounds.most),
        _ => 1.0,
    };
    expected_ms.iter().map(factor).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge_domain::plan::Bounds;

    use super::factors;

    const BOUNDS: Bounds = Bounds { least: 0.5, most: 2.0 };

    #[test]
    fn the_fast_get_more_and_the_slow_less() {
        assert_eq!(factors(&[Some(100.0), Some(300.0)], BOUNDS), [2.0, 200.0 / 300.0]);
        assert_eq!(factors(&[Some(10.0), Some(100.0), Some(1000.0)], BOUNDS), [2.0, 1.0, 0.5]);
        assert_eq!(factors(&[Some(10.0), None], BOUNDS), [1.0, 1.0]);
        assert_eq!(factors(&[None, None], BOUNDS), [1.0, 1.0]);
        assert_eq!(factors(&[Some(0.0), Some(10.0)], BOUNDS)[0], 1.0, "nothing takes no time");
    }

    proptest! {
        #[test]
        fn bounds_hold(times in proptest::collection::vec(proptest::option::of(0.0..1e6), 0..6)) {
            let factors = factors(&times, BOUNDS);
            prop_assert_eq!(factors.len(), times.len());
            prop_assert!(factors.iter().all(|factor| (0.5..=2.0).contains(factor)));
        }
    }
}
