//! Prompts: one without arguments, one with.

use std::collections::HashMap;

use crib_model::Forward;
use serde_json::{Value, json};

use super::{Answer, complete, invalid};

pub(crate) fn list() -> Value {
    json!({ "prompts": [
        { "name": "tour", "title": "A tour", "description": "Asks the model to show what this server can do" },
        { "name": "greet", "title": "Greet", "description": "Asks the model to greet someone", "arguments": [
            { "name": "name", "description": "Who is greeted", "required": true },
            { "name": "language", "description": "In which language", "required": false },
        ]},
    ]})
}

pub(crate) fn get(forward: &Forward) -> Answer {
    let name = forward.target_name().unwrap_or_default();
    let arguments = forward.params.get("arguments");
    let arguments: HashMap<String, String> = match &arguments {
        None => HashMap::new(),
        Some(json) => json.read().map_err(|error| invalid(format!("prompt arguments must be strings: {error}")))?,
    };
    match name.as_ref() {
        "tour" => Ok(message("Try the tools of this server one by one, and tell in a table what each of them does.")),
        "greet" => {
            let Some(who) = arguments.get("name") else { return Err(invalid("the argument `name` is missing".to_owned())) };
            let language = arguments.get("language").map_or("english", String::as_str);
            Ok(message(&format!("Greet {who} warmly, in {language}.")))
        }
        other => Err(invalid(format!("Unknown prompt: {other}"))),
    }
}

fn message(text: &str) -> crib_model::Outcome {
    complete(json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }] }))
}
