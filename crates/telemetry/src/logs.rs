//! Log lines on standard error, for people or for machines.

mod request_log;

use std::io::stderr;

use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::{MakeWriter, fmt};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

pub use self::request_log::RequestLog;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// UTC time, level, message, fields.
    #[default]
    Human,
    /// One JSON object a line; `timestamp` is in RFC 3339.
    Json,
}

/// Logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter cannot be read.
    #[error("log filter {filter:?}")]
    Filter {
        /// As it was given.
        filter: String,
        /// Why not.
        #[source]
        source: ParseError,
    },
    /// Somebody has set up logs in this process already.
    #[error("logs are set up already")]
    Taken(#[from] TryInitError),
}

/// Prints log lines that pass `filter` (`info`, `warn,weighbridge_engine=debug`, …) on standard
/// error, from here to the end of the process.
///
/// # Errors
/// When the filter cannot be read, or logs are set up already.
pub fn init(filter: &str, format: Format) -> Result<(), LogsError> {
    Ok(to_writer(filter, format, stderr)?.try_init()?)
}

/// Prints log lines that pass `filter` to `writer`, wherever what is returned is made the default.
///
/// # Errors
/// When the filter cannot be read.
pub fn to_writer<W>(filter: &str, format: Format, writer: W) -> Result<Dispatch, LogsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter =
        EnvFilter::try_new(filter).map_err(|source| LogsError::Filter { filter: filter.to_owned(), source })?;
    let lines = fmt().with_writer(writer).with_env_filter(filter).with_target(false);
    let discreet = filter_fn(is_discreet);
    Ok(match format {
        Format::Human => lines.with_ansi(false).finish().with(discreet).into(),
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            lines.finish().with(discreet).into()
        }
    })
}

/// AWS' crates trace requests and replies as they are, prompts and keys among them: no filter asks for that.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::TRACE || !metadata.target().starts_with("aws_")
}

#[cfg(test)]
mod tests;
