//! Simulated providers and a router over real sockets, in this process.

use std::net::SocketAddr;
use std::ops::Deref;

use tokio::net::TcpListener;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use weighbridge::replica::Replica;
use weighbridge_fakellm::{FakeLlm, Running, Script};
use weighbridge_server::{Drain, serve};

use super::http::Client;

/// Tests that load the machine have it to themselves: others measure how long things take.
static MACHINE: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held for as long as the test runs")]
enum Share {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// Simulated providers that listen. They stop when this is dropped.
pub(crate) struct Providers {
    fake: FakeLlm,
    running: Running,
    _share: Share,
}

/// A router before simulated providers.
pub(crate) struct Live {
    pub(crate) providers: Providers,
    pub(crate) router: Client,
    drain: Drain,
}

/// Somewhere on loopback.
pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Providers {
    /// Providers that behave as `script` says.
    pub(crate) async fn start(script: &str) -> Self {
        Self::listen(script, Share::Shared(MACHINE.read().await)).await
    }

    /// The same, while no other test has providers.
    pub(crate) async fn start_alone(script: &str) -> Self {
        Self::listen(script, Share::Alone(MACHINE.write().await)).await
    }

    async fn listen(script: &str, share: Share) -> Self {
        let script = Script::from_yaml(script).unwrap_or_else(|error| panic!("{error}\n{script}"));
        let fake = FakeLlm::new(script);
        let running = fake.clone().spawn(anywhere()).await.expect("loopback");
        Self { fake, running, _share: share }
    }

    /// `config` with `PROVIDERS` replaced by where these listen.
    pub(crate) fn put_into(&self, config: &str) -> String {
        config.replace("PROVIDERS", &self.running.address().to_string())
    }

    /// A configuration with a deployment at each of `names`, which are their ids: group `g`, the
    /// first preferred. It is of a kind of provider that gives back tokens that were reserved and
    /// not used. `rest` is added.
    pub(crate) fn config(&self, names: &[&str], rest: &str) -> String {
        let mut config = "model_list:\n".to_owned();
        for (place, name) in names.iter().enumerate() {
            config += &format!(
                "  - model_name: g\n    litellm_params: {{ model: hosted_vllm/m, api_base: \"http://PROVIDERS/{name}/v1\", \
                 api_key: sk-own, order: {place} }}\n    model_info: {{ id: {name} }}\n"
            );
        }
        self.put_into(&(config + rest))
    }
}

impl Deref for Providers {
    type Target = FakeLlm;

    fn deref(&self) -> &FakeLlm {
        &self.fake
    }
}

impl Live {
    /// A router of a group `g` with a deployment at each of `names`, before providers by `script`.
    pub(crate) async fn start(script: &str, names: &[&str]) -> Self {
        // The next deployment instead of the same one again after a pause.
        Self::by(script, |providers| providers.config(names, "router_settings: { num_retries: 0 }\n")).await
    }

    /// A router by the configuration that `config` makes for its providers, which behave by `script`.
    pub(crate) async fn by(script: &str, config: impl FnOnce(&Providers) -> String) -> Self {
        let providers = Providers::start(script).await;
        let config = config(&providers);
        let replica = Replica::from_yaml(&config).unwrap_or_else(|error| panic!("{error}\n{config}"));
        let listener = TcpListener::bind(anywhere()).await.expect("loopback");
        let router = Client::new(listener.local_addr().expect("an address"));
        let drain = Drain::new();
        tokio::spawn(serve(listener, replica.app(drain.clone()), drain.clone()));
        Self { providers, router, drain }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.drain.begin();
    }
}
