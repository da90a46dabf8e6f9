//! Connections to Redis in every topology, checked before anybody uses them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::io::tcp::{TcpSettings, socket2};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, TlsMode, Value,
};
use weighbridge_domain::store::{Login, RedisSettings, ServerAddress, Tls, Topology};
use weighbridge_domain::time::millis;

use super::keys::Keys;
use super::lane::{Caller, Lane, ToldClock, in_words};
use super::link::RedisLink;
use super::news::Listener;
use super::scripts::Scripts;
use super::{encode, self_test};
use crate::Answer;
use crate::fleet::link::{Connected, Connector, LinkError};

/// How long a check of a new connection may take.
const CHECK: Duration = Duration::from_millis(500);
/// After which silence of the network a connection is given up, in which nothing is acknowledged.
const USER_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections of the admin lane.
const ADMIN_CONNECTIONS: usize = 4;

/// Makes connections to Redis.
pub struct RedisConnector {
    settings: RedisSettings,
    keys: Arc<Keys>,
    scripts: Arc<Scripts>,
    told: Option<Arc<ToldClock>>,
}

impl fmt::Debug for RedisConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnector").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A way to a server that was found.
enum Found {
    Server(Box<Client>),
    Cluster { connection: redis::cluster_async::ClusterConnection, nodes: Vec<Client> },
}

impl RedisConnector {
    /// Connections for shard `shard` of the namespace in `settings`.
    pub fn new(settings: RedisSettings, shard: u16) -> Self {
        // Without a provider in place a TLS connection cannot be made; a second one is not an error.
        drop(rustls::crypto::ring::default_provider().install_default());
        let keys = Arc::new(Keys::new(&settings.namespace, shard, settings.shards));
        Self { settings, keys, scripts: Arc::new(Scripts::new()), told: None }
    }

    /// The same, by a clock that is told: for tests in which time is an argument.
    pub fn with_told_clock(settings: RedisSettings, shard: u16, now_ms: Arc<AtomicU64>) -> Self {
        let key = format!("wb:clock:{{{}}}", settings.namespace);
        let scripts = Arc::new(Scripts::by_key(&key));
        Self { scripts, told: Some(Arc::new(ToldClock { key, now_ms })), ..Self::new(settings, shard) }
    }

    async fn make(&self) -> Result<Connected, LinkError> {
        match self.speaking(ProtocolVersion::RESP3).await {
            Err(LinkError::Broken(reason)) if is_too_old(&reason) => self.speaking(ProtocolVersion::RESP2).await,
            connected => connected,
        }
    }

    async fn speaking(&self, protocol: ProtocolVersion) -> Result<Connected, LinkError> {
        let found = self.found(protocol).await.map_err(|error| self.broken(&error))?;
        let (turns, upkeep, admin) = self.lanes(&found).await.map_err(|error| self.broken(&error))?;
        let caller = |lane| Caller { lane, scripts: Arc::clone(&self.scripts), told: self.told.clone() };
        let link = RedisLink {
            turns: caller(turns),
            upkeep: caller(upkeep),
            admin: caller(admin),
            keys: Arc::clone(&self.keys),
            call_timeout: self.settings.call_timeout,
            may_move: matches!(found, Found::Cluster { .. }),
            listener: self.listener(found),
        };
        match tokio::time::timeout(CHECK, link.turns.load()).await {
            Ok(loaded) => loaded.map_err(|error| self.broken(&error))?,
            Err(_) => return Err(LinkError::TimedOut { ms: millis(CHECK) }),
        }
        let warnings = self.check_server(&link).await?;
        self_test::run(&link).await?;
        Ok(Connected { link: Arc::new(link), warnings })
    }

    async fn found(&self, protocol: ProtocolVersion) -> RedisResult<Found> {
        match &self.settings.topology {
            Topology::Single(address) => Ok(Found::Server(Box::new(self.client(address, protocol)?))),
            Topology::Sentinel { sentinels, master, login } => {
                self.by_sentinel(sentinels, master, login, protocol).await
            }
            Topology::Cluster(nodes) => self.cluster(nodes, protocol).await,
        }
    }

    fn client(&self, address: &ServerAddress, protocol: ProtocolVersion) -> RedisResult<Client> {
        let addr = self.address(address);
        let info = addr.into_connection_info()?;
        let info = info.set_redis_settings(login(&self.settings.login, protocol)).set_tcp_settings(tcp());
        self.open(info)
    }

    fn open(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match &self.settings.tls {
            None => Client::open(info),
            Some(tls) => Client::build_with_tls(info, certificates(tls)),
        }
    }

    fn address(&self, address: &ServerAddress) -> ConnectionAddr {
        let (host, port) = (address.host.clone(), address.port);
        match &self.settings.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(tls) => ConnectionAddr::TcpTls { host, port, insecure: tls.accept_any, tls_params: None },
        }
    }

    async fn by_sentinel(
        &self,
        sentinels: &[ServerAddress],
        master: &str,
        sentinel_login: &Login,
        protocol: ProtocolVersion,
    ) -> RedisResult<Found> {
        let addresses = sentinels.iter().map(|address| self.address(address));
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
            .set_client_to_redis_db(self.settings.login.database)
            .set_client_to_redis_protocol(protocol)
            .set_client_to_redis_tcp_settings(tcp())
            .set_client_to_sentinel_protocol(protocol)
            .set_client_to_sentinel_tcp_settings(tcp());
        if let Some(tls) = &self.settings.tls {
            let mode = if tls.accept_any { TlsMode::Insecure } else { TlsMode::Secure };
            builder = builder
                .set_client_to_redis_tls_mode(mode)
                .set_client_to_redis_certificates(certificates(tls))
                .set_client_to_sentinel_tls_mode(mode)
                .set_client_to_sentinel_certificates(certificates(tls));
        }
        if let Some(username) = &self.settings.login.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = &self.settings.login.password {
            builder = builder.set_client_to_redis_password(password.reveal());
        }
        if let Some(username) = &sentinel_login.username {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = &sentinel_login.password {
            builder = builder.set_client_to_sentinel_password(password.reveal());
        }
        let mut sentinel = builder.build()?;
        match tokio::time::timeout(self.settings.connect_timeout * 4, sentinel.async_get_client()).await {
            Ok(client) => client.map(|client| Found::Server(Box::new(client))),
            Err(_) => Err(timed_out("no sentinel answers")),
        }
    }

    async fn cluster(&self, nodes: &[ServerAddress], protocol: ProtocolVersion) -> RedisResult<Found> {
        let infos: Vec<ConnectionInfo> =
            nodes.iter().map(|node| self.address(node).into_connection_info()).collect::<RedisResult<_>>()?;
        // The client's own habits would make a call wait for seconds.
        let mut builder = ClusterClientBuilder::new(infos)
            .retries(3)
            .min_retry_wait(5)
            .max_retry_wait(50)
            .connection_timeout(self.settings.connect_timeout)
            .response_timeout(CHECK)
            .overall_response_timeout(Some(CHECK))
            .use_protocol(protocol)
            .tcp_settings(tcp());
        if let Some(username) = &self.settings.login.username {
            builder = builder.username(username);
        }
        if let Some(password) = &self.settings.login.password {
            builder = builder.password(password.reveal());
        }
        if let Some(tls) = &self.settings.tls {
            let mode = if tls.accept_any { TlsMode::Insecure } else { TlsMode::Secure };
            builder = builder.tls(mode).certs(certificates(tls));
        }
        let client = builder.build()?;
        let connecting = client.get_async_connection();
        let connection = match tokio::time::timeout(self.settings.connect_timeout * 4, connecting).await {
            Ok(connection) => connection?,
            Err(_) => return Err(timed_out("no node of the cluster answers")),
        };
        let nodes = nodes.iter().map(|node| self.client(node, protocol)).collect::<RedisResult<_>>()?;
        Ok(Found::Cluster { connection, nodes })
    }

    /// Connections for turns, for upkeep and for operators.
    async fn lanes(&self, found: &Found) -> RedisResult<(Lane, Lane, Lane)> {
        match found {
            Found::Server(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(self.settings.connect_timeout))
                    // Every call has a limit of its own.
                    .set_response_timeout(None)
                    .set_pipeline_buffer_size(1024);
                let connect = || client.get_multiplexed_async_connection_with_config(&config);
                let (turns, upkeep) = (Lane::Server(connect().await?), Lane::Server(connect().await?));
                let manager = deadpool_redis::Manager::new(client.get_connection_info().clone())?;
                let pool = deadpool_redis::Pool::builder(manager)
                    .max_size(ADMIN_CONNECTIONS)
                    .runtime(deadpool_redis::Runtime::Tokio1)
                    .wait_timeout(Some(CHECK))
                    .create_timeout(Some(self.settings.connect_timeout))
                    .build()
                    .map_err(|error| (redis::ErrorKind::InvalidClientConfig, "admin lane", error.to_string()))?;
                Ok((turns, upkeep, Lane::Pool(pool)))
            }
            // It keeps a connection to each node.
            Found::Cluster { connection, .. } => {
                let lane = || Lane::Cluster(connection.clone());
                Ok((lane(), lane(), lane()))
            }
        }
    }

    /// A way to hear news: in a cluster whatever is published on one node reaches all of them.
    fn listener(&self, found: Found) -> Listener {
        let clients = match found {
            Found::Server(client) => vec![*client],
            Found::Cluster { nodes, .. } => nodes,
        };
        Listener { clients, channel: self.keys.channel(), connect_timeout: self.settings.connect_timeout }
    }

    /// Whether the server may be written to and forgets nothing by itself; what an operator should mend.
    async fn check_server(&self, link: &RedisLink) -> Result<Vec<String>, LinkError> {
        let call = encode::call(&self.scripts.server, &[self.keys.epoch().as_bytes()]);
        let info = match link.turns.call(&call, CHECK).await? {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::SimpleString(text) => text,
            _ => String::new(),
        };
        let says = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
        if says("role").is_some_and(|role| role != "master") {
            return Err(LinkError::Broken("the server is a replica and takes no writes; name its master".to_owned()));
        }
        let mut warnings = Vec::new();
        if let Some(policy) = says("maxmemory_policy")
            && policy != "noeviction"
            && says("maxmemory").is_none_or(|limit| limit != "0")
        {
            let what = format!(
                "Redis may evict keys (maxmemory-policy is {policy}), and with them what was counted; \
                 set maxmemory-policy noeviction"
            );
            if self.settings.strict {
                return Err(LinkError::Broken(what));
            }
            warnings.push(what);
        }
        Ok(warnings)
    }

    /// `error` with what an operator can do about it.
    fn broken(&self, error: &RedisError) -> LinkError {
        let said = in_words(error);
        let hint = match error.code() {
            Some("NOAUTH") => "; state.redis.password is missing",
            Some("WRONGPASS") => "; state.redis.username or password is wrong",
            Some("NOPERM") => {
                "; the ACL user needs the keys and channels wb:* and +@scripting +@read +@write +@pubsub +info"
            }
            _ if self.settings.tls.is_some() && error.is_io_error() => "; the connection is a TLS one",
            _ => "",
        };
        LinkError::Broken(format!("{said}{hint}"))
    }
}

impl Connector for RedisConnector {
    fn connect(&self) -> Answer<'_, Result<Connected, LinkError>> {
        Box::pin(self.make())
    }
}

/// Servers before Redis 6, and some proxies, do not speak RESP3.
fn is_too_old(reason: &str) -> bool {
    ["HELLO", "hello", "NOPROTO"].iter().any(|word| reason.contains(word))
}

fn timed_out(what: &'static str) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, what).into()
}

fn login(login: &Login, protocol: ProtocolVersion) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_db(login.database).set_protocol(protocol);
    if let Some(username) = &login.username {
        info = info.set_username(username);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password.reveal());
    }
    info
}

/// Small writes leave at once, and a peer that fell silent is noticed.
fn tcp() -> TcpSettings {
    let keepalive = socket2::TcpKeepalive::new().with_time(USER_TIMEOUT).with_interval(Duration::from_secs(1));
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(USER_TIMEOUT)
}

fn certificates(tls: &Tls) -> TlsCertificates {
    TlsCertificates {
        client_tls: tls.client.as_ref().map(|client| ClientTlsConfig {
            client_cert: client.certificate.clone(),
            client_key: client.key.reveal().as_bytes().to_vec(),
        }),
        root_cert: tls.ca.clone(),
    }
}
