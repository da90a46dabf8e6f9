//! The way from replicas to the server: how long it takes, and what may be wrong with it.

use std::time::Duration;

use tokio::time::Instant;

use super::store::ms;

/// How long after a silence the last of what was held up comes.
const BACKLOG_MS: u64 = 20;

/// The way from all replicas to the server.
#[derive(Debug)]
pub struct Network {
    dice: fastrand::Rng,
    /// What holds for everybody.
    all: Way,
    /// The share of replies that are lost on their way back.
    pub reply_loss: f64,
    hosts: Vec<Host>,
}

/// What holds for one replica.
#[derive(Debug, Clone)]
struct Host {
    way: Way,
    stalled_until: Option<Instant>,
    is_dead: bool,
}

/// Whether a call comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// It does.
    #[default]
    Open,
    /// It fails at once.
    Refused,
    /// Nothing is heard until then. What was said meanwhile arrives afterwards, or never.
    Silent {
        /// The end of the silence.
        until: Instant,
        /// What becomes of what was said.
        said: Said,
    },
}

/// What becomes of what was said into a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It arrives when the silence is over.
    ArrivesLate,
    /// It never arrives.
    IsLost,
}

impl Network {
    /// A way on which nothing is wrong.
    pub fn new(hosts: usize, dice: fastrand::Rng) -> Self {
        let host = Host { way: Way::Open, stalled_until: None, is_dead: false };
        Self { dice, all: Way::Open, reply_loss: 0.0, hosts: vec![host; hosts] }
    }

    /// One more replica; its number.
    pub fn add(&mut self) -> usize {
        self.hosts.push(Host { way: Way::Open, stalled_until: None, is_dead: false });
        self.hosts.len() - 1
    }

    /// The way of everybody.
    pub fn set_all(&mut self, way: Way) {
        self.all = way;
    }

    /// The way of one.
    pub fn set(&mut self, host: usize, way: Way) {
        self.hosts[host].way = way;
    }

    /// A replica's process stands still until then.
    pub fn stall(&mut self, host: usize, until: Instant) {
        self.hosts[host].stalled_until = Some(until);
    }

    /// A replica's process is gone.
    pub fn kill(&mut self, host: usize) {
        self.hosts[host].is_dead = true;
    }

    /// Until when a replica's process stands still.
    pub fn stalled_until(&self, host: usize) -> Option<Instant> {
        self.hosts[host].stalled_until.filter(|until| Instant::now() < *until)
    }

    /// Whether a replica's process is gone.
    pub fn is_dead(&self, host: usize) -> bool {
        self.hosts[host].is_dead
    }

    /// Whether a replica hears news.
    pub fn hears(&self, host: usize) -> bool {
        self.way(host) == Way::Open && !self.hosts[host].is_dead
    }

    /// How the way of a replica is at present.
    pub fn way(&self, host: usize) -> Way {
        let open = |way: Way| match way {
            Way::Silent { until, .. } if Instant::now() >= until => Way::Open,
            way => way,
        };
        match (open(self.all), open(self.hosts[host].way)) {
            (Way::Open, way) => way,
            (way, _) => way,
        }
    }

    /// How long one way takes: a millisecond or two, seldom much longer.
    pub fn delay(&mut self) -> Duration {
        match self.dice.u32(..1000) {
            0..700 => ms(1),
            700..950 => ms(2),
            950..998 => ms(self.dice.u64(3..10)),
            _ => ms(self.dice.u64(10..24)),
        }
    }

    /// How long after a silence something arrives that was held up by it.
    pub fn backlog(&mut self) -> Duration {
        ms(self.dice.u64(..BACKLOG_MS))
    }

    /// Whether this reply gets lost.
    pub fn loses_reply(&mut self) -> bool {
        self.reply_loss > 0.0 && self.dice.f64() < self.reply_loss
    }
}
