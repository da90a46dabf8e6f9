//! The loop: walks an itinerary stop by stop until somebody answers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{Failure, FailureFacts, FailureKind};
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::name::{DeploymentId, NameMap};
use weighbridge_domain::plan::Balance;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::usage::Price;
use weighbridge_domain::view::Health;
use weighbridge_routing::itinerary::{Itinerary, Stop, StopTarget};
use weighbridge_routing::retry::{self, Situation, Verdict};
use weighbridge_state::{LatencySample, Outcome};

use crate::admit::{Admitted, Ask, Resting};
use crate::answer::{Answer, AnswerBody, Failed};
use crate::attempt::{Call, Reply, ReplyBody, judge};
use crate::balance::{Choice, Chooser};
use crate::journal::Journal;
use crate::permit::Permit;
use crate::plan::{self, Way};
use crate::stream::{Committed, Relay};
use crate::tokens::{Counted, Lesson};
use crate::world::World;

/// The verdict that a whole group cools, as plans choose by it.
const ALL_COOLING: FailureFacts =
    FailureFacts { kind: FailureKind::AllCooling, status: FailureKind::AllCooling.default_status() };

/// Answers `request` by `table`.
pub(crate) async fn execute(
    world: &World,
    table: &Arc<RoutingTable>,
    request: &Request,
) -> Result<Answer, Box<Failed>> {
    let mut journal = Journal::open(Arc::clone(world.observer()), world.clock(), request);
    let way = match plan::prepare(table, request, &mut || world.roll()) {
        Ok(way) => way,
        Err(failure) => return Err(Box::new(give_up(journal, failure))),
    };
    let budget = table.routing.fallback_budget;
    let run = Run {
        world,
        table,
        request,
        way: &way,
        choices: NameMap::default(),
        deadline: Instant::now() + budget,
        tried: Vec::new(),
        retries: 0,
        counted: Counted::new(),
        last: None,
    };
    match run.walk(&mut journal).await {
        Ok(reached) => Ok(reached.answer(request, journal)),
        Err(failure) => Err(Box::new(give_up(journal, failure))),
    }
}

/// Closes the books on a request that was not answered.
fn give_up(mut journal: Journal, failure: Failure) -> Failed {
    if journal.head().attempts.is_empty() {
        journal.nobody(failure.http_status(), failure.kind);
    }
    Failed { head: journal.closed(failure.http_status(), Some(failure.kind)), failure }
}

/// One request on its way.
struct Run<'a> {
    world: &'a World,
    table: &'a Arc<RoutingTable>,
    request: &'a Request,
    way: &'a Way,
    /// What it has come to at balances, by their keys.
    choices: NameMap<Arc<str>, Choice>,
    /// New attempts start before it.
    deadline: Instant,
    /// Deployments that failed this request.
    tried: Vec<DeploymentId>,
    /// Retries so far, over all stops.
    retries: u32,
    /// The prompt's tokens, once they were counted.
    counted: Counted,
    /// The last failure of a call, which tells a client more than our own verdicts do.
    last: Option<Failure>,
}

/// A deployment that answered.
struct Reached {
    deployment: Arc<Deployment>,
    permit: Permit,
    reply: Reply,
    idle: Option<Duration>,
    /// What its tokens cost, where that is known.
    price: Option<Price>,
    /// Where its count of the prompt is learned from.
    lesson: Lesson,
}

impl<'a> Run<'a> {
    /// Walks the stops. A group that cools as a whole is passed over while there is another stop;
    /// when that comes to nothing, its least bad deployment is the last resort.
    async fn walk(mut self, journal: &mut Journal) -> Result<Reached, Failure> {
        let mut itinerary = self.itinerary()?;
        let mut passed_over = Vec::new();
        let mut at = 0;
        let failure = loop {
            if let Err(failure) = self.arrive(&mut itinerary, at).await {
                break failure;
            }
            journal.itinerary(itinerary.to_string());
            let stop = itinerary.stop(at);
            let beyond = self.beyond(&itinerary, at);
            let resting =
                if beyond.is_none() && stop.choices.is_empty() { Resting::TryLeastBad } else { Resting::PassOver };
            let failure = match self.try_stop(stop, at == 0, resting, journal).await {
                Ok(reached) => return Ok(reached),
                Err(failure) => failure,
            };
            let is_resting = failure.kind == FailureKind::AllCooling && resting == Resting::PassOver;
            if is_resting {
                passed_over.push(stop.clone());
                if self.undecide(stop) {
                    itinerary = self.itinerary()?;
                    continue;
                }
            }
            let next = if is_resting { beyond } else { self.onward(&itinerary, at, failure.facts()) };
            match next {
                Some(next) if Instant::now() < self.deadline => {
                    journal.fell_back(&stop.name(), &itinerary.stop(next).name(), failure.kind);
                    at = next;
                }
                _ => break failure,
            }
        };
        for stop in passed_over {
            if is_the_clients(failure.kind) || Instant::now() >= self.deadline {
                break;
            }
            if let Ok(reached) = self.try_stop(&stop, false, Resting::TryLeastBad, journal).await {
                return Ok(reached);
            }
        }
        // What a provider said tells more than that nobody else could be asked.
        Err(self.last.unwrap_or(failure))
    }

    /// The way as far as it is decided.
    fn itinerary(&self) -> Result<Itinerary, Failure> {
        let decided = |balance: &Balance| self.choices.get(&balance.key)?.place;
        self.way.itinerary(self.table, self.request, &decided)
    }

    /// Decides whom to ask at `at`. What stands before it stays.
    async fn arrive(&mut self, itinerary: &mut Itinerary, at: usize) -> Result<(), Failure> {
        while let StopTarget::Undecided { balance, .. } = &itinerary.stop(at).target {
            let chooser = self.chooser();
            chooser.choose(balance, self.choices.entry(Arc::clone(&balance.key)).or_default()).await;
            *itinerary = self.itinerary()?;
        }
        Ok(())
    }

    fn chooser(&self) -> Chooser<'a> {
        Chooser { world: self.world, table: self.table, request: self.request }
    }

    /// Takes back the innermost choice that led to `stop`, where everybody rests, and can be made otherwise. Says
    /// whether there was one. A share that has somebody else to ask is kept to.
    fn undecide(&mut self, stop: &Stop) -> bool {
        let chooser = self.chooser();
        for balance in &stop.choices {
            let Some(choice) = self.choices.get_mut(&balance.key) else { continue };
            if !chooser.is_over(balance, choice) {
                return false;
            }
            if chooser.undo(balance, choice) {
                return true;
            }
        }
        false
    }

    /// The stop after the one at `at` when all who could be asked there rest. A config object moves on then, whatever
    /// its fallback is for: they were not asked.
    fn beyond(&self, itinerary: &Itinerary, at: usize) -> Option<usize> {
        match self.request.controls.config {
            Some(_) if !self.request.controls.disable_fallbacks => itinerary.beyond(at),
            _ => self.onward(itinerary, at, ALL_COOLING),
        }
    }

    /// The stop after the one at `at` when it fails like `failure`.
    fn onward(&self, itinerary: &Itinerary, at: usize, failure: FailureFacts) -> Option<usize> {
        if self.request.controls.disable_fallbacks { None } else { itinerary.after(at, failure) }
    }

    /// Asks one stop, as often as its policy allows.
    async fn try_stop(
        &mut self,
        stop: &Stop,
        is_first: bool,
        resting: Resting,
        journal: &mut Journal,
    ) -> Result<Reached, Failure> {
        journal.stop(plan::group_of(self.table, stop).map(|group| &group.name), stop.path.clone());
        let mut attempts = 0;
        let turn = OnceLock::new();
        loop {
            let ask = Ask {
                table: self.table,
                request: self.request,
                stop,
                tried: &self.tried,
                resting,
                turn: &turn,
                counted: &self.counted,
            };
            let admitted = match ask.admit(self.world).await {
                Ok(admitted) => admitted,
                // After a failed attempt its cause is what matters.
                Err(failure) if attempts > 0 && failure.kind.is_own_verdict() => {
                    return Err(self.last.clone().unwrap_or(failure));
                }
                Err(failure) => return Err(failure),
            };
            attempts += 1;
            let deployment = Arc::clone(&admitted.deployment);
            let failure = match self.call(stop, is_first, admitted, journal).await {
                Ok(reached) => return Ok(reached),
                Err(failure) => failure,
            };
            self.tried.push(deployment.id.clone());
            self.last = Some(failure.clone());
            let allowed = self.allowed_retries(stop, &deployment, failure.kind);
            match self.verdict(stop, &failure, attempts, allowed) {
                Verdict::Leave => {
                    if allowed >= attempts && failure.retry_after.is_some() && stop.options.retry_after.is_some() {
                        journal.gave_up();
                    }
                    return Err(failure);
                }
                Verdict::Next => {}
                Verdict::Again(pause) => {
                    let back_at = Instant::now() + pause;
                    if back_at >= self.deadline || self.is_rate_limited(&deployment) {
                        return Err(failure);
                    }
                    tokio::time::sleep_until(back_at).await;
                }
            }
            self.retries += 1;
            journal.retried(&deployment.group, failure.kind, allowed);
        }
    }

    /// How often a stop may be tried again after `deployment` failed like this.
    fn allowed_retries(&self, stop: &Stop, deployment: &Deployment, kind: FailureKind) -> u32 {
        let asked = self.request.controls.num_retries;
        plan::group_of(self.table, stop)
            .map_or(0, |group| retry::allowed_retries(&group.retry, &stop.options, deployment.retries, asked, kind))
    }

    /// What to do after the stop's `attempts`th attempt failed, when `allowed` more were.
    fn verdict(&self, stop: &Stop, failure: &Failure, attempts: u32, allowed: u32) -> Verdict {
        if Instant::now() >= self.deadline {
            return Verdict::Leave;
        }
        let Some(group) = plan::group_of(self.table, stop) else { return Verdict::Leave };
        let cap = self.table.routing.max_retries_per_request;
        let situation = Situation {
            retries_left: allowed
                .saturating_sub(attempts - 1)
                .min(cap.map_or(u32::MAX, |cap| cap.saturating_sub(self.retries))),
            retries_done: attempts - 1,
            another_left: self.another_left(stop),
        };
        retry::after(failure, &group.retry, &stop.options, situation, self.world.roll())
    }

    /// Whether the stop has a deployment that has not failed this request and may be asked.
    fn another_left(&self, stop: &Stop) -> bool {
        let ask = Ask {
            table: self.table,
            request: self.request,
            stop,
            tried: &self.tried,
            resting: Resting::PassOver,
            turn: &OnceLock::new(),
            counted: &self.counted,
        };
        ask.has_untried(self.world)
    }

    /// Whether the deployment rests for its provider's rate limit: nobody is sent there meanwhile.
    fn is_rate_limited(&self, deployment: &Arc<Deployment>) -> bool {
        let view = self.world.state().view(std::slice::from_ref(deployment), self.world.now());
        matches!(view.first().map(|view| view.health), Some(Health::Cooling { cause: FailureKind::RateLimited, .. }))
    }

    /// Calls the admitted deployment, and settles at once when that fails.
    async fn call(
        &self,
        stop: &Stop,
        is_first: bool,
        admitted: Admitted,
        journal: &mut Journal,
    ) -> Result<Reached, Failure> {
        let Admitted { deployment, grant, peers } = admitted;
        let state = Arc::clone(self.world.state());
        let counted = grant.counted();
        let permit = Permit::new(state, self.world.clock(), grant, Arc::clone(&deployment), peers);
        let Some(upstream_model) = plan::upstream_model(self.way, self.request, stop, &deployment) else {
            permit.settle(Some(Tokens { input: 0, output: 0 }), Outcome::Neutral);
            return Err(plan::no_model());
        };
        let call = Call {
            deployment: &deployment,
            upstream_model: &upstream_model,
            request: self.request,
            options: &stop.options,
            counted,
        };
        journal.calling(&deployment, call.limit());
        let began = Instant::now();
        let result = match self.request.controls.mock_failure {
            Some(kind) if is_first => Err(Failure::new(kind, "made up, as the request asked")),
            _ => call.run(self.world).await,
        };
        match result {
            Ok(reply) => {
                journal.attempt(&deployment, 200, None, began.elapsed());
                let idle = call.timeouts().idle;
                let by_name = || self.table.prices.of(deployment.endpoint.provider.as_str(), &upstream_model);
                let price = deployment.price.or_else(by_name);
                let lesson = Lesson::new(self.world.ratios(), &deployment, self.request.estimate);
                Ok(Reached { deployment: Arc::clone(&deployment), permit, reply, idle, price, lesson })
            }
            Err(failure) => {
                journal.attempt(&deployment, failure.http_status(), Some(failure.kind), began.elapsed());
                let is_made_up = is_first && self.request.controls.mock_failure.is_some();
                // A client's bad key says nothing about a deployment that others use with ours.
                let is_borrowed = stop.options.credentials.is_some();
                let outcome = if is_made_up || is_borrowed || is_the_clients(failure.kind) {
                    Outcome::Neutral
                } else {
                    Outcome::Failure { kind: failure.kind, verdict: judge(&failure, &call) }
                };
                permit.settle(used_by_failure(failure.kind), outcome);
                Err(failure)
            }
        }
    }
}

/// Whether a failure says nothing about the deployment.
const fn is_the_clients(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::BadRequest | FailureKind::ContextWindow | FailureKind::ContentPolicy)
}

/// What a failed call has used: nothing when it was refused or never arrived; otherwise nobody
/// knows, and the reservation stands.
const fn used_by_failure(kind: FailureKind) -> Option<Tokens> {
    match kind {
        FailureKind::ServerError | FailureKind::Timeout | FailureKind::BrokenReply => None,
        FailureKind::BadRequest
        | FailureKind::ContextWindow
        | FailureKind::ContentPolicy
        | FailureKind::Authentication
        | FailureKind::Quota
        | FailureKind::NotFound
        | FailureKind::RateLimited
        | FailureKind::Overloaded
        | FailureKind::Unreachable
        | FailureKind::AtLimit
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => Some(Tokens { input: 0, output: 0 }),
    }
}

impl Reached {
    /// Hands the reply to the client: settles a whole one, lets a stream settle itself.
    fn answer(self, request: &Request, mut journal: Journal) -> Answer {
        let Self { deployment, permit, reply, idle, price, lesson } = self;
        let (head, body) = match reply.body {
            ReplyBody::Whole { bytes, usage, took } => {
                if let Some(usage) = usage {
                    lesson.learn(&usage, &journal);
                    journal.used(usage, price.map(|price| price.cost(&usage)));
                }
                let tokens = usage.map_or(0, |usage| usage.completion_tokens);
                let sample = LatencySample { first_token: took, rest: Duration::ZERO, tokens, is_stream: false };
                permit.settle(usage.map(|usage| usage.tokens()), Outcome::Success { sample: Some(sample) });
                (journal.closed(200, None), AnswerBody::Whole(bytes))
            }
            ReplyBody::Stream(opened) => {
                permit.first_token();
                journal.first_token(&deployment.id, opened.first_token);
                let head = journal.head().clone();
                let committed = Committed {
                    permit,
                    journal,
                    deployment,
                    price,
                    lesson,
                    idle,
                    prompt_tokens: request.estimate.input,
                    judge: judge_broken_stream,
                };
                (head, AnswerBody::Stream(Box::pin(Relay::new(*opened, committed))))
            }
        };
        Answer {
            head,
            content_type: reply.content_type,
            upstream_headers: reply.headers,
            losses: reply.losses.iter().map(ToString::to_string).collect(),
            body,
        }
    }
}

/// What a stream that broke after its first content means for the deployment.
fn judge_broken_stream(failure: &Failure, deployment: &Deployment) -> CooldownVerdict {
    weighbridge_routing::cooldown::verdict(failure, &deployment.cooldown, None, false)
}
