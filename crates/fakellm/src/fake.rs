//! The simulation as a whole: any number of providers behind one router.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::routing::{get, post};
use http::request::Parts;
use http::{Request, Response};

use crate::admin;
use crate::ask::{Ask, Asked};
use crate::books::{Arrival, Recorded, Report};
use crate::clock::Clock;
use crate::credentials;
use crate::fault::Fault;
use crate::format::Format;
use crate::formats;
use crate::play::{Cue, play};
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::script::{ProviderScript, Script};
use crate::serve::{Running, serve};
use crate::strict;
use crate::target::{Operation, Target};

/// The longest body that is read, in bytes.
const BODY_MAX: usize = 64 << 20;

/// Simulated providers. Clones are the same simulation.
#[derive(Debug, Clone)]
pub struct FakeLlm(Arc<Simulation>);

#[derive(Debug)]
struct Simulation {
    clock: Clock,
    seed: u64,
    providers: RwLock<HashMap<String, Arc<Provider>>>,
}

impl FakeLlm {
    /// Begins to play `script`; its time counts from here.
    pub fn new(script: Script) -> Self {
        let seed = script.seed.unwrap_or_else(|| fastrand::u64(..));
        let simulation = Simulation { clock: Clock::start(), seed, providers: RwLock::default() };
        let fake = Self(Arc::new(simulation));
        script.providers.into_iter().for_each(|(name, provider)| fake.put(&name, provider));
        fake
    }

    /// The HTTP service: usable in process, or over TCP.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health", get(async || "ok"))
            .route("/admin/{name}/report", get(admin::report))
            .route("/admin/{name}/requests", get(admin::requests))
            .route("/admin/{name}", axum::routing::put(admin::put))
            .route("/admin/reset", post(admin::reset))
            .fallback(answer)
            .with_state(self.clone())
    }

    /// Lets a provider behave otherwise from now on. Its counts stay, and so does what was taken of
    /// its limits, if those did not change; its `statuses` start again.
    pub fn put(&self, provider: &str, script: ProviderScript) {
        match self.known(provider) {
            Some(known) => known.put(script),
            None => _ = self.insert(provider, script),
        }
    }

    /// The counts of a provider.
    pub fn report(&self, provider: &str) -> Report {
        self.known(provider).map(|known| known.report()).unwrap_or_default()
    }

    /// The latest requests that a provider got, as many as its script's `record`, oldest first.
    pub fn requests(&self, provider: &str) -> Vec<Recorded> {
        self.known(provider).map(|known| known.requests()).unwrap_or_default()
    }

    /// Counts, limits and draws of all providers start again. Scripts stay, and so does what is in
    /// flight.
    pub fn reset(&self) {
        self.0.providers.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|known| known.reset());
    }

    /// Serves over TCP.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub async fn spawn(self, listen: SocketAddr) -> std::io::Result<Running> {
        serve(self.router(), listen).await
    }

    fn known(&self, name: &str) -> Option<Arc<Provider>> {
        self.0.providers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Adds a provider, unless another request was faster.
    fn insert(&self, name: &str, script: ProviderScript) -> Arc<Provider> {
        // Each provider has draws of its own, whatever order requests come in.
        let seed = name.bytes().fold(self.0.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let mut providers = self.0.providers.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Provider::new(script, seed, self.0.clock));
        Arc::clone(providers.entry(name.to_owned()).or_insert_with(new))
    }
}

/// Answers what is not for the admin.
async fn answer(State(fake): State<FakeLlm>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return Refusal::invalid(Format::OpenAi, "The request body is too long, or broke off.").response();
    };
    let uri = parts.uri.clone();
    let target = Target::of(uri.path());
    let provider =
        fake.known(target.provider).unwrap_or_else(|| fake.insert(target.provider, ProviderScript::default()));
    let stage = provider.stage();
    let asked = read(&stage.script, target, &parts, &body, fake.0.clock);
    let arrival = Arrival { method: parts.method, uri: parts.uri, headers: parts.headers, body };
    let (ask, turn) = match asked {
        Ok(ask) => {
            let turn = provider.arrive(arrival, target, Ok(&ask));
            (ask, turn)
        }
        Err(refusal) => (Ask::default(), provider.arrive(arrival, target, Err(refusal))),
    };
    match turn {
        Ok(turn) => {
            let created = fake.0.clock.created();
            play(&stage, Cue { target, uri: &uri, ask: &ask, created }, turn).await
        }
        Err(refusal) => refusal.response(),
    }
}

/// Reads a request and checks its form.
fn read(
    script: &ProviderScript,
    target: Target<'_>,
    parts: &Parts,
    body: &Bytes,
    clock: Clock,
) -> Result<Ask, Refusal> {
    let (method, path) = (&parts.method, parts.uri.path());
    if target.operation == Operation::Unknown {
        return Err(Refusal::of(target.format, Fault::UnknownPath { method, path }));
    }
    if *method != target.operation.method() {
        return Err(Refusal::of(target.format, Fault::WrongMethod(method)));
    }
    credentials::check(script, target.format, parts, body, clock.wall())?;
    let asked = Asked { script, target, uri: &parts.uri, headers: &parts.headers, body };
    let ask = formats::read(&asked)?;
    strict::check_ask(&asked, &ask)?;
    Ok(ask)
}
