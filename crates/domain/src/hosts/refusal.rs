//! Why a client may not name a host, and what an operator can do about it.

use std::fmt;

use super::Zone;

/// The longest host that is shown, in characters.
const LONGEST_SHOWN: usize = 253;

/// A host that a client may not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRefusal {
    /// The host as the client wrote it; empty when there is none.
    pub host: String,
    /// Why not.
    pub why: Why,
}

/// Why a client may not name a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The URL's scheme is neither `http` nor `https`, or it is no URL.
    NotHttp,
    /// There is no host in it, or none that could be.
    NoHost,
    /// A name or a password stands before the host.
    UserInfo,
    /// A `?` or `#` stands behind the path.
    PathEnds,
    /// A dot ends the host.
    TrailingDot,
    /// It holds characters beyond ASCII.
    NotAscii,
    /// It has more than ten labels.
    TooManyLabels,
    /// It means this host, and is written otherwise.
    Disguised(String),
    /// Its name is this machine's.
    ThisMachine,
    /// It leads back to the router.
    OwnPort,
    /// It is an address of that sort, or a name for one.
    Is(Zone),
    /// It resolves to an address of that sort. Which one is nobody's business.
    ResolvesTo(Zone),
}

impl HostRefusal {
    pub(super) fn new(host: &str, why: Why) -> Self {
        Self { host: host.chars().take(LONGEST_SHOWN).collect(), why }
    }

    /// The line that an operator adds below `server:` to allow the host; `None` when it is not to be allowed.
    pub fn line(&self) -> Option<String> {
        match &self.why {
            Why::TooManyLabels | Why::ThisMachine | Why::Is(_) | Why::ResolvesTo(_) => {
                Some(format!("custom_hosts: [\"{}\"]", self.host))
            }
            Why::NotHttp
            | Why::NoHost
            | Why::UserInfo
            | Why::PathEnds
            | Why::TrailingDot
            | Why::NotAscii
            | Why::Disguised(_)
            | Why::OwnPort => None,
        }
    }
}

impl std::error::Error for HostRefusal {}

impl fmt::Display for HostRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            f.write_str("the custom host may not be used: ")?;
        } else {
            write!(f, "the custom host {} may not be used: ", self.host)?;
        }
        self.why.fmt(f)?;
        match self.line() {
            None => Ok(()),
            Some(line) => write!(
                f,
                "; to allow it, list it in server.custom_hosts of the configuration: add `{line}` below `server:`"
            ),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("it is not an http(s) URL"),
            Self::NoHost => f.write_str("there is no valid host in it"),
            Self::UserInfo => f.write_str("a user name or password stands before the host; send keys as api_key"),
            Self::PathEnds => {
                f.write_str("there is a query or fragment in its URL; leave out the ? or # and what follows")
            }
            Self::TrailingDot => f.write_str("it ends in a dot; write it without"),
            Self::NotAscii => f.write_str("it holds characters beyond ASCII; write it in Punycode"),
            Self::TooManyLabels => f.write_str("it has more than 10 labels"),
            Self::Disguised(plain) => write!(f, "it is a disguised form; write {plain}"),
            Self::ThisMachine => f.write_str("it is this machine"),
            Self::OwnPort => f.write_str("it leads back to this router"),
            Self::Is(zone) => write!(f, "it is {zone}"),
            Self::ResolvesTo(zone) => write!(f, "it resolves to {zone}"),
        }
    }
}
