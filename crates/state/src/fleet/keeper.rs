//! The keeper: one task that sees to the connection, the heartbeat and the snapshots.
//!
//! While there is a connection it gives a sign of life five times a second and reads what the others do; when
//! there is none it makes one, with pauses that grow. Requests never wait for it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use weighbridge_domain::event::Event;
use weighbridge_domain::name::DeploymentId;

use super::link::{Connected, Connector, Link, LinkError, News};
use super::protocol::{Beat, Epoch, Join, Replay, ReplicaId, Told};
use super::shard::{Connection, Fault, Members, Phase, Shard};

/// Between two heartbeats.
const BEAT: Duration = Duration::from_millis(200);
/// Between two, while replicas tell the store what it has lost.
const BEAT_RECOVERING: Duration = Duration::from_millis(50);
/// After which silence a replica is dead.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// How long recovery may take: whoever has not told by then is not waited for. Longer than the longest pause.
const RECOVERY: Duration = Duration::from_millis(600);
/// Pauses between two attempts to connect.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(300),
];
/// How long a connection that was too slow must not be tried again, when it had lasted less than that.
const FLAPPING: Duration = Duration::from_secs(5);
/// A call over a new connection must be quicker than this, three times, when the last one was too slow.
const QUICK: Duration = Duration::from_millis(25);
/// Windows and deployments in one call.
const CHUNK: usize = 100;
/// So many calls of that size are under way at once; what requests ask goes between them.
const AT_ONCE: usize = 4;
/// Every so many beats the names of all replicas are asked for.
const NAMES_EVERY: u32 = 5;
/// So many heartbeats in a row without an answer end a connection.
const MISSED: u32 = 4;

/// What the keeper works with.
pub(crate) struct Keeper {
    pub(crate) shard: Arc<Shard>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) faults: mpsc::UnboundedReceiver<Fault>,
    /// Random numbers for pauses and names.
    pub(crate) dice: fastrand::Rng,
}

/// Why a connection was given up.
enum End {
    Fault(Fault),
    Left,
}

/// Works until the replica leaves.
pub(crate) async fn keep(mut keeper: Keeper) {
    let (mut failures, mut was_slow, mut has_been_away) = (0, false, false);
    let mut last_reason = String::new();
    loop {
        if matches!(*keeper.shard.phase(), Phase::Left) {
            return;
        }
        let began = Instant::now();
        match keeper.connect(was_slow, has_been_away).await {
            Ok(connected) => {
                failures = 0;
                last_reason.clear();
                let end = keeper.stay(connected).await;
                has_been_away = true;
                was_slow = matches!(end, End::Fault(Fault::Slow));
                match end {
                    End::Left => return,
                    End::Fault(fault) => keeper.away(&fault),
                }
                if was_slow && began.elapsed() < FLAPPING {
                    sleep(FLAPPING).await;
                }
            }
            Err(error) => {
                let reason = error.to_string();
                if reason != last_reason {
                    let what = format!("the store cannot be reached: {reason}");
                    keeper.shard.observer.observe(&Event::StoreWarned { what: &what });
                    last_reason = reason;
                }
                let pause = PAUSES[failures.min(PAUSES.len() - 1)];
                failures += 1;
                sleep(pause.mul_f64(0.5 + keeper.dice.f64())).await;
            }
        }
        // What was said about a connection that is gone.
        while keeper.faults.try_recv().is_ok() {}
    }
}

impl Keeper {
    async fn connect(&mut self, was_slow: bool, has_been_away: bool) -> Result<Joined, LinkError> {
        let Connected { link, warnings } = self.connector.connect().await?;
        let news = link.listen().await?;
        for what in &warnings {
            self.shard.observer.observe(&Event::StoreWarned { what });
        }
        if was_slow {
            is_quick(&link).await?;
        }
        let connection = self.join(&link, false, has_been_away).await?;
        Ok(Joined { connection, news })
    }

    /// Joins the epoch over `link` and tells all there is to tell.
    async fn join(&mut self, link: &Arc<dyn Link>, saw_loss: bool, was_away: bool) -> Result<Connection, LinkError> {
        let shard = Arc::clone(&self.shard);
        let mut join = Join { candidate: self.name(), saw_loss, was_away, recovery: RECOVERY };
        loop {
            let sent = Instant::now();
            let joined = link.join(&shard.replica, &join).await?;
            if let Some(jump) = shard.time.heard(joined.now, sent) {
                shard.jumped(jump);
            }
            shard.put_right();
            let connection = Connection { link: Arc::clone(link), epoch: joined.epoch };
            if !self.tell(&connection).await? {
                continue;
            }
            let told = Told { epoch: connection.epoch.clone(), replicas: shard.roll.names().unwrap_or(0) };
            match link.told(&shard.replica, &told).await? {
                None => {}
                Some(None) => {
                    self.shared(&connection).await?;
                    return Ok(connection);
                }
                Some(Some(_)) => {
                    shard.enter(Phase::Recovering(connection.clone()), "replicas tell the store what it has lost");
                    return Ok(connection);
                }
            }
            // Somebody began another epoch meanwhile.
            join = Join { candidate: self.name(), saw_loss: false, was_away: false, ..join };
        }
    }

    /// Tells all that this replica granted, in pieces. `false` when the epoch is another one.
    async fn tell(&self, connection: &Connection) -> Result<bool, LinkError> {
        let shard = &self.shard;
        let Replay { epoch, windows, members } = shard.replay(&connection.epoch);
        let count = windows.len();
        let pieces = windows.len().max(members.len()).div_ceil(CHUNK);
        for piece in 0..pieces {
            let part = Replay {
                epoch: epoch.clone(),
                windows: cut(&windows, piece).to_vec(),
                members: cut(&members, piece).to_vec(),
            };
            let Some(reports) = connection.link.replay(&shard.replica, &part).await? else { return Ok(false) };
            let now = shard.time.now();
            for ((quota, stake), report) in part.windows.iter().zip(&reports.windows) {
                shard.windows.told(quota, report, stake);
            }
            for ((id, _), report) in part.members.iter().zip(&reports.members) {
                shard.heard_member(id, report, now);
            }
        }
        if count > 0 {
            shard.observer.observe(&Event::StoreReplayed { windows: count });
        }
        Ok(true)
    }

    /// The truth is in the store: reads what there is before the first request asks.
    async fn shared(&self, connection: &Connection) -> Result<(), LinkError> {
        look(&self.shard, &connection.link, &self.shard.everybody()).await?;
        self.shard.enter(Phase::Shared(connection.clone()), "joined the store");
        // What was granted from this replica's share while it was joining.
        self.shard.tell_untold();
        Ok(())
    }

    /// Stays with a connection until it is of no use.
    async fn stay(&mut self, joined: Joined) -> End {
        let Joined { mut connection, news } = joined;
        let mut news = Some(news);
        let (mut beats, mut missed) = (0_u32, 0);
        let mut last_beat = Instant::now();
        loop {
            let rests = match *self.shard.phase() {
                Phase::Recovering(_) => BEAT_RECOVERING,
                Phase::Left => return End::Left,
                Phase::Shared(_) | Phase::Local => BEAT.mul_f64(0.9 + 0.2 * self.dice.f64()),
            };
            // However much there is to hear, the heart beats.
            tokio::select! {
                biased;
                () = sleep_until(last_beat + rests) => {}
                fault = self.faults.recv() => match fault {
                    Some(Fault::Stale { saw_loss }) => match self.join(&connection.link, saw_loss, false).await {
                        Ok(again) => { connection = again; continue; }
                        Err(error) => return End::Fault(Fault::Broken(error.to_string())),
                    },
                    Some(fault) => return End::Fault(fault),
                    None => return End::Left,
                },
                heard = hear(&mut news) => match heard {
                    Some(News::Standing(mark, report)) => {
                        self.shard.heard_news(&mark, &report);
                        continue;
                    }
                    // Both want a heartbeat now: it tells whether more than that is amiss.
                    Some(News::Epoch) => {}
                    None => news = None,
                },
            }
            last_beat = Instant::now();
            if news.is_none() {
                // Until they are heard again every heartbeat reads what they would tell.
                news = connection.link.listen().await.ok();
            }
            beats = beats.wrapping_add(1);
            match self.beat(&mut connection, beats).await {
                Ok(()) => missed = 0,
                Err(LinkError::TimedOut { .. }) if missed + 1 < MISSED => missed += 1,
                Err(LinkError::TimedOut { .. }) => return End::Fault(Fault::Slow),
                Err(error @ LinkError::Broken(_)) => return End::Fault(Fault::Broken(error.to_string())),
            }
        }
    }

    /// The heart beats for the `number`th time over `connection`.
    async fn beat(&mut self, connection: &mut Connection, number: u32) -> Result<(), LinkError> {
        let shard = Arc::clone(&self.shard);
        let wants_names = number % NAMES_EVERY == 1;
        let beat = Beat {
            epoch: connection.epoch.clone(),
            dead_after: DEAD_AFTER,
            vanished_for: shard.habits.local_max.unwrap_or_default() + Duration::from_secs(61),
            names_known: shard.roll.names().filter(|_| !wants_names),
        };
        let sent = Instant::now();
        let pulse = connection.link.beat(&shard.replica, &beat).await?;
        if let Some(jump) = shard.time.heard(pulse.now, sent) {
            // What others granted may have been forgotten too early.
            shard.jumped(jump);
            *connection = self.join(&connection.link, true, false).await?;
            return Ok(());
        }
        if !pulse.everybody.is_empty() {
            shard.roll.set(pulse.everybody);
        }
        shard.roll.set_counts(pulse.heard, pulse.vanished);
        if pulse.must_join {
            // Nothing more is asked before all is told.
            shard.enter(Phase::Recovering(connection.clone()), "the store began a new epoch");
            *connection = self.join(&connection.link, false, false).await?;
        } else if pulse.recovering.is_none() && matches!(*shard.phase(), Phase::Recovering(_)) {
            self.shared(connection).await?;
        }
        if matches!(*shard.phase(), Phase::Shared(_)) {
            // What was granted alone after a call without an answer.
            shard.tell_untold();
        }
        for dead in &pulse.dead {
            self.reap(&connection.link, dead).await?;
        }
        // A store that is still being told shows less than there is; and where time is told, so is when to look.
        let is_whole = matches!(*shard.phase(), Phase::Shared(_));
        if is_whole && shard.time.passes() {
            look(&shard, &connection.link, &shard.to_look_at(number)).await?;
        }
        Ok(())
    }

    /// Takes a dead replica off the books.
    async fn reap(&self, link: &Arc<dyn Link>, dead: &ReplicaId) -> Result<(), LinkError> {
        let quotas = self.shard.everybody().quotas();
        let pieces: Vec<_> = quotas.chunks(CHUNK).map(|windows| link.reap(dead, windows)).collect();
        let in_flight = stream::iter(pieces)
            .buffer_unordered(AT_ONCE)
            .try_fold(0, |sum, freed| std::future::ready(Ok(sum + freed)))
            .await?;
        link.leave(dead, true).await?;
        self.shard.observer.observe(&Event::ReplicaReaped { in_flight });
        Ok(())
    }

    /// Notes that the connection is gone.
    fn away(&self, fault: &Fault) {
        let reason = match fault {
            Fault::Broken(reason) => reason.as_str(),
            Fault::Slow => "the store answers too slowly",
            Fault::Stale { .. } => "the store began a new epoch",
        };
        if !matches!(*self.shard.phase(), Phase::Left) {
            self.shard.enter(Phase::Local, reason);
        }
    }

    /// A name that nobody else has.
    fn name(&mut self) -> String {
        format!("{:016x}", self.dice.u64(..))
    }
}

/// Whether calls over `link` are quick enough for a request's path.
async fn is_quick(link: &Arc<dyn Link>) -> Result<(), LinkError> {
    // The first may have a connection to make.
    link.snapshot(&[], &[]).await?;
    for _ in 0..3 {
        let sent = Instant::now();
        link.snapshot(&[], &[]).await?;
        let took = sent.elapsed();
        if took > QUICK {
            let ms = took.as_millis();
            return Err(LinkError::Broken(format!("it answers in {ms} ms, too slowly to be asked for every request")));
        }
    }
    Ok(())
}

/// The next piece of news; never, while there is nothing to hear them by.
async fn hear(news: &mut Option<mpsc::Receiver<News>>) -> Option<News> {
    match news {
        Some(news) => news.recv().await,
        None => std::future::pending().await,
    }
}

/// A connection over which an epoch was joined.
struct Joined {
    connection: Connection,
    news: mpsc::Receiver<News>,
}

/// Reads what the fleet knows of `members`, in pieces.
pub(crate) async fn look(shard: &Shard, link: &Arc<dyn Link>, members: &Members) -> Result<(), LinkError> {
    let quotas = members.quotas();
    let ids: Vec<DeploymentId> = members.deployments.iter().map(|deployment| deployment.id.clone()).collect();
    let pieces = (0..quotas.len().max(ids.len()).div_ceil(CHUNK)).map(async |piece| {
        let (windows, ids) = (cut(&quotas, piece), cut(&ids, piece));
        let sent = Instant::now();
        let snapshot = link.snapshot(windows, ids).await?;
        shard.saw(&snapshot, sent, windows, ids);
        Ok(())
    });
    stream::iter(pieces).buffer_unordered(AT_ONCE).try_collect().await
}

/// A piece of `all`; an empty one where there is no more.
fn cut<T>(all: &[T], piece: usize) -> &[T] {
    all.chunks(CHUNK).nth(piece).unwrap_or_default()
}

/// Where the connection is at present, if anywhere.
pub(crate) fn link_of(phase: &Phase) -> Option<(Arc<dyn Link>, Epoch)> {
    match phase {
        Phase::Shared(connection) | Phase::Recovering(connection) => {
            Some((Arc::clone(&connection.link), connection.epoch.clone()))
        }
        Phase::Local | Phase::Left => None,
    }
}
