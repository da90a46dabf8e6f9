//! Who there is, and which life of the data this is: `join.lua`, `joined.lua`, `beat.lua`, `reap.lua`, `leave.lua`.

use std::collections::BTreeMap;

use weighbridge_domain::name::QuotaName;
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_state::fleet::link::News;
use weighbridge_state::fleet::protocol::{Beat, Epoch, Join, Joined, Pulse, ReplicaId, Told};

use super::{Life, Model};

/// A replica that was not heard of for so long has lost the server as well.
const STALE_MS: u64 = 1000;
/// Nobody was heard of for so long: the server was away.
const AWAY_MS: u64 = 1500;
/// Whoever has taken a dead replica to reap it has so long before another does.
const REAPING_MS: u64 = 1000;
/// A replica that was heard of within this is there.
const SILENT_MS: u64 = 1000;

impl Model {
    /// A replica connects.
    pub fn join(&mut self, replica: &ReplicaId, join: &Join, now: u64) -> Joined {
        let mut is_lost = self.epoch.as_ref().is_none_or(|life| self.moved(&life.id));
        let mut begins = false;
        if let (false, Some(life)) = (is_lost, &self.epoch)
            && life.recovering <= now
        {
            let stale = |(other, at): (&ReplicaId, &u64)| other != replica && now > at + STALE_MS;
            is_lost = join.saw_loss;
            begins = join.was_away && self.beats.iter().any(stale);
        }
        if is_lost || begins {
            let id = format!("{}.{}", join.candidate, self.run_id);
            self.epoch = Some(Life { id, recovering: now + millis(join.recovery) });
            self.told.clear();
            // Everybody has time to come back.
            if is_lost {
                self.all_heard(now);
            } else {
                self.excuse_absence(now);
            }
            self.news.push(News::Epoch);
        }
        self.beats.insert(replica.clone(), now);
        let Life { id, recovering } = self.epoch.clone().unwrap_or(Life { id: String::new(), recovering: 0 });
        Joined { epoch: Epoch(id), recovering: still(recovering, now), now: Timestamp::from_millis(now) }
    }

    /// A replica has told all it knows. The outer `None`: it is another epoch.
    pub fn told(&mut self, replica: &ReplicaId, told: &Told, now: u64) -> Option<Option<Timestamp>> {
        let life = self.epoch.as_mut().filter(|life| life.id == told.epoch.0)?;
        self.told.insert(replica.clone(), (life.id.clone(), told.replicas));
        if life.recovering > 0 {
            let told: BTreeMap<_, _> = self.told.iter().filter(|(_, (id, _))| *id == life.id).collect();
            let most = told.values().map(|(_, knew)| *knew).max().unwrap_or(0);
            let everybody = count(told.len()) >= most && self.beats.keys().all(|replica| told.contains_key(replica));
            if everybody || life.recovering <= now {
                life.recovering = 0;
                self.news.push(News::Epoch);
            }
        }
        Some((life.recovering > 0).then(|| Timestamp::from_millis(life.recovering)))
    }

    /// A sign of life.
    pub fn beat(&mut self, replica: &ReplicaId, beat: &Beat, now: u64) -> Pulse {
        self.excuse_absence(now);
        let is_known = self.beats.insert(replica.clone(), now).is_some();
        if let Some(life) = &mut self.epoch
            && life.recovering > 0
            && life.recovering <= now
        {
            life.recovering = 0;
        }
        let must_join = !is_known || self.epoch.as_ref().is_none_or(|life| life.id != beat.epoch.0);
        let forgotten = now.saturating_sub(millis(beat.vanished_for));
        self.vanished.retain(|_, at| *at >= forgotten);
        self.vanished.remove(replica);
        let heard = self.beats.values().filter(|at| **at + SILENT_MS >= now).count();
        let mut by_time: Vec<(u64, &ReplicaId)> = self.beats.iter().map(|(replica, at)| (*at, replica)).collect();
        by_time.sort_unstable();
        let is_dead = |at: u64| at + millis(beat.dead_after) < now;
        let dead: Vec<_> = by_time.iter().filter(|(at, _)| is_dead(*at)).map(|(_, replica)| *replica).collect();
        let is_free = |replica: &&ReplicaId| {
            self.reaped.get(replica).is_none_or(|until| *until <= now || *until > now + REAPING_MS)
        };
        let most = dead.len().div_ceil(heard.max(1));
        let mine: Vec<_> = dead.into_iter().filter(is_free).take(most).cloned().collect();
        self.reaped.extend(mine.iter().map(|replica| (replica.clone(), now + REAPING_MS)));
        let everybody: Vec<_> = by_time.iter().map(|(_, replica)| (*replica).clone()).collect();
        let are_wanted = beat.names_known != Some(count(everybody.len()));
        Pulse {
            must_join,
            now: Timestamp::from_millis(now),
            recovering: self.epoch.as_ref().and_then(|life| still(life.recovering, 0)),
            heard: count(heard),
            vanished: count(self.beats.len() - heard + self.vanished.len()),
            dead: mine,
            everybody: if are_wanted { everybody } else { Vec::new() },
        }
    }

    /// Takes a dead replica's requests in flight off `windows`.
    pub fn reap(&mut self, dead: &ReplicaId, windows: &[QuotaName], now: u64) -> u64 {
        let mut freed = 0;
        for quota in windows {
            let Some(contribution) = self.contribution(quota, dead) else { continue };
            if contribution.in_flight > 0
                && let Some(mut window) = self.windows.get(quota).cloned()
            {
                window.roll(now);
                window.in_flight -= i64::from(contribution.in_flight);
                self.keep_window(quota, window);
                freed += u64::from(contribution.in_flight);
            }
            if let Some(contributions) = self.contributions.get_mut(quota) {
                contributions.remove(dead);
            }
        }
        freed
    }

    /// Strikes a replica off.
    pub fn leave(&mut self, replica: &ReplicaId, vanished: bool, now: u64) {
        self.beats.remove(replica);
        self.told.remove(replica);
        self.reaped.remove(replica);
        if vanished {
            self.vanished.insert(replica.clone(), now);
        }
    }

    fn all_heard(&mut self, now: u64) {
        self.beats.values_mut().for_each(|at| *at = now);
    }

    fn excuse_absence(&mut self, now: u64) {
        if self.beats.values().max().is_some_and(|latest| now > latest + AWAY_MS) {
            self.all_heard(now);
        }
    }

    /// Whether the data was another server's.
    fn moved(&self, id: &str) -> bool {
        !self.run_id.is_empty() && id.rsplit('.').next() != Some(&self.run_id)
    }
}

fn still(until: u64, now: u64) -> Option<Timestamp> {
    (until > now).then(|| Timestamp::from_millis(until))
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
