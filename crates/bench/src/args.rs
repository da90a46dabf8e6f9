//! What can be typed on the command line.

use clap::{Parser, ValueEnum};

/// What a request costs: this router beside nginx, LiteLLM and Portkey, in one run.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// One short round without LiteLLM and Portkey, for developing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds; three, or one with --quick.
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// Only these. What is written then goes below target/bench/draft, as with --quick.
    #[arg(value_enum, value_name = "ONLY")]
    only: Vec<Theme>,
}

/// A part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Theme {
    /// Whole answers by size, embeddings, a config object, the request log.
    Chat,
    /// Paced and in bursts.
    Streams,
    /// Everything at its limit.
    Limits,
    /// A fleet of one and of three replicas, and one that has lost its Redis.
    Redis,
    /// At fixed rates.
    Latency,
    /// Memory, and the start.
    Memory,
    /// LiteLLM and Portkey in all of these; alone in the first two.
    Peers,
}

impl Args {
    /// Whether it is to be measured.
    pub(crate) fn wants(&self, theme: Theme) -> bool {
        match theme {
            Theme::Peers => !self.quick && (self.only.is_empty() || self.only.contains(&theme)),
            Theme::Chat | Theme::Streams if self.only == [Theme::Peers] => true,
            _ => self.only.is_empty() || self.only.contains(&theme),
        }
    }

    /// Whether it is a whole run, whose figures may stand in the documentation.
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick && self.only.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Args;
    use super::Theme::{self, Chat, Latency, Limits, Memory, Peers, Redis, Streams};

    #[test]
    fn themes_are_chosen() {
        let check = |line: &str, wanted: &[Theme], is_whole| {
            let args = Args::parse_from(line.split(' '));
            let all = [Chat, Streams, Limits, Redis, Latency, Memory, Peers];
            let found: Vec<Theme> = all.into_iter().filter(|theme| args.wants(*theme)).collect();
            assert_eq!((found.as_slice(), args.is_whole()), (wanted, is_whole), "{line}");
        };
        check("bench", &[Chat, Streams, Limits, Redis, Latency, Memory, Peers], true);
        check("bench --quick", &[Chat, Streams, Limits, Redis, Latency, Memory], false);
        check("bench latency redis", &[Redis, Latency], false);
        check("bench peers", &[Chat, Streams, Peers], false);
        check("bench memory peers", &[Memory, Peers], false);
    }
}
