//! The settings of `LiteLLM` that select Redis: `coordination_redis`, `redis_…`, the cache.

use weighbridge_domain::store::{OnStoreLoss, RedisSettings};

use super::reach::{Dialect, Given, Reach};
use crate::layers::{GENERAL, Home, LITELLM, Layers, ROUTER_ONLY};
use crate::reader::Field;

/// The Redis that the settings sections select: the first of the three that names one.
pub(crate) fn read(layers: &Layers<'_>) -> Option<RedisSettings> {
    // Read in any case: it warns of what is not done.
    let cache = cache(layers);
    let reach = coordination(layers).or_else(|| router(layers)).or(cache)?;
    if !reach.names_a_server() {
        let hint = "write its host or url, or for the cache set REDIS_URL or REDIS_HOST";
        reach.dialect.complain(&reach.at, "this selects Redis and names no server", hint);
        return None;
    }
    let mut settings = reach.settings().ok()?;
    let closed = layers.get("fail_closed_rate_limit_enforcement", GENERAL).and_then(|field| field.flag());
    if closed == Some(true) {
        settings.on_store_loss = OnStoreLoss::Closed;
    }
    Some(settings)
}

/// `coordination_redis`.
fn coordination<'a>(layers: &Layers<'a>) -> Option<Reach<'a>> {
    let field = layers.get("coordination_redis", &[Home::General, Home::Router])?;
    let section = field.section()?;
    Some(reach(field, |key| section.get(key)))
}

/// `redis_url`, `redis_host` and the like.
fn router<'a>(layers: &Layers<'a>) -> Option<Reach<'a>> {
    let get = |key: &str| layers.get(&format!("redis_{key}"), ROUTER_ONLY);
    let at = get("url").or_else(|| get("host"))?;
    Some(reach(at, |key| if is_of_the_router(key) { get(key) } else { None }))
}

fn is_of_the_router(key: &str) -> bool {
    matches!(key, "url" | "host" | "port" | "username" | "password" | "db" | "ssl")
}

/// The cache, when it is one in Redis. Replies are not cached here, whatever it says.
fn cache<'a>(layers: &Layers<'a>) -> Option<Reach<'a>> {
    let switch = layers.get("cache", LITELLM)?;
    if switch.flag() != Some(true) {
        return None;
    }
    let params = layers.get("cache_params", LITELLM);
    let section = params.as_ref().and_then(Field::section);
    let kind = section.as_ref().and_then(|section| section.get("type")).and_then(|field| field.text());
    let at = params.unwrap_or_else(|| switch.clone());
    let mut reach = reach(at, |key| {
        let section = section.as_ref()?;
        section.get(if key == "startup_nodes" { "redis_startup_nodes" } else { key })
    });
    let is_selected = match kind.as_deref() {
        None | Some("redis" | "redis-cluster") => true,
        Some("redis-semantic") => reach.names_a_server(),
        Some(_) => false,
    };
    let effect = if is_selected { "it can only say where the counters are kept" } else { "it has no effect" };
    switch.warn("replies are not cached by this router", effect);
    if is_selected && !reach.names_a_server() {
        look_around(&mut reach);
    }
    is_selected.then_some(reach)
}

/// A cache that names no server is where these variables say.
fn look_around(reach: &mut Reach<'_>) {
    let at = reach.at.clone();
    let variable = |name: &str| at.reader.variables.get(name).map(|text| Given::found(text, at.clone()));
    reach.url = variable("REDIS_URL");
    if reach.url.is_none() {
        reach.host = variable("REDIS_HOST");
        reach.port = reach.port.take().or_else(|| variable("REDIS_PORT"));
        reach.tls = reach.tls.take().or_else(|| variable("REDIS_SSL"));
    }
}

/// What `get` finds under `LiteLLM`'s names. A login that is not written may stand in variables.
fn reach<'a>(at: Field<'a>, get: impl Fn(&str) -> Option<Field<'a>>) -> Reach<'a> {
    let given = |key: &str| get(key).map(Given::written);
    let url = given("url");
    let login = |key: &str, name: &str| {
        let variable = || at.reader.variables.get(name).filter(|_| url.is_none());
        given(key).or_else(|| variable().map(|text| Given::found(text, at.clone())))
    };
    Reach {
        dialect: Dialect::Litellm,
        kind: None,
        host: given("host"),
        port: given("port"),
        username: login("username", "REDIS_USERNAME"),
        password: login("password", "REDIS_PASSWORD"),
        database: given("db"),
        tls: given("ssl"),
        namespace: given("namespace"),
        nodes: given("startup_nodes"),
        sentinels: given("sentinel_nodes"),
        master: given("service_name"),
        sentinel_username: None,
        sentinel_password: given("sentinel_password"),
        url,
        at,
    }
}
