//! What clients bring, and that nothing of the router's own is lent to them.

use std::collections::HashMap;

use serde_json::{Value, json};
use weighbridge_domain::plan::Plan;
use weighbridge_domain::table::RoutingTable;

use super::is_of_google;
use crate::auth::tests::{catalog, shown};
use crate::objects::{Above, Around, HostCheck, Named, compile};

/// Public hosts may be named, by clients.
#[derive(Debug)]
struct Public;

impl HostCheck for Public {
    fn check(&self, url: &str) -> Result<Named, String> {
        if url.contains("169.254") { Err("it is this machine's".to_owned()) } else { Ok(Named::ByClient) }
    }
}

/// A router whose own environment is full of credentials.
fn table() -> RoutingTable {
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "VERTEXAI_PROJECT", "AZURE_TENANT_ID"];
    let environment: HashMap<String, String> =
        names.into_iter().map(|name| (name.to_owned(), "ours".to_owned())).collect();
    crate::load_text("model_list: []", &catalog(), &environment).unwrap().table
}

/// Where `target` leads and with which credential, or what is wrong with it.
fn read(target: &Value) -> String {
    let Value::Object(object) = target.clone() else { panic!("no object") };
    let (table, headers) = (table(), Above::default());
    let around = Around { table: &table, id: None, hosts: &Public, headers: &headers };
    match compile(object, around) {
        Err(invalid) => invalid.errors.join("; "),
        Ok(object) => {
            assert!(object.warnings.is_empty(), "{:?}", object.warnings);
            let Plan::Brought { group, .. } = &*object.plan else { panic!("{:?}", object.plan) };
            let endpoint = &group.deployments[0].endpoint;
            format!("{} {}", endpoint.base_url, shown(&endpoint.auth))
        }
    }
}

/// `base` with the members of `more`; null takes one away.
fn with(base: &Value, more: &Value) -> Value {
    let mut target = base.clone();
    for (key, value) in more.as_object().unwrap() {
        target[key] = value.clone();
    }
    target
}

fn check(base: &Value, rows: &[(Value, &str)]) {
    for (more, expected) in rows {
        assert_eq!(read(&with(base, more)), *expected, "{more}");
    }
}

#[test]
fn aws() {
    let base = json!({
        "provider": "bedrock", "aws_access_key_id": "a", "aws_secret_access_key": "s", "aws_region": "us-east-1",
    });
    let host = "https://bedrock-runtime.us-east-1.amazonaws.com";
    check(
        &base,
        &[
            (json!({}), &format!("{host} bedrock in us-east-1: keys a s -")),
            (
                json!({ "aws_session_token": "t", "aws_auth_type": "accessKey" }),
                &format!("{host} bedrock in us-east-1: keys a s t"),
            ),
            (
                json!({ "aws_role_arn": "arn:r", "aws_external_id": "e" }),
                &format!("{host} bedrock in us-east-1: keys a s -, then arn:r as - with e"),
            ),
            (
                json!({ "aws_access_key_id": null, "aws_secret_access_key": null, "api_key": "k" }),
                &format!("{host} bearer k"),
            ),
            (json!({ "aws_region": null }), "path: aws_region, message: Required"),
            (json!({ "aws_region": "x.evil.example/" }), "path: aws_region, message: Invalid region"),
            (
                json!({ "aws_secret_access_key": null }),
                "path: aws_secret_access_key, message: Required: keys of your own. Those of this router are lent to nobody, for a role neither",
            ),
            (
                json!({ "aws_access_key_id": null, "aws_secret_access_key": null, "aws_role_arn": "arn:r" }),
                "path: aws_access_key_id, message: Required: keys of your own. Those of this router are lent to nobody, for a role neither",
            ),
        ],
    );
    let bare = read(&json!({ "provider": "bedrock", "aws_region": "us-east-1" }));
    assert!(bare.contains("Here the credential is aws_access_key_id"), "{bare}");
    let camel =
        json!({ "provider": "bedrock", "awsAccessKeyId": "a", "awsSecretAccessKey": "s", "awsRegion": "us-east-1" });
    assert_eq!(read(&camel), format!("{host} bedrock in us-east-1: keys a s -"));
}

#[test]
fn google() {
    let key = json!({
        "client_email": "e", "private_key": "k", "project_id": "of-key", "token_uri": "https://oauth2.googleapis.com/token",
        "type": "service_account",
    });
    let base = json!({ "provider": "vertex-ai", "vertex_region": "us-east5", "vertex_service_account_json": key });
    let at =
        |project: &str| format!("https://us-east5-aiplatform.googleapis.com/v1/projects/{project}/locations/us-east5");
    let with_uri = |uri: &str| json!({ "vertex_service_account_json": with(&key, &json!({ "token_uri": uri })) });
    let no_json =
        "path: vertex_service_account_json, message: Expected a service account's key as JSON, not where it is kept";
    check(
        &base,
        &[
            (json!({}), &format!("{} google {key}", at("of-key"))),
            (json!({ "vertex_project_id": "p" }), &format!("{} google {key}", at("p"))),
            (json!({ "vertex_service_account_json": key.to_string() }), &format!("{} google {key}", at("of-key"))),
            (
                json!({ "vertex_service_account_json": null, "api_key": "AIza", "vertex_project_id": "p" }),
                &format!("{} bearer AIza", at("p")),
            ),
            (json!({ "vertex_project_id": "p", "vertex_service_account_json": "/etc/key.json" }), no_json),
            (json!({ "vertex_project_id": "p", "vertex_service_account_json": "os.environ/KEY" }), no_json),
            (
                json!({ "vertex_project_id": "p", "vertex_service_account_json": { "type": "external_account" } }),
                "path: vertex_service_account_json, message: Invalid service account's key: credentials of type \"external_account\" are not known here; use a service account's key",
            ),
            (
                json!({ "vertex_project_id": "p", "vertex_service_account_json":
                    { "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r" } }),
                "path: vertex_service_account_json, message: Expected the key of a service account",
            ),
            (
                with_uri("http://169.254.169.254/token"),
                "path: vertex_service_account_json, message: Invalid token_uri: it is this machine's",
            ),
            (
                with_uri("https://evil.example/token"),
                "path: vertex_service_account_json, message: Invalid token_uri: it is not Google's",
            ),
            (json!({ "vertex_region": null }), "path: vertex_region, message: Required"),
            (json!({ "vertex_region": "x.example/" }), "path: vertex_region, message: Invalid region"),
            (json!({ "vertex_project_id": "../x" }), "path: vertex_project_id, message: Invalid project"),
        ],
    );
    let bare = read(&json!({ "provider": "vertex-ai", "vertex_region": "us-east5", "vertex_project_id": "p" }));
    assert!(bare.contains("Here the credential is vertex_service_account_json"), "{bare}");
}

#[test]
fn entra() {
    let base = json!({
        "provider": "azure-openai", "resource_name": "r", "azure_auth_mode": "entra", "azure_entra_tenant_id": "t",
        "azure_entra_client_id": "c", "azure_entra_client_secret": "s",
    });
    let usual = "at https://login.microsoftonline.com for https://cognitiveservices.azure.com/.default";
    let modes = "path: azure_auth_mode, message: Invalid 'azure_auth_mode' value. Must be one of: default, entra";
    let lent = "path: azure_auth_mode, message: Identities of this router's own are lent to nobody: write \"entra\", or an azure_ad_token";
    check(
        &base,
        &[
            (json!({}), &format!("https://r.openai.azure.com entra t c s {usual}")),
            (json!({ "api_key": "k" }), "https://r.openai.azure.com api-key: k"),
            (json!({ "azure_ad_token": "tok" }), "https://r.openai.azure.com bearer tok"),
            (json!({ "azure_auth_mode": "default", "api_key": "k" }), "https://r.openai.azure.com api-key: k"),
            (json!({ "azure_auth_mode": "managed" }), lent),
            (json!({ "azure_auth_mode": "workload" }), lent),
            (json!({ "azure_auth_mode": "else" }), modes),
            (json!({ "azure_entra_tenant_id": "t/../u" }), "path: azure_entra_tenant_id, message: Invalid tenant"),
            (json!({ "azure_entra_client_secret": null }), "path: azure_entra_client_secret, message: Required"),
        ],
    );
}

#[test]
fn different_credentials_are_different_deployments() {
    let id = |secret: &str| {
        let target = json!({
            "provider": "bedrock", "aws_access_key_id": "a", "aws_secret_access_key": secret, "aws_region": "us-east-1",
        });
        let Value::Object(object) = target else { panic!("no object") };
        let (table, headers) = (table(), Above::default());
        let around = Around { table: &table, id: None, hosts: &Public, headers: &headers };
        let Plan::Brought { group, .. } = &*compile(object, around).unwrap().plan else { panic!("not brought") };
        group.deployments[0].id.clone()
    };
    assert_eq!(id("s"), id("s"));
    assert_ne!(id("s"), id("t"));
}

#[test]
fn hosts_of_google() {
    let rows = [
        ("https://oauth2.googleapis.com/token", true),
        ("https://sts.googleapis.com", true),
        ("http://oauth2.googleapis.com/token", false),
        ("https://oauth2.googleapis.com.evil.example/token", false),
        ("https://oauth2.googleapis.com:443/token", false),
        ("https://evil.example/.googleapis.com", false),
        ("https://evil.example#.googleapis.com", false),
        ("https://evil.example\\.googleapis.com", false),
        ("https://a@b.googleapis.com", false),
    ];
    for (uri, expected) in rows {
        assert_eq!(is_of_google(uri), expected, "{uri}");
    }
}
