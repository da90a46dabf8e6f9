//! Deployments whose host a client named: from the table to the connection, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use weighbridge::replica::Replica;
use weighbridge::{CallError, Router};
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::hosts::HostRules;
use weighbridge_domain::plan::Plan;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::Access;
use weighbridge_domain::table::{Entry, RoutingTable};
use weighbridge_server::{Drain, serve};

use crate::support::http::{Client, chat};
use crate::support::live::{Providers, anywhere};

const CONFIG: &str = "model_list: [{ model_name: m, litellm_params: { model: simulated/m } }]\n";

/// A table whose model `named` leads to `base_url`, which a client named.
fn table(access: &Access, entries: &[&str], base_url: &str) -> Arc<RoutingTable> {
    let endpoint = Endpoint { is_foreign: true, ..Endpoint::new("openai", base_url) };
    let deployment = Deployment::new("theirs", "named", ModelTemplate::new("m"), endpoint);
    let mut table = RoutingTable::default();
    table.server.access = access.clone();
    table.server.custom_hosts = HostRules::new(entries.iter().map(|entry| entry.parse().unwrap()).collect());
    table.add_entry("named", Entry { plan: Arc::new(Plan::group("named".into())), group: Some("named".into()) });
    table.add_group(ModelGroup::new("named", vec![Arc::new(deployment)]));
    Arc::new(table)
}

/// Whether `named` answers, or what it says with its 400, after one attempt.
async fn ask(router: &Router) -> Result<(), String> {
    match router.completion(chat("named")).await {
        Ok(_) => Ok(()),
        Err(CallError::Failed(failed)) => {
            assert_eq!((failed.failure.http_status(), failed.head.attempts.len()), (400, 1), "{failed:?}");
            Err(failed.failure.message)
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rules_follow_reloads() {
    let providers = Providers::start("providers: { good: { text: All is well. } }").await;
    let address: SocketAddr = providers.put_into("PROVIDERS").parse().unwrap();
    let router = Router::from_yaml(CONFIG).unwrap();
    let keyed = Access::Key(Secret::new("k"));
    let bases = [format!("http://{address}/good/v1"), format!("http://localhost:{}/good/v1", address.port())];
    for (base, says, entry) in [
        (&bases[0], "add `custom_hosts: [\"127.0.0.1\"]` below `server:`", "127.0.0.1"),
        (&bases[1], "add `custom_hosts: [\"localhost\"]` below `server:`", "localhost"),
    ] {
        let mut asked = providers.report("good").requests;
        for (access, entries) in [(&Access::Open, &[][..]), (&keyed, &[entry])] {
            router.engine().adopt(table(access, entries, base));
            assert_eq!(ask(&router).await, Ok(()), "{base}");
            asked += 1;
        }
        router.engine().adopt(table(&keyed, &[], base));
        let message = ask(&router).await.unwrap_err();
        assert!(message.contains(says), "{message}");
        assert_eq!(providers.report("good").requests, asked, "{base}");
    }
    router.engine().adopt(table(&Access::Open, &[], &bases[1]));
    router.engine().listens_on(address.port());
    let message = ask(&router).await.unwrap_err();
    assert!(message.contains("leads back to this router"), "{message}");
}

#[tokio::test]
async fn whoever_serves_is_out_of_bounds() {
    let replica = Replica::from_yaml(CONFIG).unwrap();
    let listener = TcpListener::bind(anywhere()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    tokio::spawn(serve(listener, replica.app(drain.clone()), drain.clone()));
    let served = Client::new(address).open(http::Method::GET, "/health/live", None).await.unwrap();
    assert_eq!(served.status(), 200);
    let engine = replica.engine();
    let refusal = engine.check_host(&engine.table(), &format!("http://{address}/v1")).unwrap_err();
    assert!(refusal.to_string().contains("leads back to this router"), "{refusal}");
    let neighbour = SocketAddr::new(address.ip(), if address.port() > 1 { address.port() - 1 } else { 2 });
    assert!(engine.check_host(&engine.table(), &format!("http://{neighbour}/v1")).is_ok());
    drain.begin();
}
