//! The only reader of the environment.

use std::collections::HashMap;
use std::fmt;

/// Where `os.environ/NAME` looks. An argument, so that tests need no process environment.
pub trait Environment: fmt::Debug {
    /// The variable's value, when it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// This process's environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Environment for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        HashMap::get(self, name).cloned()
    }
}
