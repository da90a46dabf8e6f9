//! Taking parts out of JSON text, the rest left byte for byte.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;
use weighbridge_domain::drop_path::DropStep;
use weighbridge_domain::json::JsonObject;

/// `raw` without what `path` leads to; `None` when it leads nowhere.
pub(super) fn without(raw: &str, path: &[DropStep]) -> Option<String> {
    match path {
        [] => None,
        [DropStep::Member(name), rest @ ..] => without_member(raw, name, rest),
        [DropStep::Item(place), rest @ ..] => without_items(raw, |at| at == *place, rest),
        [DropStep::Items, rest @ ..] => without_items(raw, |_| true, rest),
    }
}

fn without_member(raw: &str, name: &str, rest: &[DropStep]) -> Option<String> {
    // Most values are something else, and need not be read to see that.
    if !raw.starts_with('{') {
        return None;
    }
    let object = JsonObject::parse(Bytes::copy_from_slice(raw.as_bytes())).ok()?;
    let value = object.raw(name)?;
    let kept = if rest.is_empty() {
        object.rewrite(&[], |key| key == name)
    } else {
        object.rewrite(&[(name, Cow::Owned(without(value, rest)?))], |_| false)
    };
    String::from_utf8(kept.into()).ok()
}

fn without_items(raw: &str, is_meant: impl Fn(usize) -> bool, rest: &[DropStep]) -> Option<String> {
    if !raw.starts_with('[') {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    let mut is_changed = false;
    let mut kept: Vec<Cow<'_, str>> = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if !is_meant(at) {
            kept.push(Cow::Borrowed(item.get()));
        } else if rest.is_empty() {
            is_changed = true;
        } else {
            let less = without(item.get(), rest);
            is_changed |= less.is_some();
            kept.push(less.map_or(Cow::Borrowed(item.get()), Cow::Owned));
        }
    }
    is_changed.then(|| format!("[{}]", kept.join(",")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use weighbridge_domain::drop_path::{DropStep, parse};

    use super::without;

    #[test]
    fn paths_take_out_what_they_lead_to() {
        let rows = [
            ("b", r#"{"a":1, "b":2}"#, Some(r#"{"a":1}"#)),
            ("b", r#"{"a":1}"#, None),
            ("a.b", r#"{"a":{"b":1,"c":1e400}}"#, Some(r#"{"a":{"c":1e400}}"#)),
            ("a.b", r#"{"a":[1]}"#, None),
            ("a.b", r#"{"a":null}"#, None),
            ("a[0]", r#"{"a":[1, 2]}"#, Some(r#"{"a":[2]}"#)),
            ("a[2]", r#"{"a":[1, 2]}"#, None),
            ("a[0]", r#"{"a":{"0":1}}"#, None),
            ("a[*]", r#"{"a":[1, 2]}"#, Some(r#"{"a":[]}"#)),
            ("a[*]", r#"{"a":[]}"#, None),
            ("a[*].b", r#"{"a":[{"b":1}, 7, {"c":[ 2 ]}]}"#, Some(r#"{"a":[{},7,{"c":[ 2 ]}]}"#)),
            ("a[1].b", r#"{"a":[{"b":1}, {"b":1}]}"#, Some(r#"{"a":[{"b":1},{}]}"#)),
            ("a[*].b", r#"{"a":[{"c":1}]}"#, None),
            ("a[0][1]", r#"{"a":[[1, 2]]}"#, Some(r#"{"a":[[1]]}"#)),
            ("a.b", r#"{"a":{"b":1,"b":2}}"#, Some(r#"{"a":{}}"#)),
        ];
        for (path, raw, kept) in rows {
            assert_eq!(without(raw, &parse(path).unwrap()).as_deref(), kept, "{path} of {raw}");
        }
    }

    /// The same on the parsed value, and plainly.
    fn drop_in(value: &mut Value, path: &[DropStep]) {
        match (path, value) {
            ([DropStep::Member(name)], Value::Object(members)) => drop(members.remove(name)),
            ([DropStep::Member(name), rest @ ..], Value::Object(members)) => {
                members.get_mut(name).into_iter().for_each(|value| drop_in(value, rest));
            }
            ([DropStep::Item(at)], Value::Array(items)) if *at < items.len() => drop(items.remove(*at)),
            ([DropStep::Item(at), rest @ ..], Value::Array(items)) => {
                items.get_mut(*at).into_iter().for_each(|value| drop_in(value, rest));
            }
            ([DropStep::Items], Value::Array(items)) => items.clear(),
            ([DropStep::Items, rest @ ..], Value::Array(items)) => {
                items.iter_mut().for_each(|value| drop_in(value, rest));
            }
            _ => {}
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[a-b\"]{0,2}".prop_map(Value::from)]
            .prop_recursive(4, 24, 4, |inner| {
                prop_oneof![
                    proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                    proptest::collection::btree_map("[ab]", inner, 0..3).prop_map(|members| json!(members)),
                ]
            })
    }

    fn steps() -> impl Strategy<Value = DropStep> {
        prop_oneof!["[ab]".prop_map(DropStep::Member), (0..3_usize).prop_map(DropStep::Item), Just(DropStep::Items)]
    }

    proptest! {
        /// What is cut out of the text is what an edit of the value takes away.
        #[test]
        fn a_cut_equals_an_edit(value in values(), path in proptest::collection::vec(steps(), 1..5)) {
            let raw = value.to_string();
            let mut edited = value;
            drop_in(&mut edited, &path);
            match without(&raw, &path) {
                None => prop_assert_eq!(edited.to_string(), raw),
                Some(cut) => {
                    prop_assert_eq!(serde_json::from_str::<Value>(&cut).unwrap(), edited);
                    prop_assert_ne!(cut, raw);
                }
            }
        }
    }
}
