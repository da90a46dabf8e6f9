//! Deployments of every kind, and how much is asked of them: drawn from a seed.

use std::collections::HashMap;
use std::sync::Arc;

use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{ChargeBasis, Limits};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::table::RoutingTable;

/// Tokens that a request reserves, on average.
const TOKENS: f64 = 300.0;

/// What there is to be asked.
#[derive(Debug)]
pub struct World {
    /// All deployments.
    pub deployments: Vec<Arc<Deployment>>,
    /// The window of each.
    pub window_of: Vec<usize>,
    /// All windows.
    pub windows: Vec<QuotaName>,
    /// All groups.
    pub groups: Vec<Group>,
    by_id: HashMap<DeploymentId, usize>,
}

/// Deployments that serve one name.
#[derive(Debug, Clone)]
pub struct Group {
    /// Their places.
    pub members: Vec<usize>,
    /// Requests a second that the fleet is asked for.
    pub demand: f64,
    /// What it is there for.
    pub kind: Kind,
    /// Their ids.
    pub peers: Arc<[DeploymentId]>,
}

/// What a group is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests per minute are asked for beyond the limit, and nothing fails: all of the limit must be used.
    Full,
    /// Limits of every sort, and everything happens to its requests.
    Mixed,
    /// Tokens per minute are asked for beyond the limit.
    Tokens,
    /// Requests in flight are asked for beyond the limit.
    Parallel,
    /// Deployments that share a window.
    Shared,
}

const KINDS: [Kind; 5] = [Kind::Full, Kind::Mixed, Kind::Tokens, Kind::Parallel, Kind::Shared];

impl World {
    /// A world of `count` deployments.
    pub fn new(count: usize, dice: &mut fastrand::Rng) -> Self {
        let mut world = Self {
            deployments: Vec::with_capacity(count),
            window_of: Vec::with_capacity(count),
            windows: Vec::new(),
            groups: Vec::new(),
            by_id: HashMap::new(),
        };
        while world.deployments.len() < count {
            let kind = KINDS[world.groups.len() % KINDS.len()];
            world.add_group(kind, count, dice);
        }
        world
    }

    /// The table that replicas work by.
    pub fn table(&self) -> RoutingTable {
        let mut table = RoutingTable::default();
        for (number, group) in self.groups.iter().enumerate() {
            let members = group.members.iter().map(|at| Arc::clone(&self.deployments[*at])).collect();
            table.add_group(ModelGroup::new(group_name(number).as_str(), members));
        }
        table
    }

    /// Whether a deployment shares its window with others.
    pub fn is_shared(&self, deployment: usize) -> bool {
        let Deployment { id, quota, .. } = &*self.deployments[deployment];
        quota.as_str() != id.as_str()
    }

    /// The place of a deployment.
    pub fn place(&self, id: &DeploymentId) -> usize {
        self.by_id[id]
    }

    /// Each window, with a deployment that is counted in it.
    pub fn one_of_each_window(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = self.window_of.iter().enumerate().map(|(at, window)| (*window, at)).collect();
        pairs.dedup_by_key(|(window, _)| *window);
        pairs
    }

    /// Requests a second in all.
    pub fn demand(&self) -> f64 {
        self.groups.iter().map(|group| group.demand).sum()
    }

    fn add_group(&mut self, kind: Kind, count: usize, dice: &mut fastrand::Rng) {
        let number = self.groups.len();
        let size = dice.usize(1..=5).min(count - self.deployments.len());
        let members: Vec<usize> = (self.deployments.len()..self.deployments.len() + size).collect();
        let mut capacity = 0.0_f64;
        for at in &members {
            let (limits, served) = limits(kind, dice);
            let id = format!("d{at:04}");
            let quota = if kind == Kind::Shared { QuotaName::new(format!("q{number:04}")) } else { id.as_str().into() };
            capacity = if kind == Kind::Shared { capacity.max(served) } else { capacity + served };
            let (group, endpoint) = (group_name(number), Endpoint::new("simulated", "http://localhost"));
            let deployment = Deployment::new(id.as_str(), group.as_str(), ModelTemplate::new("model"), endpoint);
            self.add(Deployment { limits, quota, ..deployment });
        }
        let factor = match kind {
            Kind::Full | Kind::Tokens | Kind::Parallel => 1.4 + dice.f64() * 0.6,
            Kind::Mixed | Kind::Shared => 0.4 + dice.f64() * 1.2,
        };
        let peers = members.iter().map(|at| self.deployments[*at].id.clone()).collect();
        self.groups.push(Group { members, demand: capacity * factor / 60.0, kind, peers });
    }

    fn add(&mut self, deployment: Deployment) {
        if self.windows.last() != Some(&deployment.quota) {
            self.windows.push(deployment.quota.clone());
        }
        self.window_of.push(self.windows.len() - 1);
        self.by_id.insert(deployment.id.clone(), self.deployments.len());
        self.deployments.push(Arc::new(deployment));
    }
}

fn group_name(number: usize) -> String {
    format!("g{number:04}")
}

/// Limits of a deployment, and how many requests a minute they let through.
fn limits(kind: Kind, dice: &mut fastrand::Rng) -> (Limits, f64) {
    let rpm = rpm(dice);
    let requests = f64::from(rpm);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let tpm = (requests * TOKENS * (0.7 + dice.f64())).max(2000.0) as u32;
    let basis = if dice.bool() { ChargeBasis::ReserveSettle } else { ChargeBasis::ReserveMax };
    let none = Limits { basis, ..Limits::default() };
    match kind {
        Kind::Full => (Limits { rpm: Some(rpm), ..none }, requests),
        Kind::Tokens => (Limits { tpm: Some(tpm), ..none }, f64::from(tpm) / TOKENS),
        Kind::Parallel => {
            let parallel = dice.u32(1..=8);
            // A place serves a request every three seconds.
            (Limits { max_parallel_requests: Some(parallel), ..none }, f64::from(parallel) * 20.0)
        }
        Kind::Mixed | Kind::Shared => {
            let limits = Limits {
                rpm: Some(rpm),
                tpm: dice.bool().then_some(tpm),
                itpm: (dice.u32(..4) == 0).then_some(tpm / 2),
                otpm: (dice.u32(..4) == 0).then_some(tpm),
                max_parallel_requests: (dice.u32(..3) == 0).then(|| dice.u32(1..=20)),
                ..none
            };
            (limits, requests)
        }
    }
}

/// From one to thousands; most are small.
fn rpm(dice: &mut fastrand::Rng) -> u32 {
    match dice.u32(..1000) {
        0..400 => dice.u32(1..=6),
        400..750 => dice.u32(6..=30),
        750..950 => dice.u32(30..=120),
        950..992 => dice.u32(120..=500),
        _ => dice.u32(500..=3000),
    }
}
