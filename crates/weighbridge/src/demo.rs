//! `weighbridge demo`: simulated providers and a router on loopback, and a tour of what it does.

mod tour;

use std::net::{Ipv4Addr, SocketAddr};

use weighbridge::replica::Replica;
use weighbridge_fakellm::{FakeLlm, Script};
use weighbridge_server::{Drain, serve};
use weighbridge_telemetry::logs::{self, Format};

use crate::args::Demo;
use crate::serve::{drain_on_signal, listen};

/// How the simulated providers behave at first.
const SCRIPT: &str = include_str!("demo/providers.yaml");
/// The router's configuration; `PROVIDERS` stands for where they listen.
const CONFIG: &str = include_str!("demo/router_config.yaml");

/// Runs the tour, and stays up until it is told to end.
///
/// # Errors
/// What keeps it from starting, in words for the terminal.
pub(crate) async fn run(args: &Demo) -> Result<(), String> {
    logs::init("error", Format::Human).map_err(|error| error.to_string())?;
    let script = Script::from_yaml(SCRIPT).map_err(|error| error.to_string())?;
    let fake = FakeLlm::new(script);
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let providers = fake.clone().spawn(anywhere).await.map_err(|error| error.to_string())?;
    let config = CONFIG.replace("PROVIDERS", &providers.address().to_string());
    let replica = Replica::from_yaml(&config).map_err(|error| error.to_string())?;
    let listener = listen(args.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let drain = Drain::new();
    let server = tokio::spawn(serve(listener, replica.app(drain.clone()), drain.clone()));
    tour::run(address, &fake).await?;
    if args.once {
        drain.begin();
    } else {
        tour::invite(address);
        tokio::spawn(drain_on_signal(drain));
    }
    match server.await {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
