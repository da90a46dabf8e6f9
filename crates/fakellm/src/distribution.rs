//! How long something takes: always the same, evenly spread, or with a long tail.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The standard normal quantile at 99 %.
const Z99: f64 = 2.326_347_874_040_841;

/// A duration to draw. In a script: `50`, `{min: 20, max: 80}` or `{median_ms: 50, p99_ms: 400}`,
/// in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same, in milliseconds.
    Fixed(f64),
    /// Evenly between two bounds, in milliseconds.
    Uniform {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// Lognormal: half below the median, one in a hundred above the p99; in milliseconds.
    Lognormal {
        /// The median.
        median_ms: f64,
        /// The 99th percentile.
        p99_ms: f64,
    },
}

impl Distribution {
    /// No time at all.
    pub const ZERO: Self = Self::Fixed(0.0);

    /// One draw.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        let ms = match *self {
            Self::Fixed(ms) => ms,
            Self::Uniform { min, max } => min + (max - min) * rng.f64(),
            Self::Lognormal { median_ms, p99_ms } => median_ms * (normal(rng) * (p99_ms / median_ms).ln() / Z99).exp(),
        };
        Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::ZERO
    }
}

/// A standard normal number (Box-Muller).
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spread {
    min: Option<f64>,
    max: Option<f64>,
    median_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl TryFrom<Spread> for Distribution {
    type Error = &'static str;

    fn try_from(spread: Spread) -> Result<Self, Self::Error> {
        match (spread.min, spread.max, spread.median_ms, spread.p99_ms) {
            (Some(min), Some(max), None, None) if 0.0 <= min && min <= max => Ok(Self::Uniform { min, max }),
            (None, None, Some(median_ms), Some(p99_ms)) if 0.0 < median_ms && median_ms <= p99_ms => {
                Ok(Self::Lognormal { median_ms, p99_ms })
            }
            _ => Err("expected {min, max} or {median_ms, p99_ms}, the smaller one first"),
        }
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Milliseconds;

        impl<'de> Visitor<'de> for Milliseconds {
            type Value = Distribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds, {min, max} or {median_ms, p99_ms}")
            }

            fn visit_f64<E: Error>(self, ms: f64) -> Result<Distribution, E> {
                if ms >= 0.0 { Ok(Distribution::Fixed(ms)) } else { Err(E::custom("a duration is not negative")) }
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<Distribution, E> {
                u32::try_from(ms).map(|ms| Distribution::Fixed(ms.into())).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Distribution, E> {
                Err(E::custom("a duration is not negative"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                Spread::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::Distribution;

    /// The share of 10 000 draws that are at most `ms`, in percent.
    fn percent_up_to(distribution: Distribution, ms: u128) -> usize {
        let mut rng = Rng::with_seed(1);
        (0..10_000).filter(|_| distribution.draw(&mut rng).as_micros() <= ms * 1000).count() / 100
    }

    #[test]
    fn draws_lie_where_they_should() {
        let uniform = Distribution::Uniform { min: 20.0, max: 80.0 };
        let tail = Distribution::Lognormal { median_ms: 50.0, p99_ms: 400.0 };
        assert_eq!(percent_up_to(Distribution::Fixed(5.0), 5), 100);
        assert_eq!(percent_up_to(Distribution::Fixed(5.0), 4), 0);
        assert_eq!((percent_up_to(uniform, 19), percent_up_to(uniform, 80)), (0, 100));
        assert!((49..=51).contains(&percent_up_to(uniform, 50)));
        assert!((49..=51).contains(&percent_up_to(tail, 50)));
        assert!((98..=99).contains(&percent_up_to(tail, 400)));
    }
}
