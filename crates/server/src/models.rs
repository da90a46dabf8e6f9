//! What clients may ask for, as `OpenAI` and `LiteLLM` list it. Keys are never shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::GroupName;
use weighbridge_domain::table::{ListedModel, RoutingTable};

use crate::app::App;
use crate::refusal::Refusal;

/// When every model was made, by `LiteLLM`'s account: nobody knows, and clients want a number.
const CREATED: u64 = 1_677_610_602;

/// The same, as Anthropic writes times.
const CREATED_AT: &str = "2023-02-28T18:56:42Z";

/// `GET /v1/models`, in Anthropic's words for its clients.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Json<Value> {
    let table = app.engine.table();
    let listed = table.listed();
    if headers.contains_key("anthropic-version") {
        let name = |listed: Option<&ListedModel>| listed.map(|listed| listed.name.clone());
        return Json(json!({
            "data": listed.iter().map(|listed| anthropic_model(&listed.name)).collect::<Vec<Value>>(),
            "has_more": false,
            "first_id": name(listed.first()),
            "last_id": name(listed.last()),
        }));
    }
    let models: Vec<Value> = listed.iter().map(|listed| model(&table, &listed.name, listed.group.as_ref())).collect();
    Json(json!({ "object": "list", "data": models }))
}

fn anthropic_model(name: &str) -> Value {
    json!({ "type": "model", "id": name, "display_name": name, "created_at": CREATED_AT })
}

/// `GET /v1/models/{id}`.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let table = app.engine.table();
    match table.find(&id) {
        Some(_) if headers.contains_key("anthropic-version") => Ok(Json(anthropic_model(&id))),
        Some(found) => Ok(Json(model(&table, &id, found.entry.group.as_ref()))),
        None => Err(Refusal::not_found(format!("The model `{id}` does not exist here.")).about("model")),
    }
}

/// What `GET /model/info` may be asked.
#[derive(Debug, Deserialize)]
pub(crate) struct DeploymentQuery {
    litellm_model_id: Option<String>,
}

/// `GET /model/info`: a row for each deployment, or for the one of that id.
pub(crate) async fn deployments(
    State(app): State<Arc<App>>,
    Query(query): Query<DeploymentQuery>,
) -> Result<Json<Value>, Refusal> {
    let table = app.engine.table();
    let all = table.deployments().chain(table.left_out().iter().map(|left_out| &left_out.deployment));
    let is_meant =
        |deployment: &&Arc<Deployment>| query.litellm_model_id.as_deref().is_none_or(|id| id == deployment.id.as_str());
    let rows: Vec<Value> = all.filter(is_meant).map(|deployment| deployment_info(deployment)).collect();
    match query.litellm_model_id {
        Some(id) if rows.is_empty() => {
            let message = format!("There is no deployment `{id}`.");
            // LiteLLM's status for it.
            Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request_error", message).about("litellm_model_id"))
        }
        Some(_) | None => Ok(Json(json!({ "data": rows }))),
    }
}

/// What `GET /model_group/info` may be asked.
#[derive(Debug, Deserialize)]
pub(crate) struct GroupQuery {
    model_group: Option<String>,
}

/// `GET /model_group/info`: a row for each group, or for the one of that name.
pub(crate) async fn groups(State(app): State<Arc<App>>, Query(query): Query<GroupQuery>) -> Json<Value> {
    let table = app.engine.table();
    let is_meant = |group: &&Arc<ModelGroup>| match &query.model_group {
        Some(name) => *name == group.name.as_str(),
        None => group.listed,
    };
    let rows: Vec<Value> = table.groups().filter(is_meant).map(|group| group_info(group)).collect();
    Json(json!({ "data": rows }))
}

fn model(table: &RoutingTable, name: &str, group: Option<&GroupName>) -> Value {
    let deployments = group.and_then(|group| table.group(group)).map_or(&[][..], |group| &group.deployments);
    let first = deployments.first();
    let owner = first.map_or("weighbridge", |deployment| deployment.endpoint.provider.as_str());
    let mut row = Map::new();
    row.insert("id".into(), name.into());
    row.insert("object".into(), "model".into());
    row.insert("created".into(), CREATED.into());
    row.insert("owned_by".into(), owner.into());
    put(&mut row, "mode", first.and_then(|deployment| deployment.mode.as_deref()));
    put(&mut row, "max_input_tokens", max(deployments, |deployment| deployment.max_input_tokens));
    put(&mut row, "max_output_tokens", max(deployments, |deployment| deployment.max_output_tokens));
    row.into()
}

fn deployment_info(deployment: &Deployment) -> Value {
    let endpoint = &deployment.endpoint;
    let mut params = Map::new();
    params.insert("model".into(), format!("{}/{}", endpoint.provider, deployment.model.as_str()).into());
    put(&mut params, "rpm", deployment.limits.rpm);
    put(&mut params, "tpm", deployment.limits.tpm);
    put(&mut params, "max_parallel_requests", deployment.limits.max_parallel_requests);
    put(&mut params, "weight", deployment.weight);
    if !deployment.tags.is_empty() {
        params.insert("tags".into(), deployment.tags.clone().into());
    }

    // What the operator wrote in model_info comes first, what is in force goes over it.
    let written = deployment.info.as_ref().and_then(|info| serde_json::from_str::<Map<String, Value>>(info.get()).ok());
    let mut info = written.unwrap_or_default();
    info.insert("id".into(), deployment.id.as_str().into());
    info.insert("db_model".into(), false.into());
    put(&mut info, "mode", deployment.mode.as_deref());
    put(&mut info, "region", deployment.region.as_deref());
    put(&mut info, "max_input_tokens", deployment.max_input_tokens);
    put(&mut info, "max_output_tokens", deployment.max_output_tokens);
    put(&mut info, "input_cost_per_token", deployment.price.map(|price| price.input));
    put(&mut info, "output_cost_per_token", deployment.price.map(|price| price.output));
    json!({ "model_name": deployment.group.as_str(), "litellm_params": params, "model_info": info })
}

fn group_info(group: &ModelGroup) -> Value {
    let deployments = &group.deployments;
    let providers: BTreeSet<&str> =
        deployments.iter().map(|deployment| deployment.endpoint.provider.as_str()).collect();
    let price = deployments.iter().find_map(|deployment| deployment.price);
    json!({
        "model_group": group.name.as_str(),
        "providers": providers,
        "mode": deployments.iter().find_map(|deployment| deployment.mode.as_deref()),
        "max_input_tokens": max(deployments, |deployment| deployment.max_input_tokens),
        "max_output_tokens": max(deployments, |deployment| deployment.max_output_tokens),
        "input_cost_per_token": price.map(|price| price.input),
        "output_cost_per_token": price.map(|price| price.output),
        "rpm": sum(deployments, |deployment| deployment.limits.rpm),
        "tpm": sum(deployments, |deployment| deployment.limits.tpm),
        "itpm": sum(deployments, |deployment| deployment.limits.itpm),
        "otpm": sum(deployments, |deployment| deployment.limits.otpm),
        "routing_strategy": group.strategy.label(),
        "deployments": deployments.len(),
    })
}

fn put<T: Into<Value>>(row: &mut Map<String, Value>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        row.insert(key.into(), value.into());
    }
}

fn max(deployments: &[Arc<Deployment>], of: fn(&Deployment) -> Option<u32>) -> Option<u32> {
    deployments.iter().filter_map(|deployment| of(deployment)).max()
}

/// `None` when no deployment has a limit.
fn sum(deployments: &[Arc<Deployment>], of: fn(&Deployment) -> Option<u32>) -> Option<u64> {
    deployments.iter().filter_map(|deployment| of(deployment)).map(u64::from).reduce(|sum, limit| sum + limit)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{deployment_info, group_info, model};
    use crate::testkit::table;

    #[test]
    fn a_model_is_listed() {
        let table = table();
        let shown = model(&table, "alias", Some(&"gpt-4o".into())).to_string();
        expect![[r#"{"created":1677610602,"id":"alias","max_input_tokens":128000,"mode":"chat","object":"model","owned_by":"openai"}"#]]
            .assert_eq(&shown);
        let route = model(&table, "a-route", None).to_string();
        expect![[r#"{"created":1677610602,"id":"a-route","object":"model","owned_by":"weighbridge"}"#]]
            .assert_eq(&route);
    }

    #[test]
    fn a_deployment_shows_no_key() {
        let table = table();
        let shown = deployment_info(table.deployment("dep-1").unwrap()).to_string();
        expect![[r#"{"litellm_params":{"model":"openai/gpt-4o-2024","rpm":10,"tags":["paid"],"tpm":1000},"model_info":{"db_model":false,"id":"dep-1","input_cost_per_token":1e-6,"max_input_tokens":128000,"mode":"chat","output_cost_per_token":2e-6,"team":"blue"},"model_name":"gpt-4o"}"#]]
            .assert_eq(&shown);
        assert!(!shown.contains("sk-"));
    }

    #[test]
    fn a_group_sums_its_deployments() {
        let table = table();
        let shown = group_info(table.group(&"gpt-4o".into()).unwrap()).to_string();
        expect![[r#"{"deployments":2,"input_cost_per_token":1e-6,"itpm":null,"max_input_tokens":128000,"max_output_tokens":null,"mode":"chat","model_group":"gpt-4o","otpm":null,"output_cost_per_token":2e-6,"providers":["openai"],"routing_strategy":"least-usage","rpm":20,"tpm":2000}"#]]
            .assert_eq(&shown);
    }
}
