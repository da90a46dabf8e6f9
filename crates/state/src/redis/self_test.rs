//! A trial of the scripts on the server that was found: a clone of Redis that does its sums otherwise must
//! not keep the books.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::policy::CooldownVerdict;

use super::link::RedisLink;
use super::news::Listener;
use crate::Regard;
use crate::fleet::link::{Link, LinkError};
use crate::fleet::protocol::{
    Ask, AskAnswer, Ended, EndedHow, Granted, Join, Member, ReplicaId, Stake, Told, Turn, TurnDone, TurnResult,
};

/// Plays a trace of admissions under keys of its own, and compares what comes of it with what must.
pub(crate) async fn run(link: &RedisLink) -> Result<(), LinkError> {
    let replica = ReplicaId(format!("{:016x}", fastrand::u64(..)));
    let link = RedisLink {
        turns: link.turns.clone(),
        upkeep: link.upkeep.clone(),
        admin: link.admin.clone(),
        keys: Arc::new(link.keys.scratch(&replica.0)),
        call_timeout: Duration::from_millis(500),
        may_move: false,
        listener: Listener { clients: Vec::new(), channel: link.keys.channel(), connect_timeout: Duration::ZERO },
    };
    let join =
        Join { candidate: "trial".to_owned(), saw_loss: false, was_away: false, recovery: Duration::from_millis(1000) };
    let joined = link.join(&replica, &join).await?;
    link.told(&replica, &Told { epoch: joined.epoch.clone(), replicas: 1 }).await?;
    let limits = Limits { rpm: Some(2), tpm: Some(1000), ..Limits::default() };
    let endpoint = Endpoint::new("trial", "http://localhost");
    let deployment =
        Arc::new(Deployment { limits, ..Deployment::new("trial", "trial", ModelTemplate::new("trial"), endpoint) });
    let turn = |stake: Stake| Turn {
        epoch: joined.epoch.clone(),
        deadline: None,
        windows: vec![("trial".into(), stake)],
        members: vec![Member { id: "trial".into(), counted: Some((Arc::clone(&deployment), 0)) }],
        ..Turn::default()
    };
    let ask = |input| Ask { tokens: Tokens { input, output: 0 }, candidates: vec![(0, Regard::Heed)] };
    // Three ask, of which the second is too large: two of 100 and 300 tokens are let in, and no fourth.
    let asks = vec![ask(100), ask(950), ask(300), ask(1)];
    let first = done(&link, &replica, Turn { asks, ..turn(Stake::default()) }).await?;
    let granted = |answer: &AskAnswer| matches!(answer, AskAnswer::Granted { .. });
    let verdicts: Vec<bool> = first.answers.iter().map(granted).collect();
    let window = first.windows.first().copied().flatten().unwrap_or_default();
    let is_right = verdicts == [true, false, true, false]
        && (window.usage.requests, window.usage.tokens(), window.in_flight) == (2, 400, 2)
        && window.granted == Granted { requests: 2, input: 400, output: 0 };
    // One ends: tokens are given back, and it rests.
    let verdict = CooldownVerdict::AtOnce(Duration::from_secs(5));
    let ended = Ended {
        member: 0,
        second: 0,
        more: Tokens { input: 0, output: 7 },
        less: Tokens::default(),
        probe: None,
        result: EndedHow::Failed { kind: FailureKind::RateLimited, verdict },
        peers: Vec::new(),
    };
    let stake = Stake { granted: window.granted, acknowledged: 2, recent: window.usage, in_flight: 1 };
    let second = done(&link, &replica, Turn { settlements: vec![ended], asks: vec![ask(1)], ..turn(stake) }).await?;
    let window = second.windows.first().copied().flatten().unwrap_or_default();
    let member = second.members.first().copied().flatten().unwrap_or_default();
    let is_right = is_right
        && !second.answers.iter().any(granted)
        && (window.usage.tokens(), window.in_flight) == (407, 1)
        && member.standing.rest.is_some_and(|rest| rest.cause == FailureKind::RateLimited);
    link.leave(&replica, false).await?;
    link.forget().await?;
    if is_right {
        return Ok(());
    }
    Err(LinkError::Broken(
        "this server runs the scripts otherwise than Redis does, so limits would not hold; use Redis or Valkey"
            .to_owned(),
    ))
}

async fn done(link: &RedisLink, replica: &ReplicaId, turn: Turn) -> Result<TurnDone, LinkError> {
    match link.turn(replica, &turn).await?.result {
        TurnResult::Done(done) => Ok(done),
        result => Err(LinkError::Broken(format!("a trial of the scripts came to {result:?}"))),
    }
}
