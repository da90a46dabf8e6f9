//! docker-compose.yml: its services, and that everything they name is there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_yaml::Value;

use super::image::binaries;
use super::{directives, root, strings, text, yaml};

/// docker-compose.yml.
pub(super) struct Compose(Value);

impl Compose {
    pub(super) fn read() -> Self {
        Self(yaml("docker-compose.yml"))
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0["services"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn service(&self, name: &str) -> &Value {
        let service = &self.0["services"][name];
        assert!(service.is_mapping(), "no service {name}");
        service
    }

    /// Published ports, outside and inside.
    fn published(&self, service: &str) -> Vec<(u16, u16)> {
        let ports = strings(&self.service(service)["ports"]);
        ports
            .iter()
            .map(|port| {
                let (outside, inside) = port.split_once(':').unwrap();
                (outside.parse().unwrap(), inside.parse().unwrap())
            })
            .collect()
    }

    /// Whether other services reach `service` at `port`.
    pub(super) fn listens(&self, service: &str, port: u16) -> bool {
        let exposed = strings(&self.service(service)["expose"]);
        exposed.contains(&port.to_string()) || self.published(service).iter().any(|(_, inside)| *inside == port)
    }

    /// Asserts that `address`, as `service:port`, is reached from other services.
    pub(super) fn assert_reached(&self, address: &str) {
        let (service, port) = address.split_once(':').unwrap_or_else(|| panic!("no port: {address}"));
        assert!(self.listens(service, port.parse().unwrap()), "nobody listens at {address}");
    }

    /// The services that `service` is started after.
    fn waits_for(&self, service: &str) -> BTreeSet<String> {
        let depends = &self.service(service)["depends_on"];
        let listed = depends.as_sequence().into_iter().flatten();
        let named = depends.as_mapping().into_iter().flat_map(|depends| depends.keys());
        listed.chain(named).map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// What is mounted into `service`: the path in the repository, and the one inside.
    fn mounts(&self, service: &str) -> Vec<(PathBuf, String)> {
        let volumes = strings(&self.service(service)["volumes"]);
        volumes
            .iter()
            .map(|volume| {
                let mut parts = volume.split(':');
                (root().join(parts.next().unwrap()), parts.next().unwrap().to_owned())
            })
            .collect()
    }

    /// The file of the repository that `service` sees at `path`.
    pub(super) fn outside(&self, service: &str, path: &str) -> PathBuf {
        let mounts = self.mounts(service);
        let below = mounts.iter().find_map(|(outside, inside)| {
            let rest = path.strip_prefix(inside.as_str())?;
            match rest.strip_prefix('/') {
                Some(rest) => Some(outside.join(rest)),
                None => rest.is_empty().then(|| outside.clone()),
            }
        });
        below.unwrap_or_else(|| panic!("{service} has nothing mounted at {path}"))
    }
}

#[test]
fn all_parts_are_there_and_published_where_the_readme_says() {
    let compose = Compose::read();
    let names = compose.names();
    for name in ["redis", "router", "lb", "fakellm", "prometheus", "grafana"] {
        assert!(names.contains(name), "no service {name} in {names:?}");
    }
    assert_eq!(compose.published("lb"), [(8000, 8000)]);
    assert_eq!(compose.published("prometheus"), [(9090, 9090)]);
    assert_eq!(compose.published("grafana"), [(3000, 3000)]);
    // Several routers cannot publish one port.
    assert_eq!(compose.published("router"), []);
    // Redis has no password: only the others reach it.
    assert_eq!(compose.published("redis"), []);
}

#[test]
fn images_are_built_here_or_pinned() {
    let compose = Compose::read();
    for name in compose.names() {
        let service = compose.service(&name);
        if let Some(context) = service["build"]["context"].as_str() {
            let dockerfile = service["build"]["dockerfile"].as_str().unwrap();
            assert!(root().join(context).join(dockerfile).is_file(), "{name}: no {dockerfile}");
        } else {
            let image = service["image"].as_str().unwrap();
            let tag = image.split_once(':').map_or("", |(_, tag)| tag);
            assert!(tag.contains(|c: char| c.is_ascii_digit()), "{name}: {image} is not pinned");
        }
    }
}

#[test]
fn everything_mounted_is_in_the_repository() {
    let compose = Compose::read();
    for name in compose.names() {
        for (outside, inside) in compose.mounts(&name) {
            assert!(outside.exists(), "{name}: {} is not there", outside.display());
            // Docker makes an empty directory of a file that is not there.
            assert_eq!(outside.is_file(), inside.contains('.'), "{name}: {inside}");
        }
    }
}

#[test]
fn commands_name_binaries_and_files_that_exist() {
    let compose = Compose::read();
    let binaries = binaries();
    let mut files = 0;
    for name in compose.names() {
        let service = compose.service(&name);
        for entrypoint in strings(&service["entrypoint"]) {
            assert!(binaries.contains(&entrypoint), "{name}: no binary {entrypoint} in {binaries:?}");
        }
        for word in strings(&service["command"]).iter().filter(|word| word.starts_with("/app/")) {
            let outside = compose.outside(&name, word);
            assert!(outside.is_file(), "{name}: {} is not there", outside.display());
            files += 1;
        }
    }
    assert_eq!(files, 2, "one for the router, one for fakellm");
}

#[test]
fn who_is_waited_for_exists_and_says_when_it_is_well() {
    let compose = Compose::read();
    for name in compose.names() {
        let depends = &compose.service(&name)["depends_on"];
        for needed in depends.as_sequence().into_iter().flatten() {
            compose.service(needed.as_str().unwrap());
        }
        for (needed, how) in depends.as_mapping().into_iter().flatten() {
            let checked = compose.service(needed.as_str().unwrap())["healthcheck"].is_mapping();
            assert!(how["condition"].as_str() == Some("service_healthy") && checked, "{name}: {needed:?}");
        }
    }
}

#[test]
fn the_load_balancer_leads_to_the_router_and_streams() {
    let compose = Compose::read();
    let conf = text("deploy/nginx.conf");
    assert_eq!(compose.outside("lb", "/etc/nginx/nginx.conf"), root().join("deploy/nginx.conf"));
    let servers: Vec<&str> = directives(&conf, "server")
        .into_iter()
        .filter(|server| *server != "{")
        .map(|s| s.split(' ').next().unwrap())
        .collect();
    assert_eq!(servers, ["router:8000"]);
    compose.assert_reached(servers[0]);
    assert!(directives(&conf, "listen")[0].starts_with("8000"));
    let upstream = directives(&conf, "upstream")[0].trim_end_matches(" {");
    assert_eq!(directives(&conf, "proxy_pass"), [format!("http://{upstream}")]);
    assert_eq!(directives(&conf, "proxy_buffering"), ["off"]);
    assert_eq!(directives(&conf, "proxy_http_version"), ["1.1"]);
    assert!(directives(&conf, "proxy_set_header").contains(&"Connection \"\""));
    // A request that was sent may have been paid for: it is not sent again.
    let next = directives(&conf, "proxy_next_upstream");
    assert!(next.len() == 1 && !next[0].contains("non_idempotent"), "{next:?}");
    assert_eq!(conf.matches('{').count(), conf.matches('}').count());
}

#[test]
fn any_one_of_redis_and_three_routers_may_stop() {
    let compose = Compose::read();
    assert_eq!(compose.service("router")["deploy"]["replicas"].as_u64(), Some(3));
    for name in compose.names() {
        assert!(!compose.waits_for(&name).contains("redis"), "{name} does not start without Redis");
        assert_eq!(compose.service(&name)["restart"].as_str(), Some("unless-stopped"), "{name}");
    }
    // Requests go to routers by name, so that one that is gone is forgotten and the next is asked.
    let conf = text("deploy/nginx.conf");
    assert!(directives(&conf, "server").iter().any(|server| server.contains(" resolve ")));
    assert!(directives(&conf, "proxy_next_upstream")[0].starts_with("error timeout"));
    // Streams under way are let end.
    let grace = compose.service("router")["stop_grace_period"].as_str().unwrap();
    assert_eq!(grace, "10m10s", "longer than server.drain_timeout");
}

#[test]
fn redis_keeps_nothing_on_disk_and_evicts_nothing() {
    let compose = Compose::read();
    let command = strings(&compose.service("redis")["command"]);
    let value = |flag: &str| command.iter().skip_while(|word| *word != flag).nth(1).map(String::as_str);
    assert_eq!((value("--save"), value("--appendonly")), (Some(""), Some("no")));
    assert_eq!(value("--maxmemory-policy"), Some("noeviction"), "a counter that is evicted lets too much through");
}

#[test]
fn health_checks_ask_what_is_served() {
    let compose = Compose::read();
    let checked = |name: &str| strings(&compose.service(name)["healthcheck"]["test"]);
    assert_eq!(checked("router"), ["CMD", "bash", "/app/healthcheck.sh", "8000", "/health/ready"]);
    assert_eq!(checked("redis"), ["CMD", "redis-cli", "ping"]);
    assert_eq!(checked("fakellm"), ["CMD", "bash", "/app/healthcheck.sh", "9001"]);
    let url = checked("lb").pop().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8000").unwrap();
    assert!(text("deploy/nginx.conf").contains(&format!("location = {path} {{")));
}
