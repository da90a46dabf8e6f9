//! Memory, and the start: each target fresh.

use std::time::Duration;

use tokio::time::sleep;

use super::full::full;
use crate::args::Theme;
use crate::bench::{Bench, Figures};
use crate::lengths::Lengths;
use crate::load::Held;
use crate::process::{Cpu, Others, resident_kib};
use crate::targets::{Kind, Peer, Router, SMALL, Target};

/// Slow streams of LiteLLM: with more it has no time left to begin them.
const LITELLM_STREAMS: usize = 200;

/// How long it is watched while nobody asks.
const IDLE: Duration = Duration::from_secs(2);
/// Until all streams have had a few chunks.
const HELD: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures everybody.
pub(crate) async fn memory(bench: &mut Bench<'_>) {
    let peers = if bench.wants(Theme::Peers) { vec![Peer::PORTKEY, Peer::LITELLM] } else { Vec::new() };
    for name in [Peer::NGINX, Router::EMBEDDED].into_iter().chain(peers) {
        let others = Others::watch();
        let Some(target) = bench.begun(name).await else { continue };
        for part in [alive(&target, &bench.lengths).await, loaded(&target, &bench.lengths).await] {
            match part {
                Ok(figures) => bench.take("memory", name, others.used(), figures),
                Err(why) => bench.failed("memory", name, &why),
            }
        }
    }
}

/// Idle, and with slow streams.
async fn alive(target: &Target, lengths: &Lengths) -> Result<Figures, String> {
    let roots = target.roots();
    sleep(Duration::from_millis(500)).await;
    let before = Cpu::of(&roots);
    sleep(IDLE).await;
    let idle_cpu = Cpu::of(&roots).since(&before);
    let idle = megabytes(&roots);
    let streams = if target.name == Peer::LITELLM { LITELLM_STREAMS } else { lengths.slow_streams };
    let held = Held::open(target.addresses[0], &target.ask(Kind::Slow), streams, PATIENCE).await?;
    sleep(HELD).await;
    let streaming = megabytes(&roots);
    drop(held);
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let streams = streams as f64;
    Ok(vec![
        ("start_ms", target.first.as_secs_f64() * 1e3),
        ("idle_mb", idle),
        ("idle_cpu_ms", idle_cpu.as_secs_f64() * 1e3 / IDLE.as_secs_f64()),
        ("streaming_mb", streaming),
        ("stream_kb", (streaming - idle) * 1e3 / streams),
    ])
}

/// After load.
async fn loaded(target: &Target, lengths: &Lengths) -> Result<Figures, String> {
    // Some take a while to get over streams that break.
    sleep(HELD).await;
    full(target, Kind::Chat(SMALL), lengths).await?;
    Ok(vec![("loaded_mb", megabytes(&target.roots()))])
}

fn megabytes(roots: &[u32]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below")]
    let kib = resident_kib(roots) as f64;
    kib * 1024.0 / 1e6
}
