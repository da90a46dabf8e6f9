//! Where AWS' own crate looks: in processes of their own, because it reads the environment.

use std::path::Path;
use std::process::Command;

use weighbridge_domain::credential::AwsSource;

use super::played::Endpoints;
use super::{authorization, aws, credentials, request};

/// Runs the ignored test `name` with nothing but `variables` in its environment.
fn run(name: &str, variables: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("credentials::tests::chain::{name}"), "--ignored"]).env_clear();
    child.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nowhere").envs(variables.iter().copied());
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

async fn assert_signs(endpoints: &Endpoints, source: AwsSource, key: &str) {
    let credentials = credentials(endpoints);
    for _ in 0..2 {
        let signed = authorization(&credentials, &aws("bedrock", source.clone(), None)).await;
        assert!(signed.contains(&format!("Credential={key}/")), "{signed}");
    }
}

#[test]
fn the_environment() {
    run("from_the_environment", &[("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s")]);
}

#[tokio::test]
#[ignore = "run by the_environment"]
async fn from_the_environment() {
    let endpoints = Endpoints::answering(500, "");
    assert_signs(&endpoints, AwsSource::Chain, "AKIAENV").await;
    assert!(endpoints.asked().is_empty());
}

#[test]
fn a_container() {
    run("from_a_container", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/keys")]);
}

#[tokio::test]
#[ignore = "run by a_container"]
async fn from_a_container() {
    let endpoints = Endpoints::answering(
        200,
        r#"{"AccessKeyId":"ASIAECS","SecretAccessKey":"s","Token":"t","Expiration":"2015-08-30T18:00:00Z"}"#,
    );
    assert_signs(&endpoints, AwsSource::Chain, "ASIAECS").await;
    let asked: Vec<String> = endpoints.asked().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(asked, ["http://127.0.0.1:9/keys"]);
}

#[test]
fn a_profile() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aws_credentials");
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    run("from_a_profile", &[keys[0], keys[1], ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap())]);
}

/// A profile that is named counts for more than keys in the environment.
#[tokio::test]
#[ignore = "run by a_profile"]
async fn from_a_profile() {
    let endpoints = Endpoints::answering(500, "");
    assert_signs(&endpoints, AwsSource::Profile("work".to_owned()), "AKIAWORK").await;
}

#[test]
fn nothing() {
    run("from_nothing", &[]);
}

#[tokio::test]
#[ignore = "run by nothing"]
async fn from_nothing() {
    let endpoints = Endpoints::answering(500, "");
    let mut sent = request("POST", "https://host/", "{}");
    let auth = aws("bedrock", AwsSource::Chain, None);
    let failure = credentials(&endpoints).authorize(&auth, &mut sent).await.unwrap_err();
    assert_eq!(
        failure.message,
        "no credentials of AWS; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this machine or container"
    );
}
