//! Medians, spreads and percentiles.

use std::time::Duration;

/// What several rounds came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// The one in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The most.
    pub(crate) max: f64,
}

impl Summary {
    /// Of values in any order; nothing of none.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, min, max })
    }
}

/// The value that so many of a thousand do not exceed; zero of none.
pub(crate) fn permille(values: &mut [Duration], share: usize) -> Duration {
    values.sort_unstable();
    let place = (values.len() * share).div_ceil(1000).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Summary, permille};

    #[test]
    fn medians() {
        let check = |values: &[f64], expected: Option<(f64, f64, f64)>| {
            let expected = expected.map(|(median, min, max)| Summary { median, min, max });
            assert_eq!(Summary::of(values.to_vec()), expected, "{values:?}");
        };
        check(&[], None);
        check(&[2.0], Some((2.0, 2.0, 2.0)));
        check(&[3.0, 1.0], Some((2.0, 1.0, 3.0)));
        check(&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0)));
    }

    #[test]
    fn percentiles() {
        let check = |count: u64, share, expected| {
            let mut values: Vec<Duration> = (1..=count).rev().map(Duration::from_millis).collect();
            assert_eq!(permille(&mut values, share), Duration::from_millis(expected), "{share} of {count}");
        };
        check(100, 500, 50);
        check(100, 990, 99);
        check(100, 999, 100);
        check(1000, 999, 999);
        check(1, 500, 1);
        check(0, 500, 0);
    }
}
