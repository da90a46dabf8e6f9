//! Not Diamond's API: which of several models to ask, answered from the live fleet; and what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::table::RoutingTable;
use weighbridge_engine::{Contest, Entrant};
use weighbridge_routing::estimate::estimate;
use weighbridge_routing::score::{Figures, Tradeoff};
use weighbridge_state::Claim;

use crate::app::App;
use crate::detail::Detail;
use crate::reports::{LASTS, NotTaken};
use crate::request;

/// Prices are told by the million tokens.
const MILLION: f64 = 1e6;

/// What `modelSelect` may be asked; what else is in the body is passed over.
#[derive(Deserialize)]
struct Question {
    llm_providers: Vec<Candidate>,
    metric: Option<String>,
    max_model_depth: Option<usize>,
    tradeoff: Option<String>,
    cost_quality_tradeoff: Option<f64>,
    preference_id: Option<String>,
    default: Option<Value>,
}

/// A model as clients write it: `{provider, model}`, or with both names in `model`.
#[derive(Deserialize, Clone, Default)]
struct Candidate {
    #[serde(default)]
    provider: Option<String>,
    model: String,
    context_length: Option<f64>,
    input_price: Option<f64>,
    output_price: Option<f64>,
    latency: Option<f64>,
}

/// `POST /v2/modelRouter/modelSelect`: the models of a request, the best first. Calls nobody.
pub(crate) async fn select(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, Detail> {
    let table = app.engine.table();
    let body = request::collect(request.into_body(), table.server.max_body_bytes).await?;
    let (question, body) = read(body)?;
    let is_openrouter = values(query.as_deref(), "type").any(|kind| kind == "openrouter");
    let entrants: Vec<Entrant> = question.llm_providers.iter().map(|candidate| candidate.entrant(&app)).collect();
    let names: Vec<String> = entrants.iter().map(name).collect();
    let contest = Contest { entrants, estimate: estimate(&body), tradeoff: question.tradeoff()? };
    let placed = app.engine.select(&table, &contest);
    let mut ranked: Vec<usize> = Vec::new();
    if placed.first().is_some_and(|first| first.score > 0.0) && question.preference_id.is_none() {
        ranked.extend(placed.iter().map(|placed| placed.entrant));
        ranked.truncate(question.max_model_depth.unwrap_or(usize::MAX));
    }
    let shown = |candidate: &Candidate| candidate.shown(is_openrouter);
    let providers: Vec<Value> = match (ranked.is_empty(), &question.default) {
        (false, _) => ranked.iter().map(|place| shown(&question.llm_providers[*place])).collect(),
        (true, Some(default)) => vec![shown(&question.fallen_back_to(default))],
        (true, None) => return Err(question.nobody(placed.is_empty())),
    };
    let session_id = app.ids.uuid();
    tell_fleet(&app, &session_id, &names.join("\n")).await;
    app.reports.open(&session_id, names, app.engine.now());
    Ok(Json(json!({ "providers": providers, "session_id": session_id })))
}

/// Lets other replicas know of a session and its models. Before the client knows of it: whoever asks for a session that
/// nobody has claimed claims it.
async fn tell_fleet(app: &App, session: &str, models: &str) {
    let claim = Claim { session, wanted: models, instead_of: None, lasts: LASTS };
    app.engine.state().claim(claim, app.engine.now()).await;
}

/// Asks the fleet about a session that was not opened here.
async fn meet(app: &App, session: &str) {
    // All that were given out are as long.
    if session.len() != 36 || app.reports.knows(session) {
        return;
    }
    // What nobody has claimed is given to whoever asks, for a moment.
    let claim = Claim { session, wanted: "", instead_of: None, lasts: Duration::from_secs(1) };
    let models = app.engine.state().claim(claim, app.engine.now()).await;
    if !models.is_empty() {
        app.reports.open(session, models.lines().map(str::to_owned).collect(), app.engine.now());
    }
}

/// What is reported of a model that was chosen.
#[derive(Deserialize)]
struct Report<T> {
    session_id: String,
    provider: Candidate,
    feedback: T,
}

#[derive(Deserialize)]
struct Accuracy {
    accuracy: f64,
}

#[derive(Deserialize)]
struct Speed {
    tokens_per_second: f64,
}

/// `POST /v2/report/metrics/feedback`: whether a reply was good; later choices take it into account.
pub(crate) async fn feedback(State(app): State<Arc<App>>, body: Bytes) -> Result<Json<Value>, Detail> {
    let wrong = "The body must be {session_id, provider: {provider, model}, feedback: {\"accuracy\": 0 or 1}}.";
    let report: Report<Accuracy> = parsed(&body, wrong)?;
    let accuracy = report.feedback.accuracy;
    if accuracy != 0.0 && accuracy != 1.0 {
        return Err(Detail::bad(wrong));
    }
    meet(&app, &report.session_id).await;
    let taken = app.reports.opinion(&report.session_id, &report.model(), accuracy == 1.0, app.engine.now());
    taken.map_err(|why| report.not_taken(why))?;
    let accuracy = u8::from(accuracy == 1.0);
    Ok(Json(json!({ "session_id": report.session_id, "feedback": { "accuracy": accuracy } })))
}

/// `POST /v2/report/metrics/latency`: how fast a reply came; counts where nothing was measured here.
pub(crate) async fn latency(State(app): State<Arc<App>>, body: Bytes) -> Result<Json<Value>, Detail> {
    let wrong =
        "The body must be {session_id, provider: {provider, model}, feedback: {\"tokens_per_second\": number}}.";
    let report: Report<Speed> = parsed(&body, wrong)?;
    let speed = report.feedback.tokens_per_second;
    if speed <= 0.0 {
        return Err(Detail::bad(wrong));
    }
    meet(&app, &report.session_id).await;
    let taken = app.reports.speed(&report.session_id, &report.model(), speed, app.engine.now());
    taken.map_err(|why| report.not_taken(why))?;
    Ok(Json(json!({ "session_id": report.session_id, "tokens_per_second": speed })))
}

/// `GET /v2/models`: the models of the fleet, each once.
pub(crate) async fn models(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Json<Value> {
    let table = app.engine.table();
    let wanted: Vec<&str> =
        values(query.as_deref(), "provider").chain(values(query.as_deref(), "provider[]")).collect();
    let only_openrouter = values(query.as_deref(), "openrouter_only").any(|flag| flag.eq_ignore_ascii_case("true"));
    let rows = model_rows(&table).into_iter().filter(|row| {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|provider| row["provider"] == **provider);
        is_wanted && !(only_openrouter && row["openrouter_model"].is_null())
    });
    let rows: Vec<Value> = rows.collect();
    Json(json!({ "total": rows.len(), "models": rows, "deprecated_models": [] }))
}

fn model_rows(table: &RoutingTable) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    for deployment in table.deployments().filter(|deployment| !deployment.model.as_str().contains('*')) {
        let (provider, model) = (deployment.endpoint.provider.as_str(), deployment.model.as_str());
        if rows.iter().any(|row| row["provider"] == provider && row["model"] == model) {
            continue;
        }
        rows.push(json!({
            "provider": provider,
            "model": model,
            "context_length": deployment.max_input_tokens,
            "input_price": deployment.price.map(|price| price.input * MILLION),
            "output_price": deployment.price.map(|price| price.output * MILLION),
            "openrouter_model": (provider == "openrouter").then_some(model),
        }));
    }
    rows
}

/// The question in `body`, and the body itself for what is long in it.
fn read(body: Bytes) -> Result<(Question, JsonObject), Detail> {
    let body = JsonObject::parse(body).map_err(|error| Detail::bad(error.to_string()))?;
    let question: Question = parsed(body.bytes(), "`llm_providers` must be a list of {provider, model}.")?;
    let messages = body.raw("messages").unwrap_or("null");
    if !messages.starts_with(['"', '[']) || matches!(messages.replace(' ', "").as_str(), "\"\"" | "[]") {
        return Err(Detail::bad("Messages format invalid."));
    }
    if question.llm_providers.is_empty() {
        return Err(Detail::bad("`llm_providers` must name at least one model."));
    }
    if question.metric.as_deref().is_some_and(|metric| metric != "accuracy") {
        return Err(Detail::bad("`metric` can only be \"accuracy\"."));
    }
    if question.max_model_depth == Some(0) {
        return Err(Detail::bad("`max_model_depth` must be above 0."));
    }
    Ok((question, body))
}

impl Question {
    fn tradeoff(&self) -> Result<Tradeoff, Detail> {
        match (self.tradeoff.as_deref(), self.cost_quality_tradeoff) {
            (Some(_), Some(_)) => Err(Detail::bad("`tradeoff` and `cost_quality_tradeoff` exclude each other.")),
            (None, Some(way)) if (0.0..=10.0).contains(&way) => Ok(Tradeoff::Quality(way / 10.0)),
            (None, Some(_)) => Err(Detail::bad("`cost_quality_tradeoff` must be a number from 0 to 10.")),
            (word, None) => tradeoff(word)
                .map(|tradeoff| tradeoff.unwrap_or(Tradeoff::Quality(0.0)))
                .ok_or_else(|| Detail::bad("`tradeoff` must be \"cost\" or \"latency\".")),
        }
    }

    /// The model that `default` names, by place, name or in full; the first where it names none of them.
    fn fallen_back_to(&self, default: &Value) -> Candidate {
        let first = || self.llm_providers[0].clone();
        match default {
            Value::Number(place) => {
                let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
                place.and_then(|place| self.llm_providers.get(place).cloned()).unwrap_or_else(first)
            }
            Value::String(name) => {
                let is_it = |candidate: &&Candidate| candidate.name() == *name || candidate.model == *name;
                self.llm_providers.iter().find(is_it).cloned().unwrap_or_else(first)
            }
            other => serde_json::from_value(other.clone()).unwrap_or_else(|_| first()),
        }
    }

    /// Why nobody is named.
    fn nobody(&self, is_unknown: bool) -> Detail {
        if let Some(id) = &self.preference_id {
            return Detail::not_found(format!("Preference ID {id} not found."));
        }
        let names: Vec<String> = self.llm_providers.iter().take(20).map(Candidate::name).collect();
        let why = if is_unknown { "is served here" } else { "can serve this request now" };
        Detail::bad(format!("None of {} {why}.", names.join(", ")))
    }
}

/// What a request's `tradeoff` means; `None` when it means nothing.
#[expect(clippy::option_option, reason = "nothing said, and nothing meant")]
pub(crate) fn tradeoff(word: Option<&str>) -> Option<Option<Tradeoff>> {
    match word {
        None => Some(None),
        Some("cost") => Some(Some(Tradeoff::Cost)),
        Some("latency") => Some(Some(Tradeoff::Latency)),
        Some(_) => None,
    }
}

impl Candidate {
    /// Both names, whichever way they were written.
    fn parts(&self) -> (&str, &str) {
        match &self.provider {
            Some(provider) => (provider, &self.model),
            None => self.model.split_once('/').unwrap_or(("", &self.model)),
        }
    }

    fn name(&self) -> String {
        match self.parts() {
            ("", model) => model.to_owned(),
            (provider, model) => format!("{provider}/{model}"),
        }
    }

    /// As it is told in an answer.
    fn shown(&self, is_openrouter: bool) -> Value {
        if is_openrouter {
            return json!({ "model": self.name() });
        }
        let (provider, model) = self.parts();
        json!({ "provider": provider, "model": model })
    }

    fn entrant(&self, app: &App) -> Entrant {
        let (provider, model) = self.parts();
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let positive = |figure: Option<f64>| figure.filter(|figure| *figure >= 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as is meant")]
        let context = positive(self.context_length).map(|context| context as u32);
        let figures = Figures {
            input_price: positive(self.input_price).map(|price| price / MILLION),
            output_price: positive(self.output_price).map(|price| price / MILLION),
            latency: positive(self.latency),
            context,
        };
        Entrant { provider, model, figures, repute: app.reports.of(&self.name()) }
    }
}

impl<T> Report<T> {
    fn model(&self) -> String {
        self.provider.name()
    }

    fn not_taken(&self, why: NotTaken) -> Detail {
        let id = &self.session_id;
        match why {
            NotTaken::NoSession => Detail::not_found(format!("Session ID {id} not found.")),
            NotTaken::NoModel => Detail::bad(format!("Session ID {id} is not about {}.", self.model())),
        }
    }
}

fn name(entrant: &Entrant) -> String {
    if entrant.provider.is_empty() { entrant.model.clone() } else { format!("{}/{}", entrant.provider, entrant.model) }
}

fn parsed<T: DeserializeOwned>(body: &[u8], wrong: &str) -> Result<T, Detail> {
    serde_json::from_slice(body).map_err(|_| Detail::bad(wrong))
}

/// The values of `key` in a query, which are plain words.
fn values<'a>(query: Option<&'a str>, key: &'static str) -> impl Iterator<Item = &'a str> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(name, _)| name.replace("%5B", "[").replace("%5D", "]") == key).map(|(_, value)| value)
}
