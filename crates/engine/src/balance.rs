//! Which share of a balance a request gets: in turn, by chance or as its session has it, of those that do not rest.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::plan::{Balance, Bounds, Draw, Plan, Sticky};
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;
use weighbridge_routing::{adaptive, candidates, condition, sessions};
use weighbridge_state::Claim;

use crate::plan::facts;
use crate::world::World;

/// What one request has come to at a balance.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// The share it goes by.
    pub(crate) place: Option<usize>,
    /// The turn it has taken.
    turn: Option<u64>,
    /// Shares at which everybody rested.
    refused: Vec<usize>,
}

/// One request before balances.
#[derive(Clone, Copy)]
pub(crate) struct Chooser<'a> {
    pub(crate) world: &'a World,
    pub(crate) table: &'a RoutingTable,
    pub(crate) request: &'a Request,
}

impl Chooser<'_> {
    /// Chooses the share that the request gets. When all shares rest it is as if none did.
    pub(crate) async fn choose(&self, balance: &Balance, choice: &mut Choice) {
        let place = match &balance.draw {
            Draw::Turns => self.in_turn(balance, choice).await,
            Draw::Random => sessions::drawn(&weights(balance), &self.open(balance, choice), self.world.roll()),
            Draw::Adaptive(bounds) => {
                sessions::drawn(&self.adapted(balance, *bounds), &self.open(balance, choice), self.world.roll())
            }
            Draw::Sticky(sticky) => match self.session(balance, sticky) {
                Some(session) => self.keep_to(balance, sticky, &session, &self.open(balance, choice)).await,
                None => self.in_turn(balance, choice).await,
            },
        };
        choice.place = Some(place);
    }

    /// The place of the share that the next request would get, by all that is known without asking: the first turn, or
    /// what its session is given when it has nothing yet.
    pub(crate) fn expected(&self, balance: &Balance) -> Option<usize> {
        let choice = Choice::default();
        let session = match &balance.draw {
            Draw::Sticky(sticky) => self.session(balance, sticky),
            Draw::Turns | Draw::Random | Draw::Adaptive(_) => None,
        };
        match session {
            Some(session) => Some(sessions::preferred(balance, &self.open(balance, &choice), &session)),
            None => self.whose_turn(balance, &choice, 0),
        }
    }

    /// Takes a choice back when everybody rests at the share it came to, and another is left to choose. Says whether
    /// that is so.
    pub(crate) fn undo(&self, balance: &Balance, choice: &mut Choice) -> bool {
        let Some(place) = choice.place else { return false };
        choice.refused.push(place);
        let has_another = (0..balance.shares.len()).any(|place| self.is_open(balance, choice, place));
        if has_another {
            choice.place = None;
        }
        has_another
    }

    /// Whether nobody is left to ask at the share that `choice` came to, when its first stop has refused.
    pub(crate) fn is_over(&self, balance: &Balance, choice: &Choice) -> bool {
        let share = choice.place.and_then(|place| balance.shares.get(place));
        share.is_some_and(|share| match &share.plan {
            Plan::Group { .. } | Plan::Target { .. } | Plan::Brought { .. } => true,
            plan => rests(self.world, self.table, plan),
        })
    }

    /// Which shares may be chosen; all that have a weight, when none may.
    fn open(&self, balance: &Balance, choice: &Choice) -> Vec<bool> {
        let open: Vec<bool> = (0..balance.shares.len()).map(|place| self.is_open(balance, choice, place)).collect();
        if open.contains(&true) { open } else { balance.shares.iter().map(|share| share.weight > 0.0).collect() }
    }

    fn is_open(&self, balance: &Balance, choice: &Choice, place: usize) -> bool {
        let share = &balance.shares[place];
        share.weight > 0.0 && !choice.refused.contains(&place) && !rests(self.world, self.table, &share.plan)
    }

    async fn in_turn(&self, balance: &Balance, choice: &mut Choice) -> usize {
        let turn = match choice.turn {
            Some(turn) => turn,
            None => *choice.turn.insert(self.world.state().ticket(&balance.key).await),
        };
        self.whose_turn(balance, choice, turn).unwrap_or_default()
    }

    /// Whose turn it is, or whose it is next when that one may not be chosen.
    fn whose_turn(&self, balance: &Balance, choice: &Choice, turn: u64) -> Option<usize> {
        let first = balance.rotation.at(turn)?;
        if self.is_open(balance, choice, first) {
            return Some(first);
        }
        let next = balance.rotation.order_from(turn).into_iter().find(|place| self.is_open(balance, choice, *place));
        next.or(Some(first))
    }

    /// The weights of `balance`, shifted to whoever has been fast.
    fn adapted(&self, balance: &Balance, bounds: Bounds) -> Vec<f64> {
        let askable: Vec<_> = balance.shares.iter().map(|share| first_asked(self.table, &share.plan)).collect();
        // Looked at together, so that what is known of one that was not asked for long draws towards the others.
        let all: Vec<_> = askable.iter().flatten().cloned().collect();
        let mut views = self.world.state().view(&all, self.world.now()).into_iter();
        let expected: Vec<Option<f64>> = askable
            .iter()
            .map(|deployments| {
                let known: Vec<f64> = views
                    .by_ref()
                    .take(deployments.len())
                    .filter_map(|view| view.latency)
                    .map(|latency| latency.expected_ms(latency.tokens))
                    .collect();
                let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
                (count > 0).then(|| known.iter().sum::<f64>() / f64::from(count))
            })
            .collect();
        let factors = adaptive::factors(&expected, bounds);
        balance.shares.iter().zip(factors).map(|(share, factor)| share.weight * factor).collect()
    }

    /// What the session has, unless that is gone or rests; then it is given another.
    async fn keep_to(&self, balance: &Balance, sticky: &Sticky, session: &str, open: &[bool]) -> usize {
        let place_of = |mark: &str| {
            let place = balance.shares.iter().position(|share| &*share.mark == mark)?;
            open[place].then_some(place)
        };
        let wanted = sessions::preferred(balance, open, session);
        let mark = balance.shares[wanted].mark.as_ref();
        let claim = Claim { session, wanted: mark, instead_of: None, lasts: sticky.lasts };
        let given = self.world.state().claim(claim, self.world.now()).await;
        if let Some(place) = place_of(&given) {
            return place;
        }
        let claim = Claim { instead_of: Some(&given), ..claim };
        let given = self.world.state().claim(claim, self.world.now()).await;
        place_of(&given).unwrap_or(wanted)
    }

    /// The name of the request's session; `None` when nothing tells it from others.
    fn session(&self, balance: &Balance, sticky: &Sticky) -> Option<String> {
        let config = self.request.controls.config.as_ref()?;
        let facts = facts(self.request);
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(&balance.key);
        add(config.tenant.as_ref().map_or("", |tenant| tenant.reveal()));
        let mut is_told = config.tenant.is_some();
        for (number, field) in sticky.fields.iter().enumerate() {
            if let Some(value) = condition::lookup(field, &facts) {
                add(&number.to_string());
                add(&value.to_string());
                is_told = true;
            }
        }
        let digest = hash.finalize();
        let half = digest.first_chunk::<16>().filter(|_| is_told)?;
        Some(format!("{:032x}", u128::from_be_bytes(*half)))
    }
}

fn weights(balance: &Balance) -> Vec<f64> {
    balance.shares.iter().map(|share| share.weight).collect()
}

/// The deployments one of which is asked first at `plan`; nobody where that depends on the request.
fn first_asked(table: &RoutingTable, plan: &Plan) -> Vec<Arc<Deployment>> {
    match plan {
        Plan::Group { group, level, .. } => {
            let deployments = table.group(group).into_iter().flat_map(|group| &group.deployments);
            deployments.filter(|deployment| level.is_none_or(|level| deployment.order == level)).cloned().collect()
        }
        Plan::Target { deployment, .. } => table.deployment(deployment.as_str()).into_iter().cloned().collect(),
        Plan::Brought { group, .. } => group.deployments.clone(),
        Plan::Fallback { children, .. } => children.first().map_or_else(Vec::new, |child| first_asked(table, child)),
        Plan::LoadBalance(balance) => balance.shares.iter().flat_map(|share| first_asked(table, &share.plan)).collect(),
        Plan::Asked { .. } | Plan::Conditional { .. } => Vec::new(),
    }
}

/// Whether nobody could be asked at `plan` now.
fn rests(world: &World, table: &RoutingTable, plan: &Plan) -> bool {
    match plan {
        Plan::Group { group, level, .. } => table.group(group).is_some_and(|group| {
            let is_meant = |deployment: &&Arc<Deployment>| level.is_none_or(|level| deployment.order == level);
            all_rest(world, group.deployments.iter().filter(is_meant))
        }),
        Plan::Brought { group, .. } => {
            group.deployments.iter().any(|deployment| !deployment.is_fleeting)
                && all_rest(world, group.deployments.iter())
        }
        // One that is asked for by its id is asked whether it rests or not.
        Plan::Target { .. } | Plan::Asked { .. } | Plan::Conditional { .. } => false,
        Plan::Fallback { children, .. } => children.iter().all(|child| rests(world, table, child)),
        Plan::LoadBalance(balance) => {
            let mut shares = balance.shares.iter().filter(|share| share.weight > 0.0);
            shares.all(|share| rests(world, table, &share.plan))
        }
    }
}

/// Looks at no more of them than it takes to find one that may be asked: that is the first, as a rule.
fn all_rest<'a>(world: &World, mut deployments: impl Iterator<Item = &'a Arc<Deployment>>) -> bool {
    let now = world.now();
    !deployments
        .any(|deployment| world.state().view(std::slice::from_ref(deployment), now).iter().any(candidates::is_usable))
}
