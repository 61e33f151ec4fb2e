//! Completion of the arguments of the prompt and the resource template: languages.

use crib_mcp::Payload;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, complete, invalid};

pub(crate) const GREETINGS: &[(&str, &str)] = &[
    ("chinese", "你好"),
    ("english", "Hello"),
    ("esperanto", "Saluton"),
    ("french", "Bonjour"),
    ("german", "Guten Tag"),
    ("spanish", "Hola"),
];

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "ref")]
    about: About,
    argument: Argument,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum About {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Template { uri: String },
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

pub(crate) fn complete_argument(params: &Payload) -> Answer {
    let json = params.to_json();
    let Params { about, argument } = json.read().map_err(|error| invalid(format!("Invalid params: {error}")))?;
    let is_known = match &about {
        About::Prompt { name } => name == "greet",
        About::Template { uri } => uri == "demo://greeting/{language}",
    };
    if !is_known {
        return Err(invalid("nothing of this name has arguments to complete".to_owned()));
    }
    let typed = argument.value.to_lowercase();
    let fits = |name: &&str| argument.name == "language" && name.starts_with(&typed);
    let values: Vec<&str> = GREETINGS.iter().map(|(name, _)| *name).filter(fits).collect();
    Ok(complete(json!({ "completion": { "total": values.len(), "values": values, "hasMore": false } })))
}
