//! The router as a library: a Rust program builds one from the same YAML and asks it directly.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let router = weighbridge::Router::from_yaml("
//! model_list:
//!   - { model_name: gpt, litellm_params: { model: simulated/gpt } }
//! ")?;
//! let reply = router
//!     .completion(serde_json::json!({ "model": "gpt", "messages": [{ "role": "user", "content": "Hey" }] }))
//!     .await?;
//! assert_eq!(reply["choices"][0]["message"]["role"], "assistant");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

pub mod replica;
mod router;

pub use router::{BuildError, CallError, Router};
pub use weighbridge_domain::event::{Event, Observer};
pub use weighbridge_engine::answer::EventStream;
pub use weighbridge_engine::{Engine, Failed};
