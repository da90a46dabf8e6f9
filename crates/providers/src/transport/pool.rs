//! Connections to providers, kept while they are good.
//!
//! There are as many to an origin as were needed at once of late: one that has not been used for a
//! while is closed, and the one that was used last is used first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version, header};
use http_body_util::Full;
use tokio::time::Instant;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::name::NameMap;

use super::UpstreamResponse;
use super::connect::Connector;
use super::http1::{Http1, Unsent};
use super::http2::{Http2, Place};

/// How long a connection is kept that nobody uses. Shorter than most servers and balancers wait before they close it.
const IDLE: Duration = Duration::from_secs(90);
/// How often connections that nobody uses are looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// How many connections may turn out to be closed before the request gets a new one.
const STALE: usize = 8;

/// The connections to all providers.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    origins: RwLock<NameMap<Key, Arc<Origin>>>,
    sweeper: OnceLock<()>,
}

/// Scheme and authority of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    is_secure: bool,
    authority: Authority,
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Origin {
    host: HeaderValue,
    /// Those that nobody uses, the one that was used last at the end.
    #[expect(clippy::vec_box, reason = "they are handed from request to request, and are large")]
    idle: Mutex<Vec<Box<Http1>>>,
    shared: Mutex<Vec<Http2>>,
    /// Whether the server is known to speak HTTP/1 only, so that nobody need wait for another's connection to share it.
    is_single: AtomicBool,
    /// Held while a connection is opened that others may share.
    opening: tokio::sync::Mutex<()>,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Self::over(Connector::new())
    }

    /// One that opens connections with `connector`.
    fn over(connector: Connector) -> Arc<Self> {
        Arc::new(Self { connector, origins: RwLock::default(), sweeper: OnceLock::new() })
    }

    /// Sends `request` over a connection that is there, else over a new one.
    pub(super) async fn send(self: &Arc<Self>, request: Request<Bytes>) -> Result<UpstreamResponse, Failure> {
        let (mut parts, body) = request.into_parts();
        let key = Key::of(&parts.uri)?;
        let origin = self.origin(&key);
        let url = std::mem::take(&mut parts.uri);
        let mut request = Request::from_parts(parts, Full::new(body));
        for _ in 0..STALE {
            let sent = if let Some(connection) = origin.take_idle() {
                single(&mut request, &url, &origin.host);
                connection.send(request, Arc::downgrade(&origin)).await
            } else if let Some(place) = origin.take_place() {
                shared(&mut request, &url, &origin.host);
                place.send(request).await
            } else {
                break;
            };
            match sent {
                Ok(response) => return Ok(response),
                Err(Unsent::Whole(unsent)) => request = unsent,
                Err(Unsent::Broken(failure)) => return Err(failure),
            }
        }
        // Apart, so that what every request makes room for is small.
        Box::pin(self.send_over_new(&origin, request, url)).await
    }

    async fn send_over_new(
        &self,
        origin: &Arc<Origin>,
        mut request: Request<Full<Bytes>>,
        url: Uri,
    ) -> Result<UpstreamResponse, Failure> {
        let is_alone = url.scheme() == Some(&Scheme::HTTP) || origin.is_single.load(Ordering::Relaxed);
        // Whoever waited here may find that one connection serves all.
        let turn = if is_alone { None } else { Some(origin.opening.lock().await) };
        let place = if turn.is_some() { origin.take_place() } else { None };
        let place = match place {
            Some(place) => place,
            None => {
                let (io, is_http2) = self.connector.connect(url.clone()).await?;
                if !is_http2 {
                    origin.is_single.store(true, Ordering::Relaxed);
                    drop(turn);
                    single(&mut request, &url, &origin.host);
                    return sent(Http1::open(io).await?.send(request, Arc::downgrade(origin)).await);
                }
                origin.is_single.store(false, Ordering::Relaxed);
                origin.share(Http2::open(io).await?).ok_or_else(unusable)?
            }
        };
        drop(turn);
        shared(&mut request, &url, &origin.host);
        sent(place.send(request).await)
    }

    fn sweep(&self, now: Instant) {
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        // One that somebody else holds is about to be used.
        origins.retain(|_, origin| !(origin.sweep(now) && Arc::strong_count(origin) == 1));
    }

    fn origin(self: &Arc<Self>, key: &Key) -> Arc<Origin> {
        if let Some(origin) = self.origins.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Arc::clone(origin);
        }
        self.sweeper.get_or_init(|| {
            tokio::spawn(sweep(Arc::downgrade(self)));
        });
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(origins.entry(key.clone()).or_insert_with(|| Arc::new(Origin::new(&key.authority))))
    }
}

impl Key {
    fn of(url: &Uri) -> Result<Self, Failure> {
        let is_secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(Failure::new(FailureKind::BadRequest, "the provider's URL is not an http(s) URL")),
        };
        let authority = url.authority().cloned();
        let authority =
            authority.ok_or_else(|| Failure::new(FailureKind::BadRequest, "the provider's URL has no host"))?;
        Ok(Self { is_secure, authority })
    }
}

impl Origin {
    fn new(authority: &Authority) -> Self {
        Self {
            // An authority is made of what a header's value may hold.
            host: HeaderValue::from_str(authority.as_str()).unwrap_or(HeaderValue::from_static("")),
            idle: Mutex::default(),
            shared: Mutex::default(),
            is_single: AtomicBool::new(false),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Keeps a connection that has served its request.
    pub(super) fn keep(&self, mut connection: Box<Http1>) {
        connection.idle_since = Instant::now();
        lock(&self.idle).push(connection);
    }

    /// A connection that is still good.
    fn take_idle(&self) -> Option<Box<Http1>> {
        loop {
            // Not in the condition of a loop: the lock would be held while it is looked at.
            let mut connection = lock(&self.idle).pop()?;
            if connection.is_good() {
                return Some(connection);
            }
        }
    }

    /// A place on a connection that is shared.
    fn take_place(&self) -> Option<Place> {
        let mut shared = lock(&self.shared);
        if shared.is_empty() {
            return None;
        }
        shared.retain(|connection| !connection.is_closed());
        // The first that has room, so that those at the end fall idle and can be closed.
        shared.iter().find_map(Http2::take_place)
    }

    /// Lets others use `connection` as well; a place on it.
    fn share(&self, connection: Http2) -> Option<Place> {
        let place = connection.take_place();
        lock(&self.shared).push(connection);
        place
    }

    /// Closes what has ended or was not needed for a while. Says whether nothing is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut idle = lock(&self.idle);
        idle.retain_mut(|connection| now.duration_since(connection.idle_since) < IDLE && connection.is_good());
        let mut shared = lock(&self.shared);
        shared.retain(|connection| !connection.is_closed() && connection.idle_for(now) < IDLE);
        idle.is_empty() && shared.is_empty()
    }
}

/// Looks after what nobody uses, as long as there is a pool.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        // A task's budget would let it look at the first hundred only: the others would seem to be as they were.
        tokio::task::unconstrained(async move { pool.sweep(Instant::now()) }).await;
    }
}

/// Puts `request` in the form of HTTP/1: only path and query in its first line, the host in a header.
fn single(request: &mut Request<Full<Bytes>>, url: &Uri, host: &HeaderValue) {
    let path = url.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    // The operator may have named another.
    request.headers_mut().entry(header::HOST).or_insert_with(|| host.clone());
}

/// Puts `request` in the form of HTTP/2, where the URL names the host.
fn shared(request: &mut Request<Full<Bytes>>, url: &Uri, host: &HeaderValue) {
    *request.uri_mut() = url.clone();
    *request.version_mut() = Version::HTTP_2;
    if request.headers().get(header::HOST) == Some(host) {
        request.headers_mut().remove(header::HOST);
    }
}

/// What came of a request over a connection that was just opened.
fn sent(sent: Result<UpstreamResponse, Unsent>) -> Result<UpstreamResponse, Failure> {
    sent.map_err(|unsent| match unsent {
        Unsent::Whole(_) => unusable(),
        Unsent::Broken(failure) => failure,
    })
}

fn unusable() -> Failure {
    Failure::new(FailureKind::BrokenReply, "the provider closed the connection at once")
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
