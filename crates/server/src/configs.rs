//! Config objects that came with requests, compiled once for as long as they keep coming.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use weighbridge_config::objects::{self, Above, Around, HostCheck, Invalid, Named};
use weighbridge_domain::plan::ConfigObject;
use weighbridge_domain::table::RoutingTable;
use weighbridge_engine::Engine;

/// The most config objects that are kept compiled.
const MOST: usize = 2_000;
/// The most bytes that they may have come from.
const MOST_BYTES: u64 = 32 << 20;

/// Compiled config objects by what they were compiled from.
pub struct Configs {
    compiled: Cache<Box<[u8]>, Compiled, BySource>,
}

/// A config object and the table it was compiled against.
#[derive(Clone)]
struct Compiled {
    fingerprint: Arc<str>,
    object: Arc<ConfigObject>,
}

/// What a config object is compiled from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Everything that it depends on, but for the table.
    pub(crate) key: &'a [u8],
    /// Its id, when it is a saved one.
    pub(crate) id: Option<&'a str>,
    /// What headers say above it.
    pub(crate) above: &'a Above,
}

#[derive(Clone)]
struct BySource;

impl Weighter<Box<[u8]>, Compiled> for BySource {
    fn weight(&self, source: &Box<[u8]>, _: &Compiled) -> u64 {
        // A compiled one is some times as large as its text.
        source.len() as u64 + MOST_BYTES / MOST as u64
    }
}

impl Default for Configs {
    fn default() -> Self {
        Self { compiled: Cache::with_weighter(MOST, 2 * MOST_BYTES, BySource) }
    }
}

impl fmt::Debug for Configs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Configs({})", self.compiled.len())
    }
}

impl Configs {
    /// The config object from `source`, whose members are `read` when it is not at hand.
    pub(crate) fn compiled(
        &self,
        source: Source<'_>,
        table: &RoutingTable,
        engine: &Engine,
        read: impl FnOnce() -> Result<Map<String, Value>, Invalid>,
    ) -> Result<Arc<ConfigObject>, Invalid> {
        if let Some(known) = self.compiled.get(source.key)
            && *known.fingerprint == *table.fingerprint
        {
            return Ok(known.object);
        }
        let object = Arc::new(compile(read()?, source.id, source.above, table, engine)?);
        for warning in &object.warnings {
            tracing::warn!(config = source.id.unwrap_or("inline"), "a config object is odd: {warning}");
        }
        let compiled = Compiled { fingerprint: table.fingerprint.as_str().into(), object: Arc::clone(&object) };
        self.compiled.insert(source.key.into(), compiled);
        Ok(object)
    }
}

/// Compiles a config object that did not come with the file, so that its hosts are held to the rules.
pub(crate) fn compile(
    object: Map<String, Value>,
    id: Option<&str>,
    above: &Above,
    table: &RoutingTable,
    engine: &Engine,
) -> Result<ConfigObject, Invalid> {
    let hosts = ClientHosts { table, engine };
    objects::compile(object, Around { table, id, hosts: &hosts, headers: above })
}

/// Hosts that clients may name.
#[derive(Debug)]
struct ClientHosts<'a> {
    table: &'a RoutingTable,
    engine: &'a Engine,
}

impl HostCheck for ClientHosts<'_> {
    fn check(&self, url: &str) -> Result<Named, String> {
        match self.engine.check_host(self.table, url) {
            Ok(_) => Ok(Named::ByClient),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}
