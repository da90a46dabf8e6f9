//! Admission: who of several candidates is granted, shard by shard, by the store or from this replica's share.

use std::sync::Arc;

use tokio::sync::oneshot;
use weighbridge_domain::time::Timestamp;

use super::clerk::Job;
use super::shard::{Phase, Shard};
use super::time::to_caller;
use super::{FleetStore, number};
use crate::{Admission, Answer, Candidate, Grant, Refusal, Reserve};

/// How many candidates are asked in one call: the best few, and the rest only when all of those refuse.
const FIRST_CANDIDATES: usize = 4;
impl FleetStore {
    /// Of candidates the one at `place` is the first that is fleeting: it takes whatever those before it do not.
    pub(super) async fn admit_before_fleeting(&self, place: usize, ask: Reserve<'_>, now: Timestamp) -> Admission {
        let (before, rest) = ask.candidates.split_at(place);
        if !before.is_empty()
            && let granted @ Admission::Granted(_) = self.admit(Reserve { candidates: before, ..ask }, now).await
        {
            return granted;
        }
        let shard = self.shard(&rest[0].deployment.quota);
        match shard.grant_fleeting(Reserve { candidates: &rest[..1], ..ask }, shard.time.for_caller(now)) {
            Admission::Granted(grant) => Admission::Granted(Grant { candidate: place, ..grant }),
            refused @ Admission::Refused(_) => refused,
        }
    }

    /// Asks for the first of the candidates that has room, none of which is fleeting.
    pub(super) fn admit<'a>(&'a self, ask: Reserve<'a>, now: Timestamp) -> Answer<'a, Admission> {
        for candidate in ask.candidates {
            self.shard(&candidate.deployment.quota).note(&candidate.deployment);
        }
        match &*self.shards {
            [shard] => Box::pin(admit_by(shard, ask, now)),
            _ => Box::pin(self.admit_by_all(ask, now)),
        }
    }

    async fn admit_by_all(&self, ask: Reserve<'_>, now: Timestamp) -> Admission {
        let mut refusal = Refusal::NOBODY;
        let mut rest: Vec<(usize, &Candidate)> = ask.candidates.iter().enumerate().collect();
        // Shard by shard, in the order of preference.
        while let Some((_, first)) = rest.first() {
            let number = number(first.deployment.quota.as_str(), self.shards.len());
            let belongs =
                |candidate: &Candidate| self::number(candidate.deployment.quota.as_str(), self.shards.len()) == number;
            let (mine, others) = rest.into_iter().partition(|(_, candidate)| belongs(candidate));
            rest = others;
            let mine: Vec<(usize, &Candidate)> = mine;
            let candidates: Vec<Candidate> = mine.iter().map(|(_, candidate)| (*candidate).clone()).collect();
            let ask = Reserve { candidates: &candidates, tokens: ask.tokens };
            match admit_by(&self.shards[number], ask, now).await {
                Admission::Granted(grant) => {
                    return Admission::Granted(Grant { candidate: mine[grant.candidate].0, ..grant });
                }
                Admission::Refused(refused) => refusal = refusal.or(refused),
            }
        }
        Admission::Refused(refusal)
    }
}

/// Asks one shard; the best few candidates first.
async fn admit_by(shard: &Arc<Shard>, ask: Reserve<'_>, now: Timestamp) -> Admission {
    let server_now = shard.time.for_caller(now);
    if !matches!(*shard.phase(), Phase::Shared(_)) {
        return in_callers_time(shard.grant_alone(ask, server_now), server_now, now);
    }
    let (open, mut refusal) = shard.full.others(ask, server_now);
    let mut rest = &open[..];
    while !rest.is_empty() {
        let (some, others) = rest.split_at(rest.len().min(FIRST_CANDIDATES));
        rest = others;
        let candidates = some.iter().map(|(_, candidate)| candidate.clone()).collect();
        let (reply, answer) = oneshot::channel();
        shard.send(Job::Ask { candidates, tokens: ask.tokens, reply });
        match answer.await {
            Ok(Some(Admission::Granted(grant))) => {
                return Admission::Granted(Grant { candidate: some[grant.candidate].0, ..grant });
            }
            Ok(Some(Admission::Refused(refused))) => refusal = refusal.or(refused),
            Ok(None) | Err(_) => {
                return in_callers_time(shard.grant_alone(ask, server_now), server_now, now);
            }
        }
    }
    in_callers_time(Admission::Refused(refusal), server_now, now)
}

fn in_callers_time(admission: Admission, server_now: Timestamp, now: Timestamp) -> Admission {
    match admission {
        Admission::Refused(refusal) => {
            let retry_at = refusal.retry_at.map(|at| to_caller(at, server_now, now));
            Admission::Refused(Refusal { retry_at, ..refusal })
        }
        granted @ Admission::Granted(_) => granted,
    }
}
