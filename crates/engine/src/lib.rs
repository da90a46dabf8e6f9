//! Runs an itinerary: the only loop that awaits state and providers.
//!
//! Read [`execute`] first: it walks the stops; [`attempt`] is one upstream call from view to
//! settlement; [`stream`] is what a client then reads. Clock and dice are made here and nowhere else.

mod admit;
pub mod answer;
mod attempt;
mod balance;
mod choice;
mod clock;
mod dice;
pub mod engine;
mod execute;
mod forecast;
mod journal;
mod members;
mod permit;
mod plan;
mod pool;
mod reading;
mod select;
mod stream;
mod tokens;
mod world;

pub use answer::{Answer, AnswerBody, AnswerHead, Failed};
pub use engine::Engine;
pub use forecast::{RankBy, Ranked};
pub use select::{Contest, Entrant, Placed};
pub use world::Parts;
