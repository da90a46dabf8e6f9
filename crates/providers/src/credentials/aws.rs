//! Signatures of AWS: keys from wherever AWS' own tools find them, the signature from AWS' own crate.

mod connector;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signature};
use aws_sigv4::sign::v4;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use bytes::Bytes;
use http::{HeaderName, header};
use weighbridge_domain::credential::{AwsCredential, AwsKeys, AwsRole, AwsSource};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::time::{Timestamp, millis};

use self::connector::Connector;
use super::kept::Lease;
use super::{Clock, failed};
use crate::transport::Transport;

/// Keys that requests can be signed with. `Debug` shows the key's id and no more.
pub(super) type Keys = aws_credential_types::Credentials;

/// How long keys that do not say are taken to hold: the files that they come from may change.
const UNSAID: Duration = Duration::from_secs(900);
/// How long finding keys may take: on a machine that has none, every place that may have some is asked.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a session is called where nothing is said.
const SESSION: &str = "weighbridge";

/// Signs `request`, body and all, with `keys`.
pub(super) fn sign(
    request: &mut http::Request<Bytes>,
    keys: &Keys,
    credential: &AwsCredential,
    now: Timestamp,
) -> Result<(), Failure> {
    let unfit = || Failure::new(FailureKind::BadRequest, "the request cannot be signed for AWS");
    let identity = keys.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&credential.region)
        .name(&credential.service)
        .time(system_time(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unfit())?
        .into();
    // What a client sends on must not pass for what is signed here.
    let foreign: Vec<HeaderName> = request.headers().keys().filter(|name| is_ours(name)).cloned().collect();
    for name in foreign {
        request.headers_mut().remove(name);
    }
    let uri = request.uri().to_string();
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Whatever else is sent may be changed on the way.
    let headers = kind.into_iter().map(|value| (header::CONTENT_TYPE.as_str(), value));
    let body = SignableBody::Bytes(request.body());
    let signable = SignableRequest::new(request.method().as_str(), uri, headers, body).map_err(|_| unfit())?;
    let (instructions, _) = signature(signable, &params).map_err(|_| unfit())?.into_parts();
    instructions.apply_to_request_http1x(request);
    for (name, value) in request.headers_mut() {
        if is_ours(name) {
            value.set_sensitive(true);
        }
    }
    Ok(())
}

fn is_ours(name: &HeaderName) -> bool {
    name == header::AUTHORIZATION || name.as_str().starts_with("x-amz-")
}

/// The keys of `credential`, when they are at hand.
pub(super) fn own_keys(credential: &AwsCredential) -> Option<Keys> {
    match (&credential.source, &credential.role) {
        (AwsSource::Keys(keys), None) => Some(plain(keys)),
        _ => None,
    }
}

fn plain(keys: &AwsKeys) -> Keys {
    let token = keys.session_token.as_ref().map(|token| token.reveal().to_owned());
    Keys::new(keys.access_key_id.reveal(), keys.secret_access_key.reveal(), token, None, "configuration")
}

/// Fresh keys for `credential`.
pub(super) async fn fetch(
    credential: Arc<AwsCredential>,
    transport: Arc<dyn Transport>,
    clock: Clock,
) -> Result<Lease<Keys>, Failure> {
    let around = Around { connector: Connector::new(transport), clock, region: Region::new(credential.region.clone()) };
    let source = around.source(&credential.source).await;
    let provider = match &credential.role {
        Some(role) => SharedCredentialsProvider::new(around.assume(role, source).await),
        None => source,
    };
    let from = around.clock.now();
    let found = tokio::time::timeout(PATIENCE, provider.provide_credentials()).await;
    let found = found.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PATIENCE)));
    let keys = found.map_err(|error| failed(told(&credential, &error)))?;
    let until = keys.expiry().map_or(from + UNSAID, timestamp);
    Ok(Lease { value: keys, from, until })
}

/// What finding keys needs from this process.
struct Around {
    connector: Connector,
    clock: Clock,
    region: Region,
}

impl Around {
    async fn source(&self, source: &AwsSource) -> SharedCredentialsProvider {
        match source {
            AwsSource::Keys(keys) => SharedCredentialsProvider::new(plain(keys)),
            AwsSource::Profile(name) => {
                let profile = ProfileFileCredentialsProvider::builder().profile_name(name);
                SharedCredentialsProvider::new(profile.configure(&self.provider_config()).build())
            }
            AwsSource::Chain => {
                let chain = DefaultCredentialsChain::builder().configure(self.provider_config());
                SharedCredentialsProvider::new(chain.region(self.region.clone()).build().await)
            }
            AwsSource::WebIdentity { token_file, role } => {
                let configuration = StaticConfiguration {
                    web_identity_token_file: token_file.into(),
                    role_arn: role.arn.clone(),
                    session_name: session(role).to_owned(),
                };
                let identity = WebIdentityTokenCredentialsProvider::builder().configure(&self.provider_config());
                SharedCredentialsProvider::new(identity.static_configuration(configuration).build())
            }
        }
    }

    async fn assume(&self, role: &AwsRole, source: SharedCredentialsProvider) -> AssumeRoleProvider {
        let mut builder = AssumeRoleProvider::builder(&role.arn).session_name(session(role));
        if let Some(id) = &role.external_id {
            builder = builder.external_id(id.reveal());
        }
        builder.configure(&self.sdk_config()).build_from_provider(source).await
    }

    fn provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_time_source(Time(self.clock.clone()))
            .with_http_client(self.connector.clone())
    }

    fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .time_source(SharedTimeSource::new(Time(self.clock.clone())))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(self.connector.clone())
            .build()
    }
}

fn session(role: &AwsRole) -> &str {
    role.session_name.as_deref().unwrap_or(SESSION)
}

#[derive(Debug)]
struct Time(Clock);

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        system_time(self.0.now())
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.as_millis())
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::from_millis(millis(at.duration_since(UNIX_EPOCH).unwrap_or_default()))
}

/// What could not be had and where to look, in words that hold no secret.
fn told(credential: &AwsCredential, error: &(dyn std::error::Error + 'static)) -> String {
    let check = match (&credential.role, &credential.source) {
        (Some(_), _) => "aws_role_name, and that the keys behind it may assume the role",
        (None, AwsSource::WebIdentity { .. }) => "the token's file, and that the role trusts its issuer",
        (None, AwsSource::Profile(_)) => "aws_profile_name and the files that AWS' tools share",
        (None, AwsSource::Keys(_) | AwsSource::Chain) => {
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this machine or container"
        }
    };
    let code = code(error).map_or_else(String::new, |code| format!(" ({code})"));
    format!("no credentials of AWS{code}; check {check}")
}

/// The code that AWS gives an error, where one is in the chain of causes.
fn code(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let bracketed = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(code, _)| code);
        let leading = text.split(':').next().filter(|word| word.ends_with("Exception"));
        let is_code = |code: &&str| (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(code) = bracketed.or(leading).filter(is_code) {
            return Some(code.to_owned());
        }
        next = error.source();
    }
    None
}
