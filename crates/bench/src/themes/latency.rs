//! Latency at fixed rates: who is measured, who asks and who answers share one processor, so that no wake-up of another
//! one is in between.

use std::time::Duration;

use weighbridge_loadtest::redis::Server;

use super::named;
use super::redis::fleet;
use crate::bench::{Bench, Figures};
use crate::lengths::Lengths;
use crate::load::at_rate;
use crate::process::{Core, Cpu};
use crate::stats::permille;
use crate::targets::{Kind, Peer, Router, SMALL, Target};

/// 100 requests a second.
pub(crate) const CALM: &str = "100 rps";
/// 1,000 requests a second.
pub(crate) const BUSY: &str = "1,000 rps";

const CONNECTIONS: u32 = 32;

/// Measures the direct path and everybody who can follow. LiteLLM cannot, and Portkey only at the lower rate.
pub(crate) async fn latency(bench: &mut Bench<'_>, targets: &[Target]) {
    let direct = Target::direct(&bench.upstream);
    let server = Server::plain().await;
    let over_redis = fleet(bench, &server, 1).await;
    if let Some(fleet) = &over_redis {
        fleet.stand_still();
    }
    let present = |name| named(targets, name);
    let all = [Some(&direct), present(Peer::NGINX), present(Router::EMBEDDED), over_redis.as_ref()];
    let lengths = bench.lengths;
    for target in all.into_iter().flatten().chain(present(Peer::PORTKEY)) {
        bench.read(CALM, target, async || at(target, 100, &lengths)).await;
    }
    for target in all.into_iter().flatten() {
        bench.read(BUSY, target, async || at(target, 1000, &lengths)).await;
    }
}

/// Blocks: nothing else is to happen here meanwhile.
fn at(target: &Target, rate: u32, lengths: &Lengths) -> Result<Figures, String> {
    target.pin(Core::Load);
    let (ask, roots, address) = (target.ask(Kind::Chat(SMALL)), target.roots(), target.addresses[0]);
    let ask_for = |length| at_rate(address, &ask, rate, length, CONNECTIONS);
    let length = if rate > 100 { lengths.busy } else { lengths.calm };
    let measured = ask_for(lengths.warm_up).and_then(|_| {
        let before = Cpu::of(&roots);
        let taken = ask_for(length)?;
        Ok((taken, Cpu::of(&roots).since(&before)))
    });
    target.pin(Core::Proxy);
    let (mut taken, cpu) = measured?;
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let requests = taken.len() as f64;
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(vec![
        ("p50_ms", ms(permille(&mut taken, 500))),
        ("p99_ms", ms(permille(&mut taken, 990))),
        ("p999_ms", ms(permille(&mut taken, 999))),
        ("cpu_us", cpu.as_secs_f64() * 1e6 / requests),
    ])
}
