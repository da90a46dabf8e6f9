//! The router as a library: what an application in Rust gets, and how it is told what went wrong.

use futures_util::StreamExt;
use serde_json::{Value, json};
use weighbridge::{BuildError, CallError, Router};

use crate::support::http::chat;
use crate::support::live::Providers;

const SCRIPT: &str = "providers:
  bad: { status: 503 }
  good: { text: All is well. }
  cut: { text: one two three, cut_after_chunks: 2 }
  picky: { context_window: 2 }";

/// A router of a group for each provider; `bad` falls back on `good`.
async fn router() -> (Providers, Router) {
    let providers = Providers::start(SCRIPT).await;
    let mut config = "model_list:\n".to_owned();
    for name in ["bad", "good", "cut", "picky"] {
        config += &format!(
            "  - {{ model_name: {name}, model_info: {{ id: at-{name} }}, litellm_params: {{ model: openai/m, \
             api_base: \"http://PROVIDERS/{name}/v1\", api_key: sk-own }} }}\n"
        );
    }
    config += "router_settings: { num_retries: 0, fallbacks: [{ bad: [good] }] }\n";
    let router = Router::from_yaml(&providers.put_into(&config)).unwrap();
    (providers, router)
}

fn text(reply: &Value) -> &str {
    reply["choices"][0]["message"]["content"].as_str().unwrap().trim_end()
}

#[tokio::test]
async fn it_completes() {
    let (providers, router) = router().await;
    let reply = router.completion(chat("good")).await.unwrap();
    assert_eq!((text(&reply), &reply["object"]), ("All is well.", &json!("chat.completion")));
    let reply = router.completion(chat("bad")).await.unwrap();
    assert_eq!(text(&reply), "All is well.", "it falls back");
    assert_eq!((providers.report("bad").requests, providers.report("good").requests), (1, 2));
    let reply = router.embedding(json!({ "model": "good", "input": ["a", "b"] })).await.unwrap();
    assert_eq!(reply["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn it_streams() {
    let (_providers, router) = router().await;
    let read = async |model: &str| {
        let events = router.stream(chat(model)).await.unwrap().collect::<Vec<_>>().await.concat();
        String::from_utf8(events).unwrap()
    };
    for model in ["good", "bad"] {
        let events = read(model).await;
        assert!(events.contains("\"All\"") && events.ends_with("data: [DONE]\n\n"), "{model}: {events}");
    }
    let events = read("cut").await;
    assert!(events.contains("\"one\"") && events.contains("\"error\"") && !events.contains("[DONE]"), "{events}");
}

#[tokio::test]
async fn it_says_why_a_call_failed() {
    let (providers, router) = router().await;
    let failed = router.completion(chat("nobody")).await.unwrap_err();
    assert!(matches!(&failed, CallError::Failed(failed) if failed.failure.http_status() == 404), "{failed:?}");
    assert!(failed.to_string().contains("nobody"), "{failed}");
    let failed = router.completion(chat("picky")).await.unwrap_err();
    let CallError::Failed(failed) = failed else { panic!("{failed:?}") };
    assert_eq!((failed.failure.http_status(), failed.head.attempts.len()), (400, 1));
    assert_eq!(failed.head.deployment.as_ref().unwrap().id.as_str(), "at-picky");
    for (body, about) in [(json!({ "messages": [] }), "model"), (json!([]), "object"), (json!("hey"), "object")] {
        let failed = router.completion(body.clone()).await.unwrap_err();
        assert!(matches!(&failed, CallError::Request(text) if text.contains(about)), "{body}: {failed:?}");
    }
    let mut streaming = chat("good");
    streaming["stream"] = true.into();
    let failed = router.completion(streaming).await.unwrap_err();
    assert!(matches!(failed, CallError::Reply("JSON")), "{failed:?}");
    providers.put("good", weighbridge_fakellm::ProviderScript { hang: true, ..Default::default() });
    let mut impatient = chat("good");
    impatient["timeout"] = json!(0.05);
    let failed = router.completion(impatient).await.unwrap_err();
    assert!(
        matches!(&failed, CallError::Failed(failed) if [408, 504].contains(&failed.failure.http_status())),
        "{failed:?}"
    );
}

#[test]
fn it_says_what_is_wrong_with_a_configuration() {
    let error =
        Router::from_yaml("model_list:\n  - model_name: a\n  - litellm_params: { model: openai/m }\n").unwrap_err();
    let told = error.to_string();
    assert!(matches!(&error, BuildError::Config(refused) if refused.problems.len() >= 2), "{told}");
    assert!(told.contains(":2: model_list[0]") && told.contains(":3: model_list[1]"), "{told}");
    let error = Router::from_file("no/such/file.yaml").unwrap_err();
    assert!(error.to_string().contains("no/such/file.yaml"), "{error}");
}
