//! What an address is, apart from public.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address that is not public is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// No address at all; connecting to it reaches this machine.
    Unspecified,
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// One segment of a network.
    LinkLocal,
    /// Between a carrier and its customers.
    Shared,
    /// Many at once.
    Multicast,
    /// Documentation, measurements, the future.
    Reserved,
    /// Where clouds hand out credentials.
    Metadata,
}

impl Zone {
    /// What `ip` is for; `None` for a public one. An IPv6 address that stands for an IPv4 one is what that one is.
    pub fn of(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "a carrier's shared address",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
            Self::Metadata => "a cloud's metadata service",
        })
    }
}

fn of_v4(ip: Ipv4Addr) -> Option<Zone> {
    Some(match ip.octets() {
        // AWS and most others, AWS containers and pods, Alibaba, Oracle, Azure.
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [168, 63, 129, 16] => Zone::Metadata,
        [0, ..] => Zone::Unspecified,
        [127, ..] => Zone::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Zone::Private,
        [169, 254, ..] => Zone::LinkLocal,
        [100, 64..=127, ..] => Zone::Shared,
        [224..=239, ..] => Zone::Multicast,
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Zone::Reserved,
        _ => return None,
    })
}

fn of_v6(ip: Ipv6Addr) -> Option<Zone> {
    Some(match ip.segments() {
        // AWS, AWS pods, Google, Scaleway.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42] => Zone::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => Zone::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Zone::Loopback,
        // Mapped, compatible, translated by SIIT, by NAT64, and 6to4.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => return of_v4(embedded(high, low)),
        // ISATAP, which may stand below a public prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => return of_v4(embedded(high, low)).or(Some(Zone::Reserved)),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Zone::Private,
        [0xfe80..=0xfebf, ..] => Zone::LinkLocal,
        [0xff00..=0xffff, ..] => Zone::Multicast,
        // Teredo and other protocols' own, and documentation; what is global begins with 2 or 3.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Zone::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => Zone::Reserved,
    })
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::Zone;

    #[test]
    fn an_address_is_public_or_it_is_known_what_for() {
        let rows: &[(&str, Option<Zone>)] = &[
            ("8.8.8.8", None),
            ("1.1.1.1", None),
            ("172.15.255.255", None),
            ("172.32.0.0", None),
            ("100.63.255.255", None),
            ("100.128.0.0", None),
            ("2606:4700::1111", None),
            ("::ffff:8.8.8.8", None),
            ("64:ff9b::8.8.8.8", None),
            ("2002:808:808::1", None),
            ("0.0.0.0", Some(Zone::Unspecified)),
            ("0.1.2.3", Some(Zone::Unspecified)),
            ("127.0.0.1", Some(Zone::Loopback)),
            ("127.255.255.254", Some(Zone::Loopback)),
            ("10.0.0.1", Some(Zone::Private)),
            ("172.16.0.1", Some(Zone::Private)),
            ("172.31.255.255", Some(Zone::Private)),
            ("192.168.1.1", Some(Zone::Private)),
            ("169.254.1.1", Some(Zone::LinkLocal)),
            ("169.254.169.254", Some(Zone::Metadata)),
            ("169.254.170.2", Some(Zone::Metadata)),
            ("100.64.0.1", Some(Zone::Shared)),
            ("100.100.100.200", Some(Zone::Metadata)),
            ("168.63.129.16", Some(Zone::Metadata)),
            ("192.0.0.8", Some(Zone::Reserved)),
            ("192.0.2.1", Some(Zone::Reserved)),
            ("198.19.0.1", Some(Zone::Reserved)),
            ("198.51.100.1", Some(Zone::Reserved)),
            ("203.0.113.1", Some(Zone::Reserved)),
            ("224.0.0.1", Some(Zone::Multicast)),
            ("240.0.0.1", Some(Zone::Reserved)),
            ("255.255.255.255", Some(Zone::Reserved)),
            ("::", Some(Zone::Unspecified)),
            ("::1", Some(Zone::Loopback)),
            ("::ffff:127.0.0.1", Some(Zone::Loopback)),
            ("::ffff:0:169.254.169.254", Some(Zone::Metadata)),
            ("::10.0.0.1", Some(Zone::Private)),
            ("64:ff9b::10.0.0.1", Some(Zone::Private)),
            ("64:ff9b:1::1", Some(Zone::Reserved)),
            ("2002:a00:1::", Some(Zone::Private)),
            ("2001:0:1::1", Some(Zone::Reserved)),
            ("2001:db8::1", Some(Zone::Reserved)),
            ("2606:4700::5efe:a00:1", Some(Zone::Private)),
            ("3fff::1", Some(Zone::Reserved)),
            ("5f00::1", Some(Zone::Reserved)),
            ("100::1", Some(Zone::Reserved)),
            ("fc00::1", Some(Zone::Private)),
            ("fdff::1", Some(Zone::Private)),
            ("fd00:ec2::254", Some(Zone::Metadata)),
            ("fe80::1", Some(Zone::LinkLocal)),
            ("fec0::1", Some(Zone::Private)),
            ("ff02::1", Some(Zone::Multicast)),
        ];
        for (text, zone) in rows {
            assert_eq!(Zone::of(text.parse().unwrap()), *zone, "{text}");
        }
    }

    proptest! {
        /// However an IPv4 address is dressed up, it is what it is.
        #[test]
        fn a_costume_changes_nothing(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let zone = Zone::of(ip.into());
            let low = u128::from(bits);
            let costumes = [0xffff_u128 << 32, 0xffff_u128 << 48, 0x0064_ff9b_u128 << 96];
            for costume in costumes {
                prop_assert_eq!(Zone::of(IpAddr::V6(Ipv6Addr::from(costume | low))), zone);
            }
            prop_assert_eq!(Zone::of(IpAddr::V6(Ipv6Addr::from(0x2002_u128 << 112 | low << 80))), zone);
        }

        /// What the standard library calls other than global is never public here.
        #[test]
        fn nothing_near_is_public(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let is_near = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
                || ip.is_broadcast() || ip.is_documentation() || ip.is_unspecified();
            prop_assert!(!is_near || Zone::of(ip.into()).is_some());
        }
    }
}
