//! The librarian: sees to it that this replica and the store know the same documents.
//!
//! What has changed is asked for three times a second, and before anything is saved here. A store that shows less than
//! is known here, or may know less because its epoch is another one, is told all of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::keeper::link_of;
use super::link::{Link, LinkError};
use super::protocol::{Epoch, Saved};
use super::shard::Shard;
use crate::documents::{Library, MOST_DOCUMENTS, NotSaved, Record, check_name};

/// Between two questions.
const POLL: Duration = Duration::from_millis(300);
/// The same before anything was heard.
const FIRST_POLL: Duration = Duration::from_millis(50);
/// Bytes of texts in one call.
const CHUNK: usize = 1 << 20;
/// How often one who saves may find that somebody else was faster.
const ATTEMPTS: usize = 50;

/// What one replica knows of documents, and up to where it has listened to the store.
#[derive(Debug)]
pub(crate) struct Librarian {
    pub(crate) library: Library,
    shard: Arc<Shard>,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// `None` before anything was.
    epoch: Option<Epoch>,
    place: u64,
}

/// Works until it is aborted.
pub(crate) async fn work(librarian: Arc<Librarian>) {
    loop {
        let is_first = librarian.heard.lock().await.epoch.is_none();
        sleep(if is_first { FIRST_POLL } else { POLL }).await;
        // What could not be read is read next time.
        librarian.catch_up().await.unwrap_or(());
    }
}

impl Librarian {
    pub(crate) fn new(shard: Arc<Shard>) -> Self {
        Self { library: Library::default(), shard, heard: Mutex::default() }
    }

    /// Takes over what the store knows, and tells it what it does not.
    pub(crate) async fn catch_up(&self) -> Result<(), NotSaved> {
        let Some((link, epoch)) = link_of(&self.shard.phase()) else { return Err(NotSaved::StoreAway) };
        let mut heard = self.heard.lock().await;
        self.agree(&link, epoch, &mut heard).await.map_err(|_| NotSaved::StoreAway)
    }

    async fn agree(&self, link: &Arc<dyn Link>, epoch: Epoch, heard: &mut Heard) -> Result<(), LinkError> {
        let is_same = heard.epoch.as_ref() == Some(&epoch);
        if is_same && self.listen(link, &mut heard.place).await? {
            return Ok(());
        }
        self.tell(link, self.library.all()).await?;
        *heard = Heard { epoch: Some(epoch), place: 0 };
        // Should they differ even now, the next question tells.
        self.listen(link, &mut heard.place).await.map(|_| ())
    }

    /// Takes over what has changed since `place`. Says whether both know the same then.
    async fn listen(&self, link: &Arc<dyn Link>, place: &mut u64) -> Result<bool, LinkError> {
        loop {
            let changes = link.changes(*place, CHUNK).await?;
            if changes.place < *place {
                return Ok(false);
            }
            self.library.hear(changes.records);
            *place = changes.place;
            if changes.are_all {
                return Ok(changes.totals == self.library.totals());
            }
        }
    }

    /// Tells the store of `records`, in pieces.
    async fn tell(&self, link: &Arc<dyn Link>, records: Vec<(String, Record)>) -> Result<(), LinkError> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        for (id, record) in records {
            bytes += id.len() + record.bytes();
            piece.push((id, record));
            if bytes >= CHUNK {
                self.tell_piece(link, std::mem::take(&mut piece)).await?;
                bytes = 0;
            }
        }
        self.tell_piece(link, piece).await
    }

    async fn tell_piece(&self, link: &Arc<dyn Link>, piece: Vec<(String, Record)>) -> Result<(), LinkError> {
        if piece.is_empty() {
            return Ok(());
        }
        let saved = link.save(&piece, None).await?;
        let stored = piece.into_iter().zip(saved).filter_map(|((id, _), saved)| match saved {
            Saved::Not(record) => Some((id, record)),
            Saved::Taken | Saved::TooMany => None,
        });
        self.library.hear(stored.collect());
        Ok(())
    }

    /// Changes one document for all replicas.
    pub(crate) async fn change<T>(
        &self,
        id: &str,
        change: impl Fn(&Record) -> Result<(Record, T), NotSaved>,
    ) -> Result<T, NotSaved> {
        check_name(id)?;
        for _ in 0..ATTEMPTS {
            let Some((link, epoch)) = link_of(&self.shard.phase()) else { return Err(NotSaved::StoreAway) };
            let mut heard = self.heard.lock().await;
            self.agree(&link, epoch, &mut heard).await.map_err(|_| NotSaved::StoreAway)?;
            let before = self.library.record(id);
            let (after, result) = change(&before)?;
            if after == before {
                return Ok(result);
            }
            let one = [(id.to_owned(), after)];
            let saved = link.save(&one, Some(MOST_DOCUMENTS)).await.map_err(|_| NotSaved::StoreAway)?;
            match saved.into_iter().next() {
                Some(Saved::Taken) => {
                    self.library.hear(one.into());
                    return Ok(result);
                }
                Some(Saved::TooMany) => return Err(NotSaved::TooMany),
                // Somebody was faster.
                Some(Saved::Not(record)) => self.library.hear(vec![(id.to_owned(), record)]),
                None => return Err(NotSaved::StoreAway),
            }
        }
        Err(NotSaved::StoreAway)
    }
}
