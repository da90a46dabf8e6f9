//! `server`: how the HTTP side behaves.

use weighbridge_domain::hosts::{BadRule, HostRule, HostRules};
use weighbridge_domain::settings::{HeaderFamilies, ServerSettings};

use crate::reader::{Field, Section};
use crate::suggest;

/// Takes over what the section `server` of `top` says.
pub(crate) fn read(top: &Section<'_>, settings: &mut ServerSettings) {
    let server = top.section("server");
    server.only(&[
        "response_headers",
        "custom_hosts",
        "max_body_bytes",
        "max_concurrent_requests",
        "drain_delay",
        "drain_timeout",
        "json_logs",
        "metrics_need_key",
    ]);
    if let Some(field) = server.get("response_headers") {
        settings.response_headers = families(&field);
    }
    if let Some(field) = server.get("custom_hosts") {
        settings.custom_hosts = hosts(&field);
    }
    let size = |key: &str| server.get(key).and_then(|field| positive(&field));
    settings.max_body_bytes = size("max_body_bytes").unwrap_or(settings.max_body_bytes);
    settings.max_concurrent_requests = size("max_concurrent_requests").unwrap_or(settings.max_concurrent_requests);
    let seconds = |key: &str| server.get(key).and_then(|field| field.seconds());
    settings.drain_delay = seconds("drain_delay").unwrap_or(settings.drain_delay);
    settings.drain_timeout = seconds("drain_timeout").unwrap_or(settings.drain_timeout);
    let flag = |key: &str| server.get(key).and_then(|field| field.flag());
    settings.json_logs = flag("json_logs").unwrap_or(settings.json_logs);
    settings.metrics_need_key = flag("metrics_need_key").unwrap_or(settings.metrics_need_key);
}

/// A whole number of at least 1.
pub(crate) fn positive(field: &Field<'_>) -> Option<usize> {
    let count = field.count()?;
    if count == 0 {
        field.error("0 would refuse everything", "write 1 or more");
        return None;
    }
    usize::try_from(count).ok()
}

/// What clients may reach; a single entry counts as a list of one.
fn hosts(field: &Field<'_>) -> HostRules {
    let entries = field.items().unwrap_or_else(|| vec![field.clone()]);
    HostRules::new(entries.iter().filter_map(host).collect())
}

fn host(entry: &Field<'_>) -> Option<HostRule> {
    let text = entry.text()?;
    text.parse().map_err(|problem: BadRule| entry.error(format!("{}: {problem}", entry.shown()), hint(problem))).ok()
}

/// What to write instead.
fn hint(problem: BadRule) -> &'static str {
    match problem {
        BadRule::Url => "write the host alone: vllm.internal or vllm.internal:8000",
        BadRule::Port => "a port is 1 to 65535; without one every port is allowed",
        BadRule::Star => "write *.svc.cluster.local for all names below svc.cluster.local",
        BadRule::Address => "write 10.4.0.7, 10.4.0.0/16, fd00::/8 or [fd00::7]:8000",
        BadRule::Name => {
            "write a name such as vllm.internal, a suffix such as *.svc.cluster.local, an address or a range"
        }
    }
}

fn families(field: &Field<'_>) -> HeaderFamilies {
    let mut families = HeaderFamilies { weighbridge: false, litellm: false, portkey: false };
    for name in field.texts() {
        match name.as_str() {
            "weighbridge" => families.weighbridge = true,
            "litellm" => families.litellm = true,
            "portkey" => families.portkey = true,
            "all" => families = HeaderFamilies::default(),
            other => {
                let mut hint = suggest::did_you_mean(other, ["weighbridge", "litellm", "portkey"]);
                if hint.is_empty() {
                    hint = "weighbridge, litellm or portkey".to_owned();
                }
                field.error(format!("there is no header family {other:?}"), hint);
            }
        }
    }
    families
}
