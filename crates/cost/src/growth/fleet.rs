//! What a fleet asks of Redis, by the simulation, and what that costs, by what was measured.

use std::fmt::Write;
use std::time::Duration;

use weighbridge_loadtest::simulation::run::{Outcome, Plan, run};

use super::counted::grouped;
use super::redis::Costs;

const REPLICAS: [usize; 3] = [10, 100, 1000];
/// Enough for a thousand requests a second, which is what their limits let the simulation ask for.
const DEPLOYMENTS: usize = 1000;
/// No more than that is asked for.
const RATE: f64 = 5000.0;
const LASTS: Duration = Duration::from_secs(60);

const HEAD: &str = "\
## Redis: a fleet

One minute of a fleet over 1,000 deployments in the seeded simulation (`simulate --seed 1 --faults none --deployments 1000`): how many turns its requests take.
What Redis needs for that is reckoned from the two tables above: so much for a turn and for each request in it, by the line that
fits all rows; and for each replica as much as for one of 100. 1,000,000 µs a second are one core, and all that one Redis has.

| replicas | requests a second | turns a second | requests a turn | Redis, for turns | for heartbeats and snapshots | of a core |
|--:|--:|--:|--:|--:|--:|--:|
";

/// The table.
pub(super) async fn section(costs: Costs) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for replicas in REPLICAS {
        let played = tokio::task::spawn_blocking(move || play(replicas));
        let outcome = played.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        row(&mut text, replicas, &outcome, costs);
    }
    Ok(text)
}

fn play(replicas: usize) -> std::io::Result<Outcome> {
    run(&Plan { seed: 1, replicas, deployments: DEPLOYMENTS, lasts: LASTS, rate: RATE, faults: Vec::new() })
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a second")]
fn row(text: &mut String, replicas: usize, outcome: &Outcome, costs: Costs) {
    let each = |count: u64| count as f64 / LASTS.as_secs_f64();
    let (asked, turns) = (each(outcome.tally.asked), each(outcome.tally.turns));
    let for_turns = turns * costs.turn + asked * costs.request;
    let for_replicas = costs.replica * replicas as f64;
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
