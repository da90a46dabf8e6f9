//! One entry of `server.custom_hosts`.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::url::{is_name, looks_numeric};

/// A host, or many, that clients may name; on one port or on all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    place: Place,
    port: Option<u16>,
}

/// Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Name(String),
    /// With its leading dot.
    Suffix(String),
    Net(IpNet),
}

/// Why an entry is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// More than a host.
    #[error("a URL stands where a host is meant")]
    Url,
    /// A port of 0, or of more than 65535, or of no digits.
    #[error("its port is none")]
    Port,
    /// A star that is not the first label.
    #[error("a star stands for the first labels of a name only")]
    Star,
    /// An address that resolvers read otherwise than people, or a range that is none.
    #[error("it is neither an address nor a range")]
    Address,
    /// Not a name.
    #[error("it is no host name")]
    Name,
}

impl HostRule {
    /// The port it is for; `None` for all.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is for one name or address, rather than for many.
    pub(super) fn is_for_one(&self) -> bool {
        match &self.place {
            Place::Name(_) => true,
            Place::Suffix(_) => false,
            Place::Net(net) => net.prefix_len() == net.max_prefix_len(),
        }
    }

    pub(super) fn lists_name(&self, name: &str, port: Option<u16>) -> bool {
        self.is_for(port)
            && match &self.place {
                Place::Name(listed) => listed == name,
                Place::Suffix(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
                Place::Net(_) => false,
            }
    }

    pub(super) fn lists_address(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let is_in = |net: &IpNet| net.contains(&ip) || net.contains(&ip.to_canonical());
        self.is_for(port) && matches!(&self.place, Place::Net(net) if is_in(net))
    }

    fn is_for(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }
}

impl FromStr for HostRule {
    type Err = BadRule;

    /// Reads `name`, `.suffix`, `*.suffix`, an address or a range, each perhaps with `:port`; IPv6 with a port in
    /// brackets.
    fn from_str(text: &str) -> Result<Self, BadRule> {
        let text = text.trim().to_ascii_lowercase();
        if text.contains("://") {
            return Err(BadRule::Url);
        }
        let (place, port) = split(&text)?;
        let port = match port {
            None => None,
            Some(digits) => Some(digits.parse().ok().filter(|port| *port > 0).ok_or(BadRule::Port)?),
        };
        Ok(Self { place: place.parse()?, port })
    }
}

/// The place and the port. IPv6 has colons of its own.
fn split(text: &str) -> Result<(&str, Option<&str>), BadRule> {
    if let Some(inner) = text.strip_prefix('[') {
        let (place, rest) = inner.split_once(']').ok_or(BadRule::Address)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((place, Some(port))),
            None if rest.is_empty() => Ok((place, None)),
            None => Err(BadRule::Address),
        };
    }
    match text.split_once(':') {
        Some((place, port)) if !port.contains(':') => Ok((place, Some(port))),
        _ => Ok((text, None)),
    }
}

impl FromStr for Place {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        if text.contains('/') {
            let net: IpNet = text.parse().map_err(|_| BadRule::Address)?;
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Net(ip.into()));
        }
        if text.contains(':') {
            return Err(BadRule::Address);
        }
        let bare = text.strip_prefix('*').unwrap_or(text);
        if bare.contains('*') || (bare.len() < text.len() && !bare.starts_with('.')) {
            return Err(BadRule::Star);
        }
        let name = bare.strip_prefix('.').unwrap_or(bare);
        match (is_name(name), looks_numeric(name)) {
            (_, true) => Err(BadRule::Address),
            (false, false) => Err(BadRule::Name),
            (true, false) if name.len() < bare.len() => Ok(Self::Suffix(bare.to_owned())),
            (true, false) => Ok(Self::Name(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadRule, HostRule};

    #[test]
    fn entries_are_read_or_refused() {
        let rows: &[(&str, Result<Option<u16>, BadRule>)] = &[
            ("vllm", Ok(None)),
            ("VLLM.models.svc.cluster.local", Ok(None)),
            ("my_service:8080", Ok(Some(8080))),
            (".svc.cluster.local", Ok(None)),
            ("*.svc.cluster.local:80", Ok(Some(80))),
            ("10.4.0.1", Ok(None)),
            ("10.4.0.1:8000", Ok(Some(8000))),
            ("10.4.0.0/16", Ok(None)),
            ("10.4.0.0/16:443", Ok(Some(443))),
            ("fd00::1", Ok(None)),
            ("fd00::/8", Ok(None)),
            ("[fd00::1]", Ok(None)),
            ("[fd00::1]:8000", Ok(Some(8000))),
            ("[fd00::/8]:8000", Ok(Some(8000))),
            ("http://vllm", Err(BadRule::Url)),
            ("vllm:0", Err(BadRule::Port)),
            ("vllm:70000", Err(BadRule::Port)),
            ("vllm:", Err(BadRule::Port)),
            ("*", Err(BadRule::Star)),
            ("*vllm", Err(BadRule::Star)),
            ("a.*.b", Err(BadRule::Star)),
            ("10.4.0.0/33", Err(BadRule::Address)),
            ("10.4", Err(BadRule::Address)),
            ("0x7f000001", Err(BadRule::Address)),
            ("010.0.0.1", Err(BadRule::Address)),
            ("[fd00::1", Err(BadRule::Address)),
            ("fd00::g", Err(BadRule::Address)),
            ("vllm/v1", Err(BadRule::Address)),
            ("a..b", Err(BadRule::Name)),
            ("vllm.", Err(BadRule::Name)),
            ("vllm models", Err(BadRule::Name)),
            ("", Err(BadRule::Name)),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<HostRule>().map(|rule| rule.port()), *expected, "{text}");
        }
    }
}
