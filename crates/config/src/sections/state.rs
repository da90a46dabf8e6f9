//! `state`: where counters live. This build keeps them in the process.

use crate::reader::Section;

/// Checks the section `state` of `top`, and warns of what it asks for in vain.
pub(crate) fn check(top: &Section<'_>) {
    let state = top.section("state");
    state.only(&["store", "redis", "on_store_loss"]);
    if let Some(field) = state.get("store") {
        match field.text().as_deref() {
            Some("memory" | "embedded") | None => {}
            Some("redis") => field.warn(
                "this build keeps its state in the process",
                "each replica counts for itself; divide limits by the number of replicas",
            ),
            Some(_) => field.error(format!("there is no store {}", field.shown()), "memory or redis"),
        }
    }
    state.section("redis").only(&["url", "namespace", "topology", "tls"]);
    if let Some(field) = state.get("on_store_loss")
        && !matches!(field.text().as_deref(), Some("local_share" | "closed" | "open"))
    {
        field.error(format!("{} is not known", field.shown()), "local_share, closed or open");
    }
}
