//! `saved_configs`: config objects by the ids that clients send instead of them.

use std::sync::Arc;

use serde_json::Value;
use weighbridge_domain::table::{RoutingTable, SavedConfig};

use crate::json;
use crate::objects::{self, Above, AnyHost, Around};
use crate::reader::Section;

/// Compiles the config objects of `top` against the rest of `table`.
pub(crate) fn read(top: &Section<'_>, table: &mut RoutingTable) {
    for (id, field) in top.section("saved_configs").fields() {
        let Some(section) = field.section() else { continue };
        let Value::Object(object) = json::value(&field) else { continue };
        let shown = objects::masked(&Value::Object(object.clone()));
        // The operator wrote it, and answers for its hosts.
        let around = Around { table, id: Some(id), hosts: &AnyHost, headers: &Above::default() };
        match objects::compile(object, around) {
            Ok(config) => {
                for warning in &config.warnings {
                    section.warn(warning.as_str(), "");
                }
                let saved = SavedConfig { object: Arc::new(config), shown };
                table.saved_configs.insert(id.to_owned(), saved);
            }
            Err(invalid) if invalid.errors.is_empty() => section.error(invalid.message, ""),
            Err(invalid) => invalid.errors.iter().for_each(|error| section.error(error.as_str(), "")),
        }
    }
}
