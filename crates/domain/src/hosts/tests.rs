//! What clients may name, case by case.

use std::net::IpAddr;

use proptest::prelude::*;

use super::{Border, HostRules, Why, Zone};

fn rules(entries: &[&str]) -> HostRules {
    HostRules::new(entries.iter().map(|entry| entry.parse().unwrap()).collect())
}

/// Why `url` may not be named at a router with `entries` that listens on port 8000; `None` when it may.
fn refused(entries: &[&str], open: bool, url: &str) -> Option<Why> {
    rules(entries).check_url(url, open, &[8000]).err().map(|refusal| refusal.why)
}

const KEYED: bool = false;
const OPEN: bool = true;

#[test]
fn public_hosts_may_be_named() {
    for url in [
        "https://api.openai.com/v1",
        "HTTPS://API.openai.com",
        "http://8.8.8.8:8080/v1",
        "http://[2606:4700::1111]/v1",
        "http://vllm:8000",
        "http://my_service/v1",
        "http://xn--bcher-kva.example/",
        "http://a.b.c.d.e.f.g.h.i.j/",
        "http://host/v1@2",
    ] {
        assert_eq!(refused(&[], KEYED, url), None, "{url}");
    }
}

#[test]
fn what_is_no_plain_url_is_refused() {
    let disguised = |plain: &str| Why::Disguised(plain.to_owned());
    let rows = [
        ("ftp://host/", Why::NotHttp),
        ("file:///etc/passwd", Why::NotHttp),
        ("gopher://host:70/_x", Why::NotHttp),
        ("host:8000", Why::NotHttp),
        ("http:host", Why::NotHttp),
        ("http:/host", Why::NotHttp),
        ("//host", Why::NotHttp),
        ("", Why::NotHttp),
        ("http://", Why::NoHost),
        ("http:///host", Why::NoHost),
        ("http://:80/", Why::NoHost),
        ("http://host:0/", Why::NoHost),
        ("http://host:99999/", Why::NoHost),
        ("http://a..b/", Why::NoHost),
        ("http://a b/", Why::NoHost),
        ("http://ho\tst/", Why::NoHost),
        (" http://host/", Why::NoHost),
        ("http://host\n/", Why::NoHost),
        ("http:\\\\host/", Why::NoHost),
        ("http://public.example\\@10.0.0.1/", Why::NoHost),
        ("http://host\u{0}/", Why::NoHost),
        ("http://[::1/", Why::NoHost),
        ("http://[fe80::1%25eth0]/", Why::NoHost),
        ("http://1.2.3.4.5/", Why::NoHost),
        ("http://256.1.1.1/", Why::NoHost),
        ("http://user@host/", Why::UserInfo),
        ("http://user:pass@host/", Why::UserInfo),
        ("http://public.example@10.0.0.1/", Why::UserInfo),
        ("http://@host/", Why::UserInfo),
        ("http://host/#x", Why::PathEnds),
        ("http://host/router/reload?x=", Why::PathEnds),
        ("http://host?", Why::PathEnds),
        ("http://host#@10.0.0.1/", Why::PathEnds),
        ("http://host./", Why::TrailingDot),
        ("http://localhost./", Why::TrailingDot),
        ("http://127.0.0.1./", Why::TrailingDot),
        ("http://bücher.example/", Why::NotAscii),
        ("http://①②⑦.⓪.⓪.①/", Why::NotAscii),
        ("http://127。0。0。1/", Why::NotAscii),
        ("http://ho\u{ad}st/", Why::NotAscii),
        ("http://a.b.c.d.e.f.g.h.i.j.k/", Why::TooManyLabels),
        ("http://2130706433/", disguised("127.0.0.1")),
        ("http://0x7f000001/", disguised("127.0.0.1")),
        ("http://0X7F.0.0.1/", disguised("127.0.0.1")),
        ("http://0177.0.0.1/", disguised("127.0.0.1")),
        ("http://017700000001/", disguised("127.0.0.1")),
        ("http://127.1/", disguised("127.0.0.1")),
        ("http://127.0.1/", disguised("127.0.0.1")),
        ("http://127.0.0.01/", disguised("127.0.0.1")),
        ("http://0/", disguised("0.0.0.0")),
        ("http://8.8.2056/", disguised("8.8.8.8")),
        ("http://%31%32%37.0.0.1/", disguised("127.0.0.1")),
        ("http://%6cocalhost/", disguised("localhost")),
        ("http://[0:0:0:0:0:0:0:1]/", disguised("[::1]")),
        ("http://[::ffff:127.0.0.1]:8080/", Why::Is(Zone::Loopback)),
        ("http://[0::ffff:7f00:1]/", disguised("[::ffff:127.0.0.1]")),
    ];
    for (url, why) in rows {
        assert_eq!(refused(&[], KEYED, url), Some(why), "{url}");
    }
}

#[test]
fn what_is_near_is_refused_unless_it_is_listed() {
    let rows = [
        ("http://10.0.0.1/", Zone::Private, "10.0.0.0/8"),
        ("http://192.168.0.1:9/", Zone::Private, "192.168.0.1:9"),
        ("http://169.254.3.4/", Zone::LinkLocal, "169.254.3.4"),
        ("http://100.64.0.1/", Zone::Shared, "100.64.0.0/10"),
        ("http://0.0.0.0/", Zone::Unspecified, "0.0.0.0"),
        ("http://224.0.0.1/", Zone::Multicast, "224.0.0.1"),
        ("http://192.0.2.1/", Zone::Reserved, "192.0.2.0/24"),
        ("http://169.254.169.254/latest/", Zone::Metadata, "169.254.169.254"),
        ("http://[fd00:ec2::254]/", Zone::Metadata, "fd00:ec2::254"),
        ("http://metadata.google.internal/", Zone::Metadata, "metadata.google.internal"),
        ("http://METADATA.google.internal/", Zone::Metadata, "Metadata.Google.internal:80"),
        ("http://metadata/", Zone::Metadata, "metadata"),
        ("http://[::]/", Zone::Unspecified, "[::]"),
        ("http://[::1]/", Zone::Loopback, "::1"),
        ("http://127.0.0.1/", Zone::Loopback, "127.0.0.0/8"),
        ("http://[::ffff:10.0.0.1]/", Zone::Private, "10.0.0.0/8"),
        ("http://[::a00:1]/", Zone::Private, "::a00:1"),
        ("http://[64:ff9b::a00:1]/", Zone::Private, "64:ff9b::/96"),
        ("http://[2002:a00:1::]/", Zone::Private, "2002:a00::/32"),
        ("http://[fd12::1]:8080/", Zone::Private, "[fd00::/8]:8080"),
        ("http://[fe80::1]/", Zone::LinkLocal, "fe80::/10"),
    ];
    for (url, zone, entry) in rows {
        assert_eq!(refused(&[], KEYED, url), Some(Why::Is(zone)), "{url}");
        assert_eq!(refused(&[entry], KEYED, url), None, "{url} by {entry}");
    }
    // A port that is not the listed one, a range around what hands out credentials, and names that only look alike.
    assert_eq!(refused(&["10.0.0.1:80"], KEYED, "http://10.0.0.1:81/"), Some(Why::Is(Zone::Private)));
    assert_eq!(refused(&["169.254.0.0/16"], KEYED, "http://169.254.169.254/"), Some(Why::Is(Zone::Metadata)));
    assert_eq!(refused(&["*.internal"], KEYED, "http://metadata.google.internal/"), Some(Why::Is(Zone::Metadata)));
    assert_eq!(refused(&["a.b.c.d.e.f.g.h.i.j.k"], KEYED, "http://a.b.c.d.e.f.g.h.i.j.k/"), None);
}

#[test]
fn this_machine_may_be_named_while_there_is_no_key_but_never_the_router() {
    for host in ["localhost", "a.localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
        let at = |port: u16| format!("http://{host}:{port}/v1");
        assert_eq!(refused(&[], OPEN, &at(9000)), None, "{host}");
        assert!(refused(&[], KEYED, &at(9000)).is_some(), "{host}");
        for (entries, open) in [(&[][..], OPEN), (&["localhost", "*.localhost", "127.0.0.0/8", "::1"], KEYED)] {
            assert_eq!(refused(entries, open, &at(8000)), Some(Why::OwnPort), "{host}");
        }
    }
    assert_eq!(refused(&[], KEYED, "http://localhost:9000/"), Some(Why::ThisMachine));
    assert_eq!(refused(&["localhost"], KEYED, "http://localhost:9000/"), None);
    assert_eq!(refused(&["0.0.0.0"], OPEN, "http://0.0.0.0:8000/"), Some(Why::OwnPort));
    // Loopback said in another way is not what was allowed.
    assert_eq!(refused(&[], OPEN, "http://[64:ff9b::7f00:1]:9000/"), Some(Why::Is(Zone::Loopback)));
    assert_eq!(refused(&[], OPEN, "http://0.0.0.0:9000/"), Some(Why::Is(Zone::Unspecified)));
    assert_eq!(refused(&[], OPEN, "http://10.0.0.1:9000/"), Some(Why::Is(Zone::Private)));
}

#[test]
fn a_name_is_as_good_as_what_it_resolves_to() {
    let border = |entries: &[&str], is_open| Border { rules: rules(entries), is_open, own_ports: vec![8000] };
    let screen = |border: &Border, host: &str, port: Option<u16>, ips: &[&str]| -> Result<usize, Why> {
        let found: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        border.screen(host, port, found).map(|kept| kept.len()).map_err(|refusal| refusal.why)
    };
    let near = |zone| Err(Why::ResolvesTo(zone));
    let keyed = border(&[], KEYED);
    assert_eq!(screen(&keyed, "h", None, &["8.8.8.8", "2606:4700::1"]), Ok(2));
    assert_eq!(screen(&keyed, "h", None, &["8.8.8.8", "10.0.0.1"]), Ok(1));
    assert_eq!(screen(&keyed, "h", None, &["10.0.0.1"]), near(Zone::Private));
    assert_eq!(screen(&keyed, "h", None, &["127.0.0.1"]), near(Zone::Loopback));
    assert_eq!(screen(&keyed, "h", None, &["::ffff:169.254.169.254"]), near(Zone::Metadata));
    assert_eq!(screen(&keyed, "h", None, &[]), Ok(0));
    let open = border(&[], OPEN);
    assert_eq!(screen(&open, "h", None, &["127.0.0.1", "::1"]), Ok(2));
    assert_eq!(screen(&open, "h", Some(8000), &["127.0.0.1"]), Err(Why::OwnPort));
    let listed = border(&["vllm", "*.svc.cluster.local", "10.4.0.0/16:80"], KEYED);
    assert_eq!(screen(&listed, "vllm", None, &["10.0.0.1"]), Ok(1));
    assert_eq!(screen(&listed, "vllm", Some(8000), &["127.0.0.1"]), Err(Why::OwnPort));
    assert_eq!(screen(&listed, "a.svc.cluster.local", None, &["10.0.0.1"]), Ok(1));
    assert_eq!(screen(&listed, "svc.cluster.local", None, &["10.0.0.1"]), near(Zone::Private));
    assert_eq!(screen(&listed, "a.svc.cluster.local", None, &["169.254.169.254"]), near(Zone::Metadata));
    assert_eq!(screen(&listed, "h", Some(80), &["10.4.0.1"]), Ok(1));
    assert_eq!(screen(&listed, "h", None, &["10.4.0.1"]), near(Zone::Private));
    assert_eq!(listed.ports().collect::<Vec<_>>(), [80, 8000]);
    assert!(listed.rules.permits("8.8.8.8".parse().unwrap(), KEYED));
    assert!(!listed.rules.permits("127.0.0.1".parse().unwrap(), KEYED));
}

#[test]
fn a_refusal_says_what_to_add() {
    let refusal = rules(&[]).check_url("http://10.0.0.1/v1/secret", KEYED, &[]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the custom host 10.0.0.1 may not be used: it is a private address; to allow it, list it in \
         server.custom_hosts of the configuration: add `custom_hosts: [\"10.0.0.1\"]` below `server:`"
    );
    let refusal = rules(&[]).check_url("http://user:secret@10.0.0.1/", KEYED, &[]).unwrap_err();
    assert!(!refusal.to_string().contains("secret"));
    let resolved = rules(&[]).check_address("rebind.example", "10.0.0.1".parse().unwrap(), None, KEYED, &[]);
    let text = resolved.unwrap_err().to_string();
    assert!(text.contains("rebind.example may not be used: it resolves to a private address;"), "{text}");
    assert!(!text.contains("10.0.0.1") && text.contains("`custom_hosts: [\"rebind.example\"]`"), "{text}");
}

proptest! {
    /// Whatever number stands for an address, only its plain text is taken, and only of a public one.
    #[test]
    fn no_costume_of_an_address_passes(bits: u32) {
        let [a, b, c, d] = bits.to_be_bytes();
        let tail = bits & 0xffff;
        for costume in [
            bits.to_string(),
            format!("{bits:#x}"),
            format!("0{bits:o}"),
            format!("{a}.{b}.{tail}"),
            format!("{a}.{b}.{c}.{d:#x}"),
            format!("0{a:o}.{b}.{c}.{d}"),
        ] {
            prop_assert!(refused(&[], OPEN, &format!("http://{costume}/")).is_some(), "{}", costume);
        }
        let plain = IpAddr::from([a, b, c, d]);
        let is_named = refused(&[], KEYED, &format!("http://{plain}/")).is_none();
        prop_assert_eq!(is_named, Zone::of(plain).is_none());
        prop_assert_eq!(rules(&[]).permits(plain, KEYED), Zone::of(plain).is_none());
    }

    /// A line that a refusal names makes the host pass.
    #[test]
    fn the_line_helps(bits: u32, segments: [u16; 8]) {
        for ip in [IpAddr::from(bits.to_be_bytes()), IpAddr::from(segments)] {
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            let url = format!("http://{host}/");
            if let Err(refusal) = rules(&[]).check_url(&url, KEYED, &[]) {
                prop_assert_eq!(refused(&[&refusal.host], KEYED, &url), None);
            }
        }
    }

    /// Nothing that anybody writes makes the check fall over.
    #[test]
    fn any_text_is_judged(text in "(https?://)?[ -~é\u{0}]{0,40}") {
        drop(rules(&[]).check_url(&text, OPEN, &[]));
    }
}
