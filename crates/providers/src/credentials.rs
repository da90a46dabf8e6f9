//! Credentials of clouds: what is fetched, kept and renewed so that a request can be signed or carry a token.

mod aws;
mod entra;
mod google;
mod kept;
mod token;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};
use quick_cache::sync::Cache;
use weighbridge_domain::credential::{AwsCredential, EntraCredential, GoogleCredential};
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use self::kept::{Kept, Lease};
use crate::transport::Transport;

/// How many credentials are kept at most: clients may bring their own.
const MOST: usize = 4096;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that shows what `read` returns.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Signs requests and adds tokens. Clones share what they have fetched.
#[derive(Debug, Clone)]
pub struct Credentials(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    transport: Arc<dyn Transport>,
    clock: Clock,
    aws: Shelf<AwsCredential, aws::Keys>,
    google: Shelf<GoogleCredential, Secret>,
    entra: Shelf<EntraCredential, Secret>,
}

/// What was fetched, by what it was fetched for.
type Shelf<K, T> = Cache<Arc<K>, Kept<T>>;

impl Credentials {
    /// Nothing is fetched yet. Tokens are asked for over `transport`, and end by `clock`.
    pub fn new(transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let (aws, google, entra) = (Cache::new(MOST), Cache::new(MOST), Cache::new(MOST));
        Self(Arc::new(Shared { transport, clock, aws, google, entra }))
    }

    /// Makes `request` prove who is calling, where that takes more than [`crate::encode::encode`] can know: a signature
    /// over all of it, so that nothing may be changed afterwards, or a token. `auth` is what
    /// [`crate::encode::Outgoing::auth`] says.
    ///
    /// # Errors
    /// `Authentication` when keys or a token cannot be had.
    pub async fn authorize(&self, auth: &Auth, request: &mut http::Request<Bytes>) -> Result<(), Failure> {
        match auth {
            Auth::None | Auth::Bearer(_) | Auth::Header { .. } | Auth::Query { .. } => Ok(()),
            Auth::Aws(credential) => {
                let keys = self.aws_keys(credential).await?;
                aws::sign(request, &keys, credential, self.0.clock.now())
            }
            Auth::Google(credential) => bearer(request, &self.google_token(credential).await?),
            Auth::Entra(credential) => bearer(request, &self.entra_token(credential).await?),
        }
    }

    async fn aws_keys(&self, credential: &Arc<AwsCredential>) -> Result<aws::Keys, Failure> {
        if let Some(keys) = aws::own_keys(credential) {
            return Ok(keys);
        }
        let Shared { transport, clock, .. } = &*self.0;
        let fetch = || aws::fetch(Arc::clone(credential), Arc::clone(transport), clock.clone());
        kept(&self.0.aws, credential, clock.now(), fetch).await
    }

    async fn google_token(&self, credential: &Arc<GoogleCredential>) -> Result<Secret, Failure> {
        let Shared { transport, clock, .. } = &*self.0;
        let now = clock.now();
        let fetch = || google::fetch(Arc::clone(credential), Arc::clone(transport), now);
        kept(&self.0.google, credential, now, fetch).await
    }

    async fn entra_token(&self, credential: &Arc<EntraCredential>) -> Result<Secret, Failure> {
        let Shared { transport, clock, .. } = &*self.0;
        let now = clock.now();
        let fetch = || entra::fetch(Arc::clone(credential), Arc::clone(transport), now);
        kept(&self.0.entra, credential, now, fetch).await
    }
}

/// What `shelf` has for `credential`, or what `fetch` brings.
async fn kept<K, T, F>(
    shelf: &Shelf<K, T>,
    credential: &Arc<K>,
    now: Timestamp,
    fetch: impl FnOnce() -> F,
) -> Result<T, Failure>
where
    K: Hash + Eq,
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Lease<T>, Failure>> + Send + 'static,
{
    let kept = match shelf.get(credential) {
        Some(kept) => kept,
        None => {
            // Of two that come at once, one finds what the other has put there.
            let Ok(kept) = shelf.get_or_insert_with(credential, || Ok::<_, std::convert::Infallible>(Kept::default()));
            kept
        }
    };
    kept.get(now, fetch).await
}

fn bearer(request: &mut http::Request<Bytes>, token: &Secret) -> Result<(), Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
    let mut value = value.map_err(|_| failed("the token that was fetched holds characters it must not hold"))?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(())
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Authentication, message)
}

#[cfg(test)]
mod tests;
