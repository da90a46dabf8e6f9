//! Collects problems while a configuration is read.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::problem::{Problem, Severity};
use crate::yaml::Place;

/// Every problem so far, and the files they are in.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: RefCell<Vec<PathBuf>>,
    problems: RefCell<Vec<(Place, Problem)>>,
}

impl Report {
    /// The number of `file`, for places in it.
    pub(crate) fn add_file(&self, file: PathBuf) -> u16 {
        let mut files = self.files.borrow_mut();
        files.push(file);
        u16::try_from(files.len() - 1).unwrap_or(u16::MAX)
    }

    /// The file that `place` is in; `-` where that is a text in no file.
    pub(crate) fn file(&self, place: Place) -> PathBuf {
        self.files.borrow().get(usize::from(place.file)).cloned().unwrap_or_default()
    }

    /// Notes a problem. One that is noted already is not noted again: an anchored value is read
    /// once for every alias.
    pub(crate) fn add(&self, severity: Severity, place: Place, path: &str, what: String, hint: String) {
        let file = self.file(place);
        let problem = Problem { severity, file, line: place.line, path: path.to_owned(), what, hint };
        let mut problems = self.problems.borrow_mut();
        if !problems.iter().any(|(_, known)| *known == problem) {
            problems.push((place, problem));
        }
    }

    /// Notes a problem that the configuration cannot serve with.
    pub(crate) fn error(&self, place: Place, path: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, place, path, what.into(), hint.into());
    }

    /// Notes a problem that the configuration can serve with.
    pub(crate) fn warn(&self, place: Place, path: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, place, path, what.into(), hint.into());
    }

    /// Whether the configuration cannot serve, as far as is known.
    pub(crate) fn has_errors(&self) -> bool {
        self.problems.borrow().iter().any(|(_, problem)| problem.severity == Severity::Error)
    }

    /// All problems, in the order of the files.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(place, _)| *place);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}
