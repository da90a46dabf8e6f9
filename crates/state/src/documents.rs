//! Named texts with versions: configurations that are saved by request.
//!
//! A text may hold keys of providers, so it is a [`Secret`] wherever it lies.

mod library;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

pub(crate) use self::library::{Library, MOST_REMOVED, TextOf, check_name, put, remove, revive};
pub use self::library::{Record, Totals};

/// The most documents there may be.
pub const MOST_DOCUMENTS: usize = 1000;
/// The longest text, in bytes.
pub const LONGEST_TEXT: usize = 256 * 1024;
/// The most versions of a document that are kept.
pub const MOST_VERSIONS: usize = 10;
/// The longest name, in bytes.
pub const LONGEST_NAME: usize = 256;

/// Every document there is, as far as is known.
#[derive(Clone, Default)]
pub struct Documents(BTreeMap<String, Arc<Document>>);

/// A document: its latest versions, of which one is live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The number of the version that is in force.
    pub live: u64,
    /// The newest first, at most [`MOST_VERSIONS`].
    pub versions: Vec<Version>,
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number: of two the later has the greater one.
    pub number: u64,
    /// What it says.
    pub text: Secret,
    /// When it was saved, by the clock of whoever did.
    pub at: Timestamp,
}

/// Why nothing was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    /// The store is out of reach. It may have been saved all the same when the answer did not come in time.
    #[error("the store is out of reach; try again later")]
    StoreAway,
    /// The text is too long.
    #[error("{bytes} bytes are too long: at most {most} can be saved", most = LONGEST_TEXT)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The name is empty or too long.
    #[error("a name has 1 to {most} bytes", most = LONGEST_NAME)]
    BadName,
    /// There are too many documents.
    #[error("there are {most} documents already; remove one first", most = MOST_DOCUMENTS)]
    TooMany,
    /// There is no such document, or that version of it is not kept any more.
    #[error("there is no such document or version")]
    Unknown,
}

impl Documents {
    /// The document of that name.
    pub fn get(&self, id: &str) -> Option<&Arc<Document>> {
        self.0.get(id)
    }

    /// All of them by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Document>)> {
        self.0.iter().map(|(id, document)| (id.as_str(), document))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(id, document)| (id, document.live))).finish()
    }
}

impl Document {
    /// The version that is in force.
    pub fn live(&self) -> Option<&Version> {
        self.version(self.live)
    }

    /// The version of that number, if it is kept.
    pub fn version(&self, number: u64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }
}
