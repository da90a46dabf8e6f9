//! Replicas that share a Redis, and one that has lost it.

use std::time::Duration;

use weighbridge_loadtest::redis::{Info, Server};

use super::full::{CONNECTIONS, counted, full};
use super::{SIZES, named};
use crate::bench::{Bench, Figures};
use crate::lengths::Lengths;
use crate::targets::{Kind, Log, Peer, Router, SMALL, State, Target};

/// Measures nginx, fleets of one and of three, and one without its Redis.
pub(crate) async fn redis(bench: &mut Bench<'_>, targets: &[Target]) {
    let lengths = bench.lengths;
    if let Some(nginx) = named(targets, Peer::NGINX) {
        for (_, case, kind) in SIZES {
            bench.read(case, nginx, async || full(nginx, kind, &lengths).await).await;
        }
    }
    for replicas in [1, 3] {
        let server = Server::plain().await;
        let Some(fleet) = fleet(bench, &server, replicas).await else { continue };
        for (_, case, kind) in SIZES {
            bench.read(case, &fleet, async || shared(&fleet, &server, kind, &lengths).await).await;
        }
    }
    away(bench).await;
}

/// Starts replicas over `server`.
pub(super) async fn fleet(bench: &mut Bench<'_>, server: &Server, replicas: usize) -> Option<Target> {
    let name = if replicas == 1 { Router::REDIS_1 } else { Router::REDIS_3 };
    let started = Target::weighbridge(&bench.upstream, State::Redis(server, replicas), Log::Warnings).await;
    started.map_err(|why| bench.failed("its start", name, &why)).ok()
}

/// What a request costs the replicas, and what it costs Redis.
async fn shared(fleet: &Target, server: &Server, kind: Kind, lengths: &Lengths) -> Result<Figures, String> {
    fleet.is_in("shared").await?;
    // Redis is asked before the load begins and after it has ended: what is between is told by rates.
    let warm = Lengths { warm_up: lengths.warm_up, full: lengths.warm_up, ..*lengths };
    counted(fleet, &fleet.ask(kind), CONNECTIONS, &warm).await?;
    let at_once = Lengths { warm_up: Duration::ZERO, ..*lengths };
    let before = server.info().await;
    let counted = counted(fleet, &fleet.ask(kind), CONNECTIONS, &at_once).await?;
    let after = server.info().await;
    fleet.is_in("shared").await?;
    let per_request = |of: fn(&Info) -> f64| (of(&after) - of(&before)) / counted.answers;
    let calls = |info: &Info| info.calls("evalsha") + info.calls("eval") + info.calls("fcall");
    let mut figures = counted.figures();
    figures.push(("redis_us", per_request(Info::cpu_seconds) * 1e6));
    figures.push(("calls", per_request(calls)));
    figures.push(("commands", per_request(Info::commands)));
    Ok(figures)
}

/// A replica whose Redis is gone: limits are its share of what was left.
async fn away(bench: &mut Bench<'_>) {
    let lengths = bench.lengths;
    let mut server = Server::plain().await;
    let Some(alone) = fleet(bench, &server, 1).await.map(Target::renamed_away) else { return };
    server.kill();
    let measure = async || {
        alone.is_in("local").await?;
        full(&alone, Kind::Chat(SMALL), &lengths).await
    };
    bench.read("Redis, 300 B", &alone, measure).await;
}
