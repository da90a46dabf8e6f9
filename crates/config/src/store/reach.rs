//! What a section says about reaching Redis, compiled: ours and `LiteLLM`'s, which use other names.

use weighbridge_domain::secret::Secret;
use weighbridge_domain::store::{Login, RedisSettings, ServerAddress, Tls, Topology};

use super::address::{self, SENTINEL_PORT, SERVER_PORT};
use super::tls;
use super::url::{self, RedisUrl};
use crate::reader::{Field, Lookup};

/// A problem that has been told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told;

/// Whose words a section is written in, and so how grave its problems are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours: who asks for a shared store and cannot have it is told before anything is served.
    Ours,
    /// `LiteLLM`'s: its files load where their secrets are not.
    Litellm,
}

impl Dialect {
    /// Tells what keeps this Redis from being used.
    pub(crate) fn complain(self, at: &Field<'_>, what: impl Into<String>, hint: &str) -> Told {
        match self {
            Self::Ours => at.error(what, hint),
            Self::Litellm => at.warn(what, format!("{hint}; as it is, each replica counts for itself")),
        }
        Told
    }
}

/// A setting, or what a variable of a customary name holds in its place.
#[derive(Debug, Clone)]
pub(crate) struct Given<'a> {
    at: Field<'a>,
    variable: Option<String>,
}

impl<'a> Given<'a> {
    /// What `field` says.
    pub(crate) fn written(field: Field<'a>) -> Self {
        Self { at: field, variable: None }
    }

    /// `text`, which stands in no file; problems with it are told at `at`.
    pub(crate) fn found(text: String, at: Field<'a>) -> Self {
        Self { at, variable: Some(text) }
    }

    fn text(&self, dialect: Dialect) -> Result<String, Told> {
        if let Some(text) = &self.variable {
            return Ok(text.trim().to_owned());
        }
        match self.at.lookup().ok_or(Told)? {
            Lookup::Found(text) => Ok(text.trim().to_owned()),
            Lookup::Unset(name) => {
                let what = format!("the environment variable {name} is not set");
                Err(dialect.complain(&self.at, what, "set it, or write the value"))
            }
        }
    }

    /// The text, unless it is empty. In `LiteLLM`'s sections a variable that is not set is nothing.
    fn credential(&self, dialect: Dialect) -> Result<Option<String>, Told> {
        let text = match (dialect, &self.variable) {
            (Dialect::Litellm, None) => self.at.text(),
            (Dialect::Litellm, Some(_)) | (Dialect::Ours, _) => Some(self.text(dialect)?),
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

/// Who of several servers is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    Sentinel,
    Cluster,
}

/// What a section says about reaching Redis, setting by setting.
#[derive(Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) dialect: Dialect,
    /// Where it is told what is missing.
    pub(crate) at: Field<'a>,
    /// Which kind it is said to be; else it follows from what is listed.
    pub(crate) kind: Option<Kind>,
    pub(crate) url: Option<Given<'a>>,
    pub(crate) host: Option<Given<'a>>,
    pub(crate) port: Option<Given<'a>>,
    pub(crate) username: Option<Given<'a>>,
    pub(crate) password: Option<Given<'a>>,
    pub(crate) database: Option<Given<'a>>,
    pub(crate) tls: Option<Given<'a>>,
    pub(crate) namespace: Option<Given<'a>>,
    pub(crate) nodes: Option<Given<'a>>,
    pub(crate) sentinels: Option<Given<'a>>,
    pub(crate) master: Option<Given<'a>>,
    pub(crate) sentinel_username: Option<Given<'a>>,
    pub(crate) sentinel_password: Option<Given<'a>>,
}

impl Reach<'_> {
    /// Whether it names a server.
    pub(crate) fn names_a_server(&self) -> bool {
        [&self.url, &self.host, &self.nodes, &self.sentinels].into_iter().any(Option::is_some)
    }

    /// The settings, every habit at its default.
    pub(crate) fn settings(&self) -> Result<RedisSettings, Told> {
        let contradictions = self.contradictions();
        let namespace = self.namespace();
        let kind = self.kind();
        let url = self.url(kind)?;
        let (login, tls, topology) =
            (self.login(url.as_ref()), self.tls(url.as_ref()), self.topology(kind, url.as_ref()));
        contradictions?;
        let (login, tls, topology, namespace) = (login?, tls?, topology?, namespace?);
        if kind == Kind::Cluster && login.database != 0 {
            return Err(self.complain("a cluster has no database but 0", "remove the number of the database"));
        }
        let nowhere = ServerAddress { host: String::new(), port: 0 };
        let mut settings = RedisSettings { topology, login, tls, ..RedisSettings::single(nowhere) };
        if let Some(namespace) = namespace {
            settings.namespace = namespace;
        }
        Ok(settings)
    }

    fn complain(&self, what: impl Into<String>, hint: &str) -> Told {
        self.dialect.complain(&self.at, what, hint)
    }

    fn kind(&self) -> Kind {
        self.kind.unwrap_or(match (&self.nodes, &self.sentinels) {
            (Some(_), _) => Kind::Cluster,
            (None, Some(_)) => Kind::Sentinel,
            (None, None) => Kind::Single,
        })
    }

    /// In our own section what has no effect is an error; `LiteLLM` lets the first of several count.
    fn contradictions(&self) -> Result<(), Told> {
        let kind = self.kind();
        let rows = [
            (&self.nodes, Kind::Cluster, "`nodes` are those of a cluster", "write topology: cluster"),
            (&self.sentinels, Kind::Sentinel, "`sentinels` are for topology: sentinel", "write topology: sentinel"),
            (&self.master, Kind::Sentinel, "`master` is a name that sentinels know", "write topology: sentinel"),
            (&self.host, Kind::Single, "`host` is one server", "write `sentinels` or `nodes` instead"),
        ];
        let mut verdict = Ok(());
        if self.dialect == Dialect::Litellm {
            return verdict;
        }
        for (given, of, what, hint) in rows {
            if let Some(given) = given.as_ref().filter(|_| kind != of) {
                given.at.error(what, hint);
                verdict = Err(Told);
            }
        }
        let others = [&self.host, &self.port, &self.nodes, &self.sentinels];
        if let (Some(url), true) = (&self.url, others.into_iter().any(Option::is_some)) {
            url.at.error("`url` is not the only one to name a server", "write the servers in one place");
            verdict = Err(Told);
        }
        verdict
    }

    fn url(&self, kind: Kind) -> Result<Option<RedisUrl>, Told> {
        let Some(given) = &self.url else { return Ok(None) };
        let port = if kind == Kind::Sentinel { SENTINEL_PORT } else { SERVER_PORT };
        match url::parse(&given.text(self.dialect)?, port) {
            Ok(url) => Ok(Some(url)),
            Err(no) => Err(self.dialect.complain(&given.at, no.what, no.hint)),
        }
    }

    /// What stands by itself counts for more than what stands in the URL.
    fn login(&self, url: Option<&RedisUrl>) -> Result<Login, Told> {
        let username = self.credential(self.username.as_ref())?;
        let password = self.credential(self.password.as_ref())?.map(Secret::new);
        let database = match &self.database {
            None => None,
            Some(given) => match given.text(self.dialect)?.parse::<u16>() {
                Ok(database) => Some(database.into()),
                Err(_) => {
                    return Err(self.dialect.complain(&given.at, "this is not the number of a database", "write 0"));
                }
            },
        };
        Ok(Login {
            username: username.or_else(|| url?.username.clone()),
            password: password.or_else(|| url?.password.clone()),
            database: database.or_else(|| url?.database).unwrap_or_default(),
        })
    }

    fn credential(&self, given: Option<&Given<'_>>) -> Result<Option<String>, Told> {
        given.map_or(Ok(None), |given| given.credential(self.dialect))
    }

    fn tls(&self, url: Option<&RedisUrl>) -> Result<Option<Tls>, Told> {
        let of_url = url.filter(|url| url.is_tls);
        let of_url = of_url.map(|url| Tls { accept_any: url.accept_any, ..Tls::default() });
        let Some(given) = &self.tls else { return Ok(of_url) };
        let own = match &given.variable {
            Some(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes").then(Tls::default),
            None => tls::read(&given.at)?,
        };
        match (own, of_url) {
            (None, Some(_)) if self.dialect == Dialect::Ours => {
                given.at.error("`tls` is off and the URL begins with rediss://", "write redis://, or remove `tls`");
                Err(Told)
            }
            (own, of_url) => Ok(own.or(of_url)),
        }
    }

    fn topology(&self, kind: Kind, url: Option<&RedisUrl>) -> Result<Topology, Told> {
        let listed = |list: &Option<Given<'_>>, port| match (list, url) {
            (Some(list), _) => self.servers(list, port).map(Some),
            (None, url) => Ok(url.map(|url| url.servers.clone())),
        };
        match kind {
            Kind::Single => self.single(url).map(Topology::Single),
            Kind::Cluster => match listed(&self.nodes, SERVER_PORT)? {
                Some(nodes) => Ok(Topology::Cluster(nodes)),
                None => Err(self.complain("a cluster without a node to ask", "write nodes: [host:6379]")),
            },
            Kind::Sentinel => {
                let Some(sentinels) = listed(&self.sentinels, SENTINEL_PORT)? else {
                    return Err(self.complain("there is no sentinel to ask", "write sentinels: [host:26379]"));
                };
                let Some(master) = self.credential(self.master.as_ref())? else {
                    let what = "the master's name is missing";
                    return Err(self.complain(what, "write the name that the sentinels watch it under"));
                };
                let username = self.credential(self.sentinel_username.as_ref())?;
                let password = self.credential(self.sentinel_password.as_ref())?.map(Secret::new);
                Ok(Topology::Sentinel { sentinels, master, login: Login { username, password, database: 0 } })
            }
        }
    }

    fn single(&self, url: Option<&RedisUrl>) -> Result<ServerAddress, Told> {
        match url.map(|url| url.servers.as_slice()) {
            Some([server]) => return Ok(server.clone()),
            Some(_) => {
                let hint = "write topology: cluster or topology: sentinel, or one server";
                return Err(self.complain("the URL names several servers", hint));
            }
            None => {}
        }
        let Some(host) = &self.host else {
            return Err(self.complain("no server is named", "write url: redis://host:6379"));
        };
        let port = match &self.port {
            None => SERVER_PORT,
            Some(given) => match address::port(&given.text(self.dialect)?) {
                Some(port) => port,
                None => return Err(self.dialect.complain(&given.at, "this is no port", "write a number up to 65535")),
            },
        };
        let text = host.text(self.dialect)?;
        address::server(text.trim_start_matches('[').trim_end_matches(']'), port).ok_or_else(|| {
            self.dialect.complain(&host.at, "this is no host", "write a name or an address alone, or a URL as the url")
        })
    }

    /// The servers of a list of `host:port`, `[host, port]` and `{host, port}`, or of one text.
    fn servers(&self, list: &Given<'_>, port: u16) -> Result<Vec<ServerAddress>, Told> {
        let no = |at: &Field<'_>| self.dialect.complain(at, "this names no server", "write host:port");
        let text = |field: &Field<'_>| Given::written(field.clone()).text(self.dialect);
        let pair = |at: &Field<'_>, host: Option<Field<'_>>, at_port: Option<Field<'_>>| {
            let host = text(&host.ok_or_else(|| no(at))?)?;
            let port = match at_port {
                Some(field) => address::port(&text(&field)?).ok_or_else(|| no(at))?,
                None => port,
            };
            address::server(&host, port).ok_or_else(|| no(at))
        };
        let Some(items) = list.at.items() else {
            let written = list.text(self.dialect)?;
            return written.split(',').map(|one| address::parse(one, port).ok_or_else(|| no(&list.at))).collect();
        };
        if items.is_empty() {
            return Err(no(&list.at));
        }
        let server = |item: &Field<'_>| match (item.items(), item.as_section()) {
            (Some(parts), _) => pair(item, parts.first().cloned(), parts.get(1).cloned()),
            (None, Some(map)) => pair(item, map.get("host"), map.get("port")),
            (None, None) => address::parse(&text(item)?, port).ok_or_else(|| no(item)),
        };
        items.iter().map(server).collect()
    }

    /// The namespace, unless none is given. Keys begin with it.
    fn namespace(&self) -> Result<Option<String>, Told> {
        let Some(given) = &self.namespace else { return Ok(None) };
        let Some(name) = given.credential(self.dialect)? else { return Ok(None) };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
        if name.len() <= 64 && name.chars().all(is_plain) {
            return Ok(Some(name));
        }
        let hint = "write up to 64 letters, digits and _ . : -";
        match self.dialect {
            Dialect::Ours => Err(self.dialect.complain(&given.at, "this namespace cannot begin a key", hint)),
            // Another namespace than asked for, but the same on every replica.
            Dialect::Litellm => {
                let name: String = name.chars().take(64).map(|c| if is_plain(c) { c } else { '_' }).collect();
                given.at.warn("this namespace cannot begin a key", format!("{name} is used; {hint}"));
                Ok(Some(name))
            }
        }
    }
}
