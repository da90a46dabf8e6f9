//! The embedded store: everything in this process.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Line, Observer};
use weighbridge_domain::limits::Feedback;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;

use crate::books::{Books, Change, Release};
use crate::documents::{self, Documents, Library, NotSaved, TextOf};
use crate::records::Records;
use crate::sessions::Sessions;
use crate::tickets::Tickets;
use crate::{
    Admission, Answer, Claim, Counted, Exposure, Grant, Kept, Mode, Reserve, Settlement, SharedState, Status, announce,
};

/// Keeps everything in this process: what one replica needs.
#[derive(Debug)]
pub struct MemoryStore {
    books: Books,
    tickets: Tickets,
    sessions: Sessions,
    records: Records,
    library: Library,
    observer: Arc<dyn Observer>,
}

impl MemoryStore {
    /// An empty store that tells `observer` about cooldowns and settlements.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            books: Books::default(),
            tickets: Tickets::default(),
            sessions: Sessions::default(),
            records: Records::default(),
            library: Library::default(),
            observer,
        }
    }
}

impl SharedState for MemoryStore {
    fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView> {
        self.books.view(deployments, now)
    }

    fn reserve<'a>(&'a self, ask: Reserve<'a>, now: Timestamp) -> Answer<'a, Admission> {
        let admission = self.books.grant(ask, |deployment, _| deployment.limits, now);
        Box::pin(std::future::ready(admission))
    }

    fn settle(&self, settlement: Settlement, now: Timestamp) {
        if self.books.release(&settlement, now) == Release::Again {
            return;
        }
        let is_fleeting = settlement.deployment.is_fleeting;
        let change = if is_fleeting { Change::None } else { self.books.report(&settlement, now) };
        self.books.forget_if_done(&settlement.deployment);
        announce::settled(&*self.observer, &settlement);
        announce::changed(&*self.observer, &settlement.deployment.id, change, now);
    }

    fn first_token(&self, grant: &Grant, _: Timestamp) {
        self.books.first_token(grant);
    }

    fn ticket<'a>(&'a self, counter: &'a str) -> Answer<'a, u64> {
        Box::pin(std::future::ready(self.tickets.next(counter)))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>, now: Timestamp) -> Answer<'a, String> {
        Box::pin(std::future::ready(self.sessions.claim(claim, now)))
    }

    fn keep(&self, records: Vec<Arc<dyn Line>>) -> Answer<'_, ()> {
        self.records.keep(records);
        Box::pin(std::future::ready(()))
    }

    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Vec<Kept>> {
        Box::pin(std::future::ready(self.records.newest(before, most)))
    }

    fn documents(&self) -> Arc<Documents> {
        self.library.shown()
    }

    fn put_document<'a>(&'a self, id: &'a str, text: String, now: Timestamp) -> Answer<'a, Result<u64, NotSaved>> {
        let said = TextOf { text: Secret::new(text), at: now };
        let saved = self.library.change(id, |record| documents::put(record, &said));
        Box::pin(std::future::ready(saved))
    }

    fn revive_document<'a>(&'a self, id: &'a str, version: u64) -> Answer<'a, Result<u64, NotSaved>> {
        let saved = self.library.change(id, |record| documents::revive(record, version));
        Box::pin(std::future::ready(saved))
    }

    fn remove_document<'a>(&'a self, id: &'a str) -> Answer<'a, Result<bool, NotSaved>> {
        Box::pin(std::future::ready(self.library.change(id, documents::remove)))
    }

    fn drain<'a>(&'a self, id: &'a DeploymentId, lasts: Option<Duration>, now: Timestamp) -> Answer<'a, ()> {
        self.books.condition(id, |condition| condition.drain(lasts.map(|lasts| now + lasts)));
        Box::pin(std::future::ready(()))
    }

    fn restore<'a>(&'a self, id: &'a DeploymentId, now: Timestamp) -> Answer<'a, ()> {
        if self.books.condition(id, |condition| condition.restore(now)) {
            self.observer.observe(&Event::CooldownEnded { deployment: id });
        }
        Box::pin(std::future::ready(()))
    }

    fn adopt(&self, table: &RoutingTable, _: Timestamp) {
        self.books.adopt(table);
    }

    fn observe(&self, deployment: &Arc<Deployment>, feedback: Feedback, counted: Counted, now: Timestamp) {
        self.books.window(&deployment.quota, now, |window| window.observe(&deployment.limits, feedback, counted));
    }

    fn status(&self) -> Status {
        Status { mode: Mode::Embedded, replicas: 1 }
    }

    fn guests(&self) -> Vec<Arc<Deployment>> {
        self.books.guests().all()
    }

    fn exposure(&self, deployments: &[Arc<Deployment>]) -> Vec<Exposure> {
        vec![Exposure::default(); deployments.len()]
    }

    fn refresh(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
