//! `/router/configs`: config objects that are saved for the whole fleet, under ids that clients send instead of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weighbridge_config::objects::{self, Above, Invalid, LONGEST};
use weighbridge_domain::plan::ConfigObject;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_engine::Engine;
use weighbridge_state::documents::{Document, NotSaved};

use crate::app::App;
use crate::configs::{self, Configs, Source};
use crate::refusal::Refusal;
use crate::request;

/// The longest id, in bytes.
const LONGEST_ID: usize = 128;

/// Which version is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    version: Option<u64>,
}

/// `GET /router/configs`: every id, with the version that is live.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let table = app.engine.table();
    let mut ids: Vec<&String> = table.saved_configs.keys().collect();
    ids.sort();
    let of_file = ids.into_iter().map(|id| json!({ "id": id, "source": "file" }));
    let documents = app.engine.state().documents();
    let saved = documents.iter().map(|(id, document)| {
        json!({ "id": id, "source": "saved", "version": document.live, "saved_at": saved_at(document, document.live) })
    });
    Json(json!({ "configs": of_file.chain(saved).collect::<Vec<_>>() }))
}

/// `GET /router/configs/{id}`: a config object with its keys masked, and which versions of it there are.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refusal> {
    if let Some(saved) = app.engine.table().saved_configs.get(&id) {
        return Ok(Json(json!({ "id": id, "source": "file", "config": saved.shown })));
    }
    let documents = app.engine.state().documents();
    let document = documents.get(&id).ok_or_else(|| unknown(&id))?;
    let number = wanted.version.unwrap_or(document.live);
    let version = document.version(number).ok_or_else(|| unknown(&format!("{id}, version {number}")))?;
    let config: Value = serde_json::from_str(version.text.reveal()).unwrap_or_default();
    let versions = document.versions.iter().map(|version| {
        json!({ "version": version.number, "saved_at": instant(version.at), "live": version.number == document.live })
    });
    Ok(Json(json!({
        "id": id,
        "source": "saved",
        "version": number,
        "live": document.live,
        "versions": versions.collect::<Vec<_>>(),
        "config": objects::masked(&config),
    })))
}

/// `PUT /router/configs/{id}`: saves the body as a new version and puts it in force; with `?version=` and no body an
/// older one is put in force again.
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let is_id = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_id) {
        let message = format!("An id has 1 to {LONGEST_ID} letters, digits, `-`, `_` and `.`.");
        return Err(Refusal::bad("id", message));
    }
    let table = app.engine.table();
    not_of_file(&table, &id)?;
    let body = request::collect(request.into_body(), LONGEST).await?;
    let state = app.engine.state();
    let version = match wanted.version {
        Some(_) if !body.trim_ascii().is_empty() => {
            return Err(Refusal::bad(
                "version",
                "`version` puts a saved version in force again: send no body with it.",
            ));
        }
        Some(version) => state.revive_document(&id, version).await,
        None => {
            let text = String::from_utf8(body.into()).map_err(|_| Refusal::config(Invalid::not_json()))?;
            // What cannot be used is not saved.
            let object = objects::parse(&text).map_err(Refusal::config)?;
            configs::compile(object, Some(&id), &Above::default(), &table, &app.engine).map_err(Refusal::config)?;
            state.put_document(&id, text, app.engine.now()).await
        }
    };
    let version = version.map_err(|why| not_saved(why, &id))?;
    tracing::info!(config = id, version, "an operator put a config object in force");
    Ok(Json(json!({ "id": id, "version": version })))
}

/// `DELETE /router/configs/{id}`: removes it with all its versions.
pub(crate) async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    not_of_file(&app.engine.table(), &id)?;
    match app.engine.state().remove_document(&id).await {
        Ok(true) => {
            tracing::info!(config = id, "an operator removed a config object");
            Ok(Json(json!({ "id": id, "deleted": true })))
        }
        Ok(false) => Err(unknown(&id)),
        Err(why) => Err(not_saved(why, &id)),
    }
}

/// The config object that is saved as `id`, compiled.
pub(crate) fn compiled(
    id: &str,
    table: &RoutingTable,
    engine: &Engine,
    configs: &Configs,
) -> Option<Result<Arc<ConfigObject>, Invalid>> {
    if let Some(saved) = table.saved_configs.get(id) {
        return Some(Ok(Arc::clone(&saved.object)));
    }
    let documents = engine.state().documents();
    let version = documents.get(id)?.live()?;
    // No config object that came in a header begins like that.
    let key = format!("\n{id}\n{}", version.number);
    let above = Above::default();
    let source = Source { key: key.as_bytes(), id: Some(id), above: &above };
    let read = || -> Result<Map<String, Value>, Invalid> { objects::parse(version.text.reveal()) };
    Some(configs.compiled(source, table, engine, read))
}

fn not_of_file(table: &RoutingTable, id: &str) -> Result<(), Refusal> {
    if !table.saved_configs.contains_key(id) {
        return Ok(());
    }
    let message = format!("The config `{id}` stands in the router's file, and is changed there.");
    Err(Refusal::new(StatusCode::CONFLICT, "invalid_request_error", message).about("id"))
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("There is no config `{id}`.")).about("id")
}

fn not_saved(why: NotSaved, id: &str) -> Refusal {
    let message = format!("Nothing was saved: {why}.");
    let refused = |status| Refusal::new(status, "invalid_request_error", message.clone());
    match why {
        NotSaved::StoreAway => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable_error", message),
        NotSaved::TooLong { .. } => refused(StatusCode::PAYLOAD_TOO_LARGE),
        NotSaved::BadName => refused(StatusCode::BAD_REQUEST),
        NotSaved::TooMany => refused(StatusCode::CONFLICT),
        NotSaved::Unknown => unknown(id),
    }
}

fn saved_at(document: &Document, number: u64) -> Option<String> {
    document.version(number).map(|version| instant(version.at))
}

/// As records of requests have it.
fn instant(at: Timestamp) -> String {
    let since = std::time::Duration::from_millis(at.as_millis());
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}
