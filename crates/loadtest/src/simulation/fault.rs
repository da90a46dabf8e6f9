//! What goes wrong, and when.

use std::fmt;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Calls fail at once.
    Unreachable,
    /// Calls are not answered; they arrive when that is over.
    SilentLate,
    /// Calls are not answered, and never arrive.
    SilentLost,
    /// Every third reply is lost.
    RepliesLost,
    /// The server starts anew with nothing.
    RestartEmpty,
    /// The server starts anew with what it had a few seconds ago.
    RestartEarlier,
    /// The server forgets everything.
    Flush,
    /// The server's clock is put forward.
    ClockForward,
    /// The server's clock is put back.
    ClockBack,
    /// One replica is cut off.
    CutOff,
    /// One replica is cut off, and nothing says so.
    CutOffSilently,
    /// A replica dies, and another one starts.
    Killed,
    /// Many replicas die at once, and as many start.
    ManyKilled,
    /// A replica stands still for longer than it takes to be taken for dead.
    Stalled,
    /// A replica stands still for a moment.
    StalledBriefly,
    /// Nobody is told anything by the server until they ask.
    Deaf,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 16] = [
        Self::Unreachable,
        Self::SilentLate,
        Self::SilentLost,
        Self::RepliesLost,
        Self::RestartEmpty,
        Self::RestartEarlier,
        Self::Flush,
        Self::ClockForward,
        Self::ClockBack,
        Self::CutOff,
        Self::CutOffSilently,
        Self::Killed,
        Self::ManyKilled,
        Self::Stalled,
        Self::StalledBriefly,
        Self::Deaf,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::SilentLate => "silent-late",
            Self::SilentLost => "silent-lost",
            Self::RepliesLost => "replies-lost",
            Self::RestartEmpty => "restart-empty",
            Self::RestartEarlier => "restart-earlier",
            Self::Flush => "flush",
            Self::ClockForward => "clock-forward",
            Self::ClockBack => "clock-back",
            Self::CutOff => "cut-off",
            Self::CutOffSilently => "cut-off-silently",
            Self::Killed => "killed",
            Self::ManyKilled => "many-killed",
            Self::Stalled => "stalled",
            Self::StalledBriefly => "stalled-briefly",
            Self::Deaf => "deaf",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// How long it takes at most, in ms, with what has to happen after it.
    pub const fn lasts(self) -> u64 {
        match self {
            Self::Unreachable | Self::SilentLate | Self::SilentLost | Self::CutOff | Self::CutOffSilently => 7000,
            Self::Stalled => 8000,
            Self::RepliesLost | Self::Deaf => 4000,
            Self::Killed | Self::ManyKilled => 1500,
            Self::RestartEmpty | Self::RestartEarlier => 2500,
            Self::Flush | Self::ClockForward | Self::ClockBack | Self::StalledBriefly => 1500,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
