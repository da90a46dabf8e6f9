//! Who answers: `fakellm --bare`.

use std::net::SocketAddr;

use weighbridge_loadtest::process::Process;

use crate::machine::binary;
use crate::process::{Core, pinned};

/// The provider behind all targets. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Upstream {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        let mut command = pinned(Core::Load, binary("fakellm"));
        command.args(["--bare", "--listen", "127.0.0.1:0"]).env_clear();
        let mut process = Process::start(command);
        let address = process.address_after("fakellm listens on http://").await;
        Self { address, _process: process }
    }
}
