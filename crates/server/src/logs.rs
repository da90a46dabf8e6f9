//! `GET /router/logs`: what became of past requests.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::refusal::Refusal;

/// Records that are looked through at a time.
const PAGE: usize = 500;
/// Records in an answer, unless the query says how many.
const USUAL: usize = 100;
/// The most records in an answer.
const MOST: usize = 1000;

/// What is asked for, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    request_id: Option<String>,
    trace_id: Option<String>,
    model: Option<String>,
    group: Option<String>,
    deployment: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
struct Filter {
    /// Fields that hold exactly this text.
    fields: Vec<(&'static str, String)>,
    /// The status.
    status: RangeInclusive<u64>,
    /// When the request came.
    time: RangeInclusive<SystemTime>,
    /// How many.
    limit: usize,
}

/// Records of the fleet's requests, the newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(asked) = asked.map_err(|rejection| Refusal::bad("query", format!("{}.", rejection.body_text())))?;
    let filter = Filter::read(asked)?;
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = app.engine.state().kept(before.as_deref(), PAGE).await;
        let Some(last) = page.last() else { break };
        before = Some(last.mark.clone());
        for kept in &page {
            let record: Value = serde_json::from_str(&kept.record).unwrap_or_default();
            if filter.holds(&record) {
                found.push(record);
            }
            if found.len() == filter.limit {
                return Ok(Json(json!({ "logs": found })));
            }
        }
    }
    Ok(Json(json!({ "logs": found })))
}

impl Filter {
    fn read(asked: Asked) -> Result<Self, Refusal> {
        let fields = [
            ("request_id", asked.request_id),
            ("trace_id", asked.trace_id),
            ("model", asked.model),
            ("group", asked.group),
            ("deployment", asked.deployment),
        ];
        let fields = fields.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
        let status = asked.status.as_deref().map_or(Some(0..=u64::MAX), statuses);
        let status =
            status.ok_or_else(|| Refusal::bad("status", "`status` must be a status like 429, or 4xx or 5xx."))?;
        let since = instant("since", asked.since)?.unwrap_or(UNIX_EPOCH);
        let until = instant("until", asked.until)?.unwrap_or(UNIX_EPOCH + Duration::from_secs(u32::MAX.into()));
        let limit = asked.limit.as_deref().map_or(Ok(USUAL), str::parse);
        let limit = limit.ok().filter(|limit| (1..=MOST).contains(limit));
        let limit =
            limit.ok_or_else(|| Refusal::bad("limit", format!("`limit` must be a number from 1 to {MOST}.")))?;
        Ok(Self { fields, status, time: since..=until, limit })
    }

    fn holds(&self, record: &Value) -> bool {
        let is_then = |text: &str| humantime::parse_rfc3339(text).is_ok_and(|time| self.time.contains(&time));
        self.fields.iter().all(|(name, text)| record[name] == **text)
            && record["status"].as_u64().is_some_and(|status| self.status.contains(&status))
            && record["time"].as_str().is_some_and(is_then)
    }
}

/// `429`, or `4xx` for all that begin like that.
fn statuses(text: &str) -> Option<RangeInclusive<u64>> {
    match text.strip_suffix("xx") {
        Some(hundreds) => {
            let hundreds: u64 = hundreds.parse().ok().filter(|hundreds| (1..=5).contains(hundreds))?;
            Some(hundreds * 100..=hundreds * 100 + 99)
        }
        None => text.parse().ok().map(|status| status..=status),
    }
}

/// A time in RFC 3339, or in seconds since 1970.
fn instant(name: &'static str, text: Option<String>) -> Result<Option<SystemTime>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let seconds = || text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = humantime::parse_rfc3339_weak(&text).ok().or_else(|| UNIX_EPOCH.checked_add(seconds()?));
    let wrong =
        || Refusal::bad(name, format!("`{name}` must be a time like 2026-01-31T12:00:00Z, or seconds since 1970."));
    time.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use serde_json::json;

    use super::{Asked, Filter};

    fn asked(query: &str) -> Result<Filter, String> {
        let uri = format!("/?{query}").parse().unwrap();
        let Query(asked) = Query::<Asked>::try_from_uri(&uri).map_err(|error| error.body_text())?;
        Filter::read(asked).map_err(|refusal| refusal.param().unwrap_or_default().to_owned())
    }

    #[test]
    fn records_are_chosen() {
        let record = json!({
            "trace_id": "t", "group": "g", "deployment": "d", "status": 429, "time": "2026-01-31T12:00:00.500Z",
        });
        for (query, holds) in [
            ("", true),
            ("trace_id=t&group=g&deployment=d&status=429", true),
            ("trace_id=other", false),
            ("model=m", false),
            ("status=4xx", true),
            ("status=5xx", false),
            ("status=200", false),
            ("since=2026-01-31T12:00:00Z", true),
            ("since=2026-01-31T12:00:01Z", false),
            ("until=1769860801", true),
            ("until=1769860800", false),
        ] {
            assert_eq!(asked(query).unwrap().holds(&record), holds, "{query}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, field) in [
            ("status=6xx", "status"),
            ("status=none", "status"),
            ("since=yesterday", "since"),
            ("until=-1", "until"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
        ] {
            assert_eq!(asked(query).unwrap_err(), field, "{query}");
        }
        assert!(asked("tracy=1").unwrap_err().contains("tracy"));
    }
}
