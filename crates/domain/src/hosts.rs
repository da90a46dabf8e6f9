//! Which hosts clients may name: public ones, and those that an operator lists in `server.custom_hosts`.
//!
//! Checked twice. A URL is checked as it is written, by [`HostRules::check_url`]. A name tells nothing yet: what it
//! resolves to is checked by [`HostRules::check_address`] when a connection is made, so that no answer of a name server
//! leads elsewhere in between.

mod refusal;
mod rule;
#[cfg(test)]
mod tests;
mod url;
mod zone;

use std::net::IpAddr;

pub use self::refusal::{HostRefusal, Why};
pub use self::rule::{BadRule, HostRule};
pub use self::zone::Zone;

use self::url::{Host, Written};

/// Names by which clouds hand out credentials.
const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.com",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.oraclecloud.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
    "metadata.tencentyun.com",
    "rancher-metadata",
];

/// Names of this machine, wherever they resolve.
const LOCAL_NAMES: &[&str] =
    &["localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"];

/// What clients may reach beyond public addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRules(Vec<HostRule>);

/// The rules, and the place of the router that goes by them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Border {
    /// What clients may reach beyond public addresses.
    pub rules: HostRules,
    /// Whether there is no master key: then loopback is allowed too.
    pub is_open: bool,
    /// The ports the router listens on, which are out of bounds on this machine whatever is listed: whoever calls from
    /// here may operate an open router.
    pub own_ports: Vec<u16>,
}

/// A host that a client may name. What it resolves to is still to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedHost {
    /// Its name or address, in lower case and without brackets.
    pub host: String,
    /// The port, as written or as usual for the scheme.
    pub port: u16,
}

impl HostRules {
    /// Rules that allow whatever one of `rules` lists.
    pub fn new(rules: Vec<HostRule>) -> Self {
        Self(rules)
    }

    /// The host of the URL in `text`, when a client of a router that is `open` (no master key) and listens on
    /// `own_ports` may name it.
    ///
    /// # Errors
    /// Why it may not, and what to add to the configuration.
    pub fn check_url(&self, text: &str, open: bool, own_ports: &[u16]) -> Result<CheckedHost, HostRefusal> {
        let Written { host, port } = url::read(text)?;
        match &host {
            Host::Name(name) => self.check_name(name, port, open, own_ports)?,
            Host::Address(ip) => self.check_literal(*ip, port, open, own_ports)?,
        }
        Ok(CheckedHost { host: host.to_string(), port })
    }

    /// Whether `host`, which resolved to `ip`, may be connected to there. `port` is `None` for one that neither a rule
    /// nor the router has.
    ///
    /// # Errors
    /// Why it may not, and what to add to the configuration.
    pub fn check_address(
        &self,
        host: &str,
        ip: IpAddr,
        port: Option<u16>,
        open: bool,
        own_ports: &[u16],
    ) -> Result<(), HostRefusal> {
        let Some(zone) = Zone::of(ip) else { return Ok(()) };
        if is_own(zone, port, own_ports) {
            return Err(HostRefusal::new(host, Why::OwnPort));
        }
        if self.lists_name(host, port, Some(zone)) || self.lists_address(ip, port, zone) || is_open_loopback(ip, open) {
            return Ok(());
        }
        Err(HostRefusal::new(host, Why::ResolvesTo(zone)))
    }

    /// Whether `ip` may be connected to at a port that is not the router's own.
    pub fn permits(&self, ip: IpAddr, open: bool) -> bool {
        self.check_address("", ip, None, open, &[]).is_ok()
    }

    /// The ports that a rule is for.
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().filter_map(HostRule::port)
    }

    fn check_name(&self, name: &str, port: u16, open: bool, own_ports: &[u16]) -> Result<(), HostRefusal> {
        let is_local = LOCAL_NAMES.contains(&name) || name.ends_with(".localhost");
        let zone = METADATA_NAMES.contains(&name).then_some(Zone::Metadata);
        let why = if is_local && own_ports.contains(&port) {
            Why::OwnPort
        } else if self.lists_name(name, Some(port), zone) || (is_local && open) {
            return Ok(());
        } else if is_local {
            Why::ThisMachine
        } else if let Some(zone) = zone {
            Why::Is(zone)
        } else if name.split('.').count() > url::MOST_LABELS {
            Why::TooManyLabels
        } else {
            return Ok(());
        };
        Err(HostRefusal::new(name, why))
    }

    fn check_literal(&self, ip: IpAddr, port: u16, open: bool, own_ports: &[u16]) -> Result<(), HostRefusal> {
        let Some(zone) = Zone::of(ip) else { return Ok(()) };
        let why = if is_own(zone, Some(port), own_ports) {
            Why::OwnPort
        } else if self.lists_address(ip, Some(port), zone) || is_open_loopback(ip, open) {
            return Ok(());
        } else {
            Why::Is(zone)
        };
        Err(HostRefusal::new(&ip.to_string(), why))
    }

    /// Whether a rule lists `name`, which leads to `zone` where that is known.
    fn lists_name(&self, name: &str, port: Option<u16>, zone: Option<Zone>) -> bool {
        self.0.iter().any(|rule| rule.lists_name(name, port) && is_meant(rule, zone))
    }

    fn lists_address(&self, ip: IpAddr, port: Option<u16>, zone: Zone) -> bool {
        self.0.iter().any(|rule| rule.lists_address(ip, port) && is_meant(rule, Some(zone)))
    }
}

impl Border {
    /// The host of the URL in `text`, when a client may name it.
    ///
    /// # Errors
    /// Why it may not, and what to add to the configuration.
    pub fn check_url(&self, text: &str) -> Result<CheckedHost, HostRefusal> {
        self.rules.check_url(text, self.is_open, &self.own_ports)
    }

    /// Those of `found`, which `host` resolved to, that may be connected to; `port` is `None` for one that is not among
    /// [`Border::ports`].
    ///
    /// # Errors
    /// Why none may.
    pub fn screen(&self, host: &str, port: Option<u16>, mut found: Vec<IpAddr>) -> Result<Vec<IpAddr>, HostRefusal> {
        let mut refusal = None;
        found.retain(|ip| {
            let checked = self.rules.check_address(host, *ip, port, self.is_open, &self.own_ports);
            checked.map_err(|refused| refusal = Some(refused)).is_ok()
        });
        match refusal {
            Some(refusal) if found.is_empty() => Err(refusal),
            _ => Ok(found),
        }
    }

    /// The ports that matter to an answer: those that a rule is for, and the router's own.
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.rules.ports().chain(self.own_ports.iter().copied())
    }
}

/// Whether `rule` is meant for what is in `zone`: whoever lists many hosts did not think of the one among them that hands
/// out credentials.
fn is_meant(rule: &HostRule, zone: Option<Zone>) -> bool {
    zone != Some(Zone::Metadata) || rule.is_for_one()
}

/// Whether this is the router itself.
fn is_own(zone: Zone, port: Option<u16>, own_ports: &[u16]) -> bool {
    // To connect to the unspecified address is to connect to this machine.
    matches!(zone, Zone::Loopback | Zone::Unspecified) && port.is_some_and(|port| own_ports.contains(&port))
}

/// Whether `ip` is this machine's, said plainly, and that is allowed.
fn is_open_loopback(ip: IpAddr, open: bool) -> bool {
    open && ip.to_canonical().is_loopback()
}
