//! Simulated LLM providers over real HTTP, scripted and strict: the judge in every test.
//!
//! A [`Script`] says how each provider behaves: how fast it answers, which limits it holds, and
//! how it fails. A [`FakeLlm`] plays it, in process through [`FakeLlm::router`] or over TCP through
//! [`FakeLlm::spawn`], and keeps books that a test can ask: a [`Report`] of counts, and every
//! request as it was [`Recorded`].
//!
//! ```
//! # use weighbridge_fakellm::{FakeLlm, Script};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = Script::from_yaml("providers: { slow: { latency: 200, statuses: [503, 200] } }")?;
//! let fake = FakeLlm::new(script);
//! let running = fake.clone().spawn(([127, 0, 0, 1], 0).into()).await?;
//! let api_base = format!("http://{}/slow/v1", running.address());
//! // … send requests there …
//! assert_eq!(fake.report("slow").violations, 0);
//! # running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! It judges the router, so it shares no code with it. All waiting goes through `tokio::time`:
//! under a paused clock a script of minutes runs in no time.
//!
//! A request's way: `target` (who is meant, and in which `format`) → `credentials` → `formats` (what
//! is asked, an `ask`, and is it well-formed) → `strict` (can it be served) → `provider` (limits,
//! counters, the script's turn) → `replies` (what is said) → `formats` again (in which words, or how
//! a `fault` is worded) → `stream` and `play` (how it reaches the wire). [`bare`] has nothing of all this.

mod admin;
mod ask;
pub mod bare;
mod books;
mod clock;
mod credentials;
mod distribution;
mod event;
mod fake;
mod fault;
mod flight;
mod format;
mod formats;
mod limit;
mod meters;
mod play;
mod provider;
mod refusal;
mod replies;
mod sample;
mod script;
mod scripted;
mod serve;
mod shape;
mod sigv4;
mod stage;
mod stream;
mod strict;
mod target;
mod text;
mod window;

pub use books::{Recorded, Report, Tokens};
pub use distribution::Distribution;
pub use fake::FakeLlm;
pub use limit::{Charge, Discipline, Limit};
pub use script::{AwsKey, ProviderScript, Script, ScriptError};
pub use scripted::ScriptedStatus;
pub use serve::Running;
