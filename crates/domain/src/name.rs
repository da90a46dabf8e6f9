//! The names of things, each a type of its own so that they cannot be mixed up.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Values by name. Names are looked up many times a request, and hashed in a tenth of the time that the standard
/// library takes; which bucket they fall into differs from process to process all the same.
pub type NameMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Names, as [`NameMap`] has them.
pub type NameSet<K> = HashSet<K, foldhash::fast::RandomState>;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps `text` as it stands.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name! {
    /// What clients ask for as `model`: a set of deployments that serve it.
    GroupName
}
name! {
    /// One deployment, stable over reloads and equal on all replicas.
    DeploymentId
}
name! {
    /// Who serves a deployment: `openai`, `azure`, `groq`, …
    ProviderName
}
name! {
    /// The window that usage is counted in: a deployment's own, named by its id, or one that several
    /// deployments of one provider quota share.
    QuotaName
}
