//! The router's configuration in the compose file: it loads as it is, and calls who is there.

use std::collections::HashMap;

use weighbridge_config::load;
use weighbridge_domain::store::{OnStoreLoss, StoreSettings, Topology};
use weighbridge_providers::catalog::catalog;

use super::compose::Compose;
use super::{strings, yaml};

/// The path of the router's configuration, as the compose file has it.
fn config_path() -> std::path::PathBuf {
    let compose = Compose::read();
    let command = strings(&compose.service("router")["command"]);
    let [serve, flag, file] = command.as_slice() else { panic!("{command:?}") };
    assert_eq!((serve.as_str(), flag.as_str()), ("serve", "--config"));
    compose.outside("router", file)
}

#[test]
fn it_loads_without_keys_and_without_warnings() {
    let loaded = load(&config_path(), &catalog(), &HashMap::new()).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(loaded.table.left_out().is_empty());
    let ids: Vec<&str> = loaded.table.deployments().map(|deployment| deployment.id.as_str()).collect();
    assert_eq!(ids, ["azure-east", "azure-west", "openai"]);
    // What the newcomer's curl asks for, with either deployment list.
    assert!(loaded.table.find("gpt-3.5-turbo").is_some());
}

#[test]
fn its_replicas_share_the_redis_beside_them() {
    let loaded = load(&config_path(), &catalog(), &HashMap::new()).unwrap();
    let StoreSettings::Redis(redis) = &loaded.table.store else { panic!("each router counts for itself") };
    let Topology::Single(server) = &redis.topology else { panic!("{:?}", redis.topology) };
    Compose::read().assert_reached(&server.to_string());
    assert_eq!(redis.namespace, "compose");
    assert_eq!(redis.on_store_loss, OnStoreLoss::LocalShare, "a router without Redis goes on answering");
}

#[test]
fn its_providers_are_simulated_ones() {
    let compose = Compose::read();
    let config = yaml(config_path());
    let script = yaml("deploy/fakellm.yaml");
    let simulated = script["providers"].as_mapping().unwrap();
    for row in config["model_list"].as_sequence().unwrap() {
        let params = &row["litellm_params"];
        let base = params["api_base"].as_str().unwrap();
        let (address, path) = base.strip_prefix("http://").unwrap().split_once('/').unwrap();
        compose.assert_reached(address);
        let name = path.strip_suffix("/v1").unwrap();
        let provider = simulated.get(name).unwrap_or_else(|| panic!("deploy/fakellm.yaml says nothing of {name}"));
        assert_eq!(params["api_key"], provider["key"], "{name} takes another key");
    }
}

#[test]
fn it_listens_where_the_others_look() {
    let compose = Compose::read();
    let port = compose.service("router")["environment"]["PORT"].as_str().unwrap();
    assert!(compose.listens("router", port.parse().unwrap()));
    let command = strings(&compose.service("fakellm")["command"]);
    let listen = command.iter().skip_while(|word| *word != "--listen").nth(1).unwrap();
    let (_, port) = listen.rsplit_once(':').unwrap();
    assert!(listen.starts_with("0.0.0.0:") && compose.listens("fakellm", port.parse().unwrap()), "{listen}");
}
