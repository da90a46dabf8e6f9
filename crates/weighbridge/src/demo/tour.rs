//! The tour: traffic, a failover, a cooldown, a limit, as a client sees them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use weighbridge_fakellm::{FakeLlm, ProviderScript};
use weighbridge_providers::transport::{HttpTransport, Reach, Transport};

/// Walks through it.
///
/// # Errors
/// When the router does not answer.
pub(super) async fn run(router: SocketAddr, fake: &FakeLlm) -> Result<(), String> {
    let client = Client { http: HttpTransport::new().map_err(|error| error.to_string())?, router };
    say(&format!("weighbridge demo: a router on http://{router} before three simulated providers\n"));

    say("1. 60 requests. The deployment with the smallest share of its tpm used is asked:");
    client.send("gpt-3.5-turbo", 60).await?.print();

    say("\n2. azure-eu says 429, come back in 3 s. Requests that find out are served elsewhere, at once:");
    fake.put("azure-eu", script("status: { status: 429, retry_after: 3 }"));
    client.send("gpt-3.5-turbo", 60).await?.print();

    say("\n3. It rests as long as it asked. GET /router/deployments says so:");
    client.print_deployments().await?;

    say("\n4. Its cooldown ends, one probe succeeds, traffic is back:");
    fake.put("azure-eu", script("latency: 20"));
    tokio::time::sleep(Duration::from_millis(3100)).await;
    client.send("gpt-3.5-turbo", 60).await?.print();

    say("\n5. `tiny` has rpm 10. Of 15 requests at once exactly 10 are let through:");
    client.send("tiny", 15).await?.print();
    Ok(())
}

/// Tells what to do next.
pub(super) fn invite(router: SocketAddr) {
    say(&format!(
        "\nIt stays up; try it in a second terminal, and end it with Ctrl-C:\n\n  \
         curl {router}/router/completions -H 'Content-Type: application/json' \\\n    \
         -d '{{\"model\":\"gpt-3.5-turbo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hey\"}}]}}'\n  \
         curl {router}/router/deployments\n  \
         curl {router}/metrics"
    ));
}

/// One provider's script from a line of YAML.
fn script(line: &str) -> ProviderScript {
    ProviderScript::from_yaml(line).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "the tour is what this command prints")]
fn say(text: &str) {
    println!("{text}");
}

struct Client {
    http: HttpTransport,
    router: SocketAddr,
}

/// What came of some requests.
#[derive(Default)]
struct Tally {
    statuses: BTreeMap<u16, u32>,
    deployments: BTreeMap<String, u32>,
    retried: u32,
}

impl Client {
    /// Sends `count` requests for `model`, six at a time.
    async fn send(&self, model: &str, count: usize) -> Result<Tally, String> {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hey" }] }).to_string();
        let mut tally = Tally::default();
        let mut left = count;
        while left > 0 {
            let wave = left.min(6);
            left -= wave;
            for answer in join_all((0..wave).map(|_| self.call(Method::POST, "/router/completions", &body))).await {
                tally.add(&answer?);
            }
        }
        Ok(tally)
    }

    async fn print_deployments(&self) -> Result<(), String> {
        let answer = self.call(Method::GET, "/router/deployments", "").await?;
        let page: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        for deployment in page["deployments"].as_array().into_iter().flatten() {
            let text = |key: &str| deployment[key].as_str().unwrap_or_default().to_owned();
            let cooldown = match deployment["cooldown"]["remaining_ms"].as_u64() {
                Some(ms) => {
                    format!("  {ms} ms left, {}", deployment["cooldown"]["reason"].as_str().unwrap_or_default())
                }
                None => String::new(),
            };
            say(&format!("   {:<10} {:<8}{cooldown}", text("id"), text("state")));
        }
        Ok(())
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Result<http::Response<Bytes>, String> {
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{path}", self.router).parse().unwrap_or_default();
        request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        let (parts, mut stream) =
            self.http.send(request, Reach::Configured).await.map_err(|failure| failure.message)?.into_parts();
        let mut whole = Vec::new();
        while let Some(chunk) = stream.next().await {
            whole.extend_from_slice(&chunk.map_err(|failure| failure.message)?);
        }
        Ok(http::Response::from_parts(parts, whole.into()))
    }
}

impl Tally {
    fn add(&mut self, answer: &http::Response<Bytes>) {
        *self.statuses.entry(answer.status().as_u16()).or_default() += 1;
        let header = |name: &str| answer.headers().get(name)?.to_str().ok();
        if answer.status().is_success() {
            *self.deployments.entry(header("x-weighbridge-deployment").unwrap_or("?").to_owned()).or_default() += 1;
        }
        self.retried += u32::from(header("x-litellm-attempted-retries").is_some_and(|retries| retries != "0"));
    }

    fn print(&self) {
        for (deployment, count) in &self.deployments {
            say(&format!("   {deployment:<10} {count:>3}  {}", "#".repeat(*count as usize)));
        }
        let statuses: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        say(&format!("   answers: {}; {} of them after a retry", statuses.join(", "), self.retried));
    }
}
