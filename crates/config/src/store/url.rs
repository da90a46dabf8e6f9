//! Redis URLs: `redis://[user[:password]@]host[:port][,host…][/database]`, `rediss://` for TLS.

use weighbridge_domain::secret::Secret;
use weighbridge_domain::store::ServerAddress;

use super::address;

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RedisUrl {
    /// Whether connections are encrypted.
    pub(crate) is_tls: bool,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    /// At least one.
    pub(crate) servers: Vec<ServerAddress>,
    pub(crate) database: Option<i64>,
    /// Whether any certificate is taken: `?ssl_cert_reqs=none`, as redis-py has it.
    pub(crate) accept_any: bool,
}

/// What is wrong with a text that is no such URL, and what to write instead. Says nothing of what
/// the text holds, which may be a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoUrl {
    pub(crate) what: &'static str,
    pub(crate) hint: &'static str,
}

const SHAPE: &str = "write redis://host:6379, or rediss:// for TLS";

/// The URL in `text`; a server that names no port is at `port`.
pub(crate) fn parse(text: &str, port: u16) -> Result<RedisUrl, NoUrl> {
    let no = |what| Err(NoUrl { what, hint: SHAPE });
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return no("this is no URL");
    };
    let is_tls = match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        "unix" | "redis+unix" | "redis+socket" => {
            return Err(NoUrl {
                what: "Unix sockets are not spoken here",
                hint: "let the server listen on TCP as well, and write redis://127.0.0.1:6379",
            });
        }
        _ => return no("this is not the URL of a Redis"),
    };
    // People leave characters of passwords unescaped; a host has no @.
    let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(servers) = hosts.split(',').map(|host| address::parse(host, port)).collect::<Option<Vec<_>>>() else {
        return no("the URL has no host that could be one, or a port that is none");
    };
    let database = match path.trim_end_matches('/') {
        "" => None,
        digits => match digits.parse::<u16>() {
            Ok(database) => Some(database.into()),
            Err(_) => return no("the path of the URL is not the number of a database"),
        },
    };
    let (username, password) = login.split_once(':').unwrap_or((login, ""));
    let (Some(username), Some(password)) = (decoded(username), decoded(password)) else {
        return Err(NoUrl { what: "the URL's login has a % that escapes nothing", hint: "write %25 for a %" });
    };
    let is_none = |pair: &str| pair.strip_prefix("ssl_cert_reqs=").is_some_and(|how| how.eq_ignore_ascii_case("none"));
    Ok(RedisUrl {
        is_tls,
        username: Some(username).filter(|name| !name.is_empty()),
        password: Some(password).filter(|password| !password.is_empty()).map(Secret::new),
        servers,
        database,
        accept_any: query.split('&').any(is_none),
    })
}

/// `text` with every `%41` as the byte it stands for.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
            let byte = digit(0)? * 16 + digit(1)?;
            bytes.push(u8::try_from(byte).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{decoded, parse};

    /// What the URL says, in one line; the password in full.
    fn shown(text: &str) -> String {
        match parse(text, 1) {
            Err(no) => no.what.to_owned(),
            Ok(url) => {
                let servers: Vec<String> = url.servers.iter().map(ToString::to_string).collect();
                let user = url.username.as_deref().unwrap_or("-");
                let password = url.password.as_ref().map_or("-", |secret| secret.reveal());
                let database = url.database.map_or_else(|| "-".to_owned(), |database| database.to_string());
                let tls = if url.is_tls { " tls" } else { "" };
                let any = if url.accept_any { " any" } else { "" };
                format!("{} {user} {password} {database}{tls}{any}", servers.join(","))
            }
        }
    }

    #[test]
    fn urls_as_people_write_them() {
        let rows = [
            ("redis://redis", "redis:1 - - -"),
            (" redis://redis:6379\n", "redis:6379 - - -"),
            ("redis://redis:6379/", "redis:6379 - - -"),
            ("redis://redis:6379/3", "redis:6379 - - 3"),
            ("REDIS://:pw@redis:6379", "redis:6379 - pw -"),
            ("redis://user@redis", "redis:1 user - -"),
            ("rediss://user:p%40s%2Fs@redis:6380/0", "redis:6380 user p@s/s 0 tls"),
            ("redis://:p@s/s@redis:6379/0", "redis:6379 - p@s/s 0"),
            ("redis://a:7000,b:7001,[::1]:7002", "a:7000,b:7001,[::1]:7002 - - -"),
            ("rediss://redis?ssl_cert_reqs=none", "redis:1 - - - tls any"),
            ("valkeys://v:1/1?x=1&ssl_cert_reqs=CERT", "v:1 - - 1 tls"),
            ("redis:6379", "this is no URL"),
            ("https://redis.example/v1", "this is not the URL of a Redis"),
            ("unix:///var/run/redis.sock", "Unix sockets are not spoken here"),
            ("redis://", "the URL has no host that could be one, or a port that is none"),
            ("redis://redis:port", "the URL has no host that could be one, or a port that is none"),
            ("redis://a,redis://b", "the URL has no host that could be one, or a port that is none"),
            ("redis://redis/db", "the path of the URL is not the number of a database"),
            ("redis://:50%@redis", "the URL's login has a % that escapes nothing"),
        ];
        for (text, expected) in rows {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_bytes_of_utf_8() {
        let rows = [("a%C3%A9", Some("aé")), ("%c3%a9", Some("é")), ("%C3", None), ("%4", None), ("%+1", None)];
        for (text, expected) in rows {
            assert_eq!(decoded(text).as_deref(), expected, "{text}");
        }
    }
}
