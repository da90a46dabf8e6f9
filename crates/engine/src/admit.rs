//! Finds a deployment for a stop and reserves a place on it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::Event;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::preferences::Preferences;
use weighbridge_domain::request::{Estimate, Request};
use weighbridge_domain::settings::WhenAllCooling;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::view::DeploymentView;
use weighbridge_routing::candidates::{self, RequestFacts};
use weighbridge_routing::itinerary::{Stop, StopTarget};
use weighbridge_routing::preferences;
use weighbridge_routing::strategy;
use weighbridge_state::{Admission, Candidate, Grant, Refusal, RefusalCause, Regard, Reserve};

use crate::plan;
use crate::tokens::{self, Counted};
use crate::world::World;

/// Output tokens reserved for a request that sets no bound, while nothing was learned.
const UNKNOWN_OUTPUT: u32 = 256;
/// How often a waiting request asks again when nobody can say when a place is free.
const POLL: Duration = Duration::from_millis(50);

/// One stop's question for a deployment.
pub(crate) struct Ask<'a> {
    pub(crate) table: &'a RoutingTable,
    pub(crate) request: &'a Request,
    pub(crate) stop: &'a Stop,
    pub(crate) tried: &'a [DeploymentId],
    pub(crate) resting: Resting,
    /// The stop's turn in its group's rotation: one a request, however often it is tried.
    pub(crate) turn: &'a OnceLock<u64>,
    /// The prompt's tokens, once they were counted.
    pub(crate) counted: &'a Counted,
}

/// What becomes of a group that cools as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resting {
    /// It is passed over: there is somebody else to ask.
    PassOver,
    /// Its least bad deployment is tried, where the settings allow that.
    TryLeastBad,
}

/// A deployment with a place reserved on it.
pub(crate) struct Admitted {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) grant: Grant,
    pub(crate) peers: Arc<[DeploymentId]>,
}

impl Ask<'_> {
    /// Reserves a place, waiting for capacity as long as the settings allow.
    ///
    /// # Errors
    /// Our own verdict: nobody is fit, everybody is full, or everybody cools.
    pub(crate) async fn admit(&self, world: &World) -> Result<Admitted, Failure> {
        let began = Instant::now();
        loop {
            let failure = match self.try_once(world).await {
                Ok(admitted) => return Ok(admitted),
                Err(failure) => failure,
            };
            let waits = matches!(failure.kind, FailureKind::AtLimit);
            let longest = self.table.routing.max_wait.max(self.patience(&failure));
            let left = (began + longest).saturating_duration_since(Instant::now());
            if !waits || left.is_zero() || failure.retry_after.is_some_and(|after| after > left) {
                return Err(failure);
            }
            tokio::time::sleep(failure.retry_after.unwrap_or(POLL).min(left)).await;
        }
    }

    /// How long a turn within the minute is waited for, whatever the settings say about capacity: requests that
    /// are spread evenly come a moment later rather than not at all.
    fn patience(&self, failure: &Failure) -> Duration {
        if failure.kind != FailureKind::AtLimit || failure.retry_after.is_none() {
            return Duration::ZERO;
        }
        let Ok((_, fit)) = self.fit() else { return Duration::ZERO };
        let patience = fit.iter().filter_map(|deployment| deployment.limits.smoothing).map(|s| s.patience);
        patience.max().unwrap_or_default()
    }

    /// Whether a deployment that has not failed this request may be asked.
    pub(crate) fn has_untried(&self, world: &World) -> bool {
        let Ok((_, fit)) = self.fit() else { return false };
        let untried: Vec<_> = fit.into_iter().filter(|d| !self.tried.contains(&d.id)).collect();
        world.state().view(&untried, world.now()).iter().any(candidates::is_usable)
    }

    /// Who would be asked now, best first. Takes no turn and reserves nothing.
    ///
    /// # Errors
    /// When nobody is fit for the request.
    pub(crate) fn preference(&self, world: &World) -> Result<Vec<Arc<Deployment>>, Failure> {
        let (group, fit) = self.fit()?;
        let views = world.state().view(&fit, world.now());
        let usable: Vec<_> = fit.into_iter().zip(views).filter(|(_, view)| candidates::is_usable(view)).collect();
        let order = self.places(world, group, &usable, 0);
        Ok(order.into_iter().map(|i| Arc::clone(&usable[i].0)).collect())
    }

    async fn try_once(&self, world: &World) -> Result<Admitted, Failure> {
        let (group, fit) = self.fit()?;
        let now = world.now();
        let views = world.state().view(&fit, now);
        let input = tokens::prompt(self.request, &fit, world.ratios(), self.counted).await;
        let tokens = self.reservation(&fit, &views, input);
        let (usable, resting): (Vec<_>, Vec<_>) =
            fit.into_iter().zip(views).partition(|(_, view)| candidates::is_usable(view));
        // A deployment asked for by its id is asked whether it cools or not.
        let is_named = matches!(self.stop.target, StopTarget::Deployment(_));
        let mut ordered = self.order(world, group, &usable).await;
        if is_named {
            ordered
                .extend(resting.iter().map(|(d, _)| Candidate { deployment: Arc::clone(d), cooldown: Regard::Ignore }));
        }
        let mut refusal = Refusal { retry_at: None, cause: RefusalCause::AllCooling };
        if !ordered.is_empty() {
            match world.state().reserve(Reserve { candidates: &ordered, tokens }, now).await {
                Admission::Granted(grant) => return Ok(admitted(group, &ordered, grant)),
                Admission::Refused(refused) => refusal = refused,
            }
        }
        if refusal.cause == RefusalCause::AllCooling
            && self.resting == Resting::TryLeastBad
            && self.table.routing.when_all_cooling == WhenAllCooling::LeastBad
        {
            let least_bad: Vec<Candidate> = candidates::least_bad(&resting)
                .map(|deployment| Candidate { deployment, cooldown: Regard::Ignore })
                .collect();
            if !least_bad.is_empty()
                && let Admission::Granted(grant) =
                    world.state().reserve(Reserve { candidates: &least_bad, tokens }, now).await
            {
                world.observer().observe(&Event::LeastBadTried { deployment: &grant.deployment });
                return Ok(admitted(group, &least_bad, grant));
            }
        }
        let asked: Vec<_> = usable.into_iter().chain(resting).map(|(deployment, _)| deployment).collect();
        Err(self.refused(world, group, refusal, &asked))
    }

    /// The stop's group, and those of its deployments that are fit for the request.
    fn fit(&self) -> Result<(&ModelGroup, Vec<Arc<Deployment>>), Failure> {
        let Some(group) = plan::group_of(self.table, self.stop) else {
            return Err(Failure::new(FailureKind::NoCandidate, format!("{} is not configured", self.stop.name())));
        };
        let facts = RequestFacts {
            tags: &self.request.controls.tags,
            user_agent: self.request.controls.user_agent.as_deref(),
            region: self.request.controls.region.as_deref(),
            prompt_tokens: self.request.estimate.input,
        };
        let named = match &self.stop.target {
            StopTarget::Deployment(id) => self.table.deployment(id.as_str()).map(std::slice::from_ref),
            StopTarget::Group { .. } | StopTarget::Brought(_) | StopTarget::Undecided { .. } => None,
        };
        let level = match self.stop.target {
            StopTarget::Group { level, .. } => level,
            StopTarget::Deployment(_) | StopTarget::Brought(_) | StopTarget::Undecided { .. } => None,
        };
        let deployments = named.unwrap_or(&group.deployments);
        let fit = candidates::fit(group, deployments, &facts, &self.table.routing, level)?;
        let Some(wants) = self.wants() else { return Ok((group, candidates::without_tried(fit, self.tried))) };
        let fit = preferences::allowed(group.name.as_str(), fit, wants, self.request.payload.json())?;
        Ok((group, preferences::untried(fit, self.tried, wants)))
    }

    fn wants(&self) -> Option<&Preferences> {
        self.request.controls.preferences.as_deref()
    }

    /// The places of `usable` as they are asked: by the group's strategy, and by what the request prefers.
    fn places(
        &self,
        world: &World,
        group: &ModelGroup,
        usable: &[(Arc<Deployment>, DeploymentView)],
        turn: u64,
    ) -> Vec<usize> {
        let order = strategy::order(group, usable, &mut || world.roll(), turn);
        match self.wants() {
            Some(wants) => preferences::arranged(order, usable, wants, group.name.as_str()),
            None => order,
        }
    }

    /// `usable` in the order in which they are asked.
    async fn order(
        &self,
        world: &World,
        group: &ModelGroup,
        usable: &[(Arc<Deployment>, DeploymentView)],
    ) -> Vec<Candidate> {
        let turn = if strategy::takes_turns(group) && !usable.is_empty() { self.turn(world, group).await } else { 0 };
        let order = self.places(world, group, usable, turn);
        let candidate = |i: usize| Candidate { deployment: Arc::clone(&usable[i].0), cooldown: Regard::Heed };
        order.into_iter().map(candidate).collect()
    }

    async fn turn(&self, world: &World, group: &ModelGroup) -> u64 {
        match self.turn.get() {
            Some(turn) => *turn,
            None => {
                let turn = world.state().ticket(group.name.as_str()).await;
                *self.turn.get_or_init(|| turn)
            }
        }
    }

    /// What to reserve: `input`, and the client's bound on output, else what is usual here.
    fn reservation(&self, fit: &[Arc<Deployment>], views: &[DeploymentView], input: u32) -> Tokens {
        let usual = views.iter().filter_map(|view| view.latency).map(|latency| latency.tokens).fold(0.0, f64::max);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive count; casts saturate"
        )]
        let learned = if usual > 0.0 { (usual * 1.5).ceil() as u32 } else { UNKNOWN_OUTPUT };
        let longest = fit.iter().filter_map(|d| d.max_output_tokens).max().unwrap_or(u32::MAX);
        Estimate { input, ..self.request.estimate }.reservation(learned.min(longest))
    }

    /// Why nobody was granted, as the client is told.
    fn refused(&self, world: &World, group: &ModelGroup, refusal: Refusal, asked: &[Arc<Deployment>]) -> Failure {
        let now = world.now();
        // Looked at again: the place of a probe may have gone to somebody else in the meantime.
        let views = world.state().view(asked, now);
        let rate_limited = views.iter().any(|view| candidates::rests_for(view) == Some(FailureKind::RateLimited));
        let back = views.iter().filter_map(candidates::back_at).chain(refusal.retry_at).min();
        let retry_after = back.map(|at| at.since(now));
        let least_bad = self.table.routing.when_all_cooling == WhenAllCooling::LeastBad;
        let (kind, why) = match refusal.cause {
            RefusalCause::AtLimit => (FailureKind::AtLimit, "every deployment is at its limit"),
            // The provider's limit is a limit, whoever counts it.
            RefusalCause::AllCooling if rate_limited && least_bad => {
                (FailureKind::AtLimit, "every deployment is at its provider's rate limit")
            }
            RefusalCause::AllCooling => (FailureKind::AllCooling, "every deployment is cooling down or drained"),
        };
        let mut message = format!("No deployments available for {}: {why}.", group.name);
        if let Some(after) = retry_after {
            message.push_str(&format!(" Try again in {} seconds.", after.as_secs_f64().ceil().max(1.0)));
        }
        Failure { retry_after, ..Failure::new(kind, message) }
    }
}

fn admitted(group: &ModelGroup, candidates: &[Candidate], grant: Grant) -> Admitted {
    let deployment = Arc::clone(&candidates[grant.candidate].deployment);
    Admitted { deployment, grant, peers: Arc::clone(&group.peers) }
}

#[cfg(test)]
mod tests;
