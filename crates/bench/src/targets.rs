//! Who is measured, and how each is configured.

mod bodies;
mod launch;
mod litellm;
mod names;
mod nginx;
mod portkey;
mod upstream;
mod weighbridge;

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use weighbridge_fakellm::bare::CHUNKS;
use weighbridge_loadtest::process::{Process, Signal};

use crate::http::{Expected, Request};
use crate::load::Ask;
use crate::process::{Core, pin, resume, stand_still};

pub(crate) use litellm::installed as litellm_installed;
pub(crate) use names::{Peer, Router};
pub(crate) use portkey::installed as portkey_installed;
pub(crate) use upstream::Upstream;
pub(crate) use weighbridge::{Log, State};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole chat completion, with a request of about so many bytes.
    Chat(usize),
    /// An embedding.
    Embeddings,
    /// A chunk every 20 ms.
    Paced,
    /// All chunks at once.
    Burst,
    /// A chunk a second, without end.
    Slow,
    /// A group whose limits are reached; ours only.
    Tight,
    /// By a config object of five levels; ours only.
    Tree,
}

/// The smallest request, and the size of all whose size is not the point.
pub(crate) const SMALL: usize = 300;

/// How a target wants to be asked.
#[derive(Debug, Clone, Copy)]
enum Dialect {
    /// The path leads to the upstream as it is.
    Plain,
    /// By the name of a model group.
    Groups,
    /// By headers that name the upstream.
    Portkey { upstream: SocketAddr },
}

/// A target that runs. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    /// What it is called in the tables.
    pub(crate) name: &'static str,
    /// Where it listens, each replica of it.
    pub(crate) addresses: Vec<SocketAddr>,
    /// From its start to its first 200.
    pub(crate) first: Duration,
    dialect: Dialect,
    processes: Vec<Process>,
    /// Its configuration.
    _files: Option<TempDir>,
}

impl Target {
    /// The upstream itself, asked past every proxy.
    pub(crate) fn direct(upstream: &Upstream) -> Self {
        Self {
            name: names::DIRECT,
            addresses: vec![upstream.address],
            first: Duration::ZERO,
            dialect: Dialect::Plain,
            processes: Vec::new(),
            _files: None,
        }
    }

    /// What to ask it, and what must come back.
    pub(crate) fn ask(&self, kind: Kind) -> Ask {
        let (host, body) = (self.addresses[0], |model: &str| bodies::of(kind, model));
        let expected = expected(kind);
        let request = match self.dialect {
            Dialect::Plain => {
                let path = format!("{}{}", base(kind), operation(kind));
                Request::post(host, &path, &[], &body("gpt-4o-mini"))
            }
            Dialect::Groups if kind == Kind::Tree => {
                let config = weighbridge::tree();
                let headers = [("x-portkey-config", config.as_str()), ("x-portkey-metadata", r#"{"tier":"gold"}"#)];
                Request::post(host, "/v1/chat/completions", &headers, &body("gpt-4o-mini"))
            }
            Dialect::Groups => Request::post(host, &format!("/v1{}", operation(kind)), &[], &body(group(kind))),
            Dialect::Portkey { upstream } => {
                let custom_host = format!("http://{upstream}{}", base(kind));
                let headers = [("x-portkey-provider", "openai"), ("x-portkey-custom-host", custom_host.as_str())];
                Request::post(host, &format!("/v1{}", operation(kind)), &headers, &body("gpt-4o-mini"))
            }
        };
        Ask { request, expected }
    }

    /// The processes that it began with; what these started belongs to it, too.
    pub(crate) fn roots(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// What it printed last.
    pub(crate) fn last_words(&self) -> String {
        let logs = self.processes.iter().map(Process::log);
        logs.map(|log| launch::end_of(&log)).collect()
    }

    /// Lets it do nothing until it is resumed.
    pub(crate) fn stand_still(&self) {
        if !self.processes.is_empty() {
            stand_still(&self.roots());
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        if !self.processes.is_empty() {
            resume(&self.roots());
        }
    }

    /// Moves it to a processor.
    pub(crate) fn pin(&self, core: Core) {
        pin(core, &self.roots());
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.resume();
        // One that is killed leaves its workers behind.
        for process in self.processes.iter_mut().filter_map(|process| (!process.has_ended()).then_some(process)) {
            process.signal(Signal::Terminate);
        }
        launch::wait_for_end(&mut self.processes);
    }
}

/// Where below the upstream the answers to this are.
fn base(kind: Kind) -> &'static str {
    match kind {
        Kind::Paced => "/paced/v1",
        Kind::Burst => "/burst/v1",
        Kind::Slow => "/slow/v1",
        Kind::Chat(_) | Kind::Embeddings | Kind::Tight | Kind::Tree => "/v1",
    }
}

/// The model group that is for it.
fn group(kind: Kind) -> &'static str {
    match kind {
        Kind::Chat(_) | Kind::Tree => "chat",
        Kind::Embeddings => "embeddings",
        Kind::Paced => "paced",
        Kind::Burst => "burst",
        Kind::Slow => "slow",
        Kind::Tight => "tight",
    }
}

fn operation(kind: Kind) -> &'static str {
    if kind == Kind::Embeddings { "/embeddings" } else { "/chat/completions" }
}

fn expected(kind: Kind) -> Expected {
    let whole = |status, mark| Expected { status, mark, times: 1, ending: "}" };
    match kind {
        Kind::Chat(_) | Kind::Tree => whole(200, "\"finish_reason\""),
        Kind::Embeddings => whole(200, "\"embedding\":"),
        Kind::Tight => whole(429, "\"error\""),
        Kind::Paced | Kind::Burst | Kind::Slow => {
            Expected { status: 200, mark: " tick", times: CHUNKS, ending: "data: [DONE]" }
        }
    }
}
