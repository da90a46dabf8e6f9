//! Saved documents: what every store promises of them, and what several replicas do.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use weighbridge_domain::event::Silent;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::time::Timestamp;
use weighbridge_state::documents::{LONGEST_NAME, LONGEST_TEXT, MOST_DOCUMENTS, MOST_VERSIONS, NotSaved};
use weighbridge_state::memory::MemoryStore;
use weighbridge_state::{Mode, SharedState};

use crate::fleet::{Fleet, check};
use crate::support::{Server, Shared, until};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_400);

/// Runs `promise` against every store.
fn on_every_store<F: Future<Output = ()>>(promise: impl Fn(Arc<dyn SharedState>) -> F) {
    promise(Arc::new(MemoryStore::new(Arc::new(Silent)))).now_or_never().expect("an embedded store answers at once");
    let shared = Shared::start(NOW);
    shared.runtime.block_on(promise(Arc::clone(&shared.store) as Arc<dyn SharedState>));
}

async fn put(store: &dyn SharedState, id: &str, text: &str) -> Result<u64, NotSaved> {
    store.put_document(id, text.to_owned(), NOW).await
}

/// What is in force under `id`, with its number.
fn live(store: &dyn SharedState, id: &str) -> Option<(u64, String)> {
    let documents = store.documents();
    let version = documents.get(id)?.live().expect("it is kept");
    Some((version.number, version.text.reveal().to_owned()))
}

fn is(number: u64, text: &str) -> Option<(u64, String)> {
    Some((number, text.to_owned()))
}

#[test]
fn versions_come_and_go_and_their_numbers_only_go_up() {
    on_every_store(async |store| {
        let store = &*store;
        assert!(store.documents().is_empty());
        assert_eq!(put(store, "a", "one").await, Ok(1));
        assert_eq!(put(store, "a", "two").await, Ok(2));
        assert_eq!(put(store, "b", "other").await, Ok(1));
        assert_eq!(live(store, "a"), is(2, "two"));
        assert_eq!(store.documents().get("a").map(|document| document.versions[1].at), Some(NOW));
        assert_eq!(store.revive_document("a", 1).await, Ok(1));
        assert_eq!(live(store, "a"), is(1, "one"));
        assert_eq!(store.revive_document("a", 3).await, Err(NotSaved::Unknown));
        assert_eq!(put(store, "a", "three").await, Ok(3));
        assert_eq!(live(store, "a"), is(3, "three"));
        assert_eq!(store.remove_document("a").await, Ok(true));
        assert_eq!(store.remove_document("a").await, Ok(false));
        assert_eq!(store.revive_document("a", 1).await, Err(NotSaved::Unknown));
        assert_eq!(live(store, "a"), None);
        assert_eq!(put(store, "a", "four").await, Ok(4));
        for number in 5..20 {
            assert_eq!(put(store, "a", "more").await, Ok(number));
        }
        let documents = store.documents();
        let numbers: Vec<u64> = documents.get("a").unwrap().versions.iter().map(|version| version.number).collect();
        assert_eq!(numbers, (10..20).rev().collect::<Vec<_>>());
        assert_eq!(numbers.len(), MOST_VERSIONS);
        assert_eq!(documents.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!format!("{documents:?} {:?}", documents.get("b")).contains("other"), "a text may hold keys");
    });
}

#[test]
fn there_is_an_end_to_what_can_be_saved() {
    on_every_store(async |store| {
        let store = &*store;
        assert_eq!(put(store, "", "x").await, Err(NotSaved::BadName));
        assert_eq!(put(store, &"n".repeat(LONGEST_NAME + 1), "x").await, Err(NotSaved::BadName));
        let bytes = LONGEST_TEXT + 1;
        assert_eq!(put(store, "long", &"x".repeat(bytes)).await, Err(NotSaved::TooLong { bytes }));
        assert_eq!(put(store, "long", &"x".repeat(LONGEST_TEXT)).await, Ok(1));
        for number in 1..MOST_DOCUMENTS {
            assert_eq!(put(store, &format!("d{number}"), "x").await, Ok(1));
        }
        assert_eq!(put(store, "more", "x").await, Err(NotSaved::TooMany));
        assert_eq!(put(store, "d1", "y").await, Ok(2), "one that is there");
        assert_eq!(store.remove_document("d2").await, Ok(true));
        assert_eq!(put(store, "more", "x").await, Ok(1));
        assert_eq!(put(store, "d2", "x").await, Err(NotSaved::TooMany));
        assert_eq!(store.documents().len(), MOST_DOCUMENTS);
    });
}

/// Waits until every replica shows this.
async fn all_show(fleet: &Fleet, id: &str, shown: Option<(u64, String)>) {
    for store in &fleet.replicas {
        until(&format!("{id} is {shown:?}"), || live(&**store, id) == shown).await;
    }
}

#[test]
fn what_one_saves_all_know() {
    check(async {
        let mut fleet = Fleet::start(3, Limits::default()).await;
        put(&*fleet.replicas[0], "a", "one").await.expect("saved");
        all_show(&fleet, "a", is(1, "one")).await;
        // Each has a number of its own, however many save at once.
        let saves = (0..30).map(|number| put(&*fleet.replicas[number % 3], "a", "many"));
        let mut numbers: Vec<u64> = join_all(saves).await.into_iter().map(|saved| saved.expect("saved")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (2..32).collect::<Vec<_>>());
        fleet.replicas[1].remove_document("a").await.expect("removed");
        all_show(&fleet, "a", None).await;
        // One that comes later reads all of it, in as many pieces as it takes.
        let long = "x".repeat(LONGEST_TEXT);
        for number in 0..12 {
            put(&*fleet.replicas[2], &format!("long-{number}"), &long).await.expect("saved");
        }
        let settings = crate::support::settings(fleet.server.as_ref().expect("it runs"), "repair");
        fleet.add(settings).await;
        until("it knows all", || fleet.replicas[3].documents().len() == 12).await;
        assert_eq!(put(&*fleet.replicas[3], "a", "again").await, Ok(32), "also what was removed");
    });
}

#[test]
fn without_the_server_what_is_known_is_served_and_nothing_is_saved() {
    check(async {
        let mut fleet = Fleet::start(1, Limits::default()).await;
        put(&*fleet.replicas[0], "a", "one").await.expect("saved");
        fleet.server = None;
        fleet.is(Mode::Local).await;
        assert_eq!(put(&*fleet.replicas[0], "a", "two").await, Err(NotSaved::StoreAway));
        assert_eq!(fleet.replicas[0].remove_document("a").await, Err(NotSaved::StoreAway));
        assert_eq!(live(&*fleet.replicas[0], "a"), is(1, "one"));
        fleet.server = Some(Server::at(fleet.port));
        fleet.is(Mode::Shared).await;
        assert_eq!(put(&*fleet.replicas[0], "a", "two").await, Ok(2), "the new server was told of the first");
    });
}

#[test]
fn what_the_server_lost_is_told_again_and_what_was_removed_stays_so() {
    check(async {
        let mut fleet = Fleet::start(2, Limits::default()).await;
        for text in ["one", "two"] {
            put(&*fleet.replicas[0], "a", text).await.expect("saved");
        }
        put(&*fleet.replicas[1], "gone", "one").await.expect("saved");
        for store in &fleet.replicas {
            store.settled().await;
        }
        let old = fleet.dump("d").await;
        assert_eq!(old.len(), 2);
        put(&*fleet.replicas[0], "a", "three").await.expect("saved");
        fleet.replicas[0].remove_document("gone").await.expect("removed");
        // An old state comes back, in which all is as it was; then none at all.
        fleet.put_back(old).await;
        assert_eq!(put(&*fleet.replicas[1], "b", "one").await, Ok(1));
        all_show(&fleet, "b", is(1, "one")).await;
        all_show(&fleet, "a", is(3, "three")).await;
        all_show(&fleet, "gone", None).await;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut fleet.redis).await.expect("flushed");
        assert_eq!(put(&*fleet.replicas[1], "a", "four").await, Ok(4));
        all_show(&fleet, "a", is(4, "four")).await;
        let settings = crate::support::settings(fleet.server.as_ref().expect("it runs"), "repair");
        fleet.add(settings).await;
        all_show(&fleet, "b", is(1, "one")).await;
        all_show(&fleet, "gone", None).await;
        assert_eq!(put(&*fleet.replicas[2], "gone", "two").await, Ok(2));
        all_show(&fleet, "gone", is(2, "two")).await;
    });
}
