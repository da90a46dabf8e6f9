//! One simulated provider: its script, its limits and its books, behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use http::{HeaderName, HeaderValue};

use crate::ask::Ask;
use crate::books::{Arrival, Books, Recorded, Report};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::flight::{Flight, Landing};
use crate::format::Format;
use crate::formats;
use crate::meters::{Exceeded, Load, Meters, Weighed};
use crate::refusal::Refusal;
use crate::script::ProviderScript;
use crate::scripted::header;
use crate::stage::{Outcome, Stage, Turn};
use crate::target::Target;

/// One simulated provider.
#[derive(Debug)]
pub(crate) struct Provider {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stage: Arc<Stage>,
    meters: Meters,
    books: Books,
    seed: u64,
    rng: Rng,
    /// Requests that took their turn in `statuses`.
    turns: usize,
    /// Requests that were admitted, ever.
    number: u64,
}

impl Provider {
    /// A provider whose draws follow from `seed`.
    pub(crate) fn new(script: ProviderScript, seed: u64, clock: Clock) -> Self {
        let meters = Meters::new(&script.limits);
        let (stage, books) = (Arc::new(Stage::new(script)), Books::default());
        let rng = Rng::with_seed(seed);
        Self { clock, state: Mutex::new(State { stage, meters, books, seed, rng, turns: 0, number: 0 }) }
    }

    /// The script in force.
    pub(crate) fn stage(&self) -> Arc<Stage> {
        Arc::clone(&self.lock().stage)
    }

    /// Another script. Counts stay, and so does what was taken of limits that did not change.
    pub(crate) fn put(&self, script: ProviderScript) {
        let mut state = self.lock();
        if state.stage.script.limits != script.limits {
            state.meters = Meters::new(&script.limits);
        }
        state.turns = 0;
        state.stage = Arc::new(Stage::new(script));
    }

    /// Counts a request and decides what it gets. `asked` is what it asks for, unless the form of
    /// it was refused already.
    pub(crate) fn arrive(
        self: &Arc<Self>,
        arrival: Arrival,
        target: Target<'_>,
        asked: Result<&Ask, Refusal>,
    ) -> Result<Turn, Refusal> {
        let mut guard = self.lock();
        let state = &mut *guard;
        // Read under the lock, so that limits see time pass in one direction only.
        let now = self.clock.now();
        let Target { operation, format, .. } = target;
        let load = asked.as_ref().map_or(Load { prompt: 0, reserve: 0 }, |ask| state.stage.load(operation, ask));
        let stream = asked.as_ref().is_ok_and(|ask| ask.stream && operation.writes());
        let decided =
            asked.and_then(|ask| state.admit(&self.clock, format, load, &ask.model)).map(|()| state.outcome());
        let status = match &decided {
            Ok(Outcome::Reply(_)) => 200,
            Ok(Outcome::Dictated(scripted)) => scripted.status,
            Ok(Outcome::Silence) => 0,
            Err(refusal) => refusal.status,
        };
        state.books.count(now, load.prompt + load.reserve, status);
        state.books.keep(arrival, now, status, state.stage.script.record);
        let outcome = decided?;
        let stream = stream && matches!(outcome, Outcome::Reply(_));
        state.count(&outcome, load, stream);
        state.number += 1;
        Ok(Turn {
            outcome,
            latency: state.stage.script.latency.draw(&mut state.rng),
            headers: state.headers(&self.clock, format),
            number: state.number,
            rng: state.rng.fork(),
            flight: Flight::new(Arc::clone(self), stream),
        })
    }

    /// A request is over.
    pub(crate) fn landed(&self, landing: Landing) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.meters.settle(now, landing.delivered);
        let counts = state.books.counts();
        counts.in_flight = counts.in_flight.saturating_sub(1);
        counts.open_streams = counts.open_streams.saturating_sub(landing.stream.into());
        counts.cancelled += u64::from(landing.cancelled);
        counts.tokens.completion += landing.delivered;
    }

    pub(crate) fn report(&self) -> Report {
        self.lock().books.report()
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.lock().books.requests()
    }

    /// As on the first day, with the script in force.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.meters = Meters::new(&state.stage.script.limits);
        state.rng = Rng::with_seed(state.seed);
        state.turns = 0;
        state.books.reset();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Holds a request against `max_in_flight` and the limits.
    fn admit(&mut self, clock: &Clock, format: Format, load: Load, model: &str) -> Result<(), Refusal> {
        let counts = self.books.counts();
        if let Some(most) = self.stage.script.max_in_flight.filter(|most| counts.in_flight >= *most) {
            counts.violations += 1;
            counts.rejected += 1;
            return Err(Refusal::of(format, Fault::OverParallel { model, most }));
        }
        match self.meters.weigh(clock.now(), load) {
            Weighed::Within => Ok(()),
            Weighed::Above => {
                counts.violations += 1;
                Ok(())
            }
            Weighed::Rejected(Exceeded { unit, limit, wait }) => {
                counts.violations += 1;
                counts.rejected += 1;
                let fault = Fault::OverLimit { model, unit, limit, wait };
                Err(Refusal::of(format, fault).with(self.allowances(clock, format)))
            }
        }
    }

    /// What the script has in store for the next request.
    fn outcome(&mut self) -> Outcome {
        let script = &self.stage.script;
        if script.hang {
            return Outcome::Silence;
        }
        let turn = if script.statuses_repeat { self.turns % script.statuses.len().max(1) } else { self.turns };
        self.turns += 1;
        let drawn = self.rng.f64() < script.error_rate;
        let scripted = script.statuses.get(turn).or(script.status.as_ref()).or(drawn.then_some(&script.error_status));
        match scripted {
            Some(scripted) if scripted.is_reply() => Outcome::Reply(scripted.headers().collect()),
            Some(scripted) => Outcome::Dictated(scripted.clone()),
            None => Outcome::Reply(Vec::new()),
        }
    }

    fn count(&mut self, outcome: &Outcome, load: Load, stream: bool) {
        let counts = self.books.counts();
        counts.in_flight += 1;
        counts.max_in_flight = counts.max_in_flight.max(counts.in_flight);
        counts.open_streams += u64::from(stream);
        if let Outcome::Reply(_) = outcome {
            counts.served += 1;
            counts.tokens.prompt += load.prompt;
        }
    }

    fn headers(&mut self, clock: &Clock, format: Format) -> Vec<(HeaderName, HeaderValue)> {
        let id = formats::request_id(format, self.number).into_iter().chain(self.allowances(clock, format));
        let own = id.filter_map(|(name, value)| header(name, &value)).collect::<Vec<_>>();
        own.into_iter().chain(self.stage.headers.iter().cloned()).collect()
    }

    fn allowances(&mut self, clock: &Clock, format: Format) -> Vec<(&'static str, String)> {
        formats::allowance_headers(format, &self.meters.allowances(clock.now()), clock.wall())
    }
}
