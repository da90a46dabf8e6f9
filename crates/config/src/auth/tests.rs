//! Credentials of clouds, as rows of what is written and what becomes of it.

use std::collections::HashMap;

use weighbridge_domain::credential::{AwsCredential, AwsRole, AwsSource, GoogleCredential};
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::provider::{AuthStyle, Catalog, Provider};
use weighbridge_domain::secret::Secret;

use crate::load_text;

/// The built-in rows, and two of clouds.
pub(crate) fn catalog() -> Catalog {
    let mut catalog = weighbridge_providers::catalog::catalog();
    let cloud = |name: &str, base: &str, auth: AuthStyle, key: &[&str], variables: &[&str]| Provider {
        base_url: Some(base.to_owned()),
        auth,
        key_variables: key.iter().map(|name| (*name).to_owned()).collect(),
        base_variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        key_optional: false,
        ..Provider::openai_compatible(name)
    };
    catalog.put(cloud(
        "bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com",
        AuthStyle::Aws { service: "bedrock".to_owned() },
        &["AWS_BEARER_TOKEN_BEDROCK"],
        &["AWS_BEDROCK_RUNTIME_ENDPOINT"],
    ));
    let vertex = "https://{google_host}/v1/projects/{project}/locations/{location}";
    catalog.put(cloud("vertex_ai", vertex, AuthStyle::Google, &[], &[]));
    catalog.put(cloud("keyed", "https://k.example/v1", AuthStyle::Query("key".to_owned()), &["KEYED_KEY"], &[]));
    catalog
}

/// A credential with its secrets, which `Debug` does not show.
pub(crate) fn shown(auth: &Auth) -> String {
    match auth {
        Auth::None => "open".to_owned(),
        Auth::Bearer(secret) => format!("bearer {}", secret.reveal()),
        Auth::Header { name, secret } => format!("{name}: {}", secret.reveal()),
        Auth::Query { name, secret } => format!("?{name}={}", secret.reveal()),
        Auth::Aws(credential) => signer(credential),
        Auth::Google(credential) => match &**credential {
            GoogleCredential::Key(json) => format!("google {}", json.reveal()),
            GoogleCredential::File(path) => format!("google file {path}"),
            GoogleCredential::Metadata(host) => format!("google at {host}"),
        },
        Auth::Entra(credential) => format!(
            "entra {} {} {} at {} for {}",
            credential.tenant_id,
            credential.client_id,
            credential.client_secret.reveal(),
            credential.authority,
            credential.scope
        ),
    }
}

fn signer(credential: &AwsCredential) -> String {
    let role = |role: &AwsRole| {
        let external_id = role.external_id.as_ref().map_or("-", Secret::reveal);
        format!("{} as {} with {external_id}", role.arn, role.session_name.as_deref().unwrap_or("-"))
    };
    let source = match &credential.source {
        AwsSource::Keys(keys) => {
            let token = keys.session_token.as_ref().map_or("-", Secret::reveal);
            format!("keys {} {} {token}", keys.access_key_id.reveal(), keys.secret_access_key.reveal())
        }
        AwsSource::Profile(name) => format!("profile {name}"),
        AwsSource::Chain => "chain".to_owned(),
        AwsSource::WebIdentity { token_file, role: assumed } => format!("token in {token_file} for {}", role(assumed)),
    };
    let then = credential.role.as_ref().map_or_else(String::new, |assumed| format!(", then {}", role(assumed)));
    format!("{} in {}: {source}{then}", credential.service, credential.region)
}

/// The base URL and credential of a deployment with these `params`, where `variables` are set.
fn read(params: &str, variables: &str) -> String {
    let text = format!("model_list: [{{model_name: m, litellm_params: {{{params}}}}}]");
    let pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
    let environment: HashMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let loaded = load_text(&text, &catalog(), &environment).unwrap_or_else(|refused| panic!("{:#?}", refused.problems));
    let Some(deployment) = loaded.table.deployments().next() else {
        return format!("out: {}", loaded.table.left_out()[0].reason);
    };
    assert!(deployment.body_defaults.is_empty(), "{:?}", deployment.body_defaults);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    format!("{} {}", deployment.endpoint.base_url, shown(&deployment.endpoint.auth))
}

fn check(rows: &[(&str, &str, &str)]) {
    for (params, variables, expected) in rows {
        assert_eq!(read(params, variables), *expected, "{params} | {variables}");
    }
}

#[test]
fn aws() {
    const HOST: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";
    let rows = [
        ("aws_region_name: us-east-1", "", "bedrock in us-east-1: chain"),
        ("", "AWS_REGION=us-east-1", "bedrock in us-east-1: chain"),
        ("", "AWS_DEFAULT_REGION=us-east-1", "bedrock in us-east-1: chain"),
        ("", "AWS_REGION_NAME=us-east-1 AWS_REGION=eu-west-1", "bedrock in us-east-1: chain"),
        ("region_name: us-east-1", "AWS_REGION=eu-west-1", "bedrock in us-east-1: chain"),
        (
            "aws_region_name: os.environ/R, aws_access_key_id: os.environ/A, aws_secret_access_key: os.environ/S",
            "R=us-east-1 A=AKIA1 S=s AWS_ACCESS_KEY_ID=AKIA2 AWS_SECRET_ACCESS_KEY=t",
            "bedrock in us-east-1: keys AKIA1 s -",
        ),
        (
            "aws_region_name: us-east-1",
            "AWS_ACCESS_KEY_ID=AKIA2 AWS_SECRET_ACCESS_KEY=t AWS_SESSION_TOKEN=st",
            "bedrock in us-east-1: keys AKIA2 t st",
        ),
        (
            "aws_region_name: us-east-1, aws_access_key_id: a, aws_secret_access_key: s, aws_session_token: t, \
             aws_role_name: 'arn:r', aws_session_name: n, aws_external_id: e",
            "",
            "bedrock in us-east-1: keys a s t, then arn:r as n with e",
        ),
        ("aws_region_name: us-east-1, aws_profile_name: work", "", "bedrock in us-east-1: profile work"),
        (
            "aws_region_name: us-east-1, aws_role_name: 'arn:r'",
            "",
            "bedrock in us-east-1: chain, then arn:r as - with -",
        ),
        (
            "aws_region_name: us-east-1, aws_role_name: 'arn:r', aws_web_identity_token: oidc/file//run/token",
            "",
            "bedrock in us-east-1: token in /run/token for arn:r as - with -",
        ),
        (
            "aws_region_name: us-east-1, aws_role_name: 'arn:r', aws_web_identity_token: oidc/env_path/F",
            "F=/run/t",
            "bedrock in us-east-1: token in /run/t for arn:r as - with -",
        ),
        ("aws_region_name: us-east-1, api_key: bk", "AWS_BEARER_TOKEN_BEDROCK=bt", "bearer bk"),
        ("aws_region_name: us-east-1", "AWS_BEARER_TOKEN_BEDROCK=bt", "bearer bt"),
        (
            "aws_region_name: us-east-1, aws_access_key_id: a, aws_secret_access_key: s",
            "AWS_BEARER_TOKEN_BEDROCK=bt",
            "bedrock in us-east-1: keys a s -",
        ),
    ];
    for (params, variables, expected) in rows {
        let params = format!("model: bedrock/m, {params}");
        assert_eq!(read(&params, variables), format!("{HOST} {expected}"), "{params} | {variables}");
    }
}

#[test]
fn aws_places_and_what_is_missing() {
    check(&[
        ("model: bedrock/m", "", "out: it has no aws_region_name, and AWS_REGION is not set"),
        ("model: bedrock/m, api_key: k", "", "out: it has no aws_region_name, and AWS_REGION is not set"),
        ("model: bedrock/m, aws_region_name: evil.example/", "", "out: its aws_region_name is no region of AWS"),
        ("model: bedrock/m, aws_region_name: os.environ/R", "", "out: R is not set"),
        (
            "model: bedrock/m, aws_region_name: r, aws_access_key_id: a",
            "",
            "out: it has an aws_access_key_id, but no aws_secret_access_key",
        ),
        (
            "model: bedrock/m, aws_region_name: r, aws_secret_access_key: os.environ/NOPE, aws_access_key_id: a",
            "",
            "out: NOPE is not set",
        ),
        (
            "model: bedrock/m, aws_region_name: r, aws_web_identity_token: oidc/file//t",
            "",
            "out: its aws_web_identity_token needs an aws_role_name",
        ),
        (
            "model: bedrock/m, aws_region_name: r, aws_role_name: a, aws_web_identity_token: eyJ",
            "",
            "out: its aws_web_identity_token is no file; write oidc/file//path/of/the/token",
        ),
        (
            "model: bedrock/eu-central-1/m",
            "AWS_REGION=us-east-1",
            "https://bedrock-runtime.eu-central-1.amazonaws.com bedrock in eu-central-1: chain",
        ),
        (
            "model: 'bedrock/arn:aws:bedrock:us-gov-west-1:1:inference-profile/x'",
            "AWS_REGION=us-east-1",
            "https://bedrock-runtime.us-gov-west-1.amazonaws.com bedrock in us-gov-west-1: chain",
        ),
        (
            "model: bedrock/m, aws_region_name: r, aws_bedrock_runtime_endpoint: https://vpce.example",
            "",
            "https://vpce.example bedrock in r: chain",
        ),
        (
            "model: bedrock/m, aws_region_name: r",
            "AWS_BEDROCK_RUNTIME_ENDPOINT=https://vpce.example",
            "https://vpce.example bedrock in r: chain",
        ),
    ]);
}

const ACCOUNT: &str = r#"{"type":"service_account","project_id":"of-key","client_email":"e","private_key":"k"}"#;

#[test]
fn google() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ACCOUNT).unwrap();
    let path = file.path().to_str().unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".config/gcloud")).unwrap();
    let left = home.path().join(".config/gcloud/application_default_credentials.json");
    std::fs::write(&left, r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#)
        .unwrap();
    let (home, left) = (home.path().to_str().unwrap().to_owned(), left.to_str().unwrap().to_owned());
    let at = |host: &str, project: &str, location: &str| {
        format!("https://{host}/v1/projects/{project}/locations/{location}")
    };
    let usual = |project: &str| at("us-central1-aiplatform.googleapis.com", project, "us-central1");
    let rows = [
        ("vertex_project: p".to_owned(), String::new(), format!("{} google at metadata.google.internal", usual("p"))),
        (String::new(), "VERTEXAI_PROJECT=p GCE_METADATA_HOST=m:1".to_owned(), format!("{} google at m:1", usual("p"))),
        (
            "vertex_project: p, vertex_location: europe-west4".to_owned(),
            "VERTEXAI_LOCATION=us-east5".to_owned(),
            format!(
                "{} google at metadata.google.internal",
                at("europe-west4-aiplatform.googleapis.com", "p", "europe-west4")
            ),
        ),
        (
            "vertex_project: p".to_owned(),
            "VERTEXAI_LOCATION=global".to_owned(),
            format!("{} google at metadata.google.internal", at("aiplatform.googleapis.com", "p", "global")),
        ),
        (
            "vertex_project: p, vertex_location: eu".to_owned(),
            String::new(),
            format!("{} google at metadata.google.internal", at("aiplatform.eu.rep.googleapis.com", "p", "eu")),
        ),
        (format!("vertex_credentials: '{ACCOUNT}'"), String::new(), format!("{} google {ACCOUNT}", usual("of-key"))),
        (
            "vertex_credentials: {client_email: e, private_key: k, type: service_account}, vertex_project: p"
                .to_owned(),
            String::new(),
            format!(r#"{} google {{"client_email":"e","private_key":"k","type":"service_account"}}"#, usual("p")),
        ),
        (format!("vertex_credentials: {path}"), String::new(), format!("{} google file {path}", usual("of-key"))),
        (
            String::new(),
            format!("GOOGLE_APPLICATION_CREDENTIALS={path} HOME={home}"),
            format!("{} google file {path}", usual("of-key")),
        ),
        ("vertex_project: p".to_owned(), format!("HOME={home}"), format!("{} google file {left}", usual("p"))),
        ("vertex_project: p, api_key: ya29.t".to_owned(), String::new(), format!("{} bearer ya29.t", usual("p"))),
        (
            "vertex_project: p, api_key: AIzaK".to_owned(),
            String::new(),
            format!("{} x-goog-api-key: AIzaK", usual("p")),
        ),
        (
            "vertex_project: p, api_base: https://proxy.example".to_owned(),
            String::new(),
            "https://proxy.example/v1/projects/p/locations/us-central1 google at metadata.google.internal".to_owned(),
        ),
    ];
    for (params, variables, expected) in rows {
        let found = read(&format!("model: vertex_ai/m, {params}"), &variables);
        assert_eq!(found, expected, "{params} | {variables}");
    }
}

#[test]
fn google_and_what_is_missing() {
    let out = |params: &str, variables: &str| {
        let found = read(&format!("model: vertex_ai/m, {params}"), variables);
        found.strip_prefix("out: ").unwrap_or_else(|| panic!("{found}")).to_owned()
    };
    assert_eq!(out("", ""), "it has no vertex_project, and VERTEXAI_PROJECT is not set");
    assert_eq!(out("vertex_project: a/b", ""), "its vertex_project is no project of Google Cloud");
    assert_eq!(out("vertex_project: p, vertex_location: x.example/", ""), "its vertex_location is no location");
    assert_eq!(out("vertex_project: p, vertex_credentials: os.environ/N", ""), "N is not set (its vertex_credentials)");
    let missing = out("vertex_project: p, vertex_credentials: /nowhere/x.json", "");
    assert!(missing.starts_with("its vertex_credentials: the file cannot be read"), "{missing}");
    let missing = out("vertex_project: p", "GOOGLE_APPLICATION_CREDENTIALS=/nowhere/x.json");
    assert!(missing.starts_with("GOOGLE_APPLICATION_CREDENTIALS: the file cannot be read"), "{missing}");
    let json = |json: &str| out(&format!("vertex_project: p, vertex_credentials: '{json}'"), "");
    assert_eq!(json("{"), "its vertex_credentials: it is no JSON");
    assert_eq!(json(r#"{"client_email":"e"}"#), "its vertex_credentials: it has no private_key");
    assert_eq!(
        json(r#"{"type":"external_account"}"#),
        "its vertex_credentials: credentials of type \"external_account\" are not known here; use a service account's key"
    );
}

#[test]
fn entra() {
    const AZURE: &str = "model: azure/d, api_base: https://r.openai.azure.com";
    const USUAL: &str = "at https://login.microsoftonline.com for https://cognitiveservices.azure.com/.default";
    let all = "AZURE_TENANT_ID=et AZURE_CLIENT_ID=ec AZURE_CLIENT_SECRET=es";
    let rows = [
        ("tenant_id: t, client_id: c, client_secret: s", "", format!("entra t c s {USUAL}")),
        ("tenant_id: t, client_id: c, client_secret: s", "AZURE_API_KEY=k", format!("entra t c s {USUAL}")),
        ("tenant_id: t, client_secret: s", all, format!("entra t ec s {USUAL}")),
        ("", all, format!("entra et ec es {USUAL}")),
        ("api_key: k, tenant_id: t, client_id: c, client_secret: s", all, "api-key: k".to_owned()),
        ("azure_ad_token: tok", all, "bearer tok".to_owned()),
        (
            "tenant_id: t, client_id: c, client_secret: s, azure_scope: x",
            "AZURE_AUTHORITY_HOST=login.example/",
            "entra t c s at https://login.example for x".to_owned(),
        ),
    ];
    for (params, variables, expected) in rows {
        let found = read(&format!("{AZURE}, {params}"), variables);
        assert_eq!(found, format!("https://r.openai.azure.com {expected}"), "{params} | {variables}");
    }
    check(&[
        (AZURE, "", "out: it has no api_key, and AZURE_API_KEY is not set"),
        (AZURE, "AZURE_API_KEY=k AZURE_TENANT_ID=t", "https://r.openai.azure.com api-key: k"),
        (AZURE, "AZURE_TENANT_ID=t AZURE_CLIENT_ID=c", "out: it has no api_key, and AZURE_API_KEY is not set"),
        (
            &format!("{AZURE}, tenant_id: t, client_id: c"),
            "",
            "out: it has no client_secret, and AZURE_CLIENT_SECRET is not set",
        ),
        ("model: keyed/m, api_key: k", "", "https://k.example/v1 ?key=k"),
        ("model: keyed/m", "KEYED_KEY=e", "https://k.example/v1 ?key=e"),
    ]);
}

#[test]
fn other_settings_of_clouds_are_told_of() {
    let text = "model_list: [{model_name: m, litellm_params: {model: bedrock/m, aws_region_name: us-east-1, \
                azure_username: u, aws_regoin_name: r, vertex_thing: 1}}]";
    let loaded = load_text(text, &catalog(), &HashMap::new()).unwrap();
    let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let path = "warning: -:1: model_list[0].litellm_params";
    assert_eq!(
        told,
        [
            format!("{path}.azure_username: `azure_username` has no effect here (it is not sent to the provider)"),
            format!(
                "{path}.aws_regoin_name: `aws_regoin_name` has no effect here (it is not sent to the provider; did you mean `aws_region_name`?)"
            ),
            format!("{path}.vertex_thing: `vertex_thing` has no effect here (it is not sent to the provider)"),
        ]
    );
}

#[test]
fn virtual_keys_take_either_name() {
    let text = "virtual_keys:\n  b: {provider: bedrock, aws_access_key_id: a, aws_secret_access_key: s, aws_region: r, aws_role_arn: 'arn:r'}\n  \
                v: {provider: vertex-ai, vertex_project_id: p, vertex_region: global, vertex_service_account_json: {client_email: e, private_key: k}}\n";
    let loaded =
        load_text(text, &catalog(), &HashMap::new()).unwrap_or_else(|refused| panic!("{:#?}", refused.problems));
    let found = |name: &str| {
        let group = loaded.table.group(&name.into()).unwrap();
        let endpoint = &group.deployments[0].endpoint;
        format!("{} {}", endpoint.base_url, shown(&endpoint.auth))
    };
    assert_eq!(found("@b"), "https://bedrock-runtime.r.amazonaws.com bedrock in r: keys a s -, then arn:r as - with -");
    assert!(found("@v").starts_with("https://aiplatform.googleapis.com/v1/projects/p/locations/global google {"));
}
