//! Runs an itinerary: the only loop that awaits state and providers.
//!
//! Read [`execute`] first: it walks the stops; [`attempt`] is one upstream call from view to
//! settlement; [`stream`] is what a client then reads. Clock and dice are made here and nowhere else.

pub mod answer;
pub mod engine;

pub use answer::{Answer, AnswerBody, AnswerHead, Failed};
pub use engine::{Engine, Parts};
