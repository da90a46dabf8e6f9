//! What is wrong or odd about a configuration, told so that a person can mend it.

use std::fmt;
use std::path::PathBuf;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the configuration can serve all the same.
    pub severity: Severity,
    /// The file it is in.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// Where in the YAML: `model_list[3].litellm_params.rpm`.
    pub path: String,
    /// What is wrong, with the offending value (never a secret).
    pub what: String,
    /// What to write instead, or what was done about it.
    pub hint: String,
}

/// Whether a configuration can serve all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can.
    Warning,
    /// It cannot.
    Error,
}

impl fmt::Display for Problem {
    /// `error: router.yaml:12: model_list[3].litellm_params.rpm: "abc" is not a number (write …)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}:{}: ", self.file.display(), self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " ({})", self.hint) }
    }
}
