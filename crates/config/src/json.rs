//! YAML values as JSON, for what is passed on as it stands.

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value as Json};

use crate::reader::Field;
use crate::variables::Text;
use crate::yaml::{Node, Value};

/// The value as JSON, variables resolved; a variable that is not set is null.
pub(crate) fn value(field: &Field<'_>) -> Json {
    convert(field.node, field)
}

/// The value as JSON text.
pub(crate) fn raw(field: &Field<'_>) -> Option<Box<RawValue>> {
    to_raw(&value(field))
}

/// `json` as text.
pub(crate) fn to_raw(json: &Json) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(json).ok()
}

fn convert(node: &Node, field: &Field<'_>) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(int) => Json::from(*int),
        Value::Float(float) => Number::from_f64(*float).map_or(Json::Null, Json::Number),
        Value::Str(text) => match field.reader.variables.resolve(text) {
            Text::Literal(text) => Json::from(text),
            Text::FromVariable(text) => Json::from(text),
            Text::Unset(_) => Json::Null,
        },
        Value::Seq(items) => items.iter().map(|item| convert(item, field)).collect(),
        Value::Map(members) => {
            let members = members.iter().map(|member| (member.key.clone(), convert(&member.node, field)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}
