//! Streams: a chunk every 20 ms, and all chunks at once.

use std::time::Duration;

use weighbridge_fakellm::bare::CHUNKS;

use super::full::counted;
use crate::bench::{Bench, Figures};
use crate::lengths::Lengths;
use crate::load::Closed;
use crate::process::Cpu;
use crate::stats::permille;
use crate::targets::{Kind, Router, Target};

/// Streams that are open at once, each beginning a millisecond after the one before: chunks that all came at the same
/// instant would share a wake-up.
const STREAMS: usize = 20;
const APART: Duration = Duration::from_millis(1);

/// Bursts at once: few enough that LiteLLM ends some of them in time.
const BURSTS: usize = 16;

/// Measures both.
pub(crate) async fn streams(bench: &mut Bench<'_>, targets: &[Target]) {
    let lengths = bench.lengths;
    let direct = Target::direct(&bench.upstream);
    bench.read("paced", &direct, async || paced(&direct, &lengths).await).await;
    for target in targets.iter().filter(|target| target.name != Router::LOGGING) {
        bench.read("paced", target, async || paced(target, &lengths).await).await;
    }
    for target in targets.iter().filter(|target| target.name != Router::LOGGING) {
        bench.read("burst", target, async || burst(target, &lengths).await).await;
    }
}

async fn burst(target: &Target, lengths: &Lengths) -> Result<Figures, String> {
    let counted = counted(target, &target.ask(Kind::Burst), BURSTS, lengths).await?;
    Ok([counted.figures(), vec![("chunk_us", counted.chunk_us())]].concat())
}

async fn paced(target: &Target, lengths: &Lengths) -> Result<Figures, String> {
    let address = target.addresses[0];
    // Connections to the upstream are open afterwards.
    Closed::counted(address, STREAMS, &target.ask(Kind::Burst), 1, APART).ended(Duration::from_secs(20)).await?;
    let roots = target.roots();
    let before = Cpu::of(&roots);
    let load = Closed::counted(address, STREAMS, &target.ask(Kind::Paced), lengths.paced_streams, APART);
    let mut firsts = load.ended(Duration::from_secs(60)).await?;
    let cpu_us = Cpu::of(&roots).since(&before).as_secs_f64() * 1e6;
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let chunks = (firsts.len() * CHUNKS) as f64;
    let first_ms = permille(&mut firsts, 500).as_secs_f64() * 1e3;
    Ok(vec![("chunk_us", cpu_us / chunks), ("first_ms", first_ms)])
}
