//! Who may ask what.

use std::net::SocketAddr;

use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::{Access, ServerSettings};

use crate::refusal::Refusal;

/// Headers that may hold the key, as it stands or behind `Bearer`.
const KEY_HEADERS: [&str; 5] = ["api-key", "x-api-key", "x-litellm-api-key", "x-goog-api-key", "x-portkey-api-key"];

/// Headers that a proxy adds: the peer is not the client then.
const PROXY_HEADERS: [&str; 3] = ["x-forwarded-for", "forwarded", "x-real-ip"];

/// What everybody is told while there is no key to show.
const LOCKED: &str = "This router is locked: its configuration asks for a master key that is not set. \
                      Its log names the environment variable.";

/// Lets a client in: without a master key everybody, else who shows it.
///
/// # Errors
/// 401.
pub(crate) fn client(headers: &HeaderMap, server: &ServerSettings) -> Result<(), Refusal> {
    match &server.access {
        Access::Open => Ok(()),
        Access::Key(key) if shows(headers, key) => Ok(()),
        Access::Key(_) => Err(unauthorized(headers)),
        Access::Locked => Err(Refusal::new(StatusCode::UNAUTHORIZED, "authentication_error", LOCKED)),
    }
}

/// Lets an operator in: who shows the master key, or without one who asks from this machine.
///
/// # Errors
/// 401 with a master key, 403 without.
pub(crate) fn operator(headers: &HeaderMap, peer: Option<SocketAddr>, server: &ServerSettings) -> Result<(), Refusal> {
    if server.access != Access::Open {
        return client(headers, server);
    }
    let is_loopback = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let is_proxied = PROXY_HEADERS.iter().any(|name| headers.contains_key(*name));
    if is_loopback && !is_proxied {
        return Ok(());
    }
    let message = "Without a master key the admin routes answer on loopback only. \
                   Set general_settings.master_key and send it as `Authorization: Bearer <key>`, \
                   or ask from the machine the router runs on.";
    Err(Refusal::new(StatusCode::FORBIDDEN, "permission_error", message))
}

/// Tells clients with different keys apart; the same on every replica, and no way back to a key that is hard to guess.
pub(crate) fn digest(headers: &HeaderMap) -> u64 {
    let names = std::iter::once(http::header::AUTHORIZATION.as_str()).chain(KEY_HEADERS);
    let shown = names.filter_map(|name| headers.get(name)).find_map(|value| value.to_str().ok());
    shown.map_or(0, |shown| weighbridge_routing::preferences::hash(0, shown))
}

/// Whether one of the headers that hold keys holds `key`.
fn shows(headers: &HeaderMap, key: &Secret) -> bool {
    let expected = key.reveal().as_bytes();
    let bearers = headers.get_all(http::header::AUTHORIZATION).iter().filter_map(|value| bearer(value.as_bytes()));
    let plain = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).map(|value| {
        // LiteLLM's clients write `x-litellm-api-key: Bearer <key>`.
        bearer(value.as_bytes()).unwrap_or(value.as_bytes())
    });
    // Every key is compared to its end, so that time tells nothing but lengths.
    bearers.chain(plain).fold(false, |found, shown| found | bool::from(shown.ct_eq(expected)))
}

/// Whether `text` is the key that opens this router, as it stands or behind `Bearer`.
pub(crate) fn is_key(text: &str, server: &ServerSettings) -> bool {
    let Access::Key(key) = &server.access else { return false };
    let shown = bearer(text.as_bytes()).unwrap_or(text.as_bytes());
    bool::from(shown.ct_eq(key.reveal().as_bytes()))
}

/// The token of `Bearer <token>`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

fn unauthorized(headers: &HeaderMap) -> Refusal {
    let shown =
        headers.contains_key(http::header::AUTHORIZATION) || KEY_HEADERS.iter().any(|name| headers.contains_key(*name));
    let message = if shown {
        "The API key is not valid here."
    } else {
        "An API key is needed: send it as `Authorization: Bearer <key>`."
    };
    Refusal::new(StatusCode::UNAUTHORIZED, "authentication_error", message)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::{HeaderMap, HeaderName, HeaderValue};
    use weighbridge_domain::secret::Secret;
    use weighbridge_domain::settings::{Access, ServerSettings};

    use super::{client, operator};

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let parse =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        lines.iter().map(parse).collect()
    }

    fn settings(key: Option<&str>) -> ServerSettings {
        ServerSettings {
            access: key.map_or(Access::Open, |key| Access::Key(Secret::new(key))),
            ..ServerSettings::default()
        }
    }

    fn status(lines: &[(&str, &str)]) -> u16 {
        client(&headers(lines), &settings(Some("sk-1234"))).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
    }

    #[test]
    fn the_key_opens_in_each_header() {
        for (name, value) in [
            ("authorization", "Bearer sk-1234"),
            ("authorization", "bearer  sk-1234 "),
            ("api-key", "sk-1234"),
            ("x-api-key", "sk-1234"),
            ("x-litellm-api-key", "sk-1234"),
            ("x-litellm-api-key", "Bearer sk-1234"),
            ("x-goog-api-key", "sk-1234"),
            ("x-portkey-api-key", "sk-1234"),
        ] {
            assert_eq!(status(&[(name, value)]), 200, "{name}");
        }
        assert_eq!(status(&[("authorization", "Bearer provider-key"), ("x-portkey-api-key", "sk-1234")]), 200);
    }

    #[test]
    fn nothing_else_opens() {
        for (name, value) in [
            ("authorization", "Bearer sk-12345"),
            ("authorization", "Bearer sk-123"),
            ("authorization", "Bearer "),
            ("authorization", "Bearer"),
            ("authorization", "sk-1234"),
            ("authorization", "Basic sk-1234"),
            ("api-key", ""),
            ("x-other-key", "sk-1234"),
        ] {
            assert_eq!(status(&[(name, value)]), 401, "{name}: {value}");
        }
        assert_eq!(status(&[]), 401);
        assert!(client(&HeaderMap::new(), &settings(None)).is_ok());
    }

    #[test]
    fn operators_without_a_key_are_those_on_this_machine() {
        let check = |peer: Option<&str>, lines: &[(&str, &str)], key: Option<&str>| {
            let peer: Option<SocketAddr> = peer.map(|peer| peer.parse().unwrap());
            operator(&headers(lines), peer, &settings(key)).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
        };
        assert_eq!(check(Some("127.0.0.1:9"), &[], None), 200);
        assert_eq!(check(Some("[::1]:9"), &[], None), 200);
        assert_eq!(check(Some("[::ffff:127.0.0.1]:9"), &[], None), 200);
        assert_eq!(check(Some("10.0.0.7:9"), &[], None), 403);
        assert_eq!(check(None, &[], None), 403);
        assert_eq!(check(Some("127.0.0.1:9"), &[("x-forwarded-for", "9.9.9.9")], None), 403);
        assert_eq!(check(Some("127.0.0.1:9"), &[], Some("k")), 401);
        assert_eq!(check(Some("10.0.0.7:9"), &[("api-key", "k")], Some("k")), 200);
    }

    #[test]
    fn a_locked_router_lets_nobody_in() {
        let locked = ServerSettings { access: Access::Locked, ..ServerSettings::default() };
        let shown = headers(&[("authorization", "Bearer anything")]);
        let loopback = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        for shown in [shown, HeaderMap::new()] {
            assert!(client(&shown, &locked).is_err() && operator(&shown, loopback, &locked).is_err());
        }
    }
}
