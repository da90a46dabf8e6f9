//! Where the fleet's counters live, and what holds while they cannot be reached.

use std::time::Duration;

use crate::secret::Secret;

/// Where counters live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreSettings {
    /// In this process: each replica counts for itself.
    #[default]
    Memory,
    /// In Redis: the replicas of a fleet count as one.
    Redis(Box<RedisSettings>),
}

/// How Redis is reached and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// The servers.
    pub topology: Topology,
    /// How a connection proves who it is.
    pub login: Login,
    /// Whether connections are encrypted, and whom they trust; `None` is plaintext.
    pub tls: Option<Tls>,
    /// Tells this fleet's keys from those of others on the same servers.
    pub namespace: String,
    /// Over how many hash tags the deployments are spread, so that a cluster can share the work.
    pub shards: u16,
    /// The longest a call may take on a request's path.
    pub call_timeout: Duration,
    /// The longest a connection may take to be made.
    pub connect_timeout: Duration,
    /// What is granted while Redis cannot be reached.
    pub on_store_loss: OnStoreLoss,
    /// What is done about a replica that lost Redis while the others still have it.
    pub partition_safety: PartitionSafety,
    /// The most replicas there will be: a replica that has never reached Redis takes this share.
    pub max_replicas: u32,
    /// How long a replica that lost Redis serves deployments with limits; `None` is without end.
    pub local_max: Option<Duration>,
    /// Whether a server that may evict keys is refused rather than warned of.
    pub strict: bool,
}

impl RedisSettings {
    /// The server at `address`, with every habit at its default.
    pub fn single(address: ServerAddress) -> Self {
        Self {
            topology: Topology::Single(address),
            login: Login::default(),
            tls: None,
            namespace: "default".to_owned(),
            shards: 1,
            call_timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_millis(200),
            on_store_loss: OnStoreLoss::LocalShare,
            partition_safety: PartitionSafety::Off,
            max_replicas: 20,
            local_max: None,
            strict: false,
        }
    }
}

/// A host and port of a Redis server or sentinel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which servers there are, and who of them is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single(ServerAddress),
    /// Whichever server the sentinels name as master.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<ServerAddress>,
        /// The name that they watch the master under.
        master: String,
        /// How a connection to a sentinel proves who it is.
        login: Login,
    },
    /// A Redis Cluster, found through any of these nodes.
    Cluster(Vec<ServerAddress>),
}

/// How a connection proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// The ACL user; `None` is the default user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database that is selected; 0 in a cluster.
    pub database: i64,
}

/// An encrypted connection: whom it trusts and how it shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Certificates in PEM that are trusted instead of the public authorities.
    pub ca: Option<Vec<u8>>,
    /// This client's certificate and key in PEM, where the server asks for them.
    pub client: Option<ClientCertificate>,
    /// Whether any certificate is taken, whoever it names: only for a test set-up.
    pub accept_any: bool,
}

/// A client's certificate chain and its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Secret,
}

/// What is granted while the store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStoreLoss {
    /// This replica's share of what was left.
    LocalShare,
    /// Nothing that is limited.
    Closed,
    /// Everything, limits or not.
    Open,
}

/// What is done about a replica that lost the store while the others still have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionSafety {
    /// Nothing: it may grant its share of a limit beyond the limit.
    Off,
    /// The others leave its share alone while it is gone, and it waits until they surely do.
    Withhold,
}
