//! How good a choice each of several deployments is: price, speed, room, health and what clients thought of it, as one
//! number. A pure function of facts, so that equal facts rank alike on every replica.

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::request::Estimate;
use weighbridge_domain::view::{DeploymentView, Health};

/// Completion tokens of a reply whose bound is not known.
const USUAL_OUTPUT: u32 = 256;
/// Opinions that are taken for granted before the first is heard, half of them good: few say little.
const PRIOR: f64 = 5.0;

/// What matters most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tradeoff {
    /// What clients thought of it, then everything else a little; `0.0` to `1.0` of the way to [`Tradeoff::Cost`].
    Quality(f64),
    /// The lowest price.
    Cost,
    /// The shortest time.
    Latency,
}

/// What is known of one that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Merit {
    /// What the request would cost, in USD; `None` when no price is known.
    pub price: Option<f64>,
    /// How long the reply would take, in ms; `None` when it was never measured.
    pub latency_ms: Option<f64>,
    /// The part of its limits that is free, from 0 to 1.
    pub headroom: f64,
    /// 1 for one that may be asked, less for one on probation, 0 for one that rests, is full or too small.
    pub health: f64,
    /// What clients thought of it, from 0 to 1; 0.5 when nobody said.
    pub liked: f64,
}

/// What a client says of a model in place of what is configured and measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// USD per prompt token.
    pub input_price: Option<f64>,
    /// USD per completion token.
    pub output_price: Option<f64>,
    /// Seconds a reply takes.
    pub latency: Option<f64>,
    /// The longest prompt, in tokens.
    pub context: Option<u32>,
}

/// What clients reported of a model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Repute {
    /// Good opinions.
    pub good: f64,
    /// Bad opinions.
    pub bad: f64,
    /// Completion tokens per second, as they measured them.
    pub tokens_per_second: Option<f64>,
}

impl Repute {
    /// From 0 to 1: the share of good opinions, drawn to the middle while there are few.
    pub fn liked(&self) -> f64 {
        (self.good + PRIOR) / (self.good + self.bad + 2.0 * PRIOR)
    }
}

/// What is known of `deployment` for a request of `estimate`. A client's `figures` win; what clients reported counts
/// where nothing was measured.
pub fn merit(
    deployment: &Deployment,
    view: &DeploymentView,
    estimate: Estimate,
    figures: &Figures,
    repute: &Repute,
) -> Merit {
    let output = estimate.output.unwrap_or(USUAL_OUTPUT);
    let input_price = figures.input_price.or(deployment.price.map(|price| price.input));
    let output_price = figures.output_price.or(deployment.price.map(|price| price.output));
    let cost = |(input, reply): (f64, f64)| f64::from(estimate.input) * input + f64::from(output) * reply;
    let measured = || view.latency.map(|latency| latency.expected_ms(f64::from(output)));
    let reported = || repute.tokens_per_second.map(|speed| f64::from(output) / speed * 1000.0);
    let fits = figures.context.or(deployment.max_input_tokens).is_none_or(|longest| estimate.input <= longest);
    let headroom = headroom(deployment, view, estimate.input, output);
    let health = match view.health {
        Health::Ready => 1.0,
        Health::HalfOpen { is_probed: false, .. } => 0.5,
        Health::HalfOpen { .. } | Health::Cooling { .. } | Health::Drained { .. } => 0.0,
    };
    Merit {
        price: input_price.zip(output_price).map(cost),
        latency_ms: figures.latency.map(|seconds| seconds * 1000.0).or_else(measured).or_else(reported),
        headroom: headroom.unwrap_or_default(),
        health: if fits && headroom.is_some() { health } else { 0.0 },
        liked: repute.liked(),
    }
}

/// A score for each of `merits`, from 0 to 1, the higher the better; 0 is for those that cannot be asked.
pub fn scores(merits: &[Merit], tradeoff: Tradeoff) -> Vec<f64> {
    // Against whoever cannot be asked nobody is measured.
    let choices = || merits.iter().filter(|merit| merit.health > 0.0);
    let prices = Span::of(choices().filter_map(|merit| merit.price));
    let latencies = Span::of(choices().filter_map(|merit| merit.latency_ms));
    let [by_price, by_speed, by_room, by_liking] = weights(tradeoff);
    let score = |merit: &Merit| {
        // An unknown price may be any; what was never measured may well be good.
        let cheap = merit.price.map_or(0.0, |price| prices.low(price));
        let fast = merit.latency_ms.map_or(0.5, |ms| latencies.low(ms));
        let all = by_price * cheap + by_speed * fast + by_room * merit.headroom + by_liking * merit.liked;
        merit.health * all
    };
    merits.iter().map(score).collect()
}

/// What price, speed, room and liking weigh; 1 together.
fn weights(tradeoff: Tradeoff) -> [f64; 4] {
    const QUALITY: [f64; 4] = [0.15, 0.15, 0.2, 0.5];
    const COST: [f64; 4] = [0.85, 0.05, 0.05, 0.05];
    match tradeoff {
        Tradeoff::Cost => COST,
        Tradeoff::Latency => [0.05, 0.85, 0.05, 0.05],
        Tradeoff::Quality(way) => std::array::from_fn(|i| QUALITY[i] + (COST[i] - QUALITY[i]) * way.clamp(0.0, 1.0)),
    }
}

/// The free part of the scarcest limit; `None` when the request does not fit into one of them.
#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^53")]
fn headroom(deployment: &Deployment, view: &DeploymentView, input: u32, output: u32) -> Option<f64> {
    let (limits, usage) = (&deployment.limits, &view.usage);
    let (input, output) = (u64::from(input), u64::from(output));
    let rows = [
        (limits.rpm, u64::from(usage.requests), 1),
        (limits.tpm, usage.tokens(), input + output),
        (limits.itpm, usage.input, input),
        (limits.otpm, usage.output, output),
        (limits.max_parallel_requests, u64::from(view.in_flight), 1),
    ];
    let mut free = 1.0_f64;
    for (limit, used, more) in rows {
        let Some(limit) = limit.map(u64::from) else { continue };
        // One that is too large by itself may go alone.
        if used.saturating_add(more) > limit && (used > 0 || limit == 0) {
            return None;
        }
        free = free.min(1.0 - used as f64 / (limit as f64).max(1.0));
    }
    Some(free.max(0.0))
}

/// The least and the most of several numbers.
struct Span {
    least: f64,
    most: f64,
}

impl Span {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let empty = Self { least: f64::INFINITY, most: f64::NEG_INFINITY };
        numbers.fold(empty, |span, number| Self { least: span.least.min(number), most: span.most.max(number) })
    }

    /// 1 for the least, 0 for the most; 1 where all are equal.
    fn low(&self, number: f64) -> f64 {
        let width = self.most - self.least;
        if width > 0.0 { (self.most - number) / width } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::request::Estimate;
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::usage::Price;
    use weighbridge_domain::view::Health;

    use super::{Figures, Merit, Repute, Tradeoff, merit, scores};
    use crate::strategy::sample::{busy, deployment, paced, view};

    /// Places by score, the best first, ties as they stand.
    fn ranked(merits: &[Merit], tradeoff: Tradeoff) -> Vec<usize> {
        let scores = scores(merits, tradeoff);
        let mut order: Vec<usize> = (0..merits.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order
    }

    const PLAIN: Merit = Merit { price: Some(1.0), latency_ms: Some(500.0), headroom: 1.0, health: 1.0, liked: 0.5 };

    #[test]
    fn what_matters_most_decides() {
        let cheap = Merit { price: Some(0.1), latency_ms: Some(900.0), ..PLAIN };
        let fast = Merit { price: Some(2.0), latency_ms: Some(100.0), ..PLAIN };
        let liked = Merit { liked: 0.9, ..PLAIN };
        let all = [cheap, fast, liked];
        assert_eq!(ranked(&all, Tradeoff::Cost)[0], 0);
        assert_eq!(ranked(&all, Tradeoff::Latency)[0], 1);
        assert_eq!(ranked(&all, Tradeoff::Quality(0.0))[0], 2);
        assert_eq!(ranked(&all, Tradeoff::Quality(1.0)), ranked(&all, Tradeoff::Cost));
    }

    #[test]
    fn whoever_cannot_be_asked_is_last_and_equals_stay_in_order() {
        let resting = Merit { price: Some(0.0), health: 0.0, ..PLAIN };
        let probed = Merit { health: 0.5, ..PLAIN };
        let unknown = Merit { price: None, ..PLAIN };
        assert_eq!(ranked(&[resting, probed, PLAIN, unknown, PLAIN], Tradeoff::Cost), [2, 4, 1, 3, 0]);
        assert_eq!(scores(&[resting], Tradeoff::Cost), [0.0]);
        let scores = scores(&[PLAIN, Merit { headroom: 0.3, ..PLAIN }], Tradeoff::Quality(0.0));
        assert!(scores[0] > scores[1] && scores[0] <= 1.0);
    }

    #[test]
    fn few_opinions_say_little() {
        let liked = |good, bad| Repute { good, bad, tokens_per_second: None }.liked();
        assert!((liked(0.0, 0.0) - 0.5).abs() < 1e-9);
        assert!(liked(1.0, 0.0) < 0.6 && liked(100.0, 0.0) > 0.9 && liked(0.0, 1.0) > 0.4);
    }

    #[test]
    fn facts_become_merits() {
        let priced = |edit: fn(&mut weighbridge_domain::deployment::Deployment)| {
            deployment("d", |d| {
                d.price = Some(Price { input: 1e-6, output: 2e-6, ..Price::default() });
                d.max_input_tokens = Some(1000);
                edit(d);
            })
        };
        let estimate = Estimate { input: 100, output: Some(50) };
        let of = |d, view, figures| merit(d, &view, estimate, &figures, &Repute::default());
        let plain = priced(|_| {});
        let idle = view(Health::Ready);
        let known = of(&plain, idle, Figures::default());
        assert!((known.price.unwrap() - 200e-6).abs() < 1e-12);
        assert_eq!((known.latency_ms, known.headroom, known.health), (None, 1.0, 1.0));
        assert_eq!(of(&plain, paced(80.0, 0), Figures::default()).latency_ms, Some(80.0));

        let figures =
            Figures { latency: Some(2.0), context: Some(99), input_price: Some(0.0), output_price: Some(0.0) };
        let told = of(&plain, paced(80.0, 0), figures);
        assert_eq!((told.price, told.latency_ms, told.health), (Some(0.0), Some(2000.0), 0.0));
        let repute = Repute { tokens_per_second: Some(100.0), ..Repute::default() };
        assert_eq!(merit(&plain, &idle, estimate, &Figures::default(), &repute).latency_ms, Some(500.0));

        let limited = priced(|d| d.limits.tpm = Some(1000));
        assert_eq!(of(&limited, busy(0, 500), Figures::default()).headroom, 0.5);
        assert_eq!(of(&limited, busy(0, 900), Figures::default()).health, 0.0, "150 more do not fit");
        let tiny = priced(|d| d.limits.tpm = Some(100));
        assert_eq!(of(&tiny, busy(0, 0), Figures::default()).health, 1.0, "it may go alone");
        let until = Timestamp::from_millis(9);
        let cooling = view(Health::Cooling { until, cause: FailureKind::ServerError });
        assert_eq!(of(&plain, cooling, Figures::default()).health, 0.0);
    }
}
