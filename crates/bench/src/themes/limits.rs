//! Everything at its limit: 429, beside what nginx takes to have a request answered.

use super::full::full;
use super::named;
use crate::bench::Bench;
use crate::http::Connection;
use crate::targets::{Kind, Peer, Router, SMALL, Target};

/// More than the group's limits let pass in a minute.
const TO_EXHAUST: usize = 16;

/// Measures both.
pub(crate) async fn limits(bench: &mut Bench<'_>, targets: &[Target]) {
    let lengths = bench.lengths;
    if let Some(target) = named(targets, Peer::NGINX) {
        bench.read("limits", target, async || full(target, Kind::Chat(SMALL), &lengths).await).await;
    }
    if let Some(target) = named(targets, Router::EMBEDDED) {
        let measure = async || {
            exhaust(target).await?;
            full(target, Kind::Tight, &lengths).await
        };
        bench.read("limits", target, measure).await;
    }
}

/// Takes what its limits leave.
async fn exhaust(target: &Target) -> Result<(), String> {
    let ask = target.ask(Kind::Tight);
    for _ in 0..TO_EXHAUST {
        let mut connection = Connection::open(target.addresses[0]).await?;
        // The first few are answered with 200, which is not what is expected afterwards.
        connection.ask(&ask.request, ask.expected).await.ok();
    }
    Ok(())
}
