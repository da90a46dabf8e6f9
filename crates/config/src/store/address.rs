//! Hosts and ports of Redis servers, as text.

use weighbridge_domain::store::ServerAddress;

/// The port of a Redis server where nothing names one.
pub(crate) const SERVER_PORT: u16 = 6379;
/// The port of a sentinel where nothing names one.
pub(crate) const SENTINEL_PORT: u16 = 26379;

/// The server in `text`: `host`, `host:port`, `[::1]:port`; at `port` when it names none.
pub(crate) fn parse(text: &str, port: u16) -> Option<ServerAddress> {
    let text = text.trim();
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match text.find(':') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        },
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => self::port(digits)?,
        None if rest.is_empty() => port,
        None => return None,
    };
    server(host, port)
}

/// The server at `host`, which names no port.
pub(crate) fn server(host: &str, port: u16) -> Option<ServerAddress> {
    let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (is_address || is_name).then(|| ServerAddress { host: host.to_owned(), port })
}

/// The port in `text`.
pub(crate) fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::{parse, server};

    #[test]
    fn servers_as_people_write_them() {
        let rows = [
            ("redis", "redis:1"),
            ("redis:6379", "redis:6379"),
            (" redis-0.redis.svc_x:6379 ", "redis-0.redis.svc_x:6379"),
            ("10.0.0.1:7000", "10.0.0.1:7000"),
            ("[::1]:7000", "[::1]:7000"),
            ("[fe80::2]", "[fe80::2]:1"),
            ("::1", "none"),
            ("[redis]:1", "redis:1"),
            ("", "none"),
            (":6379", "none"),
            ("redis:", "none"),
            ("redis:0", "none"),
            ("redis:65536", "none"),
            ("redis:6379/0", "none"),
            ("<your-host>", "none"),
            ("https://redis", "none"),
            ("[::1", "none"),
            ("[::1]7000", "none"),
        ];
        for (text, expected) in rows {
            let found = parse(text, 1).map_or_else(|| "none".to_owned(), |server| server.to_string());
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(server("::1", 7).unwrap().to_string(), "[::1]:7");
        assert_eq!(server("a:1", 7), None);
    }
}
