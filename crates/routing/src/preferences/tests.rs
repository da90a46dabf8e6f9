use std::sync::Arc;

use bytes::Bytes;
use weighbridge_domain::deployment::{Deployment, Endpoint};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::preferences::{Preferences, PriceCap, Slug, SortBy};
use weighbridge_domain::usage::Price;
use weighbridge_domain::view::{Health, Latency};

use super::{allowed, arranged};
use crate::strategy::Usable;
use crate::strategy::sample::{deployment, view};

/// `a` and `b` at `OpenAI` and Azure, `c` at Groq; a million tokens cost 1, 2 and nobody knows.
fn fleet() -> Vec<Arc<Deployment>> {
    let at = |id: &str, provider: &str, price: Option<f64>, edit: fn(&mut Deployment)| {
        deployment(id, |d| {
            d.endpoint = Endpoint::new(provider, "http://h");
            d.price = price.map(|price| Price { input: price * 1e-6, output: price * 2e-6, ..Price::default() });
            edit(d);
        })
    };
    vec![
        at("a", "openai", Some(1.0), |d| d.traits.lacks = vec!["tools"]),
        at("b", "azure", Some(2.0), |d| {
            d.region = Some("eastus".to_owned());
            d.traits.keeps_no_data = true;
            d.max_output_tokens = Some(100);
        }),
        at("c", "groq", None, |d| {
            d.traits.quantization = Some("fp8".to_owned());
            d.body_drops = vec!["seed".to_owned()];
        }),
    ]
}

fn slugs(names: &[&str]) -> Vec<Slug> {
    names.iter().copied().map(Slug::new).collect()
}

fn left(wants: &Preferences, body: &str) -> String {
    let body = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    match allowed("g", fleet(), wants, Some(&body)) {
        Ok(left) => left.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(" "),
        Err(failure) => format!("{} {}", failure.http_status(), failure.message),
    }
}

#[test]
fn filters_that_leave_nobody_are_named() {
    let wants = Preferences::default;
    let max_price = |prompt, completion| PriceCap { prompt, completion };
    let rows: [(Preferences, &str); 13] = [
        (wants(), "a b c"),
        (Preferences { only: Some(slugs(&["azure", "GROQ"])), ..wants() }, "b c"),
        (Preferences { only: Some(slugs(&["azure/eastus"])), ..wants() }, "b"),
        (
            Preferences { only: Some(slugs(&["azure/eu"])), ..wants() },
            "404 No deployment of g is left by `provider.only`.",
        ),
        (Preferences { ignore: slugs(&["a", "groq"]), ..wants() }, "b"),
        (Preferences { deny_data_collection: true, ..wants() }, "b"),
        (Preferences { zero_retention: true, ..wants() }, "404 No deployment of g is left by `provider.zdr`."),
        (Preferences { quantizations: vec!["fp8".to_owned()], ..wants() }, "c"),
        (Preferences { quantizations: vec!["unknown".to_owned()], ..wants() }, "a b"),
        (Preferences { max_price: max_price(Some(1.5), None), ..wants() }, "a"),
        (
            Preferences { max_price: max_price(Some(1.5), Some(1.9)), ..wants() },
            "404 No deployment of g is left by `provider.max_price`.",
        ),
        (
            Preferences { only: Some(slugs(&["azure"])), ignore: slugs(&["azure"]), ..wants() },
            "404 No deployment of g is left by `provider.ignore`.",
        ),
        (Preferences { order: slugs(&["groq"]), stays: true, ..wants() }, "c"),
    ];
    for (wants, expected) in rows {
        assert_eq!(left(&wants, r#"{"model":"g","messages":[]}"#), expected, "{wants:?}");
    }
}

#[test]
fn parameters_are_required_or_preferred() {
    let plain = Preferences::default();
    let strict = Preferences { require_parameters: true, ..Preferences::default() };
    assert_eq!(left(&plain, r#"{"seed":1}"#), "a b c");
    assert_eq!(left(&strict, r#"{"seed":1,"stream":true,"provider":{}}"#), "a b");
    assert_eq!(left(&plain, r#"{"tools":[]}"#), "b c");
    assert_eq!(left(&plain, r#"{"max_tokens":101}"#), "a c");
    let only_a = Preferences { only: Some(slugs(&["openai"])), ..Preferences::default() };
    assert_eq!(left(&only_a, r#"{"tools":[]}"#), "a", "nobody that is left understands it, so it narrows nothing");
}

#[test]
fn openrouter_is_asked_what_it_knows_best() {
    let there = deployment("r", |d| d.endpoint = Endpoint::new("openrouter", "http://h"));
    let wants = Preferences { only: Some(slugs(&["anthropic"])), zero_retention: true, ..Preferences::default() };
    assert_eq!(allowed("g", vec![there.clone()], &wants, None).unwrap().len(), 1);
    let wants = Preferences { ignore: slugs(&["openrouter"]), ..Preferences::default() };
    assert!(allowed("g", vec![there], &wants, None).is_err());
}

/// The fleet, `a` at 100 tokens a second and 0.2 s, `b` at 50 and 0.1 s, `c` never measured.
fn usable() -> Vec<Usable> {
    let paced = |first_token_ms, per_token_ms| {
        let mut view = view(Health::Ready);
        view.latency = Some(Latency { first_token_ms, per_token_ms, tokens: 10.0 });
        view
    };
    fleet().into_iter().zip([paced(200.0, 10.0), paced(100.0, 20.0), view(Health::Ready)]).collect()
}

fn order(wants: &Preferences) -> Vec<usize> {
    arranged(vec![1, 0, 2], &usable(), wants, "g")
}

#[test]
fn who_comes_first() {
    let wants = Preferences::default;
    let sort = |by| Preferences { sort: Some(by), ..Preferences::default() };
    let rows = [
        (wants(), vec![1, 0, 2]),
        (Preferences { order: slugs(&["groq", "openai"]), ..wants() }, vec![2, 0, 1]),
        (Preferences { order: slugs(&["nobody", "groq"]), ..sort(SortBy::Price) }, vec![2, 1, 0]),
        (sort(SortBy::Price), vec![0, 1, 2]),
        (sort(SortBy::Throughput), vec![2, 0, 1]),
        (sort(SortBy::Latency), vec![2, 1, 0]),
        (Preferences { min_throughput: Some(60.0), ..wants() }, vec![0, 2, 1]),
        (Preferences { max_latency: Some(0.15), ..sort(SortBy::Price) }, vec![1, 2, 0]),
        (Preferences { stays: true, ..wants() }, vec![1]),
        (Preferences { stays: true, order: slugs(&["openai", "azure"]), ..wants() }, vec![0, 1, 2]),
    ];
    for (wants, expected) in rows {
        assert_eq!(order(&wants), expected, "{wants:?}");
    }
}

#[test]
fn sessions_have_a_home_and_move_only_with_it() {
    let with = |session| Preferences { session: Some(session), ..Preferences::default() };
    let all = usable();
    let mut counts = [0; 3];
    for session in 0..3000 {
        let home = arranged(vec![0, 1, 2], &all, &with(session), "g")[0];
        counts[home] += 1;
        assert_eq!(arranged(vec![2, 1, 0], &all, &with(session), "g")[0], home, "whatever the strategy says");
        // Without `c` whoever was at home elsewhere stays there.
        let without = arranged(vec![0, 1], &all, &with(session), "g")[0];
        assert!(home == 2 || without == home);
    }
    assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    let ordered = Preferences { order: slugs(&["groq"]), ..with(1) };
    assert_eq!(arranged(vec![0, 1, 2], &all, &ordered, "g")[0], 2);
}
