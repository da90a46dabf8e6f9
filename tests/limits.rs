//! Limits that hold, as providers judge them: whatever their discipline, nobody is sent a request
//! above its limit, and nearly all of the limit is used.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::Request;
use serde_json::json;
use tokio::time::Instant;
use weighbridge_fakellm::{FakeLlm, Script};

use crate::support::replica::InProcess;

/// The limit of every provider here and of its deployment, per minute.
const RPM: u64 = 120;
const TPM: u64 = 6000;
/// How long demand lasts, in virtual time.
const MINUTES: u64 = 4;

#[test]
fn no_provider_sees_a_request_above_its_limit() {
    let disciplines = [
        "discipline: fixed_minute",
        "discipline: fixed_minute, phase_ms: 17300",
        "discipline: fixed_minute, phase_ms: 59999",
        "discipline: sliding_log",
        "discipline: token_bucket",
    ];
    for discipline in disciplines {
        for what in [format!("requests: {RPM}"), format!("tokens: {TPM}")] {
            check(discipline, &what);
        }
    }
}

fn check(discipline: &str, limit: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let script = format!("providers: {{ a: {{ latency: 700, limits: [{{ {discipline}, {limit}, enforce: false }}] }} }}");
        let fake = FakeLlm::new(Script::from_yaml(&script).unwrap());
        let is_tokens = limit.starts_with("tokens");
        let ours = if is_tokens { format!("tpm: {TPM}") } else { format!("rpm: {RPM}") };
        let config = format!(
            "model_list: [{{ model_name: g, litellm_params: {{ model: openai/m, api_base: 'http://fake/a/v1', api_key: k, {ours} }} }}]"
        );
        let router = InProcess::new(&config, &HashMap::new(), &fake);
        // Bursts at uneven times, always more than there is room for.
        let began = Instant::now();
        let mut burst = 0;
        while began.elapsed() < Duration::from_secs(MINUTES * 60) {
            join_all((0..5 + burst % 9).map(|_| router.send(request()))).await;
            tokio::time::sleep(Duration::from_millis(1 + burst * 37 % 900)).await;
            burst += 1;
        }
        let report = fake.report("a");
        assert_eq!((report.violations, report.rejected), (0, 0), "{discipline}, {limit}: {report:?}");
        let usable = RPM * MINUTES * 97 / 100;
        assert!(is_tokens || report.served >= usable, "{discipline}: {} of {usable}", report.served);
    });
}

fn request() -> Request<Body> {
    let body = json!({ "model": "g", "max_tokens": 90, "messages": [{ "role": "user", "content": "Hey" }] });
    Request::post("/v1/chat/completions").body(Body::from(body.to_string())).unwrap()
}
