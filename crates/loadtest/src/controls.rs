//! Limiters with known holes, on the same Redis and before the same judge: each must be seen to
//! exceed its limit, or the judge is blind.

mod flushing;
mod links;
mod racing;

pub use flushing::Flushing;
pub use racing::Racing;
