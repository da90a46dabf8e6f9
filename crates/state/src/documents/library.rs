//! What one process knows of documents, those that were removed included: how often each has changed says whose word
//! is the later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use super::{Document, Documents, LONGEST_NAME, LONGEST_TEXT, MOST_DOCUMENTS, MOST_VERSIONS, NotSaved, Version};

/// The most removed documents that are remembered, so that nobody brings them back and their numbers go on.
pub(crate) const MOST_REMOVED: usize = 10_000;

/// A document and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// How often it has changed, its removals included.
    pub changes: u64,
    /// The greatest number that a version of it had.
    pub last: u64,
    /// What there is of it; nothing in one that was removed.
    pub document: Arc<Document>,
}

/// What there is in all, removed documents aside. Whoever has heard all that another knows, and shows the same, knows
/// nothing that the other does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many documents.
    pub there: u64,
    /// How often those have changed.
    pub changes: u64,
}

impl Record {
    /// Whether it is there, rather than removed or never saved.
    pub fn is_there(&self) -> bool {
        !self.document.versions.is_empty()
    }

    /// How long its texts are.
    pub(crate) fn bytes(&self) -> usize {
        self.document.versions.iter().map(|version| version.text.reveal().len()).sum()
    }

    /// The same after one more change.
    fn changed(&self, document: Document) -> Self {
        Self { changes: self.changes + 1, last: self.last, document: Arc::new(document) }
    }
}

/// A text to be saved, and when.
pub(crate) struct TextOf {
    pub(crate) text: Secret,
    pub(crate) at: Timestamp,
}

/// A new version of what is known as `record`, and its number.
pub(crate) fn put(record: &Record, said: &TextOf) -> Result<(Record, u64), NotSaved> {
    let bytes = said.text.reveal().len();
    if bytes > LONGEST_TEXT {
        return Err(NotSaved::TooLong { bytes });
    }
    let number = record.last + 1;
    let first = Version { number, text: said.text.clone(), at: said.at };
    let older = record.document.versions.iter().cloned();
    let versions = std::iter::once(first).chain(older).take(MOST_VERSIONS).collect();
    Ok((Record { last: number, ..record.changed(Document { live: number, versions }) }, number))
}

/// An older version is in force again, under the number it has.
pub(crate) fn revive(record: &Record, version: u64) -> Result<(Record, u64), NotSaved> {
    let document = &record.document;
    if document.version(version).is_none() {
        return Err(NotSaved::Unknown);
    }
    Ok((record.changed(Document { live: version, ..(**document).clone() }), version))
}

/// It is there no more.
pub(crate) fn remove(record: &Record) -> Result<(Record, bool), NotSaved> {
    if record.is_there() { Ok((record.changed(Document::default()), true)) } else { Ok((record.clone(), false)) }
}

/// Documents by name.
#[derive(Debug, Default)]
pub(crate) struct Library {
    records: Mutex<BTreeMap<String, Record>>,
    shown: ArcSwap<Documents>,
}

impl Library {
    /// What there is.
    pub(crate) fn shown(&self) -> Arc<Documents> {
        self.shown.load_full()
    }

    /// What is known of one, which may be nothing.
    pub(crate) fn record(&self, id: &str) -> Record {
        self.lock().get(id).cloned().unwrap_or_default()
    }

    /// All that is known, in order.
    pub(crate) fn all(&self) -> Vec<(String, Record)> {
        self.lock().iter().map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// What there is in all.
    pub(crate) fn totals(&self) -> Totals {
        let records = self.lock();
        records.values().filter(|record| record.is_there()).fold(Totals::default(), |totals, record| Totals {
            there: totals.there + 1,
            changes: totals.changes + record.changes,
        })
    }

    /// Changes one here alone.
    pub(crate) fn change<T>(
        &self,
        id: &str,
        change: impl Fn(&Record) -> Result<(Record, T), NotSaved>,
    ) -> Result<T, NotSaved> {
        check_name(id)?;
        let mut records = self.lock();
        let before = records.get(id).cloned().unwrap_or_default();
        let (after, result) = change(&before)?;
        let is_one_more = after.is_there() && !before.is_there();
        if is_one_more && self.shown.load().len() >= MOST_DOCUMENTS {
            return Err(NotSaved::TooMany);
        }
        if after != before {
            records.insert(id.to_owned(), after);
            self.show(&mut records);
        }
        Ok(result)
    }

    /// Takes over what the store holds, unless it is known better here.
    pub(crate) fn hear(&self, heard: Vec<(String, Record)>) {
        let mut is_news = false;
        let mut records = self.lock();
        for (id, record) in heard {
            match records.get(&id) {
                Some(known) if known.changes > record.changes || *known == record => {}
                // Of two that changed as often, the store's is everybody's.
                Some(_) | None => {
                    records.insert(id, record);
                    is_news = true;
                }
            }
        }
        if is_news {
            self.show(&mut records);
        }
    }

    fn show(&self, records: &mut BTreeMap<String, Record>) {
        forget_removed(records);
        let there = records.iter().filter(|(_, record)| record.is_there());
        let shown = there.map(|(id, record)| (id.clone(), Arc::clone(&record.document))).collect();
        self.shown.store(Arc::new(Documents(shown)));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a document may have that name.
pub(crate) fn check_name(id: &str) -> Result<(), NotSaved> {
    if id.is_empty() || id.len() > LONGEST_NAME { Err(NotSaved::BadName) } else { Ok(()) }
}

/// Of too many that were removed, forgets those that had changed least.
fn forget_removed(records: &mut BTreeMap<String, Record>) {
    let removed = records.iter().filter(|(_, record)| !record.is_there());
    let mut removed: Vec<_> = removed.map(|(id, record)| (record.changes, id.clone())).collect();
    let above = removed.len().saturating_sub(MOST_REMOVED);
    removed.sort_unstable();
    for (_, id) in removed.into_iter().take(above) {
        records.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weighbridge_domain::secret::Secret;
    use weighbridge_domain::time::Timestamp;

    use super::super::{Document, Version};
    use super::{Library, MOST_REMOVED, Record, remove};

    /// One that has changed so often, and says so; a removed one says nothing.
    fn record(changes: u64, says: &str) -> Record {
        let version = Version { number: changes, text: Secret::new(says), at: Timestamp::default() };
        let versions = if says.is_empty() { Vec::new() } else { vec![version] };
        Record { changes, last: changes, document: Arc::new(Document { live: changes, versions }) }
    }

    fn says(library: &Library) -> String {
        let documents = library.shown();
        documents.get("a").map_or("nothing", |document| document.versions[0].text.reveal()).to_owned()
    }

    #[test]
    fn the_word_of_whoever_saw_more_changes_counts() {
        let library = Library::default();
        let hear = |heard: &Record| library.hear(vec![("a".to_owned(), heard.clone())]);
        for (heard, shown, what) in [
            (record(2, "two"), "two", ""),
            (record(1, "one"), "two", "that was before"),
            (record(2, "theirs"), "theirs", "the store's is everybody's"),
            (record(3, ""), "nothing", ""),
            (record(2, "two"), "nothing", "it stays removed"),
            (record(4, "again"), "again", ""),
        ] {
            hear(&heard);
            assert_eq!(says(&library), shown, "{what}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_removed_that_are_remembered() {
        let library = Library::default();
        let one = |number: usize| (format!("d{number}"), record(2, ""));
        library.hear((0..MOST_REMOVED + 5).map(one).collect());
        library.hear(vec![("a".to_owned(), record(1, "one"))]);
        assert_eq!((library.all().len(), library.shown().len()), (MOST_REMOVED + 1, 1));
        assert_eq!(library.change("d1", remove), Ok(false));
    }
}
