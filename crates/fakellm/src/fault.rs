//! What goes wrong, before a provider words it.

use std::time::Duration;

use http::Method;

/// Why a request gets no reply.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault<'a> {
    /// The request is not well-formed.
    Invalid { message: &'a str, param: Option<&'a str>, code: Option<&'a str> },
    /// It holds a field that there is not, or what cannot be one.
    Unknown { message: &'a str },
    /// The wrong credential, or none.
    Unauthorised,
    /// AWS does not accept the signature.
    Signature { kind: &'static str, message: &'a str },
    /// A model there is not.
    UnknownModel(&'a str),
    /// A path there is not.
    UnknownPath { method: &'a Method, path: &'a str },
    /// The wrong method.
    WrongMethod(&'a Method),
    /// It is too long: tokens of the model, of the prompt, and asked for.
    TooLong { window: u64, prompt: u64, most: u64 },
    /// The prompt was filtered.
    Filtered,
    /// It is above a limit.
    OverLimit { model: &'a str, unit: &'static str, limit: u64, wait: Duration },
    /// One too many at the same time.
    OverParallel { model: &'a str, most: u64 },
    /// The script dictates this status, and perhaps when to come back.
    Status(u16, Option<Duration>),
    /// An answer that began well goes wrong.
    MidAnswer,
}

impl<'a> Fault<'a> {
    /// Whether it is about who may ask, for which model and how often.
    pub(crate) fn is_about_access(&self) -> bool {
        match self {
            Self::Unauthorised | Self::UnknownModel(_) | Self::OverLimit { .. } | Self::OverParallel { .. } => true,
            Self::UnknownPath { .. } | Self::WrongMethod(_) => true,
            Self::Status(status, _) => matches!(status, 401 | 403 | 404 | 429),
            Self::Invalid { .. } | Self::Unknown { .. } | Self::Signature { .. } => false,
            Self::TooLong { .. } | Self::Filtered | Self::MidAnswer => false,
        }
    }

    /// Not well-formed, for this reason.
    pub(crate) fn invalid(message: &'a str) -> Self {
        Self::Invalid { message, param: None, code: None }
    }
}
