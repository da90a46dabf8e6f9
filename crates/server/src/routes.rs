//! Every path on one screen.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::body::Incoming;
use tower::ServiceExt;
use weighbridge_domain::name::NameMap;
use weighbridge_domain::request::Operation;

use crate::app::App;
use crate::headers::put_request_id;
use crate::operate::operate;
use crate::refusal::Refusal;
use crate::{admin, auth, health, logs, models, saved, select};

/// The service that answers every route. What is sent on to providers, which is nearly all there is, finds its way
/// without the router's help.
#[derive(Debug, Clone)]
pub(crate) struct Routes {
    app: Arc<App>,
    operations: Arc<NameMap<String, Operation>>,
    router: Router,
}

/// A response on its way.
pub(crate) type Responding = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Routes {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let operations = Arc::new(operation_paths().collect());
        Self { operations, router: router(Arc::clone(&app)), app }
    }

    /// Answers `request` of `peer`.
    pub(crate) fn respond(&self, request: http::Request<Incoming>, peer: SocketAddr) -> Responding {
        let operation = self.operations.get(request.uri().path()).filter(|_| request.method() == Method::POST);
        if let Some(operation) = operation.copied() {
            return Box::pin(operate(Arc::clone(&self.app), operation, None, request));
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// The same as a router.
pub fn router(app: Arc<App>) -> Router {
    let asides = listings(&app).merge(admin_routes(&app)).merge(open_routes());
    let asides = asides.layer(from_fn_with_state(Arc::clone(&app), name_request));
    operations().merge(asides).fallback(unknown_route).method_not_allowed_fallback(unknown_method).with_state(app)
}

/// What is sent on to providers, by paths that name no model.
fn operation_paths() -> impl Iterator<Item = (String, Operation)> {
    let own = [
        ("/router/completions", Operation::Chat),
        ("/v2/rerank", Operation::Rerank),
        // As Azure's SDKs have it: responses name no deployment in their path.
        ("/openai/responses", Operation::Responses),
    ];
    let usual = ["", "/v1", "/openai/v1"].into_iter().flat_map(|base| {
        Operation::ALL.into_iter().map(move |operation| (format!("{base}{}", operation.path()), operation))
    });
    own.map(|(path, operation)| (path.to_owned(), operation)).into_iter().chain(usual)
}

/// What is sent on to providers.
fn operations() -> Router<Arc<App>> {
    let mut router = Router::new();
    for (path, operation) in operation_paths() {
        router = router.route(&path, asked(operation));
    }
    // A model's name may hold slashes, so that only the end of the path tells what is to be done.
    router = router.route("/openai/deployments/{*rest}", post(asked_of_deployment));
    for operation in [Operation::Chat, Operation::Completions, Operation::Embeddings] {
        let path = format!("/engines/{{model}}{}", operation.path());
        router = router.route(&path, asked_by_path(operation)).route(&format!("/v1{path}"), asked_by_path(operation));
    }
    router
}

/// What clients may look up.
fn listings(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/models/{*id}", get(models::one))
        .route("/v1/model/info", get(models::deployments))
        .route("/model/info", get(models::deployments))
        .route("/v1/model_group/info", get(models::groups))
        .route("/model_group/info", get(models::groups))
        .route("/v1/route", post(admin::rank))
        .merge(selection(""))
        .merge(selection("/v1"))
        .route_layer(from_fn_with_state(Arc::clone(app), clients_only))
}

/// Not Diamond's API, below whatever base its clients are given.
fn selection(base: &str) -> Router<Arc<App>> {
    Router::new()
        .route(&format!("{base}/v2/modelRouter/modelSelect"), post(select::select))
        .route(&format!("{base}/v2/optimizer/modelSelect"), post(select::select))
        .route(&format!("{base}/v2/report/metrics/feedback"), post(select::feedback))
        .route(&format!("{base}/v2/report/metrics/latency"), post(select::latency))
        .route(&format!("{base}/v2/models"), get(select::models))
}

/// What operators may see and do.
fn admin_routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/router/deployments", get(admin::deployments))
        .route("/router/deployments/{id}/cooldown", post(admin::cool).delete(admin::restore))
        .route("/router/reload", post(admin::reload))
        .route("/router/logs", get(logs::list))
        .route("/router/configs", get(saved::list))
        .route("/router/configs/{id}", get(saved::show).put(saved::put).delete(saved::remove))
        .route_layer(from_fn_with_state(Arc::clone(app), operators_only))
}

/// What everybody may see, `/metrics` unless the configuration says otherwise.
fn open_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/liveness", get(health::live))
        .route("/health/liveliness", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/readiness", get(health::ready))
        .route("/health", get(health::fleet))
        .route("/metrics", get(health::metrics))
}

fn asked(operation: Operation) -> MethodRouter<Arc<App>> {
    post(move |State(app), request: Request| operate(app, operation, None, request))
}

fn asked_by_path(operation: Operation) -> MethodRouter<Arc<App>> {
    post(move |State(app), model: Result<Path<String>, PathRejection>, request: Request| {
        operate(app, operation, Some(model), request)
    })
}

async fn asked_of_deployment(
    State(app): State<Arc<App>>,
    rest: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Infallible> {
    match rest {
        Ok(Path(rest)) => match deployment_path(&rest) {
            Some((model, operation)) => operate(app, operation, Some(Ok(Path(model.to_owned()))), request).await,
            None => {
                let (parts, _) = request.into_parts();
                Ok(unknown_route(State(app), parts.method, parts.uri, parts.headers).await)
            }
        },
        Err(rejection) => operate(app, Operation::Chat, Some(Err(rejection)), request).await,
    }
}

/// The model and the operation in `<model>/chat/completions`.
fn deployment_path(rest: &str) -> Option<(&str, Operation)> {
    let split = |operation: Operation| Some((rest.strip_suffix(operation.path())?, operation));
    // `/completions` ends `/chat/completions` as well: the shortest model is what is left by the longest path.
    let found = Operation::ALL.into_iter().filter_map(split).min_by_key(|(model, _)| model.len());
    found.filter(|(model, _)| !model.is_empty())
}

async fn clients_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response, Refusal> {
    auth::client(request.headers(), &app.engine.table().server)?;
    Ok(next.run(request).await)
}

async fn operators_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    auth::operator(request.headers(), peer, &app.engine.table().server)?;
    Ok(next.run(request).await)
}

async fn name_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = app.ids.of(request.headers());
    let mut response = next.run(request).await;
    put_request_id(response.headers_mut(), &id);
    response
}

async fn unknown_route(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let refusal = Refusal::not_found(format!("There is no route {method} {}.", uri.path()));
    named(&app, &headers, refusal)
}

async fn unknown_method(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("{} does not take {method}.", uri.path());
    named(&app, &headers, Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message))
}

fn named(app: &App, headers: &HeaderMap, refusal: Refusal) -> Response {
    let mut response = refusal.into_response();
    put_request_id(response.headers_mut(), &app.ids.of(headers));
    response
}

#[cfg(test)]
mod tests;
