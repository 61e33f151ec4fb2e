//! What a bundle wants to be told by its user (`user_config`).

use std::collections::BTreeMap;

use crib_model::{Code, Fault};
use serde_json::Value;

const OPEN: &str = "${user_config.";

/// One value that a bundle asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub title: String,
    pub description: String,
    /// `string`, `number`, `boolean`, `file` or `directory`; the last two are folders to be granted.
    pub kind: String,
    pub is_required: bool,
    /// A secret: never to be written into the lockfile.
    pub is_secret: bool,
    pub default: Vec<String>,
}

/// Reads what a manifest asks for.
pub(super) fn read(manifest: &Value) -> Vec<Setting> {
    let wanted = manifest.get("user_config").and_then(Value::as_object);
    let settings = wanted.into_iter().flatten().map(|(name, entry)| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let flag = |key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
        let default = match entry.get("default") {
            Some(Value::Array(values)) => values.iter().map(plain).collect(),
            Some(value) => vec![plain(value)],
            None => Vec::new(),
        };
        Setting {
            name: name.clone(),
            title: text("title"),
            description: text("description"),
            kind: text("type"),
            is_required: flag("required"),
            is_secret: flag("sensitive"),
            default,
        }
    });
    settings.collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Puts values into arguments; one that is a list alone becomes several.
pub(crate) fn fill_args(args: &[String], values: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, Fault> {
    let mut filled = Vec::new();
    for arg in args {
        let whole = arg.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.contains('}'));
        match whole {
            Some(name) => filled.extend(values.get(name).ok_or_else(|| missing(name))?.iter().cloned()),
            None => filled.push(fill(arg, values)?),
        }
    }
    Ok(filled)
}

/// Puts values into a text.
pub(crate) fn fill(text: &str, values: &BTreeMap<String, Vec<String>>) -> Result<String, Fault> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, after)) = after.split_once('}') else { break };
        filled.push_str(before);
        filled.push_str(&values.get(name).ok_or_else(|| missing(name))?.join(","));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn missing(name: &str) -> Fault {
    Fault::new(Code::SourceInvalid, format!("the bundle needs to be told `{name}`")).hint(format!("--set {name}=VALUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_and_what_is_missing_is_named() {
        let values =
            BTreeMap::from([("dirs".to_owned(), vec!["/a".to_owned(), "/b".to_owned()]), ("key".to_owned(), vec!["k".to_owned()])]);
        let args = ["${user_config.dirs}", "--key=${user_config.key}", "plain"].map(str::to_owned);
        assert_eq!(fill_args(&args, &values).expect("filled"), ["/a", "/b", "--key=k", "plain"]);
        assert!(fill("${user_config.other}", &values).expect_err("missing").to_string().contains("`other`"));
    }
}
