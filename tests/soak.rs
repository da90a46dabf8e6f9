//! A thousand slow streams at once, wave after wave: what a wave takes is given back after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::child::{Process, serve};
use crate::support::http::{chat_stream, eventually};
use crate::support::live::Providers;

/// Each stream lasts three seconds.
const SCRIPT: &str = "providers: { first: { tokens: 11, token_ms: 300, record: 0 } }";
/// Streams of a wave.
const STREAMS: usize = 1000;
/// Waves of streams, at most: a few grow the heap to what the most crowded moment of a wave takes.
const WAVES: usize = 12;
/// What a wave may add to memory for it to count as flat, in KiB: half a KiB for each stream. What
/// every stream loses, every wave adds.
const FLAT_KIB: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_streams_leave_nothing_behind() {
    let providers = Providers::start_alone(SCRIPT).await;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("router_config.yaml");
    std::fs::write(&config, providers.config(&["first"], "")).unwrap();
    let mut command = serve(&config);
    // One heap: with several, what each keeps for later would hide or mimic what is lost.
    command.env("MALLOC_ARENA_MAX", "1");
    let (process, router) = Process::served(command).await;
    let count = affordable().min(STREAMS);
    if count < STREAMS {
        println!("{count} streams instead of {STREAMS}: `ulimit -n` allows no more");
    }
    assert_eq!(router.in_flight().await, 0);
    let idle_files = process.open_files();

    let mut resident: Vec<u64> = Vec::new();
    let is_flat = |resident: &[u64]| matches!(resident, [.., before, after] if *after <= before + FLAT_KIB);
    while resident.len() < WAVES && !is_flat(&resident) {
        let most = AtomicU64::new(0);
        let streams = join_all((0..count).map(async |_| router.chat(&chat_stream("g")).await));
        let watching = async {
            loop {
                most.fetch_max(router.in_flight().await, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let replies = tokio::select! {
            replies = streams => replies,
            () = watching => unreachable!("it watches for ever"),
        };
        let broken: Vec<_> = replies.iter().filter(|reply| !reply.is_whole_stream()).take(3).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        let most = most.into_inner();
        assert!(most >= count as u64 * 9 / 10, "only {most} of {count} streams ran at the same time");
        eventually("the wave is over", Duration::from_secs(5), async || router.in_flight().await == 0).await;
        resident.push(process.resident_kib());
    }
    println!("resident after each wave of {count} streams: {resident:?} KiB");
    assert!(is_flat(&resident), "every wave adds to memory: {resident:?} KiB");

    let row = router.deployment("first").await;
    assert_eq!((&row["in_flight"], &row["state"]), (&0.into(), &"ready".into()), "{row}");
    let report = providers.report("first");
    assert_eq!((report.in_flight, report.open_streams, report.cancelled), (0, 0, 0));
    assert_eq!(report.served, (resident.len() * count) as u64);
    // With the providers the pooled connections to them go.
    drop(providers);
    eventually("all connections close", Duration::from_secs(10), async || process.open_files() <= idle_files).await;
}

/// How many streams this process can have sockets for: one as the client and one as the provider
/// each. The router has as many.
fn affordable() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let limit = line.split_whitespace().next().unwrap();
    // It may be "unlimited".
    limit.parse().map_or(usize::MAX, |limit: usize| limit.saturating_sub(200) / 2)
}
