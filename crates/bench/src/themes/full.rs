//! A target under full load: its processor is filled, so that no wake-up is in its account.

use std::time::Duration;

use tokio::time::sleep;

use crate::bench::Figures;
use crate::lengths::Lengths;
use crate::load::{Ask, Closed};
use crate::process::Cpu;
use crate::targets::{Kind, Peer, Target};

/// Connections that ask.
pub(super) const CONNECTIONS: usize = 64;

/// What was counted between two instants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// Whole answers.
    pub(super) answers: f64,
    marks: f64,
    cpu: Duration,
    took: Duration,
}

/// Measures `target` with requests of `kind`.
pub(super) async fn full(target: &Target, kind: Kind, lengths: &Lengths) -> Result<Figures, String> {
    Ok(counted(target, &target.ask(kind), CONNECTIONS, lengths).await?.figures())
}

/// Counts what a target answers to so many connections, and its processor time, for a while.
pub(super) async fn counted(
    target: &Target,
    ask: &Ask,
    connections: usize,
    lengths: &Lengths,
) -> Result<Counted, String> {
    // Past every target the harness itself is what runs.
    let roots = if target.name == Peer::DIRECT { vec![std::process::id()] } else { target.roots() };
    let roots = roots.as_slice();
    let load = Closed::endless(&target.addresses, connections, ask);
    sleep(lengths.warm_up).await;
    let (before, cpu_before) = (load.count(), Cpu::of(roots));
    sleep(lengths.full).await;
    let (after, cpu) = (load.count(), Cpu::of(roots).since(&cpu_before));
    load.stop().await?;
    if after.answers == before.answers {
        return Err("not one answer was whole in time".to_owned());
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds")]
    let difference = |after: u64, before: u64| (after - before) as f64;
    Ok(Counted {
        answers: difference(after.answers, before.answers),
        marks: difference(after.marks, before.marks),
        cpu,
        took: after.at - before.at,
    })
}

impl Counted {
    /// Per chunk of a stream.
    pub(super) fn chunk_us(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.marks
    }

    /// Per request.
    pub(super) fn figures(self) -> Figures {
        let cpu_us = self.cpu.as_secs_f64() * 1e6;
        vec![
            ("cpu_us", cpu_us / self.answers),
            ("rps", self.answers / self.took.as_secs_f64()),
            ("filled", self.cpu.as_secs_f64() / self.took.as_secs_f64()),
        ]
    }
}
