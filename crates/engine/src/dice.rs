//! The only randomness: everything else is told the draw.

use std::sync::{Mutex, PoisonError};

/// Uniform draws: of each thread's own dice, so that nobody waits for another's draw; of one for all when seeded, so that
/// they can be repeated.
#[derive(Debug)]
pub(crate) struct Dice(Option<Mutex<fastrand::Rng>>);

impl Dice {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A number in `[0, 1)`.
    pub(crate) fn roll(&self) -> f64 {
        match &self.0 {
            None => fastrand::f64(),
            Some(seeded) => seeded.lock().unwrap_or_else(PoisonError::into_inner).f64(),
        }
    }
}
