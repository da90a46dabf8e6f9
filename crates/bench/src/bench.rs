//! The run: rounds, and in each of them every target in every case.

use tokio::time::Instant;

use crate::args::{Args, Theme};
use crate::lengths::Lengths;
use crate::process::Others;
use crate::readings::{OTHERS_MOST, Reading, Readings};
use crate::targets::{Log, Peer, Router, State, Target, Upstream};
use crate::{say, themes};

/// Figures of one measurement, by name.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// How often something is measured at most while others use the machine.
const ATTEMPTS: usize = 3;

/// A run.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    args: &'a Args,
    /// How long everything takes.
    pub(crate) lengths: Lengths,
    /// Who answers.
    pub(crate) upstream: Upstream,
    readings: Readings,
    round: usize,
}

impl<'a> Bench<'a> {
    /// Begins one.
    pub(crate) async fn start(args: &'a Args) -> Self {
        let upstream = Upstream::start().await;
        Self { args, lengths: Lengths::of(args), upstream, readings: Readings::default(), round: 0 }
    }

    /// Everything that was read.
    pub(crate) fn into_readings(self) -> Readings {
        self.readings
    }

    /// Measures everything that was asked for.
    pub(crate) async fn run(&mut self) {
        let began = Instant::now();
        for round in 0..self.lengths.rounds {
            self.round = round;
            say(&format!("round {} of {}, {:.0?} since the begin", round + 1, self.lengths.rounds, began.elapsed()));
            let targets = self.targets().await;
            if self.wants(Theme::Chat) {
                themes::chat(self, &targets).await;
            }
            if self.wants(Theme::Limits) {
                themes::limits(self, &targets).await;
            }
            if self.wants(Theme::Streams) {
                themes::streams(self, &targets).await;
            }
            if self.wants(Theme::Redis) {
                themes::redis(self, &targets).await;
            }
            if self.wants(Theme::Latency) {
                themes::latency(self, &targets).await;
            }
            drop(targets);
            if self.wants(Theme::Memory) {
                themes::memory(self).await;
            }
        }
    }

    /// Whether it is to be measured.
    pub(crate) fn wants(&self, theme: Theme) -> bool {
        self.args.wants(theme)
    }

    /// Who is there all the time; they stand still until they are measured.
    async fn targets(&mut self) -> Vec<Target> {
        let mut targets = Vec::new();
        targets.extend(self.begun(Peer::NGINX).await);
        targets.extend(self.begun(Router::EMBEDDED).await);
        if self.wants(Theme::Chat) {
            targets.extend(self.begun(Router::LOGGING).await);
        }
        if self.wants(Theme::Peers) {
            targets.extend(self.begun(Peer::PORTKEY).await);
            targets.extend(self.begun(Peer::LITELLM).await);
        }
        targets.iter().for_each(Target::stand_still);
        targets
    }

    /// Starts one; one that does not start is told of.
    pub(crate) async fn begun(&mut self, name: &'static str) -> Option<Target> {
        let upstream = &self.upstream;
        let begun = match name {
            Peer::NGINX => Target::nginx(upstream).await,
            Peer::PORTKEY => Target::portkey(upstream).await,
            Peer::LITELLM => Target::litellm(upstream).await,
            Router::LOGGING => Target::weighbridge(upstream, State::Embedded, Log::Requests).await,
            _ => Target::weighbridge(upstream, State::Embedded, Log::Warnings).await,
        };
        begun.map_err(|why| self.failed("its start", name, &why)).ok()
    }

    /// Lets a target go on, measures it, and lets it stand still again. When others used the machine meanwhile it is
    /// measured once more, a few times; the calmest counts.
    pub(crate) async fn read(
        &mut self,
        case: &'static str,
        target: &Target,
        measure: impl AsyncFn() -> Result<Figures, String>,
    ) {
        target.resume();
        let mut best: Option<(f64, Figures)> = None;
        for attempt in 0..ATTEMPTS {
            let others = Others::watch();
            match measure().await {
                Ok(figures) => {
                    let used = others.used();
                    if best.as_ref().is_none_or(|(least, _)| used < *least) {
                        best = Some((used, figures));
                    }
                    if used <= OTHERS_MOST || self.lengths.repeats == 0 {
                        break;
                    }
                    if attempt > 0 {
                        // In vain: others are there to stay.
                        self.lengths.repeats -= 1;
                    }
                }
                Err(why) => {
                    let why = format!("{why}\n{}", target.last_words());
                    self.failed(case, target.name, why.trim_end());
                    break;
                }
            }
        }
        target.stand_still();
        if let Some((others, figures)) = best {
            self.take(case, target.name, others, figures);
        }
    }

    /// Takes down figures, and how many processors others used meanwhile.
    pub(crate) fn take(&mut self, case: &'static str, target: &'static str, others: f64, figures: Figures) {
        let told: Vec<String> = figures.iter().map(|(figure, value)| format!("{figure} {value:.3}")).collect();
        say(&format!("  {case:14} {target:30} {} (others {others:.2})", told.join(", ")));
        let round = self.round;
        let reading = |(figure, value)| Reading { case, target, figure, round, value, others };
        self.readings.all.extend(figures.into_iter().map(reading));
    }

    /// Notes that something could not be measured.
    pub(crate) fn failed(&mut self, case: &str, target: &str, why: &str) {
        say(&format!("FAILED: {case}, {target}: {why}"));
        // A log's last words are for the terminal.
        let first = why.lines().next().unwrap_or_default();
        let failure = format!("{target}, {case}: {first}");
        if !self.readings.failures.contains(&failure) {
            self.readings.failures.push(failure);
        }
    }
}
