//! What sessions were given, as far as one process knows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use weighbridge_domain::time::Timestamp;

use crate::Claim;

/// The most sessions that are remembered.
const MOST: usize = 100_000;

/// What sessions were given, and until when they keep it.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Given>>);

#[derive(Debug)]
struct Given {
    what: String,
    until: Timestamp,
}

impl Sessions {
    /// Gives `claim` what it wants, unless its session has something else already; says what it has.
    pub(crate) fn claim(&self, claim: Claim<'_>, now: Timestamp) -> String {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(given) = sessions.get(claim.session)
            && now < given.until
            && claim.instead_of != Some(given.what.as_str())
        {
            return given.what.clone();
        }
        let given = Given { what: claim.wanted.to_owned(), until: now + claim.lasts };
        insert(&mut sessions, claim.session, given, now);
        claim.wanted.to_owned()
    }

    /// What `claim` has to say to others who do not remember what its session has: that it wants just that.
    pub(crate) fn reminded<'a>(&self, claim: Claim<'a>, given: &'a mut String, now: Timestamp) -> Claim<'a> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sessions.get(claim.session) {
            Some(known) if now < known.until && claim.instead_of != Some(known.what.as_str()) => {
                given.clone_from(&known.what);
                Claim { wanted: given, lasts: known.until.since(now), ..claim }
            }
            Some(_) | None => claim,
        }
    }

    /// Takes over what somebody else gave `session`, which keeps it `until` then.
    pub(crate) fn remember(&self, session: &str, what: String, until: Timestamp, now: Timestamp) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        insert(&mut sessions, session, Given { what, until }, now);
    }
}

fn insert(sessions: &mut HashMap<String, Given>, session: &str, given: Given, now: Timestamp) {
    if sessions.len() >= MOST && !sessions.contains_key(session) {
        make_room(sessions, now);
    }
    sessions.insert(session.to_owned(), given);
}

/// Forgets what is over, and of the rest the tenth that is over soonest.
fn make_room(sessions: &mut HashMap<String, Given>, now: Timestamp) {
    sessions.retain(|_, given| now < given.until);
    if sessions.len() < MOST {
        return;
    }
    let mut ends: Vec<_> = sessions.values().map(|given| given.until).collect();
    let (_, last, _) = ends.select_nth_unstable(MOST / 10);
    let last = *last;
    sessions.retain(|_, given| given.until > last);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weighbridge_domain::time::Timestamp;

    use super::{MOST, Sessions};
    use crate::Claim;

    fn claim(sessions: &Sessions, session: &str, wanted: &str, instead_of: Option<&str>, secs: u64) -> String {
        let claim = Claim { session, wanted, instead_of, lasts: Duration::from_secs(60) };
        sessions.claim(claim, Timestamp::from_millis(secs * 1000))
    }

    #[test]
    fn the_first_claim_counts_until_it_is_over_or_replaced() {
        let sessions = Sessions::default();
        assert_eq!(claim(&sessions, "s", "a", None, 100), "a");
        assert_eq!(claim(&sessions, "s", "b", None, 159), "a");
        assert_eq!(claim(&sessions, "t", "b", None, 159), "b");
        assert_eq!(claim(&sessions, "s", "b", None, 160), "b", "over");
        assert_eq!(claim(&sessions, "s", "a", Some("c"), 161), "b", "somebody was faster");
        assert_eq!(claim(&sessions, "s", "a", Some("b"), 161), "a");
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let sessions = Sessions::default();
        for i in 0..MOST as u64 + 10 {
            claim(&sessions, &i.to_string(), "a", None, 100 + i / 10_000);
        }
        assert!(sessions.0.lock().unwrap().len() <= MOST);
        assert_eq!(claim(&sessions, &(MOST + 9).to_string(), "b", None, 111), "a", "the last ones are kept");
    }
}
