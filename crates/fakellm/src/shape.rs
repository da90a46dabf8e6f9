//! What objects may hold: tables of fields, and a search for what is not in them.

use serde_json::Value;

/// The fields of an object.
#[derive(Debug)]
pub(crate) struct Shape(pub(crate) &'static [(&'static str, Kind)]);

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Something that nobody looks at.
    Any,
    Text,
    Number,
    Flag,
    /// An object with these fields.
    Of(&'static Shape),
    /// A list of them.
    List(&'static Shape),
    /// An object with members of any name, of this shape.
    Map(&'static Shape),
    /// A list of texts.
    Texts,
    /// Text, or a list of objects with these fields.
    TextOr(&'static Shape),
    /// A list of objects, of the shape that goes with their `type`; or text.
    Tagged(&'static [(&'static str, &'static Shape)]),
}

/// What does not fit a shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// A field that there is not, and the object it stands in.
    Unknown { at: Path, field: String },
    /// A field of the wrong kind.
    Kind { at: Path, kind: &'static str },
    /// A `type` that there is not.
    Tag { at: Path, tag: String },
}

/// The way to a value: names and places in lists.
pub(crate) type Path = Vec<Step>;

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    At(usize),
}

impl Shape {
    /// The first thing in `object` that does not fit. `same` says which names are the same.
    pub(crate) fn misfit(&self, object: &Value, same: fn(&str, &str) -> bool) -> Option<Misfit> {
        Search { same, path: Vec::new() }.object(self, object)
    }
}

/// A path as `a.0.b`.
pub(crate) fn dotted(path: &[Step]) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Name(name) => name.clone(),
        Step::At(at) => at.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// A path as `a[0].b`.
pub(crate) fn bracketed(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::At(at) => format!("{text}[{at}]"),
        Step::Name(name) if text.is_empty() => name.clone(),
        Step::Name(name) => format!("{text}.{name}"),
    })
}

struct Search {
    same: fn(&str, &str) -> bool,
    path: Path,
}

impl Search {
    fn object(&mut self, shape: &Shape, value: &Value) -> Option<Misfit> {
        let Some(object) = value.as_object() else { return self.wrong("object") };
        for (name, value) in object {
            let Some((_, kind)) = shape.0.iter().find(|(field, _)| (self.same)(field, name)) else {
                return Some(Misfit::Unknown { at: self.path.clone(), field: name.clone() });
            };
            self.path.push(Step::Name(name.clone()));
            let found = if value.is_null() { None } else { self.value(*kind, value) };
            if found.is_some() {
                return found;
            }
            self.path.pop();
        }
        None
    }

    fn value(&mut self, kind: Kind, value: &Value) -> Option<Misfit> {
        let fits = |fits: bool, kind| if fits { None } else { Some(kind) };
        let wrong = match kind {
            Kind::Any => None,
            Kind::Text => fits(value.is_string(), "string"),
            Kind::Number => fits(value.is_number(), "number"),
            Kind::Flag => fits(value.is_boolean(), "boolean"),
            Kind::Of(shape) => return self.object(shape, value),
            Kind::Map(shape) => return self.map(shape, value),
            Kind::TextOr(_) | Kind::Tagged(_) if value.is_string() => None,
            Kind::List(shape) | Kind::TextOr(shape) => {
                return self.list(value, |search, item| search.object(shape, item));
            }
            Kind::Texts => {
                return self.list(value, |search, item| search.value(Kind::Text, item));
            }
            Kind::Tagged(shapes) => return self.list(value, |search, item| search.tagged(shapes, item)),
        };
        wrong.and_then(|kind| self.wrong(kind))
    }

    fn map(&mut self, shape: &Shape, value: &Value) -> Option<Misfit> {
        let Some(object) = value.as_object() else { return self.wrong("object") };
        for (name, value) in object {
            self.path.push(Step::Name(name.clone()));
            let found = self.object(shape, value);
            if found.is_some() {
                return found;
            }
            self.path.pop();
        }
        None
    }

    fn list(&mut self, value: &Value, check: impl Fn(&mut Self, &Value) -> Option<Misfit>) -> Option<Misfit> {
        let Some(list) = value.as_array() else { return self.wrong("array") };
        for (at, item) in list.iter().enumerate() {
            self.path.push(Step::At(at));
            let found = check(self, item);
            if found.is_some() {
                return found;
            }
            self.path.pop();
        }
        None
    }

    fn tagged(&mut self, shapes: &[(&str, &'static Shape)], item: &Value) -> Option<Misfit> {
        let tag = item["type"].as_str().unwrap_or_default();
        match shapes.iter().find(|(name, _)| *name == tag) {
            Some((_, shape)) => {
                self.path.push(Step::Name(tag.to_owned()));
                let found = self.object(shape, item);
                if found.is_none() {
                    self.path.pop();
                }
                found
            }
            None => Some(Misfit::Tag { at: self.path.clone(), tag: tag.to_owned() }),
        }
    }

    fn wrong(&self, kind: &'static str) -> Option<Misfit> {
        Some(Misfit::Kind { at: self.path.clone(), kind })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Kind, Misfit, Shape, bracketed, dotted};

    const INNER: Shape = Shape(&[("a", Kind::Text), ("type", Kind::Text)]);
    const OUTER: Shape = Shape(&[
        ("one", Kind::Of(&INNER)),
        ("many", Kind::List(&INNER)),
        ("either", Kind::TextOr(&INNER)),
        ("tagged", Kind::Tagged(&[("inner", &INNER)])),
        ("texts", Kind::Texts),
        ("any", Kind::Any),
        ("n", Kind::Number),
    ]);

    fn check(object: Value, expected: &str) {
        let found = match OUTER.misfit(&object, |a, b| a == b) {
            None => String::new(),
            Some(Misfit::Unknown { at, field }) => format!("{} has {field}", bracketed(&at)),
            Some(Misfit::Kind { at, kind }) => format!("{} is no {kind}", dotted(&at)),
            Some(Misfit::Tag { at, tag }) => format!("{} is {tag}", dotted(&at)),
        };
        assert_eq!(found, expected, "{object}");
    }

    #[test]
    fn what_does_not_fit_is_found() {
        check(json!({"one": {"a": "b"}, "many": [{}], "either": "a", "tagged": "a", "n": 1, "any": [{"z": 1}]}), "");
        check(json!({"one": null, "texts": null}), "");
        check(json!({"z": 1}), " has z");
        check(json!({"one": {"z": 1}}), "one has z");
        check(json!({"many": [{}, {"z": 1}]}), "many[1] has z");
        check(json!({"many": {}}), "many is no array");
        check(json!({"either": [{"a": 1}]}), "either.0.a is no string");
        check(json!({"tagged": [{"type": "inner", "z": 1}]}), "tagged[0].inner has z");
        check(json!({"tagged": [{"type": "other"}]}), "tagged.0 is other");
        check(json!({"texts": ["a", 1]}), "texts.1 is no string");
        check(json!({"n": "1"}), "n is no number");
        check(json!([]), " is no object");
    }
}
