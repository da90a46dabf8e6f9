//! What a fleet asks of Redis, by the simulation, and what that costs, by what was measured.

use std::fmt::Write;
use std::time::Duration;

use weighbridge_loadtest::simulation::run::{Outcome, Plan, run};

use super::counted::grouped;
use super::redis::Costs;

const REPLICAS: [usize; 3] = [10, 100, 1000];
/// The most requests a second of the whole fleet.
const RATES: [f64; 2] = [1000.0, 5000.0];
const DEPLOYMENTS: usize = 300;
const LASTS: Duration = Duration::from_secs(60);

const HEAD: &str = "\
## Redis: a fleet

One minute of a fleet over 300 deployments in the seeded simulation (`simulate --seed 1 --faults none`): how many turns its requests take.
What Redis needs for that is reckoned from the two tables above: so much for a turn, for each request in it, and for each
replica. 1,000,000 µs a second are one core, and all that one Redis has.

| replicas | requests a second | turns a second | requests a turn | Redis, for turns | for heartbeats and snapshots | of a core |
|--:|--:|--:|--:|--:|--:|--:|
";

/// The table.
pub(super) async fn section(costs: Costs) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for replicas in REPLICAS {
        for rate in RATES {
            let played = tokio::task::spawn_blocking(move || play(replicas, rate));
            let outcome = played.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            row(&mut text, replicas, &outcome, costs);
        }
    }
    Ok(text)
}

fn play(replicas: usize, rate: f64) -> std::io::Result<Outcome> {
    run(&Plan { seed: 1, replicas, deployments: DEPLOYMENTS, lasts: LASTS, rate, faults: Vec::new() })
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a second")]
fn row(text: &mut String, replicas: usize, outcome: &Outcome, costs: Costs) {
    let each = |count: u64| count as f64 / LASTS.as_secs_f64();
    let (asked, turns) = (each(outcome.tally.asked), each(outcome.tally.turns));
    let for_turns = turns * costs.turn + asked * costs.request;
    let idle = costs.idle.iter().find(|(known, _)| *known == replicas).map_or(0.0, |(_, idle)| *idle);
    let for_replicas = idle * replicas as f64;
    // Writing to a string cannot fail.
    writeln!(
        text,
        "| {replicas} | {} | {} | {:.2} | {} µs | {} µs | {:.0} % |",
        grouped(asked as u64),
        grouped(turns as u64),
        asked / turns,
        grouped(for_turns as u64),
        grouped(for_replicas as u64),
        (for_turns + for_replicas) / 1e4
    )
    .ok();
}
