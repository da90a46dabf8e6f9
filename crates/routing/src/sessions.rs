//! Which share of a balance falls to a session or to chance.

use weighbridge_domain::plan::Balance;

/// The place of the share of `balance` that `session` is given when it has none: of those that are `open`, the one that
/// ranks highest for it. Every replica ranks alike, and a share that closes moves its own sessions only.
///
/// Weighted rendezvous hashing: each share scores `-weight / ln(u)`, where `u` in `(0, 1)` is a hash of the session and
/// the share's mark (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
pub fn preferred(balance: &Balance, open: &[bool], session: &str) -> usize {
    let score = |place: usize| {
        let share = &balance.shares[place];
        -share.weight / uniform(session, &share.mark).ln()
    };
    let open = (0..balance.shares.len()).filter(|place| open[*place]);
    open.max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap_or_default()
}

/// The place of the one of `weights` that `sample`, a uniform draw from `[0, 1)`, falls on, of those that are `open`.
pub fn drawn(weights: &[f64], open: &[bool], sample: f64) -> usize {
    let open = || weights.iter().zip(open).enumerate().filter(|(_, (_, open))| **open);
    let mut at = sample * open().map(|(_, (weight, _))| weight).sum::<f64>();
    let found = open().find(|(_, (weight, _))| {
        at -= **weight;
        at < 0.0
    });
    // Sums are rounded: what is drawn beyond the last is the last.
    found.or_else(|| open().next_back()).map_or(0, |(place, _)| place)
}

/// FNV-1a over both texts, mixed by the finaliser of `SplitMix64`, as a number in `(0, 1)`.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn uniform(session: &str, mark: &str) -> f64 {
    let bytes = session.bytes().chain([0]).chain(mark.bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::name::GroupName;
    use weighbridge_domain::plan::{Balance, Draw, Plan, Share};

    use super::{drawn, preferred};

    fn balance(weights: &[f64]) -> Balance {
        let share = |(place, weight): (usize, &f64)| Share {
            weight: *weight,
            mark: format!("mark-{place}").into(),
            plan: Plan::group(GroupName::new("g")),
        };
        Balance::new("key", Draw::Turns, weights.iter().enumerate().map(share).collect())
    }

    fn counts(balance: &Balance, open: &[bool]) -> Vec<i32> {
        let mut counts = vec![0; open.len()];
        for session in 0..10_000 {
            counts[preferred(balance, open, &session.to_string())] += 1;
        }
        counts
    }

    #[test]
    fn sessions_fall_to_shares_by_weight() {
        let counts = counts(&balance(&[1.0, 3.0]), &[true, true]);
        assert!((2300..2700).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_share_that_closes_moves_its_own_sessions_only() {
        let balance = balance(&[1.0, 1.0, 1.0]);
        for session in (0..1000).map(|session| session.to_string()) {
            let before = preferred(&balance, &[true, true, true], &session);
            let after = preferred(&balance, &[true, false, true], &session);
            assert!(after != 1 && (before == 1 || before == after));
        }
        assert_eq!(counts(&balance, &[false, false, true])[2], 10_000);
    }

    #[test]
    fn chance_goes_by_weight() {
        let weights = [1.0, 0.0, 3.0];
        let open = [true, false, true];
        assert_eq!([0.0, 0.24, 0.26, 1.0].map(|sample| drawn(&weights, &open, sample)), [0, 0, 2, 2]);
        assert_eq!(drawn(&weights, &[true, false, false], 0.9), 0);
    }
}
