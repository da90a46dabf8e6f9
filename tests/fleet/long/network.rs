//! What networks do between replicas and Redis.

use std::time::Duration;

use tokio::time::sleep;
use weighbridge_loadtest::fleet::{Deployment, Store};
use weighbridge_loadtest::load::count;
use weighbridge_loadtest::proxy::{Door, Proxy, Way};
use weighbridge_loadtest::redis::Server;

use crate::support::{A_SECOND, Fleet, Seen};

const LIMIT: u64 = 240;

/// A fleet whose replicas reach Redis through a proxy each, under load for `seconds`, while
/// something happens to the proxies.
async fn check(seconds: u32, happens: impl AsyncFn(&[Proxy])) -> Seen {
    let redis = Server::plain().await;
    let proxies = [Proxy::to(redis.port()).await, Proxy::to(redis.port()).await, Proxy::to(redis.port()).await];
    let stores = proxies.each_ref().map(|proxy| Store::redis(&proxy.url()));
    let fleet = Fleet::over(&[Deployment::rpm("a", LIMIT)], &stores).await;
    let happens = async {
        sleep(A_SECOND).await;
        happens(&proxies).await;
        proxies.iter().for_each(Proxy::clear);
    };
    let seen = fleet.under_load(30.0, A_SECOND * seconds, happens).await;
    fleet.kept_its_promises(&seen).await;
    seen
}

async fn all(proxies: &[Proxy], forth: Way, back: Way, lasts: Duration) {
    proxies.iter().for_each(|proxy| proxy.set(forth, back));
    sleep(lasts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_milliseconds_change_nothing() {
    let way = Way::after(Duration::from_micros(2500));
    let seen = check(16, async |proxies| all(proxies, way, way, 13 * A_SECOND).await).await;
    assert_eq!(seen.modes, ["shared"]);
    assert_eq!(count(&seen.shots, 200) as u64, LIMIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_milliseconds_are_no_redis() {
    let way = Way::after(A_SECOND / 10);
    let seen = check(16, async |proxies| all(proxies, way, way, 10 * A_SECOND).await).await;
    assert!(seen.modes.len() <= 5, "back and forth: {:?}", seen.modes);
}

#[tokio::test(flavor = "multi_thread")]
async fn jitter() {
    let way = Way::Slow { delay: Duration::ZERO, jitter: A_SECOND / 25 };
    check(14, async |proxies| all(proxies, way, way, 10 * A_SECOND).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_lost() {
    check(14, async |proxies| all(proxies, Way::Hole, Way::Open, 5 * A_SECOND).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_lost() {
    check(14, async |proxies| all(proxies, Way::Open, Way::Hole, 5 * A_SECOND).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let happens = async |proxies: &[Proxy]| {
        proxies.iter().for_each(|proxy| proxy.door(Door::Shut));
        proxies.iter().for_each(Proxy::reset);
        sleep(5 * A_SECOND).await;
    };
    check(14, happens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_break_within_answers() {
    let happens = async |proxies: &[Proxy]| {
        for _ in 0..10 {
            proxies.iter().for_each(Proxy::cut_in_frame);
            sleep(A_SECOND / 2).await;
        }
    };
    check(14, happens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_is_cut_off() {
    let happens = async |proxies: &[Proxy]| {
        proxies[0].part();
        sleep(12 * A_SECOND).await;
    };
    let seen = check(18, happens).await;
    assert!(seen.modes.contains(&"local".to_owned()), "{:?}", seen.modes);
}
