//! A file and what it includes, as one tree.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::report::Report;
use crate::yaml::{self, Member, Node, Place, Value};

/// One tree out of one or several files.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) root: Node,
    /// Every file that was read or should have been.
    pub(crate) files: Vec<PathBuf>,
    /// SHA-256 over the contents, in hex.
    pub(crate) fingerprint: String,
}

/// Reads the file at `path` and everything it includes: lists are appended, other values
/// overwritten, each file is read once.
pub(crate) fn read(path: &Path, report: &Report) -> Source {
    let mut loading = Loading { report, files: Vec::new(), hash: Sha256::new() };
    let root = loading.file(path, None);
    Source { root, files: loading.files, fingerprint: hex(&loading.hash.finalize()) }
}

/// The tree of a text that stands in no file, and so cannot include any.
pub(crate) fn read_text(text: &str, report: &Report) -> Source {
    let file = report.add_file(PathBuf::from("-"));
    let root = parse(text, file, report);
    if let Some(member) = member(&root, "include") {
        report.error(member.place, "include", "this text stands in no file", "write everything into it");
    }
    Source { root, files: Vec::new(), fingerprint: hex(&Sha256::digest(text.as_bytes())) }
}

/// Bytes as lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

struct Loading<'a> {
    report: &'a Report,
    files: Vec<PathBuf>,
    hash: Sha256,
}

impl Loading<'_> {
    /// Reads `path`, which `included` names when it is not the first file.
    fn file(&mut self, path: &Path, included: Option<Place>) -> Node {
        self.files.push(path.to_owned());
        let file = self.report.add_file(path.to_owned());
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let place = included.unwrap_or(Place { file, line: 1 });
                let what = format!("{} cannot be read: {error}", path.display());
                self.report.error(place, if included.is_some() { "include" } else { "" }, what, "");
                return empty(file);
            }
        };
        self.hash.update(&bytes);
        let Ok(text) = String::from_utf8(bytes) else {
            self.report.error(Place { file, line: 1 }, "", "this is not UTF-8 text", "save the file as UTF-8");
            return empty(file);
        };
        let mut root = parse(&text, file, self.report);
        self.include(&mut root, path);
        root
    }

    fn include(&mut self, root: &mut Node, path: &Path) {
        let Value::Map(members) = &mut root.value else { return };
        let Some(at) = members.iter().position(|member| member.key == "include") else { return };
        let include = members.remove(at);
        let items = match include.node.value {
            Value::Seq(items) => items,
            Value::Null => return,
            _ => {
                self.report.warn(include.place, "include", "one value stands where a list of files is meant", "");
                vec![include.node]
            }
        };
        for item in items {
            let Value::Str(name) = &item.value else {
                self.report.error(item.place, "include", "this is not the name of a file", "write a path");
                continue;
            };
            let wanted = path.parent().unwrap_or(Path::new("")).join(name);
            if self.files.contains(&wanted) {
                continue;
            }
            let other = self.file(&wanted, Some(item.place));
            append(root, other);
        }
    }
}

fn append(root: &mut Node, other: Node) {
    let (Value::Map(members), Value::Map(others)) = (&mut root.value, other.value) else { return };
    for other in others {
        match members.iter_mut().find(|member| member.key == other.key) {
            None => members.push(other),
            Some(Member { node: Node { value: Value::Seq(items), .. }, .. })
                if matches!(other.node.value, Value::Seq(_)) =>
            {
                if let Value::Seq(more) = other.node.value {
                    items.extend(more);
                }
            }
            Some(member) => *member = other,
        }
    }
}

fn parse(text: &str, file: u16, report: &Report) -> Node {
    match yaml::parse(text, file) {
        Ok((root, oddities)) => {
            for oddity in oddities {
                report.warn(oddity.place, "", oddity.what, oddity.hint);
            }
            root
        }
        Err(broken) => {
            report.error(Place { file, line: broken.line }, "", broken.what, broken.hint);
            empty(file)
        }
    }
}

fn member<'a>(root: &'a Node, key: &str) -> Option<&'a Member> {
    let Value::Map(members) = &root.value else { return None };
    members.iter().find(|member| member.key == key)
}

fn empty(file: u16) -> Node {
    Node { place: Place { file, line: 1 }, value: Value::Map(Vec::new()) }
}
