//! The host of a URL as it is written, and nothing that means another than it says.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use url::Url;

use super::refusal::{HostRefusal, Why};

/// The most labels of a name: enough for a service of a cluster, and not for what wants to get around a check.
pub(super) const MOST_LABELS: usize = 10;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 253;

/// What a URL leads to.
pub(super) struct Written {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// A host, said plainly.
pub(super) enum Host {
    /// In lower case.
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

/// Where the URL in `text` leads.
///
/// # Errors
/// When it is no http(s) URL with a host, or says it in a way that readers may disagree about.
pub(super) fn read(text: &str) -> Result<Written, HostRefusal> {
    let raw = raw_host(text)?;
    let refuse = |why| HostRefusal::new(raw, why);
    if !raw.is_ascii() {
        return Err(refuse(Why::NotAscii));
    }
    if raw.ends_with('.') {
        return Err(refuse(Why::TrailingDot));
    }
    let url = Url::parse(text).map_err(|_| refuse(Why::NoHost))?;
    // What is put behind a base would end up in it, and the path be any the client likes.
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(Why::PathEnds));
    }
    let port = url.port_or_known_default().filter(|port| *port > 0).ok_or_else(|| refuse(Why::NoHost))?;
    let host = match url.host() {
        None => return Err(refuse(Why::NoHost)),
        Some(url::Host::Ipv4(ip)) => literal(raw, ip.into())?,
        Some(url::Host::Ipv6(ip)) => literal(raw, ip.into())?,
        Some(url::Host::Domain(name)) if !name.eq_ignore_ascii_case(raw) => {
            return Err(refuse(Why::Disguised(name.to_owned())));
        }
        Some(url::Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            if !is_name(&name) {
                return Err(refuse(Why::NoHost));
            }
            Host::Name(name)
        }
    };
    Ok(Written { host, port })
}

/// Whether `text` is a name in lower case: labels of letters, digits, `-` and `_`.
pub(super) fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}

/// Whether a resolver would take `name` for an IPv4 address: its last label is a number.
pub(super) fn looks_numeric(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The host between the scheme and the port or path, as it stands; brackets included.
fn raw_host(text: &str) -> Result<&str, HostRefusal> {
    let none = |why| HostRefusal::new("", why);
    // Readers of URLs leave such out, or take one for another.
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err(none(Why::NoHost));
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| none(Why::NotHttp))?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(none(Why::NotHttp));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(none(Why::UserInfo));
    }
    let host = match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() {
        return Err(none(Why::NoHost));
    }
    Ok(host)
}

/// `ip`, when `raw` is how it is written.
fn literal(raw: &str, ip: IpAddr) -> Result<Host, HostRefusal> {
    let is_plain = match ip {
        IpAddr::V4(ip) => raw == ip.to_string(),
        IpAddr::V6(ip) => is_plain_v6(raw, ip),
    };
    if is_plain {
        return Ok(Host::Address(ip));
    }
    let plain = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Err(HostRefusal::new(raw, Why::Disguised(plain)))
}

/// Whether `raw` is how `ip` is written: shortened, and with its end as IPv4 or not.
fn is_plain_v6(raw: &str, ip: Ipv6Addr) -> bool {
    let raw = raw.to_ascii_lowercase();
    raw == format!("[{ip}]") || raw == url::Host::<String>::Ipv6(ip).to_string()
}
