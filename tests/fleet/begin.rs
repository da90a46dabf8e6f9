//! How a replica finds its Redis: late, behind a password, behind TLS, or not at all.

use weighbridge_loadtest::fleet::{Config, Deployment, Providers, Replica, Store};
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::redis::{Certificates, Server, Setup};

use crate::support::{PATIENCE, share};

fn deployments() -> [Deployment; 1] {
    [Deployment::rpm("a", 60)]
}

/// A replica whose `state.redis` section holds `lines`.
async fn replica(lines: &[String]) -> (Providers, Replica) {
    let deployments = deployments();
    let providers = Providers::judging(&deployments).await;
    let replica = Replica::start(&Config::new(&deployments, Store::Redis(lines.to_vec())), &providers).await;
    (providers, replica)
}

/// It shares what it grants: another that finds the same server knows of it.
async fn check_shares(lines: &[String]) {
    let (_providers, first) = replica(lines).await;
    first.is_in("shared", PATIENCE).await;
    assert_eq!(first.client().chat(&chat("a", 5)).await.status, 200);
    let (_others, second) = replica(lines).await;
    second.is_in("shared", PATIENCE).await;
    weighbridge_loadtest::wait::eventually("it knows", PATIENCE, async || second.used("a").await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_redis_is_there_it_serves_and_then_it_joins() {
    let _share = share().await;
    let mut redis = Server::plain().await;
    redis.kill();
    let (providers, replica) = replica(&[format!("url: \"{}\"", redis.url())]).await;
    assert_eq!(replica.mode().await, "local");
    assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
    assert_eq!(replica.client().get("/health/ready").await.status, 200);
    redis.restart_empty().await;
    replica.is_in("shared", PATIENCE).await;
    assert!(replica.used("a").await >= providers.report("a").requests, "what it granted alone is told");
    assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_logs_in_with_a_password() {
    let _share = share().await;
    let redis = Server::start(Setup::plain().with_password("of-the-fleet")).await;
    let port = redis.port();
    check_shares(&[format!("url: \"redis://:of-the-fleet@127.0.0.1:{port}\"")]).await;
    // In a namespace of its own it knows nothing of the first.
    let lines = [format!("url: \"redis://127.0.0.1:{port}\""), "password: of-the-fleet, namespace: second".to_owned()];
    check_shares(&lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_logs_in_as_a_user_who_may_not_do_everything() {
    let _share = share().await;
    let setup = Setup::plain().with_user("router", "of-the-router", "~* &* +@all -@dangerous +info +role");
    let redis = Server::start(setup).await;
    check_shares(&[format!("url: \"redis://router:of-the-router@127.0.0.1:{}\"", redis.port())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_it_serves_all_the_same() {
    let _share = share().await;
    let redis = Server::start(Setup::plain().with_password("of-the-fleet")).await;
    let (_providers, replica) = replica(&[format!("url: \"redis://:not-this-one@127.0.0.1:{}\"", redis.port())]).await;
    assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
    assert_eq!(replica.mode().await, "local");
    let is_named = || {
        let log = replica.log().to_lowercase();
        log.contains("wrongpass") || log.contains("password")
    };
    weighbridge_loadtest::wait::eventually("the log names the cause", PATIENCE, async || is_named()).await;
    assert!(!replica.log().contains("not-this-one"), "{}", replica.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_trusts_the_authority_it_is_given_and_no_other() {
    let _share = share().await;
    let certificates = Certificates::make();
    let redis = Server::start(Setup::plain().with_tls(&certificates)).await;
    let url = format!("url: \"rediss://127.0.0.1:{}\"", redis.tls_port());
    let trust = |certificates: &Certificates| format!("tls: {{ ca: \"{}\" }}", certificates.authority().display());
    check_shares(&[url.clone(), trust(&certificates)]).await;
    let (_providers, replica) = replica(&[url, trust(&Certificates::make())]).await;
    assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
    assert_eq!(replica.mode().await, "local");
    let is_named = || replica.log().to_lowercase().contains("certificate");
    weighbridge_loadtest::wait::eventually("the log names the cause", PATIENCE, async || is_named()).await;
}
