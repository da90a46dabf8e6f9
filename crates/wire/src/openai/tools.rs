//! Tools, and the choice of them, as clients write them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{CacheJson, wrong};
use super::read::value;
use crate::chat::{Cache, Chat, NativeTool, Tool, ToolChoice};
use crate::format::Unreadable;
use crate::json::Json;

#[derive(Deserialize)]
struct ToolJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<FunctionJson<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

#[derive(Deserialize)]
struct FunctionJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(default)]
    parameters: Option<Json>,
    #[serde(default)]
    strict: Option<bool>,
}

impl FunctionJson<'_> {
    fn tool(self, cache: Option<Cache>) -> Tool {
        Tool {
            name: self.name.into_owned(),
            description: self.description.map(Cow::into_owned),
            parameters: self.parameters.filter(|json| json.as_str() != "null"),
            strict: self.strict,
            cache,
        }
    }
}

/// Reads `tools`; what a provider runs itself goes to the `native_tools` of `chat`.
pub(super) fn tools(chat: &mut Chat, raw: &str) -> Result<Vec<Tool>, Unreadable> {
    let all: Vec<&RawValue> = value("tools", raw, "a list of tools")?;
    let mut tools = Vec::with_capacity(all.len());
    chat.native_tools.clear();
    for (at, raw) in all.into_iter().enumerate() {
        let path = format!("tools[{at}]");
        let json: ToolJson<'_> =
            serde_json::from_str(raw.get()).map_err(|error| wrong(&path, &format!("a tool: {error}")))?;
        let cache = json.cache_control.as_ref().map(CacheJson::cache);
        match (json.kind.as_deref(), json.function) {
            (None | Some("function"), Some(function)) => tools.push(function.tool(cache)),
            (None | Some("function"), None) => return Err(wrong(&format!("{path}.function"), "a function")),
            (Some(kind), _) => {
                let json = Json::parse(raw.get()).unwrap_or_else(Json::empty_object);
                chat.native_tools.push(NativeTool { path, kind: kind.to_owned(), json });
            }
        }
    }
    Ok(tools)
}

/// Reads `functions`, which came before tools.
pub(super) fn functions(raw: &str) -> Result<Vec<Tool>, Unreadable> {
    let all: Vec<FunctionJson<'_>> =
        serde_json::from_str(raw).map_err(|_| wrong("functions", "a list of functions"))?;
    Ok(all.into_iter().map(|function| function.tool(None)).collect())
}

/// Reads `tool_choice`, and `function_call`, which came before it.
pub(super) fn tool_choice(key: &str, raw: &str) -> Result<Option<ToolChoice>, Unreadable> {
    #[derive(Deserialize)]
    struct ChoiceJson<'a> {
        #[serde(borrow, default)]
        function: Option<NameJson<'a>>,
        #[serde(borrow, default)]
        name: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    struct NameJson<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    Ok(Some(match raw {
        "\"auto\"" => ToolChoice::Auto,
        "\"none\"" => ToolChoice::None,
        "\"required\"" | "\"any\"" => ToolChoice::Required,
        _ => {
            let expected = "auto, none, required or a function by its name";
            let json: ChoiceJson<'_> = serde_json::from_str(raw).map_err(|_| wrong(key, expected))?;
            let name = json.function.map(|function| function.name).or(json.name).ok_or_else(|| wrong(key, expected))?;
            ToolChoice::Named(name.into_owned())
        }
    }))
}
