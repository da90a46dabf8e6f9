//! YAML text to a tree of nodes that know their file and line.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::scalar::{self, Scalar};

/// How deep a document may nest.
const MAX_DEPTH: usize = 64;
/// How many nodes a document may come to once its aliases are written out.
const MAX_NODES: usize = 400_000;

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    /// The file, as the report numbers them.
    pub(crate) file: u16,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<Member>),
}

/// One key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// What is odd about a text that can be read all the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Oddity {
    pub(crate) place: Place,
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

/// Why a text cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

/// The one document in `text`, a map with nothing in it when the text is empty.
pub(crate) fn parse(text: &str, file: u16) -> Result<(Node, Vec<Oddity>), Broken> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { file, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| explain(text, &error))?;
        builder.take(event, span)?;
    }
    let root = builder.root.unwrap_or(Node { place: Place { file, line: 1 }, value: Value::Null });
    Ok((root, builder.oddities))
}

/// A collection that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Place)>,
    /// Members that `<<` brought; the map's own come before them.
    merged: Vec<Member>,
    nodes_before: usize,
    height: usize,
}

/// An anchored node, with its size and height for the bounds.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

#[derive(Default)]
struct Builder {
    file: u16,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    root: Option<Node>,
    documents: usize,
    oddities: Vec<Oddity>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        let place = Place { file: self.file, line: span.start.line() };
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(broken(place, "a second document begins here", "a configuration is one YAML document"));
                }
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&text, style, tag.as_deref(), place)?;
                self.count(1, place)?;
                self.put(Node { place, value }, anchor, 1, 1)
            }
            Event::SequenceStart(anchor, _) => self.begin(Value::Seq(Vec::new()), anchor, place),
            Event::MappingStart(anchor, _) => self.begin(Value::Map(Vec::new()), anchor, place),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, place: Place) -> Result<(), Broken> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place));
        }
        let nodes_before = self.nodes;
        self.count(1, place)?;
        let node = Node { place, value };
        self.open.push(Open { node, anchor, key: None, merged: Vec::new(), nodes_before, height: 0 });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        let Some(mut done) = self.open.pop() else { return Ok(()) };
        if let Value::Map(members) = &mut done.node.value {
            for merged in done.merged {
                if !members.iter().any(|own| own.key == merged.key) {
                    members.push(merged);
                }
            }
        }
        let nodes = self.nodes - done.nodes_before;
        self.put(done.node, done.anchor, nodes, done.height + 1)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Broken> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(broken(place, "an alias stands inside the anchor it names", "write the value out"));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        if self.nodes + nodes > MAX_NODES {
            return Err(too_large(place));
        }
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let node = anchored.node.clone();
        self.nodes += nodes;
        self.put(node, 0, nodes, height)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Broken> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(too_large(place)) } else { Ok(()) }
    }

    /// Puts a finished node where it belongs: the open collection, or the root.
    fn put(&mut self, node: Node, anchor: usize, nodes: usize, height: usize) -> Result<(), Broken> {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.height = open.height.max(height);
        match &mut open.node.value {
            Value::Seq(items) => items.push(node),
            Value::Map(members) => match open.key.take() {
                None => open.key = Some((key_text(node.value, node.place)?, node.place)),
                Some((key, _)) if key == "<<" => merge(&mut open.merged, node)?,
                Some((key, place)) => {
                    if let Some(old) = members.iter().position(|member| member.key == key) {
                        let what = format!("`{key}` stands twice, first in line {}", members[old].place.line);
                        self.oddities.push(Oddity { place, what, hint: "the last one counts" });
                        members.remove(old);
                    }
                    members.push(Member { key, place, node });
                }
            },
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
        }
        Ok(())
    }
}

/// Takes in what `<<` names: a map, or several, the first of which outranks the rest.
fn merge(merged: &mut Vec<Member>, node: Node) -> Result<(), Broken> {
    let place = node.place;
    match node.value {
        Value::Map(members) => {
            for member in members {
                if !merged.iter().any(|known| known.key == member.key) {
                    merged.push(member);
                }
            }
            Ok(())
        }
        Value::Seq(items) => items.into_iter().try_for_each(|item| match item.value {
            Value::Map(_) => merge(merged, item),
            _ => Err(broken(item.place, "`<<` can merge maps only", "name an anchored map")),
        }),
        _ => Err(broken(place, "`<<` can merge maps only", "name an anchored map")),
    }
}

fn key_text(value: Value, place: Place) -> Result<String, Broken> {
    match value {
        Value::Str(text) => Ok(text),
        Value::Null => Ok("null".to_owned()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Int(int) => Ok(int.to_string()),
        Value::Float(float) => Ok(float.to_string()),
        Value::Seq(_) | Value::Map(_) => {
            let hint = "a template such as `{{ name }}` has to be filled in first, or stand in quotes";
            Err(broken(place, "a list or map stands where a key belongs", hint))
        }
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Result<Value, Broken> {
    let tag = tag.filter(|tag| !tag.suffix.is_empty());
    if let Some(tag) = tag {
        if !tag.is_yaml_core_schema() {
            let what = format!("the tag `!{}` means nothing here", tag.suffix);
            return Err(Broken { line: place.line, what, hint: "remove it; variables are written os.environ/NAME" });
        }
        if tag.suffix == "str" {
            return Ok(Value::Str(text.to_owned()));
        }
    } else if style != ScalarStyle::Plain {
        return Ok(Value::Str(text.to_owned()));
    }
    Ok(match scalar::resolve(text) {
        Scalar::Null => Value::Null,
        Scalar::Bool(flag) => Value::Bool(flag),
        Scalar::Int(int) => Value::Int(int),
        Scalar::Float(float) => Value::Float(float),
        Scalar::Text => Value::Str(text.to_owned()),
    })
}

fn broken(place: Place, what: &str, hint: &'static str) -> Broken {
    Broken { line: place.line, what: what.to_owned(), hint }
}

fn too_deep(place: Place) -> Broken {
    broken(place, "the YAML nests deeper than 64 levels", "a configuration needs fewer than ten")
}

fn too_large(place: Place) -> Broken {
    broken(place, "the YAML is too large once its aliases are written out", "use fewer or smaller anchors")
}

/// The parser's words, with the mistake that is behind them most of the time.
fn explain(text: &str, error: &ScanError) -> Broken {
    let line = error.marker().line().max(1);
    let tab_before = |line: usize| {
        let text = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        text[..text.len() - text.trim_start().len()].contains('\t')
    };
    let with_tab = [line, line.saturating_sub(1)].into_iter().find(|line| *line > 0 && tab_before(*line));
    if let Some(line) = with_tab {
        return Broken { line, what: "a tab is used for indentation".to_owned(), hint: "YAML needs spaces" };
    }
    let info = error.info();
    let hint = if info.contains("quoted scalar") {
        "a quote is opened and not closed"
    } else if info.contains("mapping values") {
        "is this line indented further than the key it belongs beside?"
    } else if info.contains("mapping") || info.contains("block") {
        "look at the indentation of this line and the one before"
    } else {
        "the mistake is in this line or the one before"
    };
    Broken { line, what: format!("this is not YAML: {info}"), hint }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::{Node, Value, parse};

    fn show(node: &Node) -> String {
        let all = |items: Vec<String>| items.join(", ");
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Int(int) => int.to_string(),
            Value::Float(float) => format!("{float:?}"),
            Value::Str(text) => format!("{text:?}"),
            Value::Seq(items) => format!("[{}]", all(items.iter().map(show).collect())),
            Value::Map(members) => {
                format!("{{{}}}", all(members.iter().map(|m| format!("{}: {}", m.key, show(&m.node))).collect()))
            }
        }
    }

    fn check(text: &str, expected: Expect) {
        let shown = match parse(text, 0) {
            Ok((node, oddities)) => {
                let mut shown = show(&node);
                for oddity in oddities {
                    write!(shown, "\n{}: {} ({})", oddity.place.line, oddity.what, oddity.hint).unwrap();
                }
                shown
            }
            Err(broken) => format!("{}: {} ({})", broken.line, broken.what, broken.hint),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn anchors_merges_and_doubles() {
        check("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", expect![[r#"{a: {p: 1, q: 2}, b: {q: 3, p: 1}}"#]]);
        check(
            "a: &x {p: 1}\nb: &y {p: 2, r: 4}\nc:\n  <<: [*x, *y]\n  s: yes",
            expect!["{a: {p: 1}, b: {p: 2, r: 4}, c: {s: true, p: 1, r: 4}}"],
        );
        check(
            "a: 1\nb: 2\na: 3",
            expect![[r#"
            {b: 2, a: 3}
            3: `a` stands twice, first in line 1 (the last one counts)"#]],
        );
        check("\u{feff}a: '1'\r\nb: !!str 2\r\n", expect![[r#"{a: "1", b: "2"}"#]]);
        check("# nothing\n", expect!["null"]);
    }

    #[test]
    fn what_cannot_be_read() {
        check("a: &x [*x]", expect!["1: an alias stands inside the anchor it names (write the value out)"]);
        check("a:\n\tb: 1", expect!["2: a tab is used for indentation (YAML needs spaces)"]);
        check(
            "a: !Ref x",
            expect!["1: the tag `!Ref` means nothing here (remove it; variables are written os.environ/NAME)"],
        );
        check("a: 1\n---\nb: 2", expect!["2: a second document begins here (a configuration is one YAML document)"]);
        check(
            "a: {{ name }}",
            expect![
                "1: a list or map stands where a key belongs (a template such as `{{ name }}` has to be filled in first, or stand in quotes)"
            ],
        );
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let before = i - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            writeln!(bomb, "a{i}: &a{i} [{list}]").unwrap();
        }
        check(
            &bomb,
            expect!["6: the YAML is too large once its aliases are written out (use fewer or smaller anchors)"],
        );
        check(
            &"[".repeat(100),
            expect!["1: the YAML nests deeper than 64 levels (a configuration needs fewer than ten)"],
        );
    }
}
