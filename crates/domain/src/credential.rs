//! Credentials of clouds: what signs requests, or stands for a token that is fetched.

use crate::secret::Secret;

/// Signs requests to AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsCredential {
    /// The region that requests are signed for.
    pub region: String,
    /// The service that requests are signed for, such as `bedrock`.
    pub service: String,
    /// Where the keys come from.
    pub source: AwsSource,
    /// The role that the keys are exchanged for.
    pub role: Option<AwsRole>,
}

/// Where keys of AWS come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AwsSource {
    /// They are these.
    Keys(AwsKeys),
    /// A profile in the files that AWS' own tools share.
    Profile(String),
    /// Wherever AWS' own tools would look: environment, shared files, the container's or the machine's role.
    Chain,
    /// A role, for a token that another identity provider keeps fresh in a file.
    WebIdentity {
        /// The file.
        token_file: String,
        /// The role.
        role: AwsRole,
    },
}

/// A pair of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsKeys {
    /// `aws_access_key_id`.
    pub access_key_id: Secret,
    /// `aws_secret_access_key`.
    pub secret_access_key: Secret,
    /// `aws_session_token`, for keys that were lent.
    pub session_token: Option<Secret>,
}

/// A role that is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsRole {
    /// Its ARN.
    pub arn: String,
    /// What the session is called in AWS' audit logs.
    pub session_name: Option<String>,
    /// What the role's owner asks of those who are not of the house.
    pub external_id: Option<Secret>,
}

/// Stands for an access token of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GoogleCredential {
    /// A service account's key, as JSON.
    Key(Secret),
    /// The file that holds a key or a user's credentials, read at each exchange.
    File(String),
    /// The account of the machine, which its metadata server at this host gives tokens for.
    Metadata(String),
}

/// Stands for a token of Microsoft Entra: an application and its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntraCredential {
    /// The directory.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Who gives the token, without a trailing slash.
    pub authority: String,
    /// What the token is for.
    pub scope: String,
}

impl EntraCredential {
    /// Who gives tokens in Azure's public cloud.
    pub const AUTHORITY: &str = "https://login.microsoftonline.com";
    /// What a token for Azure's models is for.
    pub const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
}

impl AwsCredential {
    /// Every text that tells it from others, secrets among them.
    pub(crate) fn texts(&self) -> Vec<&str> {
        let mut texts = vec![self.region.as_str(), &self.service];
        match &self.source {
            AwsSource::Keys(keys) => texts.extend(keys.texts()),
            AwsSource::Profile(name) => texts.extend(["profile", name]),
            AwsSource::Chain => texts.push("chain"),
            AwsSource::WebIdentity { token_file, role } => {
                texts.extend(["web identity", token_file]);
                texts.extend(role.texts());
            }
        }
        texts.extend(self.role.iter().flat_map(AwsRole::texts));
        texts
    }
}

impl AwsKeys {
    fn texts(&self) -> [&str; 3] {
        let token = self.session_token.as_ref().map_or("", Secret::reveal);
        [self.access_key_id.reveal(), self.secret_access_key.reveal(), token]
    }
}

impl AwsRole {
    fn texts(&self) -> [&str; 3] {
        let external_id = self.external_id.as_ref().map_or("", Secret::reveal);
        [&self.arn, self.session_name.as_deref().unwrap_or_default(), external_id]
    }
}

impl GoogleCredential {
    /// Every text that tells it from others, secrets among them.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Key(json) => vec![json.reveal()],
            Self::File(path) => vec!["file", path],
            Self::Metadata(host) => vec!["metadata", host],
        }
    }
}

impl EntraCredential {
    /// Every text that tells it from others, secrets among them.
    pub(crate) fn texts(&self) -> Vec<&str> {
        vec![&self.tenant_id, &self.client_id, self.client_secret.reveal(), &self.authority, &self.scope]
    }
}
