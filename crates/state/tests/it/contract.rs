//! What every store promises, asked through the trait alone. A new store is one more line in [`Kind`].

use std::sync::Arc;
use std::time::Duration;

use crate::support::Shared;
use futures_util::FutureExt;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::event::{Line, Silent};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{ChargeBasis, Feedback, Left, Limits, Smoothing, Tokens};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};
use weighbridge_state::memory::MemoryStore;
use weighbridge_state::{
    Admission, Answer, Candidate, Claim, Grant, LatencySample, Outcome, Refusal, RefusalCause, Regard, Reserve,
    Settlement, SharedState,
};

/// Runs `promise` against every store, at a time that is not the beginning of a second.
fn on_every_store(promise: impl Fn(&Bench)) {
    for kind in Kind::ALL {
        promise(&Bench::new(kind));
    }
}

/// The stores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    Redis,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Memory, Self::Redis];
}

/// A store, fresh, and short words for asking it.
struct Bench {
    store: Arc<dyn SharedState>,
    start: Timestamp,
    shared: Option<Shared>,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        let start = Timestamp::from_millis(1_000_000_250);
        match kind {
            Kind::Memory => Self { store: Arc::new(MemoryStore::new(Arc::new(Silent))), start, shared: None },
            Kind::Redis => {
                let shared = Shared::start(start);
                Self { store: Arc::clone(&shared.store) as Arc<dyn SharedState>, start, shared: Some(shared) }
            }
        }
    }

    /// The answer of the store.
    fn answer<T>(&self, answer: Answer<'_, T>) -> T {
        match &self.shared {
            Some(shared) => shared.runtime.block_on(answer),
            None => answer.now_or_never().expect("an embedded store answers at once"),
        }
    }

    /// Waits until what was said has been taken in.
    fn settled(&self) {
        if let Some(shared) = &self.shared {
            shared.runtime.block_on(shared.store.settled());
        }
    }

    /// `seconds` after the start.
    fn at(&self, seconds: f64) -> Timestamp {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn ask(&self, deployments: &[&Arc<Deployment>], regard: Regard, output: u32, seconds: f64) -> Admission {
        let candidates: Vec<Candidate> =
            deployments.iter().map(|d| Candidate { deployment: Arc::clone(d), cooldown: regard }).collect();
        let tokens = Tokens { input: 10, output };
        self.answer(self.store.reserve(Reserve { candidates: &candidates, tokens }, self.at(seconds)))
    }

    fn grant(&self, deployment: &Arc<Deployment>, seconds: f64) -> Grant {
        match self.ask(&[deployment], Regard::Heed, 0, seconds) {
            Admission::Granted(grant) => grant,
            Admission::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    fn refusal(&self, deployment: &Arc<Deployment>, seconds: f64) -> Refusal {
        match self.ask(&[deployment], Regard::Heed, 0, seconds) {
            Admission::Refused(refusal) => refusal,
            Admission::Granted(grant) => panic!("granted: {grant:?}"),
        }
    }

    fn settle(&self, deployment: &Arc<Deployment>, grant: Grant, used: Option<Tokens>, outcome: Outcome, seconds: f64) {
        let peers: Arc<[DeploymentId]> = Arc::from(["a".into(), "b".into()]);
        let settlement = Settlement { grant, deployment: Arc::clone(deployment), used, outcome, peers };
        self.store.settle(settlement, self.at(seconds));
        self.settled();
    }

    /// One request that fails.
    fn fail(&self, deployment: &Arc<Deployment>, verdict: CooldownVerdict, seconds: f64) {
        let grant = self.grant(deployment, seconds);
        self.settle(deployment, grant, None, Outcome::Failure { kind: FailureKind::ServerError, verdict }, seconds);
    }

    /// One request that is answered.
    fn succeed(&self, deployment: &Arc<Deployment>, seconds: f64) {
        let grant = self.grant(deployment, seconds);
        self.settle(deployment, grant, None, Outcome::Success { sample: None }, seconds);
    }

    fn adopt(&self, deployments: &[&Arc<Deployment>], seconds: f64) {
        let mut table = RoutingTable::default();
        let deployments = deployments.iter().map(|deployment| Arc::clone(deployment)).collect();
        table.add_group(ModelGroup::new("g", deployments));
        self.store.adopt(&table, self.at(seconds));
    }

    fn view(&self, deployment: &Arc<Deployment>, seconds: f64) -> DeploymentView {
        self.store.view(std::slice::from_ref(deployment), self.at(seconds))[0]
    }

    fn is_ready(&self, deployment: &Arc<Deployment>, seconds: f64) -> bool {
        self.view(deployment, seconds).health == Health::Ready
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const AT_ONCE: CooldownVerdict = CooldownVerdict::AtOnce(MINUTE);
const BY_SHARE: CooldownVerdict = CooldownVerdict::ByShare(MINUTE);

fn deployment(id: &str, limits: Limits) -> Arc<Deployment> {
    let endpoint = Endpoint::new("openai", "http://localhost/v1");
    Arc::new(Deployment { limits, ..Deployment::new(id, "g", ModelTemplate::new("m"), endpoint) })
}

fn unlimited(id: &str) -> Arc<Deployment> {
    deployment(id, Limits::default())
}

fn rpm(id: &str, rpm: u32) -> Arc<Deployment> {
    deployment(id, Limits { rpm: Some(rpm), ..Limits::default() })
}

#[test]
fn a_limit_of_n_serves_n_and_says_when_the_next_fits() {
    on_every_store(|bench| {
        let a = rpm("a", 3);
        for _ in 0..3 {
            bench.succeed(&a, 0.0);
        }
        let refusal = bench.refusal(&a, 10.0);
        assert_eq!(refusal.cause, RefusalCause::AtLimit);
        let back = refusal.retry_at.unwrap();
        // The bucket of the grant's second leaves the window one minute after that second ended.
        assert_eq!(back, Timestamp::from_millis(1_000_061_000));
        assert!(matches!(bench.ask(&[&a], Regard::Heed, 0, 60.749), Admission::Refused(_)));
        bench.succeed(&a, 60.75);
    });
}

#[test]
fn many_at_once_get_exactly_what_there_is() {
    on_every_store(|bench| {
        let limited = deployment("a", Limits { rpm: Some(1000), tpm: Some(50_000), ..Limits::default() });
        let now = Timestamp::from_millis(5_000_000);
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let limited = Arc::clone(&limited);
                    scope.spawn(move || {
                        let candidates = [Candidate { deployment: limited, cooldown: Regard::Heed }];
                        let tokens = Tokens { input: 40, output: 60 };
                        let ask = || bench.store.reserve(Reserve { candidates: &candidates, tokens }, now);
                        let admissions = (0..400).map(|_| bench.answer(ask()));
                        admissions.filter(|admission| matches!(admission, Admission::Granted(_))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 500);
    });
}

#[test]
fn a_refused_request_has_consumed_nothing() {
    on_every_store(|bench| {
        let a = deployment("a", Limits { rpm: Some(2), tpm: Some(100), ..Limits::default() });
        bench.succeed(&a, 0.0);
        for _ in 0..5 {
            assert!(matches!(bench.ask(&[&a], Regard::Heed, 95, 0.0), Admission::Refused(_)));
        }
        let view = bench.view(&a, 0.0);
        assert_eq!((view.usage.requests, view.usage.tokens(), view.in_flight), (1, 10, 0));
        bench.succeed(&a, 0.0);
    });
}

#[test]
fn the_first_candidate_with_room_is_granted() {
    on_every_store(|bench| {
        let (a, b) = (rpm("a", 1), rpm("b", 1));
        let granted = |seconds| match bench.ask(&[&a, &b], Regard::Heed, 0, seconds) {
            Admission::Granted(grant) => Some(grant.candidate),
            Admission::Refused(_) => None,
        };
        assert_eq!([granted(0.0), granted(0.0), granted(0.0)], [Some(0), Some(1), None]);
    });
}

#[test]
fn places_in_flight_are_freed_once() {
    on_every_store(|bench| {
        let a = deployment("a", Limits { max_parallel_requests: Some(1), ..Limits::default() });
        let grant = bench.grant(&a, 0.0);
        let refusal = bench.refusal(&a, 1.0);
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AtLimit, None));
        bench.settle(&a, grant.clone(), None, Outcome::Neutral, 2.0);
        let second = bench.grant(&a, 2.0);
        // Settled again, it frees nobody else's place.
        bench.settle(&a, grant, None, Outcome::Neutral, 2.0);
        bench.refusal(&a, 2.0);
        bench.settle(&a, second, None, Outcome::Neutral, 2.0);
        assert_eq!(bench.view(&a, 2.0).in_flight, 0);
    });
}

#[test]
fn tokens_are_settled_by_the_providers_basis() {
    let rows = [
        (ChargeBasis::ReserveSettle, Some(30), 40),
        (ChargeBasis::ReserveMax, Some(30), 100),
        (ChargeBasis::ReserveSettle, Some(190), 200),
        (ChargeBasis::ReserveMax, Some(190), 200),
        (ChargeBasis::ReserveSettle, None, 100),
    ];
    on_every_store(|bench| {
        for (i, (basis, used, charged)) in rows.into_iter().enumerate() {
            let a = deployment(&format!("a{i}"), Limits { basis, ..Limits::default() });
            let Admission::Granted(grant) = bench.ask(&[&a], Regard::Heed, 90, 0.0) else { panic!("refused") };
            let used = used.map(|output| Tokens { input: 10, output });
            bench.settle(&a, grant, used, Outcome::Success { sample: None }, 5.0);
            assert_eq!(bench.view(&a, 5.0).usage.tokens(), charged, "row {i}");
        }
    });
}

#[test]
fn a_refund_that_comes_too_late_refunds_nothing() {
    on_every_store(|bench| {
        let a = unlimited("a");
        let Admission::Granted(grant) = bench.ask(&[&a], Regard::Heed, 90, 0.0) else { panic!("refused") };
        let Admission::Granted(_) = bench.ask(&[&a], Regard::Heed, 90, 64.0) else { panic!("refused") };
        bench.settle(&a, grant, Some(Tokens::default()), Outcome::Neutral, 64.0);
        assert_eq!(bench.view(&a, 64.0).usage.tokens(), 100);
    });
}

#[test]
fn some_failures_rest_it_at_once_and_others_never() {
    on_every_store(|bench| {
        let a = unlimited("a");
        for _ in 0..50 {
            bench.fail(&a, CooldownVerdict::Never, 0.0);
        }
        assert!(bench.is_ready(&a, 0.0));
        bench.fail(&a, AT_ONCE, 1.0);
        let refusal = bench.refusal(&a, 2.0);
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AllCooling, Some(bench.at(61.0))));
        assert!(matches!(bench.ask(&[&a], Regard::Ignore, 0, 2.0), Admission::Granted(_)));
    });
}

#[test]
fn half_of_the_outcomes_rest_it_but_never_the_last_one_left() {
    on_every_store(|bench| {
        let (a, b) = (unlimited("a"), unlimited("b"));
        for _ in 0..3 {
            bench.succeed(&a, 0.0);
        }
        bench.fail(&a, BY_SHARE, 1.0);
        bench.fail(&a, BY_SHARE, 1.0);
        assert!(bench.is_ready(&a, 1.0), "two of five");
        bench.fail(&a, BY_SHARE, 1.0);
        assert!(!bench.is_ready(&a, 1.0), "three of six");
        for _ in 0..9 {
            bench.fail(&b, BY_SHARE, 2.0);
        }
        assert!(bench.is_ready(&b, 2.0), "the last one left");
    });
}

#[test]
fn a_breaker_opens_also_where_answers_came_first() {
    let breaker = |failures, percent| CooldownVerdict::Breaker { failures, percent, least: 5, lasts: MINUTE };
    // The breaker, answers before the first failure, and the failure that opens it.
    let rows = [
        (breaker(Some(3), None), 0, 3),
        (breaker(Some(3), None), 9, 3),
        (breaker(None, Some(50)), 0, 5),
        (breaker(None, Some(50)), 3, 3),
        (breaker(Some(9), Some(40)), 6, 4),
    ];
    on_every_store(|bench| {
        for (i, (verdict, answers, opens_at)) in rows.into_iter().enumerate() {
            let a = unlimited(&format!("a{i}"));
            for _ in 0..answers {
                bench.succeed(&a, 0.0);
            }
            for failure in 1..opens_at {
                bench.fail(&a, verdict, 1.0);
                assert!(bench.is_ready(&a, 1.0), "{verdict:?}: failure {failure}");
                bench.fail(&a, CooldownVerdict::Never, 1.0);
            }
            bench.fail(&a, verdict, 1.0);
            assert_eq!(bench.refusal(&a, 2.0).retry_at, Some(bench.at(61.0)), "{verdict:?}");
            let probe = bench.grant(&a, 61.0);
            let outcome = Outcome::Failure { kind: FailureKind::ServerError, verdict };
            bench.settle(&a, probe, None, outcome, 61.0);
            let probe = bench.grant(&a, 181.0);
            assert!(probe.is_probe, "it rested twice as long");
            bench.settle(&a, probe, None, Outcome::Success { sample: None }, 181.0);
            assert!(bench.is_ready(&a, 181.0));
        }
    });
}

#[test]
fn allowed_fails_are_counted_within_the_cooldown_time() {
    on_every_store(|bench| {
        let a = unlimited("a");
        let verdict = CooldownVerdict::Allowed { allowed: 2, class: None, lasts: MINUTE };
        for seconds in [0.0, 1.0, 61.5] {
            bench.fail(&a, verdict, seconds);
            assert!(bench.is_ready(&a, seconds), "at {seconds}");
        }
        bench.fail(&a, verdict, 62.0);
        bench.fail(&a, verdict, 62.5);
        assert!(!bench.is_ready(&a, 62.5));
    });
}

#[test]
fn one_probe_decides() {
    on_every_store(|bench| {
        let a = unlimited("a");
        bench.fail(&a, AT_ONCE, 0.0);
        let probe = bench.grant(&a, 60.0);
        assert!(probe.is_probe);
        let refusal = bench.refusal(&a, 60.0);
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AllCooling, None), "the probe's answer decides");
        bench.settle(&a, probe, None, Outcome::Failure { kind: FailureKind::ServerError, verdict: BY_SHARE }, 61.0);
        // It rests at least as long again.
        bench.refusal(&a, 120.0);
        let Health::Cooling { until, .. } = bench.view(&a, 120.0).health else { panic!("not cooling") };
        assert!((bench.at(121.0)..=bench.at(61.0 + 240.0)).contains(&until));
        let later = (until - bench.start.since(Timestamp::default())).as_millis() as f64 / 1000.0 + 0.1;
        let probe = bench.grant(&a, later);
        bench.settle(&a, probe, None, Outcome::Success { sample: None }, later);
        assert!(bench.is_ready(&a, later));
    });
}

#[test]
fn a_probe_that_says_nothing_gives_its_turn_to_the_next() {
    on_every_store(|bench| {
        let a = unlimited("a");
        bench.fail(&a, AT_ONCE, 0.0);
        let probe = bench.grant(&a, 61.0);
        bench.settle(&a, probe, None, Outcome::Neutral, 61.0);
        assert!(bench.grant(&a, 61.0).is_probe);
    });
}

#[test]
fn a_probe_that_was_late_does_not_give_away_the_turn_of_another() {
    on_every_store(|bench| {
        let a = unlimited("a");
        bench.fail(&a, AT_ONCE, 0.0);
        let late = bench.grant(&a, 61.0);
        // A turn lasts a minute.
        let probe = bench.grant(&a, 122.0);
        assert!(late.is_probe && probe.is_probe);
        bench.settle(&a, late, None, Outcome::Neutral, 123.0);
        bench.refusal(&a, 123.0);
        bench.settle(&a, probe, None, Outcome::Neutral, 123.0);
        assert!(bench.grant(&a, 123.0).is_probe);
    });
}

#[test]
fn an_operators_word_stands_above_all() {
    on_every_store(|bench| {
        let a = unlimited("a");
        let now = |answer| bench.answer(answer);
        now(bench.store.drain(&a.id, None, bench.at(0.0)));
        assert!(matches!(bench.ask(&[&a], Regard::Ignore, 0, 9000.0), Admission::Refused(_)));
        now(bench.store.restore(&a.id, bench.at(9000.0)));
        bench.succeed(&a, 9000.0);
        now(bench.store.drain(&a.id, Some(MINUTE), bench.at(9000.0)));
        assert_eq!(bench.refusal(&a, 9030.0).retry_at, Some(bench.at(9060.0)));
        bench.succeed(&a, 9060.0);
        bench.fail(&a, AT_ONCE, 9060.0);
        now(bench.store.restore(&a.id, bench.at(9061.0)));
        assert!(bench.is_ready(&a, 9061.0));
    });
}

#[test]
fn tickets_count_by_key() {
    on_every_store(|bench| {
        let tickets = ["x", "x", "y", "x"].map(|counter| bench.answer(bench.store.ticket(counter)));
        assert_eq!(tickets, [0, 1, 0, 2]);
    });
}

#[test]
fn a_session_keeps_what_it_was_given_until_that_is_over_or_replaced() {
    on_every_store(|bench| {
        let claim = |session, wanted, instead_of, seconds| {
            let claim = Claim { session, wanted, instead_of, lasts: MINUTE };
            bench.answer(bench.store.claim(claim, bench.at(seconds)))
        };
        assert_eq!(claim("s", "a", None, 0.0), "a");
        assert_eq!(claim("s", "b", None, 59.9), "a", "it does not begin anew");
        assert_eq!(claim("t", "b", None, 59.9), "b");
        assert_eq!(claim("s", "b", None, 60.0), "b", "over");
        assert_eq!(claim("s", "a", Some("c"), 61.0), "b", "somebody was faster");
        assert_eq!(claim("s", "a", Some("b"), 61.0), "a");
        assert_eq!(claim("s", "b", None, 120.9), "a");
        assert_eq!(claim("s", "", None, 121.0), "", "over");
    });
}

#[test]
fn records_are_kept_the_newest_first() {
    on_every_store(|bench| {
        let shown = |before: Option<&str>, most| bench.answer(bench.store.kept(before, most));
        assert!(shown(None, 9).is_empty());
        let line = |text: &str| Arc::new(text.to_owned()) as Arc<dyn Line>;
        bench.answer(bench.store.keep(["a", "b"].map(line).into()));
        bench.answer(bench.store.keep(["c", "d"].map(line).into()));
        let newest = shown(None, 3);
        assert_eq!(newest.iter().map(|kept| kept.record.as_str()).collect::<Vec<_>>(), ["d", "c", "b"]);
        let older = shown(Some(&newest[2].mark), 3);
        assert_eq!(older.iter().map(|kept| kept.record.as_str()).collect::<Vec<_>>(), ["a"]);
    });
}

#[test]
fn a_new_table_keeps_what_it_has_and_forgets_the_rest() {
    on_every_store(|bench| {
        let (a, b) = (rpm("a", 2), rpm("b", 2));
        bench.adopt(&[&a, &b], 0.0);
        bench.succeed(&a, 0.0);
        bench.succeed(&b, 0.0);
        let under_way = bench.grant(&b, 0.0);
        bench.adopt(&[&a], 1.0);
        assert_eq!(bench.view(&a, 1.0).usage.requests, 1);
        assert_eq!(bench.view(&b, 1.0).usage.requests, 2, "one is still under way");
        bench.settle(&b, under_way, None, Outcome::Neutral, 2.0);
        assert_eq!(bench.view(&b, 2.0).usage.requests, 0);
    });
}

#[test]
fn guests_are_in_no_table_and_stay_when_a_new_one_comes() {
    on_every_store(|bench| {
        let (a, guest) = (rpm("a", 2), rpm("guest", 9));
        bench.adopt(&[&a], 0.0);
        bench.succeed(&guest, 0.0);
        bench.fail(&guest, AT_ONCE, 1.0);
        bench.adopt(&[&a], 2.0);
        bench.adopt(&[], 2.0);
        assert_eq!(bench.refusal(&guest, 3.0).retry_at, Some(bench.at(61.0)));
        assert_eq!(bench.view(&guest, 3.0).usage.requests, 2);
        assert!(!bench.is_ready(&guest, 3.0));
        // One that was a member is forgotten as such.
        bench.adopt(&[&guest], 4.0);
        bench.adopt(&[], 4.0);
        assert_eq!(bench.view(&guest, 5.0).usage.requests, 0);
    });
}

#[test]
fn of_guests_the_longest_unused_are_forgotten() {
    on_every_store(|bench| {
        let guest = |number: usize| rpm(&format!("guest-{number}"), 9);
        let busy = rpm("busy", 9);
        let under_way = bench.grant(&busy, 0.0);
        for number in 0..5000 {
            let grant = bench.grant(&guest(number), 0.0);
            let deployment = guest(number);
            let peers = Arc::from([]);
            let outcome = Outcome::Success { sample: None };
            bench.store.settle(Settlement { grant, deployment, used: None, outcome, peers }, bench.at(0.0));
            assert_eq!(bench.view(&guest(number), 0.0).usage.requests, 1);
        }
        let is_known = |number| bench.view(&guest(number), 0.0).usage.requests > 0;
        let known = (0..5000).filter(|number| is_known(*number)).count();
        assert!((2048..=4096).contains(&known), "{known}");
        assert!((3000..5000).all(is_known), "the latest are known");
        assert_eq!(bench.view(&busy, 0.0).in_flight, 1);
        bench.settle(&busy, under_way, None, Outcome::Neutral, 0.0);
        assert_eq!(bench.view(&busy, 0.0).in_flight, 0);
    });
}

#[test]
fn a_fleeting_deployment_is_forgotten_with_its_last_grant() {
    on_every_store(|bench| {
        let fleeting = Arc::new(Deployment { is_fleeting: true, ..(*unlimited("f")).clone() });
        let full = rpm("a", 1);
        bench.succeed(&full, 0.0);
        let granted = || match bench.ask(&[&full, &fleeting], Regard::Heed, 0, 0.0) {
            Admission::Granted(grant) => grant,
            Admission::Refused(refusal) => panic!("{refusal:?}"),
        };
        let grants = [granted(), granted()];
        assert!(grants.iter().all(|grant| (grant.candidate, &grant.deployment) == (1, &fleeting.id)));
        let shown = |seconds| {
            let view = bench.view(&fleeting, seconds);
            (view.in_flight, view.usage.requests, view.oldest_waiting.as_secs())
        };
        assert_eq!(shown(3.0), (2, 2, 3));
        for (grant, left) in grants.into_iter().zip([(1, 2, 4), (0, 0, 0)]) {
            let outcome = Outcome::Failure { kind: FailureKind::ServerError, verdict: AT_ONCE };
            bench.settle(&fleeting, grant, None, outcome, 4.0);
            assert_eq!(shown(4.0), left);
            assert!(bench.is_ready(&fleeting, 4.0), "it never rests");
        }
    });
}

#[test]
fn speed_is_learned_from_samples() {
    on_every_store(|bench| {
        let (a, b) = (unlimited("a"), unlimited("b"));
        for (deployment, ms) in [(&a, 100), (&b, 900)] {
            let grant = bench.grant(deployment, 0.0);
            let first_token = Duration::from_millis(ms);
            let sample = LatencySample { first_token, rest: Duration::ZERO, tokens: 5, is_stream: false };
            bench.settle(deployment, grant, None, Outcome::Success { sample: Some(sample) }, 1.0);
        }
        let views = bench.store.view(&[Arc::clone(&a), Arc::clone(&b)], bench.at(1.0));
        let ms: Vec<f64> = views.iter().map(|view| view.latency.unwrap().expected_ms(5.0)).collect();
        assert!(ms[0] * 2.0 < ms[1], "{ms:?}");
    });
}

#[test]
fn the_oldest_that_waits_is_known() {
    on_every_store(|bench| {
        let a = unlimited("a");
        let first = bench.grant(&a, 0.0);
        let second = bench.grant(&a, 3.0);
        assert_eq!(bench.view(&a, 5.0).oldest_waiting, Duration::from_secs(5));
        bench.store.first_token(&first, bench.at(5.0));
        assert_eq!(bench.view(&a, 5.0).oldest_waiting, Duration::from_secs(2));
        assert_eq!(bench.view(&a, 5.0).in_flight, 2);
        bench.settle(&a, second, None, Outcome::Neutral, 6.0);
        assert_eq!(bench.view(&a, 6.0).oldest_waiting, Duration::ZERO);
    });
}

#[test]
fn deployments_of_one_quota_share_a_window() {
    on_every_store(|bench| {
        let of = |id: &str, rpm| {
            let deployment = deployment(id, Limits { rpm: Some(rpm), ..Limits::default() });
            Arc::new(Deployment { quota: "quota:east".into(), ..(*deployment).clone() })
        };
        let (a, b) = (of("a", 5), of("b", 3));
        for _ in 0..3 {
            bench.succeed(&a, 0.0);
        }
        assert_eq!(bench.refusal(&b, 0.0).cause, RefusalCause::AtLimit);
        bench.succeed(&a, 0.0);
        bench.succeed(&a, 0.0);
        bench.refusal(&a, 0.0);
        assert_eq!(bench.view(&b, 0.0).usage.requests, 5);
    });
}

#[test]
fn a_smoothed_limit_says_when_the_next_turn_is() {
    on_every_store(|bench| {
        let smoothing = Some(Smoothing { burst: Duration::from_secs(1), patience: Duration::ZERO });
        let a = deployment("a", Limits { rpm: Some(120), smoothing, ..Limits::default() });
        bench.succeed(&a, 0.0);
        bench.succeed(&a, 0.0);
        let refusal = bench.refusal(&a, 0.0);
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AtLimit, Some(bench.at(0.5))));
        bench.succeed(&a, 0.5);
        bench.refusal(&a, 0.9);
        bench.succeed(&a, 1.0);
    });
}

#[test]
fn what_a_provider_has_counted_raises_usage() {
    on_every_store(|bench| {
        let a = rpm("a", 10);
        let grant = bench.grant(&a, 0.0);
        let told =
            |amount| Feedback { requests: Some(Left { amount, resets_in: Duration::from_secs(30) }), tokens: None };
        for amount in [9, 2, 2, 8] {
            bench.store.observe(&a, told(amount), grant.counted(), bench.at(1.0));
        }
        bench.settle(&a, grant, None, Outcome::Neutral, 2.0);
        assert_eq!(bench.view(&a, 2.0).usage.requests, 8);
        bench.succeed(&a, 2.0);
        bench.succeed(&a, 31.0);
        assert_eq!(bench.view(&a, 31.0).usage.requests, 3, "the provider's own count is over");
    });
}
