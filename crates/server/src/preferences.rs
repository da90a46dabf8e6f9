//! `OpenRouter`'s words: `provider`, `route` and `session_id`, read strictly; what nobody here knows is a warning.

use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::preferences::{Preferences, PriceCap, Slug, SortBy};
use weighbridge_domain::request::Request;
use weighbridge_routing::preferences::hash;

use crate::auth;
use crate::controls::wrong;
use crate::refusal::Refusal;

/// The longest `session_id`, in characters.
const SESSION_LENGTH_MAX: usize = 256;

const QUANTIZATIONS: [&str; 12] =
    ["int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"];

/// What a request prefers by its body and headers; `None` when it says nothing of the kind.
///
/// # Errors
/// 400 with the field that cannot be used.
pub(crate) fn read(body: Option<&JsonObject>, headers: &HeaderMap) -> Result<Option<Box<Preferences>>, Refusal> {
    let mut wants = Preferences::default();
    if let Some(body) = body {
        if let Some(raw) = body.raw("provider").filter(|raw| *raw != "null") {
            let provider = JsonObject::parse(raw.to_owned().into()).map_err(|_| wrong("provider", "an object"))?;
            for key in provider.keys().filter(|key| provider.has(key)) {
                take(&mut wants, key, &provider)?;
            }
        }
        match body.get::<String>("route").map_err(|_| wrong("route", "\"fallback\" or \"sort\""))?.as_deref() {
            None | Some("fallback") => {}
            Some("sort") => wants.across_models = true,
            Some(_) => return Err(wrong("route", "\"fallback\" or \"sort\"")),
        }
    }
    wants.session = session(body, headers)?;
    Ok((wants != Preferences::default()).then(|| Box::new(wants)))
}

/// What a request wrote in vain.
pub(crate) fn warnings(request: &Request) -> Vec<String> {
    let unknown = request.controls.preferences.as_ref().map_or(&[][..], |preferences| &preferences.unknown);
    let shown: Vec<&str> =
        unknown.iter().map(String::as_str).filter(|field| field.bytes().all(|byte| byte.is_ascii_graphic())).collect();
    if shown.is_empty() { Vec::new() } else { vec![format!("no effect here: {}", shown.join(", "))] }
}

/// Takes the member `key` of `provider`.
fn take(wants: &mut Preferences, key: &str, provider: &JsonObject) -> Result<(), Refusal> {
    let flag = |field, key| typed::<bool>(provider, key, field, "true or false").map(Option::unwrap_or_default);
    match key {
        "order" => wants.order = slugs(provider, key, "provider.order")?,
        "only" => wants.only = Some(slugs(provider, key, "provider.only")?).filter(|only| !only.is_empty()),
        "ignore" => wants.ignore = slugs(provider, key, "provider.ignore")?,
        "allow_fallbacks" => wants.stays = !flag("provider.allow_fallbacks", key)?,
        "require_parameters" => wants.require_parameters = flag("provider.require_parameters", key)?,
        "zdr" => wants.zero_retention = flag("provider.zdr", key)?,
        "data_collection" => {
            wants.deny_data_collection =
                one_of(provider, key, "provider.data_collection", "\"allow\" or \"deny\"", &["allow", "deny"])?
                    == "deny";
        }
        "quantizations" => {
            let field = "provider.quantizations";
            wants.quantizations = texts(provider, key, field)?;
            if let Some(odd) = wants.quantizations.iter().find(|one| !QUANTIZATIONS.contains(&one.as_str())) {
                let message = format!("`{field}` names `{odd}`; known are {}.", QUANTIZATIONS.join(", "));
                return Err(Refusal::bad(field, message));
            }
        }
        "sort" => take_sort(wants, provider)?,
        "max_price" => take_max_price(wants, provider)?,
        // Averages are measured, not percentiles: of several figures the strictest counts.
        "preferred_min_throughput" => {
            wants.min_throughput = figures(provider, key, "provider.preferred_min_throughput")?.reduce(f64::max);
        }
        "preferred_max_latency" => {
            wants.max_latency = figures(provider, key, "provider.preferred_max_latency")?.reduce(f64::min);
        }
        _ => wants.unknown.push(format!("provider.{key}")),
    }
    Ok(())
}

fn take_sort(wants: &mut Preferences, provider: &JsonObject) -> Result<(), Refusal> {
    /// `{by, partition}`; what else stands in it is passed over.
    #[derive(Deserialize)]
    struct Full {
        by: Option<String>,
        partition: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Sort {
        Short(String),
        Full(Full),
    }
    let expected = "\"price\", \"throughput\" or \"latency\", or {by, partition}";
    let refused = || wrong("provider.sort", expected);
    let (by, partition) = match typed::<Sort>(provider, "sort", "provider.sort", expected)? {
        None => return Ok(()),
        Some(Sort::Short(by)) => (Some(by), None),
        Some(Sort::Full(full)) => (full.by, full.partition),
    };
    match partition.as_deref() {
        None | Some("model") => {}
        Some("none") => wants.across_models = true,
        Some(_) => return Err(wrong("provider.sort", "an object whose `partition` is \"model\" or \"none\"")),
    }
    wants.sort = match by.as_deref() {
        None => None,
        Some("price") => Some(SortBy::Price),
        Some("throughput") => Some(SortBy::Throughput),
        Some("latency") => Some(SortBy::Latency),
        Some("exacto") => {
            wants.unknown.push("provider.sort=exacto".to_owned());
            None
        }
        Some(_) => return Err(refused()),
    };
    Ok(())
}

/// Prices, as numbers or as text. What is priced otherwise than by token has no effect.
fn take_max_price(wants: &mut Preferences, provider: &JsonObject) -> Result<(), Refusal> {
    let expected = "an object of prices in USD per million tokens";
    let prices: Map<String, Value> = typed(provider, "max_price", "provider.max_price", expected)?.unwrap_or_default();
    let mut cap = PriceCap::default();
    for (key, value) in prices.iter().filter(|(_, value)| !value.is_null()) {
        let price = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let price = price.filter(|price| *price >= 0.0).ok_or_else(|| wrong("provider.max_price", expected))?;
        match key.as_str() {
            "prompt" => cap.prompt = Some(price),
            "completion" => cap.completion = Some(price),
            _ => wants.unknown.push(format!("provider.max_price.{key}")),
        }
    }
    wants.max_price = cap;
    Ok(())
}

/// One figure, or one for each of several percentiles.
fn figures(
    provider: &JsonObject,
    key: &str,
    field: &'static str,
) -> Result<impl Iterator<Item = f64> + use<>, Refusal> {
    let expected = "a number above 0, or an object of such by percentile (p50, p75, p90, p99)";
    let value: Value = typed(provider, key, field, expected)?.unwrap_or_default();
    let by_percentile = |map: Map<String, Value>| {
        let known = |name: &String| ["p50", "p75", "p90", "p99"].contains(&name.as_str());
        let figure = |(name, value): (String, Value)| value.as_f64().filter(|_| known(&name));
        map.into_iter().filter(|(_, value)| !value.is_null()).map(figure).collect::<Option<Vec<f64>>>()
    };
    let figures = match value {
        Value::Object(map) => by_percentile(map),
        value => value.as_f64().map(|figure| vec![figure]),
    };
    let figures = figures.filter(|figures| figures.iter().all(|figure| *figure > 0.0));
    figures.map(Vec::into_iter).ok_or_else(|| wrong(field, expected))
}

/// The body's `session_id`, else the header's, as a digest together with the client's key.
fn session(body: Option<&JsonObject>, headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let expected = "text of at most 256 characters";
    let own = body.map(|body| body.get::<String>("session_id").map_err(|_| wrong("session_id", expected)));
    let own = own.transpose()?.flatten();
    let in_header = || headers.get("x-session-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let session = own.or_else(in_header).filter(|session| !session.is_empty());
    match session {
        Some(session) if session.chars().count() > SESSION_LENGTH_MAX => Err(wrong("session_id", expected)),
        session => Ok(session.map(|session| hash(auth::digest(headers), &session))),
    }
}

fn slugs(provider: &JsonObject, key: &str, field: &'static str) -> Result<Vec<Slug>, Refusal> {
    Ok(texts(provider, key, field)?.into_iter().map(Slug::new).collect())
}

fn texts(provider: &JsonObject, key: &str, field: &'static str) -> Result<Vec<String>, Refusal> {
    typed(provider, key, field, "a list of strings").map(Option::unwrap_or_default)
}

fn one_of(
    provider: &JsonObject,
    key: &str,
    field: &'static str,
    expected: &str,
    known: &[&str],
) -> Result<String, Refusal> {
    let text: Option<String> = typed(provider, key, field, expected)?;
    text.filter(|text| known.contains(&text.as_str())).ok_or_else(|| wrong(field, expected))
}

fn typed<T: DeserializeOwned>(
    provider: &JsonObject,
    key: &str,
    field: &'static str,
    expected: &str,
) -> Result<Option<T>, Refusal> {
    provider.get(key).map_err(|_| wrong(field, expected))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::preferences::{Preferences, PriceCap, Slug, SortBy};

    fn read(body: &str, headers: &HeaderMap) -> Result<Option<Box<Preferences>>, String> {
        let body = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        super::read(Some(&body), headers).map_err(|refusal| refusal.message().to_owned())
    }

    fn provider(provider: &str) -> Result<Preferences, String> {
        let wants = read(&format!(r#"{{"provider":{provider}}}"#), &HeaderMap::new())?;
        Ok(wants.map(|wants| *wants).unwrap_or_default())
    }

    #[test]
    fn every_field_is_read() {
        let wants = provider(
            r#"{"order":["a","b/x"],"only":["a"],"ignore":["c"],"allow_fallbacks":false,"require_parameters":true,
                "data_collection":"deny","zdr":true,"quantizations":["fp8"],"sort":{"by":"latency","partition":"none"},
                "max_price":{"prompt":"1.5","completion":2,"image":"1"},"preferred_min_throughput":{"p50":40,"p90":20},
                "preferred_max_latency":3,"new_field":1}"#,
        );
        let slugs = |names: &[&str]| names.iter().copied().map(Slug::new).collect::<Vec<_>>();
        let expected = Preferences {
            order: slugs(&["a", "b/x"]),
            only: Some(slugs(&["a"])),
            ignore: slugs(&["c"]),
            stays: true,
            sort: Some(SortBy::Latency),
            across_models: true,
            max_price: PriceCap { prompt: Some(1.5), completion: Some(2.0) },
            require_parameters: true,
            deny_data_collection: true,
            zero_retention: true,
            quantizations: vec!["fp8".to_owned()],
            min_throughput: Some(40.0),
            max_latency: Some(3.0),
            session: None,
            unknown: vec!["provider.max_price.image".to_owned(), "provider.new_field".to_owned()],
        };
        assert_eq!(wants.unwrap(), expected);
        assert_eq!(provider(r#"{"sort":"price"}"#).unwrap().sort, Some(SortBy::Price));
        assert!(read(r#"{"route":"sort"}"#, &HeaderMap::new()).unwrap().unwrap().across_models);
    }

    #[test]
    fn nulls_and_defaults_say_nothing() {
        for body in [
            "{}",
            r#"{"provider":null,"route":null,"session_id":null}"#,
            r#"{"provider":{"order":null,"only":[],"allow_fallbacks":true,"zdr":false,"data_collection":"allow","sort":null}}"#,
            r#"{"route":"fallback"}"#,
        ] {
            assert_eq!(read(body, &HeaderMap::new()), Ok(None), "{body}");
        }
    }

    #[test]
    fn what_is_of_another_type_is_named() {
        for (body, field) in [
            (r#"{"provider":"azure"}"#, "provider"),
            (r#"{"provider":{"order":"azure"}}"#, "provider.order"),
            (r#"{"provider":{"only":[1]}}"#, "provider.only"),
            (r#"{"provider":{"allow_fallbacks":"no"}}"#, "provider.allow_fallbacks"),
            (r#"{"provider":{"data_collection":"maybe"}}"#, "provider.data_collection"),
            (r#"{"provider":{"quantizations":["fp9"]}}"#, "provider.quantizations"),
            (r#"{"provider":{"sort":"speed"}}"#, "provider.sort"),
            (r#"{"provider":{"sort":{"by":"price","partition":"all"}}}"#, "provider.sort"),
            (r#"{"provider":{"max_price":{"prompt":"dear"}}}"#, "provider.max_price"),
            (r#"{"provider":{"max_price":3}}"#, "provider.max_price"),
            (r#"{"provider":{"preferred_max_latency":-1}}"#, "provider.preferred_max_latency"),
            (r#"{"provider":{"preferred_min_throughput":{"p51":1}}}"#, "provider.preferred_min_throughput"),
            (r#"{"route":"best"}"#, "route"),
            (r#"{"session_id":7}"#, "session_id"),
        ] {
            let refused = read(body, &HeaderMap::new()).unwrap_err();
            assert!(refused.starts_with(&format!("`{field}`")), "{body}: {refused}");
        }
        let long = format!(r#"{{"session_id":"{}"}}"#, "x".repeat(257));
        assert!(read(&long, &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_session_is_of_its_client_and_the_body_names_it_first() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect::<HeaderMap>()
        };
        let session = |body: &str, headers: &HeaderMap| read(body, headers).unwrap().and_then(|wants| wants.session);
        let plain = session(r#"{"session_id":"s"}"#, &with(&[]));
        assert!(plain.is_some());
        assert_eq!(session("{}", &with(&[("x-session-id", "s")])), plain);
        assert_eq!(session(r#"{"session_id":"s"}"#, &with(&[("x-session-id", "t")])), plain);
        assert_ne!(session(r#"{"session_id":"s"}"#, &with(&[("authorization", "Bearer k")])), plain);
        assert_eq!(session(r#"{"session_id":""}"#, &with(&[])), None);
    }
}
