//! Whole exchanges with endpoints that are played here: most by a transport without a network, some on loopback.

mod chain;
mod played;

use std::sync::Arc;

use bytes::Bytes;
use expect_test::{Expect, expect};
use weighbridge_domain::credential::{AwsCredential, AwsKeys, AwsRole, AwsSource, EntraCredential, GoogleCredential};
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use self::played::{Endpoints, serve, shown};
use super::{Clock, Credentials};
use crate::transport::HttpTransport;

/// 2015-08-30 12:36:00, the time of AWS' published examples.
const NOW: Timestamp = Timestamp::from_millis(1_440_938_160_000);

fn credentials(endpoints: &Endpoints) -> Credentials {
    Credentials::new(Arc::new(endpoints.clone()), Clock::new(|| NOW))
}

fn request(method: &str, url: &str, body: &'static str) -> http::Request<Bytes> {
    let request = http::Request::builder().method(method).uri(url);
    let request = if body.is_empty() { request } else { request.header("content-type", "application/json") };
    request.body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn keys(session_token: Option<&str>) -> AwsSource {
    AwsSource::Keys(AwsKeys {
        access_key_id: Secret::new("AKIDEXAMPLE"),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: session_token.map(Secret::new),
    })
}

fn aws(service: &str, source: AwsSource, role: Option<AwsRole>) -> Auth {
    let (region, service) = ("us-east-1".to_owned(), service.to_owned());
    Auth::Aws(Arc::new(AwsCredential { region, service, source, role }))
}

fn role() -> AwsRole {
    AwsRole { arn: "arn:aws:iam::1:role/r".to_owned(), session_name: None, external_id: Some(Secret::new("ext")) }
}

fn google(json: &str) -> Auth {
    Auth::Google(Arc::new(GoogleCredential::Key(Secret::new(json))))
}

fn service_account(token_uri: &str) -> String {
    let key = include_str!("../../testdata/service_account.pem");
    serde_json::json!({
        "type": "service_account", "project_id": "acme", "private_key_id": "k1", "private_key": key,
        "client_email": "router@acme.iam.gserviceaccount.com", "token_uri": token_uri,
    })
    .to_string()
}

fn entra(authority: &str) -> Auth {
    Auth::Entra(Arc::new(EntraCredential {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        client_secret: Secret::new("s&cret"),
        authority: authority.to_owned(),
        scope: EntraCredential::SCOPE.to_owned(),
    }))
}

async fn authorization(credentials: &Credentials, auth: &Auth) -> String {
    let mut request = request("POST", "https://host/", "{}");
    credentials.authorize(auth, &mut request).await.unwrap();
    let value = &request.headers()["authorization"];
    assert!(value.is_sensitive());
    value.to_str().unwrap().to_owned()
}

/// What an endpoint that answers with `status` and `body` is asked for `auth`, and what becomes of it.
async fn check(auth: Auth, status: u16, body: &str, expected: Expect) {
    let endpoints = Endpoints::answering(status, body);
    let mut sent = request("POST", "https://host/", "{}");
    let result = credentials(&endpoints).authorize(&auth, &mut sent).await;
    let result = match result {
        Ok(()) => sent.headers()["authorization"].to_str().unwrap().to_owned(),
        Err(failure) => {
            assert_eq!((failure.kind, failure.http_status()), (FailureKind::Authentication, 401));
            failure.message
        }
    };
    let asked: Vec<String> = endpoints.asked().iter().map(shown).collect();
    expected.assert_eq(&format!("{}\n=> {result}\n", asked.join("\n")));
}

const GRANTED: &str = r#"{"access_token":"tok","expires_in":3600,"token_type":"Bearer"}"#;

#[tokio::test]
async fn what_is_known_is_not_asked_for() {
    let endpoints = Endpoints::answering(500, "");
    let secret = || Secret::new("s");
    let auths = [
        Auth::None,
        Auth::Bearer(secret()),
        Auth::Header { name: "n".to_owned(), secret: secret() },
        Auth::Query { name: "n".to_owned(), secret: secret() },
    ];
    for auth in auths {
        let mut sent = request("POST", "https://host/", "{}");
        credentials(&endpoints).authorize(&auth, &mut sent).await.unwrap();
        assert_eq!(sent.headers().len(), 1);
    }
    assert!(endpoints.asked().is_empty());
}

/// The first is AWS' published `get-vanilla`; the others are what botocore signs.
#[tokio::test]
async fn signatures_are_those_of_aws_own_tools() {
    const BODY: &str = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
    const BEDROCK: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model";
    let model = format!("{BEDROCK}/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse");
    let profile = format!("{BEDROCK}/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream");
    let rows = [
        (
            ("service", None, "GET", "http://example.amazonaws.com/", ""),
            ("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ),
        (
            ("bedrock", None, "POST", &model, BODY),
            ("content-type;host;x-amz-date", "1c91d22c6dfb49efad9e8de45bc4dde894ea14c06a0f4b54d7682ee99e1cd6d6"),
        ),
        (
            ("bedrock", Some("tok/en+="), "POST", &model, BODY),
            (
                "content-type;host;x-amz-date;x-amz-security-token",
                "b5f9b76774d422f994a9027452736a634cab7107e43131982cf5195d78491b6a",
            ),
        ),
        (
            ("bedrock", None, "POST", &profile, BODY),
            ("content-type;host;x-amz-date", "7757f5e625b84eca75aabf28e287b1661126ba75f03be5219a064f046ed86dcc"),
        ),
    ];
    for ((service, token, method, url, body), (signed, signature)) in rows {
        let mut sent = request(method, url, body);
        // Neither what a client sent on, nor what may be changed on the way, is signed.
        sent.headers_mut().insert("x-amz-security-token", "theirs".parse().unwrap());
        sent.headers_mut().insert("accept", "*/*".parse().unwrap());
        let auth = aws(service, keys(token), None);
        credentials(&Endpoints::answering(500, "")).authorize(&auth, &mut sent).await.unwrap();
        let header = |name: &str| sent.headers().get(name).map(|value| value.to_str().unwrap());
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        assert_eq!(header("authorization"), Some(&*expected), "{url}");
        assert_eq!(header("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(header("x-amz-security-token"), token);
        assert!(sent.headers()["authorization"].is_sensitive());
    }
}

const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>i</AssumedRoleId>\
    <Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s1</SecretAccessKey>\
    <SessionToken>st1</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials></AssumeRoleResult>\
    </AssumeRoleResponse>";

#[tokio::test]
async fn roles_are_assumed_once() {
    let endpoints = Endpoints::answering(200, ASSUMED);
    let credentials = credentials(&endpoints);
    let auth = aws("bedrock", keys(None), Some(role()));
    for _ in 0..3 {
        let signed = authorization(&credentials, &auth).await;
        assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=ASIA1/20150830/us-east-1/bedrock/"), "{signed}");
    }
    let asked = endpoints.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].uri(), "https://sts.us-east-1.amazonaws.com/");
    let form = String::from_utf8_lossy(asked[0].body()).into_owned();
    for field in [
        "Action=AssumeRole&",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
        "ExternalId=ext",
        "RoleSessionName=weighbridge",
    ] {
        assert!(form.contains(field), "{form}");
    }
    assert!(asked[0].headers()["authorization"].to_str().unwrap().contains("Credential=AKIDEXAMPLE/"));
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_says_so() {
    let refused = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User k is not authorized\
        </Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let mut sent = request("POST", "https://host/", "{}");
    let auth = aws("bedrock", keys(None), Some(role()));
    let failure = credentials(&Endpoints::answering(403, refused)).authorize(&auth, &mut sent).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Authentication);
    expect![
        "no credentials of AWS (AccessDenied); check aws_role_name, and that the keys behind it may assume the role"
    ]
    .assert_eq(&failure.message);
}

#[tokio::test]
async fn a_token_in_a_file_is_exchanged_for_a_role() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "oidc-token").unwrap();
    let assumed = ASSUMED.replace("AssumeRole", "AssumeRoleWithWebIdentity");
    let endpoints = Endpoints::answering(200, &assumed);
    let token_file = file.path().to_str().unwrap().to_owned();
    let auth = aws("bedrock", AwsSource::WebIdentity { token_file, role: role() }, None);
    let signed = authorization(&credentials(&endpoints), &auth).await;
    assert!(signed.contains("Credential=ASIA1/"), "{signed}");
    let form = String::from_utf8_lossy(endpoints.asked()[0].body()).into_owned();
    assert!(form.contains("WebIdentityToken=oidc-token"), "{form}");
}

#[tokio::test]
async fn tokens_of_google_for_a_service_account() {
    let uri = "https://tokens.example/token";
    check(google(&service_account(uri)), 200, GRANTED, expect![[r#"
        POST https://tokens.example/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer
        &assertion=eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.eyJpc3MiOiJyb3V0ZXJAYWNtZS5pYW0uZ3NlcnZpY2VhY2NvdW50LmNvbSIsInNjb3BlIjoiaHR0cHM6Ly93d3cuZ29vZ2xlYXBpcy5jb20vYXV0aC9jbG91ZC1wbGF0Zm9ybSIsImF1ZCI6Imh0dHBzOi8vdG9rZW5zLmV4YW1wbGUvdG9rZW4iLCJpYXQiOjE0NDA5MzgxNjAsImV4cCI6MTQ0MDk0MTc2MH0.scpOqfzs0pSTy_M8lzsz_Axock4Vc6I2EltEosYOsN3IJK9sX1l6kOOsCJdMrMDeZuQwdly8CfE2civZGie5P3W508EslFfMy6zNbvjB5PEvjyyyEiJZrIjVls_xPNoqheuuu5VEur-Ku5fPD4HR7TgkbP3Wy31FdhVfvGerneSCJ8AM54sZjfLXH2GaabDFZC0EJlh_QHDQQ3yAoF7UM35kNf50G1YAzgy3_tkw87ZUZdBKXy8FCzhfWn0GW1UF_HXN3I2ztp6hnRw86QBlzpgXvTBP-DW-3t7FLsBEGfRBH8eSCoAB7MQ0sv5oswXdrc-pZKgIAhnL2bqXc1nTiA
        => Bearer tok
    "#]]).await;
    let refused = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let endpoints = Endpoints::answering(400, refused);
    let mut sent = request("POST", "https://host/", "{}");
    let failure = credentials(&endpoints).authorize(&google(&service_account(uri)), &mut sent).await.unwrap_err();
    expect!["no token of Google Cloud: the token endpoint answers 400 (invalid_grant); check that the account's key is still valid and the clock is right"].assert_eq(&failure.message);
    for bad in ["", "null", "{}", r#"{"type":"external_account"}"#, r#"{"client_email":"e","private_key":"k"}"#] {
        let endpoints = Endpoints::answering(200, GRANTED);
        let failure = credentials(&endpoints).authorize(&google(bad), &mut sent).await.unwrap_err();
        assert!(failure.message.contains("no token of Google Cloud: the credential"), "{}", failure.message);
        assert!(endpoints.asked().is_empty());
    }
}

#[tokio::test]
async fn tokens_of_google_for_a_user_and_for_the_machine() {
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r/t"}"#;
    check(
        google(user),
        200,
        GRANTED,
        expect![[r#"
        POST https://oauth2.googleapis.com/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=refresh_token
        &client_id=c
        &client_secret=s
        &refresh_token=r%2Ft
        => Bearer tok
    "#]],
    )
    .await;
    let machine = || Auth::Google(Arc::new(GoogleCredential::Metadata("metadata.google.internal".to_owned())));
    check(
        machine(),
        200,
        GRANTED,
        expect![[r#"
        GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
        accept: application/json
        metadata-flavor: Google

        => Bearer tok
    "#]],
    )
    .await;
    check(machine(), 404, "<html>", expect![[r#"
        GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
        accept: application/json
        metadata-flavor: Google

        => no token of Google Cloud: the token endpoint answers 404; check that this machine has a service account, or set vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS
    "#]]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), user).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    check(
        Auth::Google(Arc::new(GoogleCredential::File(path))),
        200,
        GRANTED,
        expect![[r#"
        POST https://oauth2.googleapis.com/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=refresh_token
        &client_id=c
        &client_secret=s
        &refresh_token=r%2Ft
        => Bearer tok
    "#]],
    )
    .await;
    let missing = GoogleCredential::File("/nowhere/at/all.json".to_owned());
    check(Auth::Google(Arc::new(missing)), 200, GRANTED, expect![[r#"

        => no token of Google Cloud: the file cannot be read; check the path in vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS
    "#]]).await;
}

#[tokio::test]
async fn tokens_of_entra() {
    let authority = "https://login.microsoftonline.com";
    check(
        entra(authority),
        200,
        GRANTED,
        expect![[r#"
        POST https://login.microsoftonline.com/t/oauth2/v2.0/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=client_credentials
        &client_id=c
        &client_secret=s%26cret
        &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default
        => Bearer tok
    "#]],
    )
    .await;
    let refused = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret s&cret."}"#;
    check(entra(authority), 401, refused, expect![[r#"
        POST https://login.microsoftonline.com/t/oauth2/v2.0/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=client_credentials
        &client_id=c
        &client_secret=s%26cret
        &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default
        => no token of Microsoft Entra: the token endpoint answers 401 (invalid_client, AADSTS7000215); check tenant_id, client_id and client_secret, and the scope
    "#]]).await;
    check(entra(authority), 200, r#"{"token":1}"#, expect![[r#"
        POST https://login.microsoftonline.com/t/oauth2/v2.0/token
        accept: application/json
        content-type: application/x-www-form-urlencoded
        grant_type=client_credentials
        &client_id=c
        &client_secret=s%26cret
        &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default
        => no token of Microsoft Entra: the token endpoint answers with no token; check tenant_id, client_id and client_secret, and the scope
    "#]]).await;
    check(entra("nowhere"), 200, GRANTED, expect![[r#"

        => no token of Microsoft Entra: the authority and tenant_id make no URL; check tenant_id, client_id and client_secret, and the scope
    "#]]).await;
}

#[tokio::test]
async fn tokens_over_the_wire() {
    let (base, asked) = serve(GRANTED).await;
    let transport = HttpTransport::new().unwrap();
    let credentials = Credentials::new(Arc::new(transport), Clock::new(|| NOW));
    let host = base.trim_start_matches("http://").to_owned();
    let auths = [
        google(&service_account(&format!("{base}/google"))),
        entra(&base),
        Auth::Google(Arc::new(GoogleCredential::Metadata(host))),
    ];
    for auth in auths {
        let many = (0..8).map(|_| authorization(&credentials, &auth));
        assert_eq!(futures_util::future::join_all(many).await, ["Bearer tok"; 8]);
    }
    let expected = [
        "POST /google HTTP/1.1",
        "POST /t/oauth2/v2.0/token HTTP/1.1",
        "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1",
    ];
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[tokio::test]
async fn nobody_answers() {
    let nobody = Endpoints::silent();
    let mut sent = request("POST", "https://host/", "{}");
    let failure = credentials(&nobody).authorize(&entra("https://a"), &mut sent).await.unwrap_err();
    expect!["no token of Microsoft Entra: the token endpoint cannot be reached: refused; check tenant_id, client_id and client_secret, and the scope"].assert_eq(&failure.message);
}
