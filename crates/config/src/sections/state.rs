//! `state`: where counters live, and what holds while they cannot be reached.

use std::time::Duration;

use weighbridge_domain::store::{OnStoreLoss, PartitionSafety, RedisSettings, ServerAddress, StoreSettings};

use crate::layers::Layers;
use crate::reader::{Field, Section};
use crate::store::litellm;
use crate::store::reach::{Dialect, Given, Kind, Reach};

const KEYS: &[&str] = &["store", "redis", "on_store_loss", "partition_safety", "max_replicas", "local_max", "window"];

const REDIS_KEYS: &[&str] = &[
    "url",
    "host",
    "port",
    "username",
    "password",
    "database",
    "namespace",
    "topology",
    "shards",
    "sentinels",
    "master",
    "sentinel_username",
    "sentinel_password",
    "nodes",
    "tls",
    "call_timeout",
    "connect_timeout",
    "strict",
];

const MOST_SHARDS: u32 = 1024;
const MOST_REPLICAS: u32 = 100_000;

/// How long a cut off replica serves what has limits while the others keep its share for it.
const WITHHELD_FOR: Duration = Duration::from_secs(900);

/// The longest a call may take without a word about it.
const PROMISED: Duration = Duration::from_millis(100);

/// Where counters live by the section `state` of `top`, else by `LiteLLM`'s settings.
pub(crate) fn read(top: &Section<'_>, layers: &Layers<'_>) -> StoreSettings {
    let state = top.section("state");
    state.only(KEYS);
    let redis = state.section("redis");
    redis.only(REDIS_KEYS);
    let of_litellm = litellm::read(layers);
    let reached = match choice(&state) {
        Choice::Memory => None,
        Choice::Redis(at) => reach(at, &redis).settings().ok(),
        Choice::Unsaid => of_litellm,
    };
    // Habits are checked whether or not there is a Redis to have them.
    let is_shared = reached.is_some();
    let nowhere = || RedisSettings::single(ServerAddress { host: String::new(), port: 0 });
    let settings = habits(&state, &redis, reached.unwrap_or_else(nowhere));
    if is_shared { StoreSettings::Redis(Box::new(settings)) } else { StoreSettings::Memory }
}

/// What the section itself wants.
enum Choice<'a> {
    Memory,
    /// Redis, as this setting says.
    Redis(Field<'a>),
    Unsaid,
}

fn choice<'a>(state: &Section<'a>) -> Choice<'a> {
    let redis = state.get("redis");
    let Some(field) = state.get("store") else { return redis.map_or(Choice::Unsaid, Choice::Redis) };
    match field.text().as_deref() {
        Some("memory" | "embedded") => Choice::Memory,
        Some("redis") => Choice::Redis(redis.unwrap_or(field)),
        Some(_) => {
            field.error(format!("there is no store {}", field.shown()), "memory or redis");
            Choice::Memory
        }
        None => redis.map_or(Choice::Unsaid, Choice::Redis),
    }
}

fn reach<'a>(at: Field<'a>, redis: &Section<'a>) -> Reach<'a> {
    let given = |key: &str| redis.get(key).map(Given::written);
    let kind = redis.get("topology").and_then(|field| match field.text()?.as_str() {
        "single" => Some(Kind::Single),
        "sentinel" => Some(Kind::Sentinel),
        "cluster" => Some(Kind::Cluster),
        _ => {
            field.error(format!("{} is not known", field.shown()), "single, sentinel or cluster");
            None
        }
    });
    Reach {
        dialect: Dialect::Ours,
        at,
        kind,
        url: given("url"),
        host: given("host"),
        port: given("port"),
        username: given("username"),
        password: given("password"),
        database: given("database"),
        tls: given("tls"),
        namespace: given("namespace"),
        nodes: given("nodes"),
        sentinels: given("sentinels"),
        master: given("master"),
        sentinel_username: given("sentinel_username"),
        sentinel_password: given("sentinel_password"),
    }
}

/// `settings` with what the two sections say about how Redis is used.
fn habits(state: &Section<'_>, redis: &Section<'_>, mut settings: RedisSettings) -> RedisSettings {
    let span = |key: &str| redis.get(key).and_then(|field| some_time(&field));
    settings.call_timeout = span("call_timeout").unwrap_or(settings.call_timeout);
    settings.connect_timeout = span("connect_timeout").unwrap_or(settings.connect_timeout);
    if settings.call_timeout > PROMISED
        && let Some(field) = redis.get("call_timeout")
    {
        field.warn("requests wait that long when Redis hangs", "write 0.1 or less");
    }
    let shards = redis.get("shards").and_then(|field| within(&field, MOST_SHARDS));
    settings.shards = shards.and_then(|shards| u16::try_from(shards).ok()).unwrap_or(settings.shards);
    settings.strict = redis.get("strict").and_then(|field| field.flag()).unwrap_or(settings.strict);
    settings.on_store_loss = state.get("on_store_loss").and_then(|f| loss(&f)).unwrap_or(settings.on_store_loss);
    settings.partition_safety =
        state.get("partition_safety").and_then(|f| safety(&f)).unwrap_or(settings.partition_safety);
    let replicas = state.get("max_replicas").and_then(|field| within(&field, MOST_REPLICAS));
    settings.max_replicas = replicas.unwrap_or(settings.max_replicas);
    settings.local_max = state.get("local_max").and_then(|field| field.seconds()).or(match settings.partition_safety {
        PartitionSafety::Off => None,
        PartitionSafety::Withhold => Some(WITHHELD_FOR),
    });
    settings
}

fn loss(field: &Field<'_>) -> Option<OnStoreLoss> {
    match field.text()?.as_str() {
        "local_share" => Some(OnStoreLoss::LocalShare),
        "closed" => Some(OnStoreLoss::Closed),
        "open" => Some(OnStoreLoss::Open),
        _ => {
            field.error(format!("{} is not known", field.shown()), "local_share, closed or open");
            None
        }
    }
}

fn safety(field: &Field<'_>) -> Option<PartitionSafety> {
    match field.text()?.as_str() {
        // YAML 1.1 reads a bare `off` as false.
        "off" | "false" => Some(PartitionSafety::Off),
        "withhold" => Some(PartitionSafety::Withhold),
        _ => {
            field.error(format!("{} is not known", field.shown()), "off or withhold");
            None
        }
    }
}

/// A whole number from 1 to `most`.
fn within(field: &Field<'_>, most: u32) -> Option<u32> {
    let number = field.count()?;
    if !(1..=most).contains(&number) {
        field.error(format!("{} is out of range", field.shown()), format!("write 1 to {most}"));
        return None;
    }
    Some(number)
}

/// A time of more than nothing.
fn some_time(field: &Field<'_>) -> Option<Duration> {
    let time = field.seconds()?;
    if time == Duration::ZERO {
        field.error("nothing is done in no time", "write seconds, such as 0.05");
        return None;
    }
    Some(time)
}
