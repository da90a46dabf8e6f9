//! Decisions as pure functions: what a request's way is, who may be asked, in which order, whether
//! to try again and whether a deployment rests. No async, no clock, no dice: time and draws are arguments.

pub mod adaptive;
pub mod candidates;
pub mod condition;
pub mod cooldown;
pub mod estimate;
pub mod itinerary;
pub mod preferences;
pub mod retry;
pub mod score;
pub mod sessions;
pub mod strategy;
