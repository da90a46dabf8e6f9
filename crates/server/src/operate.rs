//! The way of a request that is sent on: checked, read, run, answered.

use std::convert::Infallible;
use std::sync::Arc;

use axum::BoxError;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use bytes::Bytes;
use http_body::Body;
use weighbridge_domain::request::Operation;
use weighbridge_domain::table::RoutingTable;

use crate::app::App;
use crate::error::Shape;
use crate::headers::{self, Stamp};
use crate::refusal::Refusal;
use crate::request::{self, Arrival, Setting};
use crate::{answer, auth, error, preferences, variants};

/// Serves `request`. Nothing is spawned for it: when the client hangs up this future is dropped,
/// and the call to the provider with it. It never fails: a refusal is an answer.
pub(crate) async fn operate<B>(
    app: Arc<App>,
    operation: Operation,
    path_model: Option<Result<Path<String>, PathRejection>>,
    request: http::Request<B>,
) -> Result<Response, Infallible>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let table = app.engine.table();
    let id = app.ids.of(request.headers());
    let shape = Shape::of(operation);
    let stamp = Stamp::new(table.server.response_headers, &id, request.headers(), shape);
    let asked = Asked { app: &app, operation, path_model, id, shape, stamp: &stamp };
    Ok(match asked.serve(table, request).await {
        Ok(response) => response,
        Err(refusal) => {
            let mut response = refusal.told_as(shape);
            stamp.refused(response.headers_mut());
            response
        }
    })
}

/// What is known of a request before it is read.
struct Asked<'a> {
    app: &'a App,
    operation: Operation,
    path_model: Option<Result<Path<String>, PathRejection>>,
    id: Arc<str>,
    shape: Shape,
    stamp: &'a Stamp,
}

impl Asked<'_> {
    async fn serve<B>(self, table: Arc<RoutingTable>, request: http::Request<B>) -> Result<Response, Refusal>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let (parts, body) = request.into_parts();
        auth::client(&parts.headers, &table.server)?;
        let slot = self.app.admission.enter(table.server.max_concurrent_requests)?;
        let path_model =
            self.path_model.transpose().map_err(|_| Refusal::bad("model", "The path's model is no text."))?;
        let arrival = Arrival {
            id: self.id,
            operation: self.operation,
            path_model: path_model.map(|Path(model)| model),
            path: parts.uri.path(),
            headers: &parts.headers,
            body: request::collect(body, table.server.max_body_bytes).await?,
        };
        let setting = Setting { table: &table, engine: &self.app.engine, configs: &self.app.configs };
        let mut request = request::read(arrival, setting)?;
        variants::apply(&mut request, &table);
        let mut warnings = preferences::warnings(&request);
        let mut response = match self.app.engine.execute(&table, &request).await {
            Ok(mut answer) => {
                warnings.append(&mut answer.losses);
                answer::answered(answer, slot, self.stamp)
            }
            Err(failed) => error::failed(&failed, self.stamp, self.shape),
        };
        headers::warn(response.headers_mut(), &warnings);
        Ok(response)
    }
}
