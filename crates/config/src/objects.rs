//! Config objects: Portkey's dialect of JSON for plans, compiled once and then only looked at.
//!
//! Everything is normalised first (`case`), then walked from the root to the leaves with what they inherit
//! (`inherit`). Problems are told in the gateway's own words, because clients know them.

mod at;
mod breaker;
mod case;
mod clouds;
mod headers;
mod host;
mod inherit;
mod key;
mod mask;
mod node;
mod providers;
mod query;
mod sticky;
mod strategy;
mod target;

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use weighbridge_domain::plan::ConfigObject;
use weighbridge_domain::table::RoutingTable;

pub(crate) use self::host::AnyHost;
pub use self::host::{HostCheck, Named};
pub use self::mask::masked;
pub use self::providers::portkey_name;
pub(crate) use self::providers::row_name;
pub use self::target::leaves_model_open;
pub(crate) use self::target::{NEVER_RESTS, NO_RETRIES};

use self::at::{At, Problems};
use self::inherit::Inherited;
use self::node::Compiler;
use crate::include::hex;

/// The longest config object, in bytes.
pub const LONGEST: usize = 256 << 10;

/// What a config object is compiled against.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The groups, virtual keys and providers that it may name.
    pub table: &'a RoutingTable,
    /// Names its turns and sessions, so that they outlast a change of it; without one its contents do.
    pub id: Option<&'a str>,
    /// Where hosts that it names may be.
    pub hosts: &'a dyn HostCheck,
    /// What the request's headers say above it.
    pub headers: &'a Above,
}

/// What a request's headers set at every target of its config object, whatever that says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Above {
    /// `x-portkey-custom-host`.
    pub custom_host: Option<String>,
    /// `x-portkey-forward-headers`, in lower case.
    pub forward_headers: Option<Vec<String>>,
}

/// Why a config object cannot be used, as Portkey's gateway would say it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}{}", if errors.is_empty() { "" } else { ": " }, errors.join("; "))]
pub struct Invalid {
    /// What is wrong with it as a whole.
    pub message: String,
    /// What is wrong in it, each with its path.
    pub errors: Vec<String>,
}

impl Invalid {
    /// Wrong as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), errors: Vec::new() }
    }

    /// It is no JSON object.
    pub fn not_json() -> Self {
        Self::new("Invalid config passed. You need to pass a valid json")
    }

    /// With a line that says more.
    #[must_use]
    pub fn because(mut self, error: impl Into<String>) -> Self {
        self.errors.push(error.into());
        self
    }
}

/// Reads the text of a config object.
///
/// # Errors
/// When it is too long, or no JSON object.
pub fn parse(text: &str) -> Result<Map<String, Value>, Invalid> {
    if text.len() > LONGEST {
        return Err(Invalid::new(format!("The config is longer than {} KB", LONGEST >> 10)));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(Invalid::not_json()),
    }
}

/// Compiles a config object.
///
/// # Errors
/// When it cannot be used, with everything that is wrong in it.
pub fn compile(object: Map<String, Value>, around: Around<'_>) -> Result<ConfigObject, Invalid> {
    let root = case::normalise(Value::Object(object));
    if root.get("options").is_some() {
        let message = "This version of config is not supported in this route. Please migrate to the latest version";
        return Err(Invalid::new(message));
    }
    let key = match around.id {
        Some(id) => format!("saved:{id}"),
        None => format!("inline:{}", digest(&root.to_string())),
    };
    let problems = Problems::default();
    let compiler = Compiler { around, problems: &problems, key: &key };
    let plan = compiler.node(&At::root(&root), &Inherited::new(around.headers));
    let (errors, warnings) = problems.into_parts();
    match plan {
        Some(plan) if errors.is_empty() => {
            Ok(ConfigObject { headers: headers::wanted(&plan), plan: Arc::new(plan), warnings })
        }
        _ => Err(Invalid { message: "Invalid config passed".to_owned(), errors }),
    }
}

/// A short name for `text` that says nothing of it.
fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}
