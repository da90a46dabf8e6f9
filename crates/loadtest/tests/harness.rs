//! The harness itself, on plain Redis: what it says it does, it does.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use weighbridge_loadtest::proxy::{Door, Proxy, Way};
use weighbridge_loadtest::redis::{Certificates, Cluster, Link, Program, Server, Setup, Value, Watched};
use weighbridge_loadtest::wait::eventually;

const A_SECOND: Duration = Duration::from_secs(1);

async fn get(server: &Server, key: &str) -> Value {
    server.call(&["GET", key]).await
}

#[tokio::test]
async fn a_server_can_be_hurt() {
    let mut server = Server::plain().await;
    server.call(&["SET", "a", "1"]).await;
    server.save().await;
    server.call(&["SET", "a", "2"]).await;
    server.restart().await;
    assert_eq!(get(&server, "a").await, Value::Text("1".to_owned()), "what was saved");
    assert_eq!(server.delete_matching("a*").await, 1);
    server.restart_empty().await;
    assert_eq!(get(&server, "a").await, Value::Nil);

    server.set("maxmemory", "1").await;
    let mut link = server.link().await.unwrap();
    let refused = |value: Value| matches!(value, Value::Refused(why) if why.starts_with("OOM"));
    assert!(refused(link.call(&["SET", "a", "1"]).await.unwrap()));
    server.set("maxmemory", "0").await;
    server.follow_nobody().await;
    let refused = link.call(&["SET", "a", "1"]).await.unwrap();
    assert!(matches!(refused, Value::Refused(why) if why.starts_with("READONLY")));
    server.lead().await;
    assert_eq!(server.info().await.calls("set"), 0.0, "what is refused is not called");

    server.pause();
    assert!(timeout(A_SECOND / 10, link.call(&["PING"])).await.is_err());
    server.resume();
    server.kill();
    assert!(server.link().await.is_err());
}

#[tokio::test]
async fn a_server_can_ask_who_it_is() {
    let server = Server::start(Setup::plain().with_user("router", "of-the-router", "~a* +get +ping")).await;
    let mut link = Link::open(server.port()).await.unwrap();
    assert!(matches!(link.call(&["GET", "a"]).await.unwrap(), Value::Refused(_)));
    link.call(&["AUTH", "router", "of-the-router"]).await.unwrap();
    assert_eq!(link.call(&["GET", "a"]).await.unwrap(), Value::Nil);
    assert!(matches!(link.call(&["GET", "b"]).await.unwrap(), Value::Refused(_)));
    let encrypted = Server::start(Setup::plain().with_tls(&Certificates::make())).await;
    let plain = timeout(A_SECOND, Link::open(encrypted.tls_port()).await.unwrap().call(&["PING"])).await;
    assert!(!matches!(plain, Ok(Ok(Value::Text(_)))), "{plain:?}");
}

#[tokio::test]
async fn a_proxy_does_what_networks_do() {
    let server = Server::plain().await;
    let proxy = Proxy::to(server.port()).await;
    let mut link = Link::open(proxy.port()).await.unwrap();
    link.call(&["SET", "long", &"x".repeat(1000)]).await.unwrap();

    proxy.set(Way::after(A_SECOND / 20), Way::after(A_SECOND / 20));
    let began = Instant::now();
    link.call(&["PING"]).await.unwrap();
    assert!((100..400).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());

    proxy.set(Way::Open, Way::Hole);
    assert!(timeout(A_SECOND / 10, link.call(&["INCR", "n"])).await.is_err());
    assert_eq!(get(&server, "n").await.int(), 1, "only the answer is lost");
    proxy.part();
    let mut other = Link::open(proxy.port()).await.unwrap();
    assert!(timeout(A_SECOND / 10, other.call(&["INCR", "n"])).await.is_err());
    assert_eq!(get(&server, "n").await.int(), 1, "it does not even arrive");
    proxy.clear();
    eventually("it arrives at last", A_SECOND, async || get(&server, "n").await.int() == 2).await;

    let mut link = Link::open(proxy.port()).await.unwrap();
    link.call(&["PING"]).await.unwrap();
    proxy.cut_in_frame();
    let cut = link.call(&["GET", "long"]).await.unwrap_err();
    assert!(cut.kind() == std::io::ErrorKind::ConnectionReset || cut.kind() == std::io::ErrorKind::UnexpectedEof);
    let mut link = Link::open(proxy.port()).await.unwrap();
    link.call(&["PING"]).await.unwrap();
    proxy.reset();
    eventually("it is broken", A_SECOND, async || link.call(&["PING"]).await.is_err()).await;

    proxy.door(Door::Shut);
    eventually("nobody listens", A_SECOND, async || Link::open(proxy.port()).await.is_err()).await;
    proxy.door(Door::Open);
    eventually("somebody listens", A_SECOND, async || Link::open(proxy.port()).await.is_ok()).await;
}

#[tokio::test]
async fn sentinels_fail_over_and_lose_what_was_not_replicated() {
    let mut watched = Watched::start(3).await;
    watched.first.call(&["SET", "kept", "1"]).await;
    eventually("it is replicated", A_SECOND, async || get(&watched.second, "kept").await != Value::Nil).await;
    watched.cut_replication().await;
    watched.first.call(&["SET", "lost", "1"]).await;
    watched.first.kill();
    watched.failed_over().await;
    let left = [get(&watched.second, "kept").await, get(&watched.second, "lost").await];
    assert_eq!(left, [Value::Text("1".to_owned()), Value::Nil]);
}

#[tokio::test]
async fn a_cluster_moves_a_slot() {
    let cluster = Cluster::start().await;
    for key in ["{a}1", "{a}2"] {
        let slot = cluster.masters[0].call(&["CLUSTER", "KEYSLOT", key]).await.int();
        let owner = usize::try_from(slot).unwrap() * 3 / 16_384;
        cluster.masters[owner].call(&["SET", key, "1"]).await;
    }
    let [(slot, from)] = cluster.used_slots().await[..] else { panic!("one tag, one slot") };
    let to = (from + 1) % 3;
    cluster.move_slot(slot, from, to).await;
    assert_eq!(cluster.used_slots().await, [(slot, to)]);
}

#[tokio::test]
async fn valkey_is_a_server_too() {
    // Only `cargo xtask setup` and `cargo xtask fleet` install it.
    let Some(valkey) = Program::valkey() else { return };
    let server = Server::start(Setup::plain().by(valkey)).await;
    assert!(!server.info().await.text("valkey_version").is_empty());
}
