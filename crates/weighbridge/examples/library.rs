//! A router within a program: a completion, then a stream.
//!
//! `cargo run -p weighbridge --example library`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use futures_util::StreamExt;
use serde_json::json;
use weighbridge::Router;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::from_yaml(
        "
model_list:
  - { model_name: chat, litellm_params: { model: simulated/small, rpm: 100 } }
  - { model_name: chat, litellm_params: { model: simulated/large, rpm: 500 } }
",
    )?;
    let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": "Hey" }] });

    let reply = router.completion(body.clone()).await?;
    println!("{}", reply["choices"][0]["message"]["content"]);

    let mut events = router.stream(body).await?;
    while let Some(event) = events.next().await {
        print!("{}", String::from_utf8_lossy(&event));
    }
    Ok(())
}
