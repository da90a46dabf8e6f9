//! The scripts, put together from their parts and named by their content.

use redis::Script;

const CLOCK: &str = include_str!("lua/clock.lua");
const WINDOW: &str = include_str!("lua/window.lua");
const CONDITION: &str = include_str!("lua/condition.lua");
const CONTRIBUTION: &str = include_str!("lua/contribution.lua");
const EPOCH: &str = include_str!("lua/epoch.lua");
const HEARTBEATS: &str = include_str!("lua/heartbeats.lua");
const RESERVE: &str = include_str!("lua/reserve.lua");
const TRIP: &str = include_str!("lua/trip.lua");
const REPORT: &str = include_str!("lua/report.lua");
const SETTLE: &str = include_str!("lua/settle.lua");
const DOCUMENTS: &str = include_str!("lua/documents.lua");
const OBSERVE: &str = include_str!("lua/observe.lua");

/// The scripts as the server knows them.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) turn: Source,
    pub(crate) replay: Source,
    pub(crate) join: Source,
    pub(crate) joined: Source,
    pub(crate) beat: Source,
    pub(crate) reap: Source,
    pub(crate) leave: Source,
    pub(crate) snapshot: Source,
    pub(crate) operate: Source,
    pub(crate) claim: Source,
    pub(crate) save: Source,
    pub(crate) changes: Source,
    pub(crate) server: Source,
}

/// One script: its text and its name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) sha: String,
}

impl Scripts {
    /// The scripts, by the server's clock.
    pub(crate) fn new() -> Self {
        Self::with_clock(CLOCK)
    }

    /// The scripts, by a clock that is a key of the server, for tests.
    pub(crate) fn by_key(key: &str) -> Self {
        Self::with_clock(&format!("local function clock() return tonumber(redis.call('GET', '{key}')) end\n"))
    }

    fn with_clock(clock: &str) -> Self {
        let of = |parts: &[&str]| {
            let text = clock.to_owned() + &parts.join("\n");
            let sha = Script::new(&text).get_hash().to_owned();
            Source { text, sha }
        };
        Self {
            turn: of(&[
                WINDOW,
                CONDITION,
                CONTRIBUTION,
                EPOCH,
                RESERVE,
                TRIP,
                REPORT,
                SETTLE,
                OBSERVE,
                include_str!("lua/turn.lua"),
            ]),
            replay: of(&[WINDOW, CONDITION, CONTRIBUTION, EPOCH, include_str!("lua/replay.lua")]),
            join: of(&[EPOCH, HEARTBEATS, include_str!("lua/join.lua")]),
            joined: of(&[EPOCH, include_str!("lua/joined.lua")]),
            beat: of(&[EPOCH, HEARTBEATS, include_str!("lua/beat.lua")]),
            reap: of(&[WINDOW, CONTRIBUTION, include_str!("lua/reap.lua")]),
            leave: of(&[include_str!("lua/leave.lua")]),
            snapshot: of(&[WINDOW, CONDITION, include_str!("lua/snapshot.lua")]),
            operate: of(&[WINDOW, CONDITION, include_str!("lua/operate.lua")]),
            save: of(&[DOCUMENTS, include_str!("lua/save.lua")]),
            changes: of(&[DOCUMENTS, include_str!("lua/changes.lua")]),
            claim: of(&[include_str!("lua/claim.lua")]),
            server: of(&[include_str!("lua/server.lua")]),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> [&Source; 13] {
        [
            &self.turn,
            &self.replay,
            &self.join,
            &self.joined,
            &self.beat,
            &self.reap,
            &self.leave,
            &self.snapshot,
            &self.operate,
            &self.claim,
            &self.save,
            &self.changes,
            &self.server,
        ]
    }
}
