//! Whole files, and which store they select.

use std::collections::HashMap;
use std::fmt::Write;

use expect_test::{Expect, expect};
use weighbridge_domain::store::{Login, RedisSettings, ServerAddress, StoreSettings, Tls, Topology};
use weighbridge_providers::catalog::catalog;

use crate::{load, load_text};

type Variables<'a> = &'a [(&'a str, &'a str)];

const VARIABLES: Variables<'_> = &[("ADDRESS", "redis://:from-variable@r:1"), ("WORD", "from-variable")];

/// The store that `text` selects, and everything told about it; secrets in full, for comparison.
fn shown(text: &str, variables: Variables<'_>) -> String {
    let environment: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let text = format!("model_list: [{{model_name: m, litellm_params: {{model: simulated/m}}}}]\n{text}\n");
    let (mut shown, problems) = match load_text(&text, &catalog(), &environment) {
        Ok(loaded) => (store(&loaded.table.store), loaded.warnings),
        Err(refused) => ("refused".to_owned(), refused.problems),
    };
    for problem in problems {
        write!(shown, "\n  {problem}").unwrap();
    }
    shown.replace("-:2: ", "")
}

fn store(store: &StoreSettings) -> String {
    let StoreSettings::Redis(redis) = store else { return "memory".to_owned() };
    let mut shown = topology(&redis.topology) + &login(&redis.login);
    if let Some(Tls { ca, client, accept_any }) = &redis.tls {
        let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace("-----BEGIN ", "");
        shown += " tls";
        shown += &ca.as_ref().map_or_else(String::new, |ca| format!(" ca={}", bytes(ca)));
        if let Some(client) = client {
            let key = bytes(client.key.reveal().as_bytes());
            write!(shown, " client={}/{key}", bytes(&client.certificate)).unwrap();
        }
        shown += if *accept_any { " any" } else { "" };
    }
    shown + &habits(redis)
}

/// What is not at its default.
fn habits(redis: &RedisSettings) -> String {
    let usual = RedisSettings::single(ServerAddress { host: String::new(), port: 0 });
    let rows = [
        ("namespace", redis.namespace.clone(), usual.namespace),
        ("shards", redis.shards.to_string(), usual.shards.to_string()),
        ("call", format!("{:?}", redis.call_timeout), format!("{:?}", usual.call_timeout)),
        ("connect", format!("{:?}", redis.connect_timeout), format!("{:?}", usual.connect_timeout)),
        ("loss", format!("{:?}", redis.on_store_loss), format!("{:?}", usual.on_store_loss)),
        ("safety", format!("{:?}", redis.partition_safety), format!("{:?}", usual.partition_safety)),
        ("replicas", redis.max_replicas.to_string(), usual.max_replicas.to_string()),
        ("local", format!("{:?}", redis.local_max), format!("{:?}", usual.local_max)),
        ("strict", redis.strict.to_string(), usual.strict.to_string()),
    ];
    let own = rows.into_iter().filter(|(_, own, usual)| own != usual);
    own.map(|(name, own, _)| format!(" {name}={own}")).collect()
}

fn topology(topology: &Topology) -> String {
    let list = |servers: &[ServerAddress]| servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    match topology {
        Topology::Single(server) => server.to_string(),
        Topology::Sentinel { sentinels, master, login: own } => {
            format!("{master} of sentinels {}{}", list(sentinels), login(own))
        }
        Topology::Cluster(nodes) => format!("cluster {}", list(nodes)),
    }
}

fn login(login: &Login) -> String {
    match (&login.username, &login.password, login.database) {
        (None, None, 0) => String::new(),
        (username, password, database) => {
            let password = password.as_ref().map_or("-", |secret| secret.reveal());
            format!(" ({} {password} {database})", username.as_deref().unwrap_or("-"))
        }
    }
}

/// What comes of each of `texts`, line by line.
fn check(texts: &[impl AsRef<str>], expected: Expect) {
    let all: Vec<String> = texts.iter().map(|text| shown(text.as_ref(), VARIABLES)).collect();
    expected.assert_eq(&all.join("\n"));
}

#[test]
fn our_section_selects_a_store() {
    let rows = [
        ("", "memory"),
        ("state: {}", "memory"),
        ("state: {store: memory}", "memory"),
        ("state: {store: embedded, redis: {url: 'redis://r'}}", "memory"),
        ("state: {store: memory}\nrouter_settings: {redis_host: r}", "memory"),
        ("state: {store: redis, redis: {url: 'redis://r'}}", "r:6379"),
        ("state: {redis: {url: 'redis://u:p%40@r:7/2'}}", "r:7 (u p@ 2)"),
        ("state: {redis: {url: os.environ/ADDRESS}}", "r:1 (- from-variable 0)"),
        ("state: {redis: {url: 'redis://u:p@r/2', username: v, password: q, database: 3}}", "r:6379 (v q 3)"),
        ("state: {redis: {host: r}}", "r:6379"),
        ("state: {redis: {host: '::1', port: '7'}}", "[::1]:7"),
        (
            "state: {redis: {host: r, port: 7, password: os.environ/WORD, namespace: prod}}",
            "r:7 (- from-variable 0) namespace=prod",
        ),
        ("state: {redis: {nodes: ['a:1', b]}}", "cluster a:1,b:6379"),
        ("state: {redis: {nodes: [[a, 1], {host: b, port: '2'}], shards: 8}}", "cluster a:1,b:2 shards=8"),
        ("state: {redis: {nodes: 'a:1,b:2'}}", "cluster a:1,b:2"),
        ("state: {redis: {topology: cluster, url: 'rediss://u:p@a:1,b:2'}}", "cluster a:1,b:2 (u p 0) tls"),
        ("state: {redis: {sentinels: ['a:1', b], master: m}}", "m of sentinels a:1,b:26379"),
        (
            "state: {redis: {topology: sentinel, url: 'redis://:p@a,b:2/1', master: m, sentinel_username: su, sentinel_password: sp}}",
            "m of sentinels a:26379,b:2 (su sp 0) (- p 1)",
        ),
        ("state: {redis: {url: 'rediss://r'}}", "r:6379 tls"),
        ("state: {redis: {url: 'redis://r', tls: true}}", "r:6379 tls"),
        ("state: {redis: {url: 'redis://r', tls: false}}", "r:6379"),
        (
            "state: {redis: {url: 'redis://r', call_timeout: 0.1, connect_timeout: 1, strict: true}}",
            "r:6379 call=100ms connect=1s strict=true",
        ),
        ("state: {redis: {url: 'redis://r'}, on_store_loss: closed, max_replicas: 3}", "r:6379 loss=Closed replicas=3"),
        ("state: {redis: {url: 'redis://r'}, on_store_loss: open, local_max: 60}", "r:6379 loss=Open local=Some(60s)"),
        ("state: {redis: {url: 'redis://r'}, partition_safety: off}", "r:6379"),
        ("state: {redis: {url: 'redis://r'}, partition_safety: withhold}", "r:6379 safety=Withhold local=Some(900s)"),
        (
            "state: {redis: {url: 'redis://r'}, partition_safety: withhold, local_max: 5}",
            "r:6379 safety=Withhold local=Some(5s)",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(text, VARIABLES), expected, "{text}");
    }
}

/// Each of `redis` as our section.
fn ours(redis: &[&str]) -> Vec<String> {
    redis.iter().map(|redis| format!("state: {{redis: {{{redis}}}}}")).collect()
}

#[test]
fn servers_that_cannot_be_reached_are_errors() {
    let redis = [
        "",
        "url: os.environ/NOT_SET",
        "host: os.environ/NOT_SET, password: os.environ/NEITHER",
        "url: 'redis://:hidden@r:x'",
        "url: 'unix:///run/redis.sock'",
        "url: 'redis://a,b'",
        "url: 'redis://a', host: b, port: 1",
        "host: 'a:1'",
        "host: a, port: 70000",
        "nodes: ['a:b']",
        "nodes: [{port: 1}]",
        "nodes: []",
        "sentinels: [a]",
        "topology: cluster, host: a",
        "topology: sentinel, nodes: [a], master: m",
        "topology: single, master: m, url: 'redis://a'",
        "topology: ring, host: a",
    ];
    check(
        &ours(&redis),
        expect![[r#"
        refused
          error: state.redis: no server is named (write url: redis://host:6379)
        refused
          error: state.redis.url: the environment variable NOT_SET is not set (set it, or write the value)
        refused
          error: state.redis.password: the environment variable NEITHER is not set (set it, or write the value)
          error: state.redis.host: the environment variable NOT_SET is not set (set it, or write the value)
        refused
          error: state.redis.url: the URL has no host that could be one, or a port that is none (write redis://host:6379, or rediss:// for TLS)
        refused
          error: state.redis.url: Unix sockets are not spoken here (let the server listen on TCP as well, and write redis://127.0.0.1:6379)
        refused
          error: state.redis: the URL names several servers (write topology: cluster or topology: sentinel, or one server)
        refused
          error: state.redis.url: `url` is not the only one to name a server (write the servers in one place)
        refused
          error: state.redis.host: this is no host (write a name or an address alone, or a URL as the url)
        refused
          error: state.redis.port: this is no port (write a number up to 65535)
        refused
          error: state.redis.nodes[0]: this names no server (write host:port)
        refused
          error: state.redis.nodes[0]: this names no server (write host:port)
        refused
          error: state.redis.nodes: this names no server (write host:port)
        refused
          error: state.redis: the master's name is missing (write the name that the sentinels watch it under)
        refused
          error: state.redis.host: `host` is one server (write `sentinels` or `nodes` instead)
          error: state.redis: a cluster without a node to ask (write nodes: [host:6379])
        refused
          error: state.redis.nodes: `nodes` are those of a cluster (write topology: cluster)
          error: state.redis: there is no sentinel to ask (write sentinels: [host:26379])
        refused
          error: state.redis.master: `master` is a name that sentinels know (write topology: sentinel)
        refused
          error: state.redis.topology: "ring" is not known (single, sentinel or cluster)"#]],
    );
    check(
        &["state: {store: redis}"],
        expect![[r#"
        refused
          error: state.store: no server is named (write url: redis://host:6379)"#]],
    );
}

#[test]
fn habits_that_cannot_be_are_errors() {
    let redis = [
        "nodes: [a], database: 1",
        "url: 'rediss://a', tls: false",
        "host: a, namespace: 'a b'",
        "host: a, database: first",
        "host: a, shards: 0, call_timeout: 0, connect_timeout: soon",
        "host: a, call_timeout: 2, url_: x",
        "host: a, tls: {ca: no/such.pem, cert: x}",
    ];
    check(
        &ours(&redis),
        expect![[r#"
        refused
          error: state.redis: a cluster has no database but 0 (remove the number of the database)
        refused
          error: state.redis.tls: `tls` is off and the URL begins with rediss:// (write redis://, or remove `tls`)
        refused
          error: state.redis.namespace: this namespace cannot begin a key (write up to 64 letters, digits and _ . : -)
        refused
          error: state.redis.database: this is not the number of a database (write 0)
        refused
          error: state.redis.call_timeout: nothing is done in no time (write seconds, such as 0.05)
          error: state.redis.connect_timeout: "soon" is not a number (write a number)
          error: state.redis.shards: 0 is out of range (write 1 to 1024)
        refused
          error: state.redis.url_: there is no setting `url_` (did you mean `url`?)
          warning: state.redis.call_timeout: requests wait that long when Redis hangs (write 0.1 or less)
        refused
          error: state.redis.tls.cert: there is no setting `cert` (known here: ca, certificate, key, accept_any)
          error: state.redis.tls.ca: no/such.pem cannot be read: No such file or directory (os error 2) (write a path from where this file stands, or an absolute one)"#]],
    );
    check(
        &["state: {partition_safety: on, max_replicas: 0, local_max: never, on_store_loss: maybe, window: wide}"],
        expect![[r#"
            refused
              error: state.on_store_loss: "maybe" is not known (local_share, closed or open)
              error: state.partition_safety: true is not known (off or withhold)
              error: state.max_replicas: 0 is out of range (write 1 to 100000)
              error: state.local_max: "never" is not a number (write a number)
              error: state.window: "wide" is not known (ring or by_provider)"#]],
    );
}

#[test]
fn certificates_are_read_from_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let main = directory.path().join("main.yaml");
    let load = |tls: &str| {
        write("main.yaml", &format!("model_list: []\nstate: {{redis: {{host: r, tls: {{{tls}}}}}}}"));
        match load(&main, &catalog(), &HashMap::new()) {
            Ok(loaded) => store(&loaded.table.store),
            Err(refused) => {
                refused.problems.iter().map(|problem| format!("{}: {}\n", problem.path, problem.what)).collect()
            }
        }
    };
    for name in ["ca", "cert", "key"] {
        write(&format!("{name}.pem"), &format!("-----BEGIN {name}\n"));
    }
    write("ca.der", "0000000000000000");
    assert_eq!(load("ca: ca.pem"), "r:6379 tls ca=ca");
    assert_eq!(load("certificate: cert.pem, key: key.pem"), "r:6379 tls client=cert/key");
    assert_eq!(load("accept_any: true"), "r:6379 tls any");
    let told = load("ca: ca.der, certificate: cert.pem").replace(&format!("{}/", directory.path().display()), "");
    expect![[r#"
        model_list: `model_list` is empty
        state.redis.tls.ca: ca.der holds no PEM
        state.redis.tls: a certificate without its key, or the reverse
    "#]]
    .assert_eq(&told);
}

#[test]
fn litellms_settings_select_redis() {
    let rows = [
        (
            "router_settings: {redis_host: r, redis_port: '7', redis_password: p, redis_username: u, redis_db: 2, redis_ssl: 'true'}",
            "r:7 (u p 2) tls",
        ),
        ("router_settings: {redis_url: os.environ/ADDRESS}", "r:1 (- from-variable 0)"),
        ("router_settings: {redis_host: r, redis_password: '', redis_port: null}", "r:6379"),
        ("router_settings: {redis_password: p, redis_port: 1}", "memory"),
        ("general_settings: {coordination_redis: {host: r, port: 7, namespace: x}}", "r:7 namespace=x"),
        (
            "router_settings: {coordination_redis: {startup_nodes: [{host: a, port: 1}, {host: b, port: '2'}], ssl: true}}",
            "cluster a:1,b:2 tls",
        ),
        (
            "router_settings: {coordination_redis: {sentinel_nodes: [[a, 1], 'b:2'], service_name: m, sentinel_password: s, password: p}}",
            "m of sentinels a:1,b:2 (- s 0) (- p 0)",
        ),
        ("router_settings: {coordination_redis: {url: 'redis://first'}, redis_host: second}", "first:6379"),
        ("litellm_settings: {cache: false, cache_params: {type: redis, host: r}}", "memory"),
        (
            "router_settings: {redis_host: r}\ngeneral_settings: {fail_closed_rate_limit_enforcement: true}",
            "r:6379 loss=Closed",
        ),
        (
            "router_settings: {redis_host: r}\ngeneral_settings: {fail_closed_rate_limit_enforcement: true}\nstate: {on_store_loss: open}",
            "r:6379 loss=Open",
        ),
        (
            "router_settings: {redis_host: r}\nstate: {partition_safety: withhold, max_replicas: 4}",
            "r:6379 safety=Withhold replicas=4 local=Some(900s)",
        ),
        ("router_settings: {redis_host: r}\nstate: {redis: {host: ours}}", "ours:6379"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(text, VARIABLES), expected, "{text}");
    }
}

#[test]
fn the_cache_of_litellm_selects_redis() {
    let cache = |params: &str| format!("litellm_settings: {{cache: true, cache_params: {{{params}}}}}");
    let rows = [
        (cache("type: redis, host: r, port: 7, password: p, db: 1, namespace: x.y"), "r:7 (- p 1) namespace=x.y"),
        (cache("type: redis, url: 'rediss://r'"), "r:6379 tls"),
        (cache("type: redis-cluster, redis_startup_nodes: [{host: a, port: 1}]"), "cluster a:1"),
        (cache("sentinel_nodes: [[a, 1]], service_name: m"), "m of sentinels a:1"),
        (cache("type: redis-semantic, host: r"), "r:6379"),
        (cache("type: redis-semantic"), "memory"),
        (cache("type: local"), "memory"),
        (cache("type: s3, host: r"), "memory"),
        (cache("type: redis, host: r") + "\nrouter_settings: {redis_host: first}", "first:6379"),
        (cache("type: redis") + "\nrouter_settings: {redis_host: first}", "first:6379"),
    ];
    for (text, expected) in rows {
        let shown = shown(&text, VARIABLES);
        let (store, told) = shown.split_once('\n').unwrap();
        assert_eq!(store, expected, "{text}");
        assert!(told.contains("replies are not cached") && !told.contains('\n'), "{text}: {told}");
    }
}

#[test]
fn variables_stand_in_for_what_the_cache_does_not_say() {
    let url = ("REDIS_URL", "redis://u");
    let host = [("REDIS_HOST", "h"), ("REDIS_PORT", "7"), ("REDIS_PASSWORD", "p")];
    let cache = "litellm_settings: {cache: true}";
    let rows: [(&str, Variables<'_>, &str); 7] = [
        (cache, &[url], "u:6379"),
        (cache, &host, "h:7 (- p 0)"),
        (
            "litellm_settings: {cache: true, cache_params: {type: redis, namespace: n}}",
            &host,
            "h:7 (- p 0) namespace=n",
        ),
        ("litellm_settings: {cache: true, cache_params: {host: r}}", &[url, host[2]], "r:6379 (- p 0)"),
        ("router_settings: {redis_host: r}", &[host[1], host[2]], "r:6379 (- p 0)"),
        ("litellm_settings: {cache: true, cache_params: {type: local}}", &[url], "memory"),
        ("router_settings: {num_retries: 1}", &[url, host[0]], "memory"),
    ];
    for (text, variables, expected) in rows {
        assert_eq!(shown(text, variables).lines().next(), Some(expected), "{text}");
    }
}

#[test]
fn litellms_files_load_whatever_their_redis() {
    let texts = [
        "router_settings: {redis_host: os.environ/NOT_SET}",
        "router_settings: {redis_host: r, redis_password: os.environ/NOT_SET}",
        "router_settings: {redis_host: '${REDIS_HOST}', redis_port: 1}",
        "router_settings: {redis_host: <host>, redis_port: <port>}",
        "general_settings: {redis_url: 'http://hidden'}",
        "litellm_settings: {cache: true}",
        "litellm_settings: {cache: true, cache_params: {type: redis}}",
        "litellm_settings: {cache: true, cache_params: {sentinel_nodes: [[a, 1]]}}",
        "router_settings: {coordination_redis: {host: r, namespace: 'a b'}}",
    ];
    check(
        &texts,
        expect![[r#"
        memory
          warning: router_settings.redis_host: the environment variable NOT_SET is not set (set it, or write the value; as it is, each replica counts for itself)
        r:6379
          warning: router_settings.redis_password: the environment variable NOT_SET is not set (the setting is left at its default)
        memory
          warning: router_settings.redis_host: this names the variable REDIS_HOST in a way that is not resolved (it is used as it stands; write os.environ/REDIS_HOST to take the variable)
          warning: router_settings.redis_host: this is no host (write a name or an address alone, or a URL as the url; as it is, each replica counts for itself)
        memory
          warning: router_settings.redis_port: this is no port (write a number up to 65535; as it is, each replica counts for itself)
        memory
          warning: general_settings.redis_url: `redis_url` belongs in router_settings (it is honoured all the same)
          warning: general_settings.redis_url: this is not the URL of a Redis (write redis://host:6379, or rediss:// for TLS; as it is, each replica counts for itself)
        memory
          warning: litellm_settings.cache: replies are not cached by this router (it can only say where the counters are kept)
          warning: litellm_settings.cache: this selects Redis and names no server (write its host or url, or for the cache set REDIS_URL or REDIS_HOST; as it is, each replica counts for itself)
        memory
          warning: litellm_settings.cache: replies are not cached by this router (it can only say where the counters are kept)
          warning: litellm_settings.cache_params: this selects Redis and names no server (write its host or url, or for the cache set REDIS_URL or REDIS_HOST; as it is, each replica counts for itself)
        memory
          warning: litellm_settings.cache: replies are not cached by this router (it can only say where the counters are kept)
          warning: litellm_settings.cache_params: the master's name is missing (write the name that the sentinels watch it under; as it is, each replica counts for itself)
        r:6379 namespace=a_b
          warning: router_settings.coordination_redis.namespace: this namespace cannot begin a key (a_b is used; write up to 64 letters, digits and _ . : -)"#]],
    );
}

#[test]
fn no_secret_of_a_store_is_told() {
    for text in [
        "state: {redis: {url: 'redis://:hidden@r:x'}}",
        "state: {redis: {url: 'hidden'}}",
        "state: {redis: {url: 'redis://u:hidden@a,b'}}",
        "router_settings: {redis_url: 'http://:hidden@r'}",
        "state: {redis: {host: 'r:hidden', password: hidden}}",
    ] {
        let told = shown(text, VARIABLES);
        assert!(told.lines().count() == 2 && !told.contains("hidden"), "{told}");
    }
}
