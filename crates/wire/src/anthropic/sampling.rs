//! Temperature and its like, as far as a model takes them.

use super::model::Model;
use super::thinking::Thinking;
use crate::chat::Chat;
use crate::losses::Losses;

/// Temperature and its like.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
}

impl Sampling {
    pub(super) fn of(chat: &Chat, model: Model, thinking: &Thinking, losses: &mut Losses) -> Self {
        let is_usual = |value: &f64| (value - 1.0).abs() < f64::EPSILON;
        if !model.takes_sampling() {
            for (path, value) in [("temperature", chat.temperature), ("top_p", chat.top_p)] {
                if value.is_some_and(|value| !is_usual(&value)) {
                    losses.note(path, "is not known to this model");
                }
            }
            if chat.top_k.is_some() {
                losses.note("top_k", "is not known to this model");
            }
            return Self::default();
        }
        let mut temperature = chat.temperature;
        if temperature.is_some_and(|temperature| temperature > 1.0) {
            losses.note("temperature", "is set to 1, the highest that Anthropic takes");
            temperature = Some(1.0);
        }
        let mut sampling = Self { temperature, top_p: chat.top_p, top_k: chat.top_k };
        if thinking.is_on() {
            sampling.make_room(losses);
        }
        if sampling.temperature.is_some() && sampling.top_p.is_some() && !model.takes_both_samplings() {
            if sampling.top_p.is_some_and(|top_p| !is_usual(&top_p)) {
                losses.note("top_p", "is left out: this model takes it or temperature");
            }
            sampling.top_p = None;
        }
        sampling
    }

    /// Leaves out what a thinking model does not take.
    fn make_room(&mut self, losses: &mut Losses) {
        const WHY: &str = "is left out: Anthropic does not take it of a model that thinks";
        if self.temperature.take().is_some_and(|temperature| temperature < 1.0) {
            losses.note("temperature", WHY);
        }
        if self.top_p.is_some_and(|top_p| top_p < 0.95) {
            self.top_p = None;
            losses.note("top_p", WHY);
        }
        if self.top_k.take().is_some() {
            losses.note("top_k", WHY);
        }
    }
}
