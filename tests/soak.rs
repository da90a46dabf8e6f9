//! A thousand slow streams at once, and many quick ones: what a stream takes is given back after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use weighbridge_loadtest::wait::eventually;

use crate::support::child::{router_by, serve};
use crate::support::http::{Client, chat_stream};
use crate::support::live::Providers;

/// A slow stream lasts three seconds.
const SCRIPT: &str = r"
providers:
  slow: { tokens: 11, token_ms: 300, record: 0 }
  quick: { tokens: 1, record: 0 }
";
const CONFIG: &str = r#"
model_list:
  - { model_name: slow, litellm_params: { model: openai/m, api_base: "http://PROVIDERS/slow/v1", api_key: k }, model_info: { id: slow } }
  - { model_name: quick, litellm_params: { model: openai/m, api_base: "http://PROVIDERS/quick/v1", api_key: k }, model_info: { id: quick } }
"#;
/// Slow streams of a wave.
const SLOW: usize = 1000;
/// Waves before memory is judged, at most: they lift the heap to what the most crowded moment of a
/// wave takes.
const WARM_UP: usize = 6;
/// A wave that adds less than this, in KiB, ends the warm-up.
const LEVEL_KIB: u64 = 1000;
/// Quick streams before all else: as many requests as a replica remembers for its logs.
const RECORDS: usize = 10_000;
/// Quick streams after the warm-up, before two more waves.
const QUICK: usize = 10_000;
/// What memory may grow by after the warm-up, in KiB: 2 KiB for each slow stream, and less than
/// half of one for each quick one.
const GROWTH_KIB: u64 = 4000;

#[tokio::test(flavor = "multi_thread")]
async fn streams_leave_nothing_behind() {
    let providers = Providers::start_alone(SCRIPT).await;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("router_config.yaml");
    std::fs::write(&config, providers.put_into(CONFIG)).unwrap();
    let mut command = serve(&config);
    // One heap: with several, what each keeps for later would hide or mimic what is lost.
    command.env("MALLOC_ARENA_MAX", "1");
    let (process, router) = router_by(command).await;
    let count = affordable().min(SLOW);
    if count < SLOW {
        println!("{count} streams instead of {SLOW}: `ulimit -n` allows no more");
    }
    assert_eq!(router.in_flight().await, 0);
    let idle_files = process.open_files();

    quick(&router, RECORDS).await;
    let mut waves = 0;
    let mut before = 0;
    while waves < WARM_UP {
        wave(&router, count).await;
        waves += 1;
        let is_level = process.resident_kib() < before + LEVEL_KIB;
        before = process.resident_kib();
        if is_level {
            break;
        }
    }
    quick(&router, QUICK).await;
    for _ in 0..2 {
        wave(&router, count).await;
        waves += 1;
    }
    let after = process.resident_kib();
    println!(
        "{before} KiB resident after the warm-up, {after} KiB after {QUICK} quick streams and {waves} waves in all"
    );

    let row = router.deployment("slow").await;
    assert_eq!((&row["in_flight"], &row["state"]), (&0.into(), &"ready".into()), "{row}");
    let report = providers.report("slow");
    assert_eq!((report.in_flight, report.open_streams, report.cancelled), (0, 0, 0));
    assert_eq!(report.served, (waves * count) as u64);
    assert!(after <= before + GROWTH_KIB, "memory grew from {before} to {after} KiB");
    // With the providers the pooled connections to them go.
    drop(providers);
    eventually("all connections close", Duration::from_secs(10), async || process.open_files() <= idle_files).await;
}

/// Runs `count` quick streams, a hundred at once.
async fn quick(router: &Client, count: usize) {
    let whole = stream::iter(0..count)
        .map(async |_| router.chat(&chat_stream("quick")).await.is_whole_stream())
        .buffer_unordered(100)
        .filter(|whole| std::future::ready(*whole));
    assert_eq!(whole.count().await, count);
}

/// Runs `count` slow streams at once.
async fn wave(router: &Client, count: usize) {
    let most = AtomicU64::new(0);
    let streams = join_all((0..count).map(async |_| router.chat(&chat_stream("slow")).await));
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
