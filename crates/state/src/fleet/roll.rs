//! Who is in the fleet, as far as the store has said.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use weighbridge_domain::limits::Limits;
use weighbridge_domain::name::QuotaName;

use super::protocol::ReplicaId;
use super::share::{self, Seat};

/// The replicas of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// `None` while the store was never asked.
    replicas: RwLock<Option<Vec<ReplicaId>>>,
    /// How many of them give signs of life.
    heard: AtomicU32,
    /// How many are silent without having left.
    vanished: AtomicU32,
}

impl Roll {
    /// How many are known by name; `None` while nobody is.
    pub(crate) fn names(&self) -> Option<u32> {
        let replicas = self.replicas.read().unwrap_or_else(PoisonError::into_inner);
        replicas.as_ref().map(|replicas| u32::try_from(replicas.len()).unwrap_or(u32::MAX))
    }

    /// Takes over who there is.
    pub(crate) fn set(&self, replicas: Vec<ReplicaId>) {
        *self.replicas.write().unwrap_or_else(PoisonError::into_inner) = Some(replicas);
    }

    /// Takes over how many give signs of life, and how many have vanished.
    pub(crate) fn set_counts(&self, heard: u32, vanished: u32) {
        self.heard.store(heard, Ordering::Relaxed);
        self.vanished.store(vanished, Ordering::Relaxed);
    }

    /// How many replicas give signs of life, this one included.
    pub(crate) fn count(&self) -> u32 {
        self.heard.load(Ordering::Relaxed).max(1)
    }

    /// Where `me` stands for one window; among `most` when nobody has been counted.
    pub(crate) fn seat(&self, me: &ReplicaId, window: &QuotaName, most: u32) -> Seat {
        match &*self.replicas.read().unwrap_or_else(PoisonError::into_inner) {
            None => Seat { replicas: most, rank: None },
            Some(replicas) => {
                let count = u32::try_from(replicas.len()).unwrap_or(u32::MAX).max(1);
                Seat { replicas: count, rank: Some(share::rank(me, replicas, window.as_str())) }
            }
        }
    }

    /// `limits` less the shares of those that vanished.
    pub(crate) fn withhold(&self, limits: &Limits) -> Limits {
        let (there, vanished) = (u64::from(self.count()), u64::from(self.vanished.load(Ordering::Relaxed)));
        let part = |limit: Option<u32>| {
            limit.map(|limit| u32::try_from(u64::from(limit) * there / (there + vanished)).unwrap_or(u32::MAX))
        };
        Limits {
            rpm: part(limits.rpm),
            tpm: part(limits.tpm),
            itpm: part(limits.itpm),
            otpm: part(limits.otpm),
            ..*limits
        }
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::limits::Limits;

    use super::Roll;

    #[test]
    fn the_share_of_those_that_vanished_is_left_alone() {
        let roll = Roll::default();
        roll.set_counts(2, 0);
        let limits = Limits { rpm: Some(90), tpm: None, max_parallel_requests: Some(9), ..Limits::default() };
        assert_eq!(roll.withhold(&limits), limits);
        roll.set_counts(2, 1);
        assert_eq!(roll.withhold(&limits), Limits { rpm: Some(60), ..limits });
    }
}
