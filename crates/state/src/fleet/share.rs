//! What a replica may grant while the shared store is out of reach: its share of what was left.
//!
//! Two bounds hold at once. A replica's own grants of the last minute never exceed its part of the limit; and for
//! the first minute, what it grants anew does not exceed its part of what the fleet had left when it last
//! heard of it. If all replicas lose the store together, no more than the limit is granted in all.

use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::view::WindowUsage;

use super::protocol::{Granted, ReplicaId};

/// One replica among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    /// How many replicas share a limit; at least 1.
    pub(crate) replicas: u32,
    /// Which of them this one is, from 0; `None` when nobody has counted.
    pub(crate) rank: Option<u32>,
}

impl Seat {
    /// This replica's part of `amount`. What cannot be divided goes to the first by rank, so that the parts
    /// add up; without a rank every replica takes one rather than none.
    pub(crate) fn part(self, amount: u64) -> u64 {
        let replicas = u64::from(self.replicas.max(1));
        let whole = amount / replicas;
        match self.rank {
            Some(rank) => whole + u64::from(u64::from(rank) < amount % replicas),
            None => whole.max(amount.min(1)),
        }
    }

    fn part_of(self, limit: u32) -> u32 {
        u32::try_from(self.part(limit.into())).unwrap_or(u32::MAX)
    }

    /// This replica's part of `limits`.
    pub(crate) fn of(self, limits: &Limits) -> Limits {
        let part = |limit: Option<u32>| limit.map(|limit| self.part_of(limit));
        Limits {
            rpm: part(limits.rpm),
            tpm: part(limits.tpm),
            itpm: part(limits.itpm),
            otpm: part(limits.otpm),
            max_parallel_requests: part(limits.max_parallel_requests),
            ..*limits
        }
    }
}

/// Where a replica stands among `replicas` for one window: by a draw that is another one for each window and
/// the same on every replica.
pub(crate) fn rank(me: &ReplicaId, replicas: &[ReplicaId], window: &str) -> u32 {
    let mine = draw(me, window);
    let before = replicas.iter().filter(|other| *other != me && (draw(other, window), *other) < (mine, me)).count();
    u32::try_from(before).unwrap_or(u32::MAX)
}

/// FNV-1a over the window's and the replica's name, mixed (Fowler, Noll, Vo; finalizer of `MurmurHash3`).
fn draw(replica: &ReplicaId, window: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in window.bytes().chain([0]).chain(replica.0.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// What the fleet had used when this replica lost the store, and what it has granted since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SinceLoss {
    pub(crate) used: WindowUsage,
    pub(crate) spent: Granted,
}

/// The limits that hold for one more request of `tokens`, when this replica's own usage is `own`. `since` is given in
/// the first minute.
pub(crate) fn limits(
    limits: &Limits,
    seat: Seat,
    since: Option<SinceLoss>,
    own: WindowUsage,
    tokens: Tokens,
) -> Limits {
    let mut share = seat.of(limits);
    if let Some(SinceLoss { used, spent }) = since {
        let cap = |limit: Option<u32>, share: Option<u32>, used: u64, spent: u64, own: u64| {
            let left = seat.part(u64::from(limit?).saturating_sub(used)).saturating_sub(spent);
            Some(share?.min(u32::try_from(own + left).unwrap_or(u32::MAX)))
        };
        share.rpm = cap(limits.rpm, share.rpm, used.requests.into(), spent.requests, own.requests.into());
        share.tpm = cap(limits.tpm, share.tpm, used.tokens(), spent.input + spent.output, own.tokens());
        share.itpm = cap(limits.itpm, share.itpm, used.input, spent.input, own.input);
        share.otpm = cap(limits.otpm, share.otpm, used.output, spent.output, own.output);
    }
    // What is larger than a share would pass on an empty window; every replica would let one through.
    let is_above = |amount: u64, limit: Option<u32>| limit.is_some_and(|limit| amount > u64::from(limit));
    if seat.replicas > 1
        && (is_above(tokens.total(), share.tpm)
            || is_above(tokens.input.into(), share.itpm)
            || is_above(tokens.output.into(), share.otpm))
    {
        return closed(limits);
    }
    share
}

/// Limits that let nothing through.
pub(crate) fn closed(limits: &Limits) -> Limits {
    Limits { rpm: Some(0), ..*limits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge_domain::limits::{Limits, Tokens};
    use weighbridge_domain::view::WindowUsage;

    use super::{Granted, ReplicaId, Seat, SinceLoss, limits, rank};

    fn replicas(count: u32) -> Vec<ReplicaId> {
        (0..count).map(|i| ReplicaId(format!("replica-{i}"))).collect()
    }

    #[test]
    fn nobody_has_counted() {
        let seat = Seat { replicas: 20, rank: None };
        assert_eq!([0, 1, 19, 40, 300].map(|limit| seat.part(limit)), [0, 1, 1, 2, 15]);
    }

    #[test]
    fn what_is_above_a_share_is_served_by_nobody() {
        let tpm = Limits { tpm: Some(900), ..Limits::default() };
        let seat = |replicas| Seat { replicas, rank: Some(0) };
        let big = Tokens { input: 400, output: 0 };
        assert_eq!(limits(&tpm, seat(3), None, WindowUsage::default(), big).rpm, Some(0));
        assert_eq!(limits(&tpm, seat(1), None, WindowUsage::default(), big).rpm, None);
    }

    proptest! {
        /// The parts of all replicas are the whole, for each window.
        #[test]
        fn parts_add_up(count in 1_u32..30, amount in 0_u64..1000, window in "[a-z]{1,8}") {
            let all = replicas(count);
            let parts: u64 = all
                .iter()
                .map(|me| Seat { replicas: count, rank: Some(rank(me, &all, &window)) }.part(amount))
                .sum();
            prop_assert_eq!(parts, amount);
        }

        /// Replicas that lose the store together grant no more than was left, whatever each had granted before.
        #[test]
        fn no_more_than_was_left(
            before in proptest::collection::vec(0_u32..20, 1..8),
            rpm in 1_u32..120,
            demand in 0_u32..200,
        ) {
            let all = replicas(u32::try_from(before.len()).unwrap());
            let total: u32 = before.iter().sum();
            let used = WindowUsage { requests: total, ..WindowUsage::default() };
            let limit = Limits { rpm: Some(rpm), ..Limits::default() };
            let mut granted = total;
            for (me, own) in all.iter().zip(before) {
                let seat = Seat { replicas: u32::try_from(all.len()).unwrap(), rank: Some(rank(me, &all, "w")) };
                let mut spent = Granted::default();
                let mut own = WindowUsage { requests: own, ..WindowUsage::default() };
                for _ in 0..demand {
                    let since = Some(SinceLoss { used, spent });
                    if own.requests < limits(&limit, seat, since, own, Tokens::default()).rpm.unwrap() {
                        own.requests += 1;
                        spent.requests += 1;
                        granted += 1;
                    }
                }
            }
            prop_assert!(granted <= rpm.max(total), "{granted} of {rpm}, {total} before");
        }
    }
}
