//! What clients report of the models that were chosen for them: opinions and speeds. Each replica goes by what was
//! reported to it; sessions are the fleet's, so that any of them takes a report.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use weighbridge_domain::time::Timestamp;
use weighbridge_routing::score::Repute;

/// How long a session may be reported on.
pub(crate) const LASTS: Duration = Duration::from_secs(24 * 3600);
/// The most sessions that are remembered.
const SESSIONS_MAX: usize = 100_000;
/// The most models that something is known of.
const MODELS_MAX: usize = 10_000;
/// Opinions of a model beyond which older ones count half.
const OPINIONS_MAX: f64 = 200.0;
/// What an older speed weighs against a new one.
const KEEP: f64 = 0.7;

/// Sessions that may be reported on, and what was reported. Of what is too much the oldest is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    sessions: HashMap<String, Session>,
    /// Their ids in the order in which they end.
    ends: VecDeque<(Timestamp, String)>,
    models: HashMap<String, Repute>,
}

/// A choice that was made.
#[derive(Debug)]
struct Session {
    until: Timestamp,
    /// The models that were ranked, and what was said of each.
    models: Vec<(String, Option<bool>)>,
}

/// Why a report is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// No session of that id is known.
    NoSession,
    /// The session was about other models.
    NoModel,
}

impl Reports {
    /// Remembers that `models` were ranked in the session `id`.
    pub(crate) fn open(&self, id: &str, models: Vec<String>, now: Timestamp) {
        let mut books = self.lock();
        while books.ends.front().is_some_and(|(until, _)| *until <= now || books.sessions.len() >= SESSIONS_MAX) {
            if let Some((_, old)) = books.ends.pop_front() {
                books.sessions.remove(&old);
            }
        }
        let until = now + LASTS;
        books.ends.push_back((until, id.to_owned()));
        let models = models.into_iter().map(|model| (model, None)).collect();
        books.sessions.insert(id.to_owned(), Session { until, models });
    }

    /// Whether the session `id` was opened here.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.lock().sessions.contains_key(id)
    }

    /// Takes an opinion of `model`; another one of the same session takes its place.
    ///
    /// # Errors
    /// When the session was not about it.
    pub(crate) fn opinion(&self, id: &str, model: &str, is_good: bool, now: Timestamp) -> Result<(), NotTaken> {
        let mut books = self.lock();
        let before = books.said(id, model, now)?.replace(is_good);
        if let Some(repute) = books.repute(model) {
            match before {
                Some(true) => repute.good = (repute.good - 1.0).max(0.0),
                Some(false) => repute.bad = (repute.bad - 1.0).max(0.0),
                None => {}
            }
            *(if is_good { &mut repute.good } else { &mut repute.bad }) += 1.0;
            if repute.good + repute.bad > OPINIONS_MAX {
                repute.good /= 2.0;
                repute.bad /= 2.0;
            }
        }
        Ok(())
    }

    /// Takes a speed of `model`, in completion tokens per second.
    ///
    /// # Errors
    /// When the session was not about it.
    pub(crate) fn speed(&self, id: &str, model: &str, speed: f64, now: Timestamp) -> Result<(), NotTaken> {
        let mut books = self.lock();
        books.said(id, model, now)?;
        if let Some(repute) = books.repute(model) {
            let mixed = |known: f64| known * KEEP + speed * (1.0 - KEEP);
            repute.tokens_per_second = Some(repute.tokens_per_second.map_or(speed, mixed));
        }
        Ok(())
    }

    /// What was reported of `model`.
    pub(crate) fn of(&self, model: &str) -> Repute {
        self.lock().models.get(model).copied().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn said(&mut self, id: &str, model: &str, now: Timestamp) -> Result<&mut Option<bool>, NotTaken> {
        let session = self.sessions.get_mut(id).filter(|session| now < session.until).ok_or(NotTaken::NoSession)?;
        let said = session.models.iter_mut().find(|(known, _)| known == model);
        said.map(|(_, said)| said).ok_or(NotTaken::NoModel)
    }

    fn repute(&mut self, model: &str) -> Option<&mut Repute> {
        if self.models.len() >= MODELS_MAX && !self.models.contains_key(model) {
            return None;
        }
        Some(self.models.entry(model.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::time::Timestamp;

    use super::{NotTaken, Reports};

    #[test]
    fn reports_are_of_sessions_and_their_models() {
        let reports = Reports::default();
        let now = Timestamp::from_millis(0);
        reports.open("s", vec!["a".to_owned()], now);
        assert_eq!(reports.opinion("t", "a", true, now), Err(NotTaken::NoSession));
        assert_eq!(reports.opinion("s", "b", true, now), Err(NotTaken::NoModel));
        reports.opinion("s", "a", true, now).unwrap();
        reports.opinion("s", "a", false, now).unwrap();
        assert_eq!((reports.of("a").good, reports.of("a").bad), (0.0, 1.0), "the last word of a session counts");
        reports.speed("s", "a", 100.0, now).unwrap();
        reports.speed("s", "a", 50.0, now).unwrap();
        assert_eq!(reports.of("a").tokens_per_second, Some(85.0));
        assert_eq!(reports.of("b"), weighbridge_routing::score::Repute::default());
    }

    #[test]
    fn sessions_end_after_a_day_and_many_opinions_do_not_count_forever() {
        let reports = Reports::default();
        let day = 24 * 3600 * 1000;
        for i in 0..201 {
            let id = i.to_string();
            reports.open(&id, vec!["a".to_owned()], Timestamp::from_millis(i));
            reports.opinion(&id, "a", true, Timestamp::from_millis(i)).unwrap();
        }
        assert_eq!(reports.of("a").good, 100.5);
        assert_eq!(reports.speed("0", "a", 1.0, Timestamp::from_millis(day)), Err(NotTaken::NoSession));
        reports.open("new", Vec::new(), Timestamp::from_millis(day + 150));
        assert_eq!(reports.0.lock().unwrap().sessions.len(), 51, "those that have ended are gone");
    }
}
