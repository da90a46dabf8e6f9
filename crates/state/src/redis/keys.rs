//! The names of keys.
//!
//! `wb:<layout>:{<namespace>}:<kind>[:<mark>]`. The braces make all keys of a namespace, or of a shard of one, live
//! in one slot of a cluster, so that a script may touch them together. `<layout>` changes when the strings
//! behind the keys do.
//!
//! | kind | what | kept |
//! |---|---|---|
//! | `e` | the epoch | for ever |
//! | `h` | heartbeats: replica by time | for ever |
//! | `j` | which replicas have told what they know in this epoch | for ever |
//! | `v` | replicas that vanished without a word | for ever |
//! | `r` | dead replicas that somebody is taking off the books, and until when | a minute |
//! | `w:<mark>` | the window of a quota | a day after its last use |
//! | `c:<mark>` | what each replica added to it | as the window |
//! | `s:<mark>` | the condition of a deployment | a day after its last use or its rest; for ever when drained without an end |
//! | `a:<mark>:<class>` | failures that were let pass | as long as they count |
//! | `d` | documents by name, removed ones included | for ever |
//! | `do` | their names in the order in which they changed | for ever |
//! | `u:<mark>` | what a session was given | as long as it keeps it |
//! | `t:<mark>` | a counter of turns | a day after its last use |
//! | `l` | records of requests that have ended, a stream | a week after the last |
//! | `ev` | the channel for news | |

use std::sync::{Arc, PoisonError, RwLock};

use weighbridge_domain::failure::ErrorClass;
use weighbridge_domain::name::{DeploymentId, QuotaName};

use crate::fleet::mark;
use crate::generations::Generations;

/// Changes when what is stored behind the keys changes its shape.
const LAYOUT: u32 = 2;

/// The most names of either kind that are kept: clients name deployments too.
const MOST: usize = 65_536;

/// The keys of a namespace or of one shard of it. Names are made once and kept.
#[derive(Debug)]
pub(crate) struct Keys {
    prefix: String,
    windows: RwLock<Generations<QuotaName, Arc<WindowKeys>>>,
    conditions: RwLock<Generations<DeploymentId, Arc<str>>>,
}

/// The two keys of a window.
#[derive(Debug)]
pub(crate) struct WindowKeys {
    pub(crate) window: String,
    pub(crate) contributions: String,
}

impl Keys {
    /// The keys of shard `shard` of `shards` of `namespace`.
    pub(crate) fn new(namespace: &str, shard: u16, shards: u16) -> Self {
        let tag = if shards > 1 { format!("{namespace}/{shard}") } else { namespace.to_owned() };
        Self::with_prefix(format!("wb:{LAYOUT}:{{{tag}}}"))
    }

    /// Keys beside these that nobody else uses, for a trial.
    pub(crate) fn scratch(&self, name: &str) -> Self {
        Self::with_prefix(format!("{}:x:{name}", self.prefix))
    }

    fn with_prefix(prefix: String) -> Self {
        let (windows, conditions) = (Generations::new(MOST), Generations::new(MOST));
        Self { prefix, windows: RwLock::new(windows), conditions: RwLock::new(conditions) }
    }

    pub(crate) fn epoch(&self) -> String {
        self.of("e")
    }

    pub(crate) fn beats(&self) -> String {
        self.of("h")
    }

    pub(crate) fn told(&self) -> String {
        self.of("j")
    }

    pub(crate) fn vanished(&self) -> String {
        self.of("v")
    }

    pub(crate) fn reaped(&self) -> String {
        self.of("r")
    }

    pub(crate) fn records(&self) -> String {
        self.of("l")
    }

    pub(crate) fn documents(&self) -> String {
        self.of("d")
    }

    pub(crate) fn documents_in_order(&self) -> String {
        self.of("do")
    }

    pub(crate) fn channel(&self) -> String {
        self.of("ev")
    }

    pub(crate) fn window(&self, quota: &QuotaName) -> Arc<WindowKeys> {
        kept(&self.windows, quota, || {
            let mark = mark(quota.as_str());
            Arc::new(WindowKeys {
                window: format!("{}:w:{mark}", self.prefix),
                contributions: format!("{}:c:{mark}", self.prefix),
            })
        })
    }

    pub(crate) fn condition(&self, id: &DeploymentId) -> Arc<str> {
        kept(&self.conditions, id, || format!("{}:s:{}", self.prefix, mark(id.as_str())).into())
    }

    pub(crate) fn counter(&self, id: &DeploymentId, class: Option<ErrorClass>) -> String {
        let class = class.map_or("all".to_owned(), |class| (class as u8).to_string());
        format!("{}:a:{}:{class}", self.prefix, mark(id.as_str()))
    }

    pub(crate) fn session(&self, session: &str) -> String {
        format!("{}:u:{}", self.prefix, mark(session))
    }

    pub(crate) fn tickets(&self, counter: &str) -> String {
        format!("{}:t:{}", self.prefix, mark(counter))
    }

    fn of(&self, kind: &str) -> String {
        format!("{}:{kind}", self.prefix)
    }
}

fn kept<K: Clone + Eq + std::hash::Hash, V: Clone>(
    names: &RwLock<Generations<K, V>>,
    key: &K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(name) = names.read().unwrap_or_else(PoisonError::into_inner).young(key) {
        return name.clone();
    }
    let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
    names.make_room(|_, _| false);
    names.renew(key.clone(), make).clone()
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys_name_neither_ids_nor_secrets_and_share_a_slot() {
        let keys = Keys::new("prod", 0, 1);
        assert_eq!(keys.epoch(), "wb:2:{prod}:e");
        assert_eq!(keys.window(&"https://host/?key=sk-1".into()).window.len(), "wb:2:{prod}:w:".len() + 16);
        assert_eq!(Keys::new("prod", 2, 4).beats(), "wb:2:{prod/2}:h");
        assert_eq!(keys.scratch("x").epoch(), "wb:2:{prod}:x:x:e");
    }
}
