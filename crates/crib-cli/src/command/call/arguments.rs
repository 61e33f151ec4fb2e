//! Arguments as people type them: `name=text`, `name:=JSON`, `name=@FILE`, `name:=@FILE`.

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::tool::{Tool, kinds};

/// One argument of the command line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    name: String,
    value: Given,
}

#[derive(Clone, Debug, PartialEq)]
enum Given {
    /// To be read as the tool's schema says.
    Text(String),
    Json(Value),
}

/// Reads the words; files are read here too.
pub(super) fn parse(words: &[String]) -> Result<Vec<Word>, Failure> {
    words.iter().filter(|word| *word != "-").map(|word| parse_one(word)).collect()
}

fn parse_one(word: &str) -> Result<Word, Failure> {
    let hint = "arguments look like: name=text   name:=JSON   name=@FILE   or - for standard input";
    let Some((name, value)) = word.split_once('=') else {
        return Err(Failure::usage(format!("`{word}` is not an argument")).hint(hint));
    };
    let (name, is_json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
    if name.is_empty() {
        return Err(Failure::usage(format!("`{word}` names no argument")).hint(hint));
    }
    let text = match value.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("`{name}`: cannot read `{file}`")).because(error.to_string()))?,
        None => value.to_owned(),
    };
    let value = if is_json {
        let value = serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!("`{name}` is not JSON")).because(error.to_string()).hint(format!("for text write {name}=…"))
        })?;
        Given::Json(value)
    } else {
        Given::Text(text)
    };
    Ok(Word { name: name.to_owned(), value })
}

/// Builds the object of arguments; single ones win over those given all at once.
pub(super) fn build(words: Vec<Word>, base: Map<String, Value>, tool: &Tool) -> Result<Map<String, Value>, Failure> {
    let mut arguments = base;
    let mut seen: Vec<String> = Vec::new();
    for Word { name, value } in words {
        let schema = tool.schema_of(&name);
        if seen.contains(&name) && schema.is_some_and(|schema| kinds(schema).contains(&"array")) {
            let items = schema.and_then(|schema| schema.get("items"));
            let more = typed(value, items);
            push(&mut arguments, &name, more);
            continue;
        }
        if seen.contains(&name) {
            return Err(Failure::usage(format!("`{name}` is given twice")));
        }
        let is_list = schema.is_some_and(|schema| kinds(schema) == ["array"]);
        let value = match (typed(value, schema), is_list) {
            // One element of a list, typed without brackets.
            (Value::String(text), true) => {
                let items = schema.and_then(|schema| schema.get("items"));
                Value::Array(vec![typed(Given::Text(text), items)])
            }
            (value, _) => value,
        };
        arguments.insert(name.clone(), value);
        seen.push(name);
    }
    Ok(arguments)
}

fn push(arguments: &mut Map<String, Value>, name: &str, more: Value) {
    match arguments.get_mut(name) {
        Some(Value::Array(elements)) => elements.push(more),
        Some(single) => *single = Value::Array(vec![single.take(), more]),
        None => {}
    }
}

/// Reads a text as the schema wants it. What does not fit stays a text, for the tool's own complaint.
fn typed(given: Given, schema: Option<&Value>) -> Value {
    let text = match given {
        Given::Json(value) => return value,
        Given::Text(text) => text,
    };
    let wanted = schema.map(kinds).unwrap_or_default();
    if wanted.contains(&"string") {
        return Value::String(text);
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if wanted.is_empty() || fits(&value, &wanted) => value,
        Ok(_) | Err(_) => Value::String(text),
    }
}

fn fits(value: &Value, wanted: &[&str]) -> bool {
    match value {
        Value::Null => wanted.contains(&"null"),
        Value::Bool(_) => wanted.contains(&"boolean"),
        Value::Number(_) => wanted.contains(&"number") || wanted.contains(&"integer"),
        Value::String(_) => false,
        Value::Array(_) => wanted.contains(&"array"),
        Value::Object(_) => wanted.contains(&"object"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> Tool {
        serde_json::from_value(json!({
            "name": "x", "server": "s", "serverTool": "x",
            "inputSchema": { "type": "object", "required": ["n"], "properties": {
                "n": { "type": "integer" }, "t": { "type": "string" }, "b": { "type": "boolean" },
                "l": { "type": "array", "items": { "type": "number" } }, "o": { "type": "object" },
                "maybe": { "anyOf": [{ "type": "integer" }, { "type": "null" }] }, "any": {}
            } }
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(words: &[&str], expected: &Value) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let built = parse(&words).and_then(|words| build(words, Map::new(), &tool()));
        let found = built.map_or_else(|failure| json!(failure.told()), Value::Object);
        assert_eq!(&found, expected);
    }

    #[test]
    fn text_becomes_what_the_schema_wants() {
        check(&["n=42", "t=42", "b=true", "o={\"a\":1}"], &json!({ "n": 42, "t": "42", "b": true, "o": { "a": 1 } }));
        check(&["n=-7", "maybe=null", "any=1", "any2=two words"], &json!({ "n": -7, "maybe": null, "any": 1, "any2": "two words" }));
        check(&["n=x"], &json!({ "n": "x" }));
        check(&["t=a=b"], &json!({ "t": "a=b" }));
        check(&["t="], &json!({ "t": "" }));
    }

    #[test]
    fn lists_are_json_or_the_same_name_again() {
        check(&["l=[1,2]"], &json!({ "l": [1, 2] }));
        check(&["l=1", "l=2", "l=3"], &json!({ "l": [1, 2, 3] }));
    }

    #[test]
    fn json_is_taken_as_it_is() {
        check(&["t:=[1]", "n:=\"x\""], &json!({ "t": [1], "n": "x" }));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_an_example() {
        check(
            &["n"],
            &json!("`n` is not an argument\nhint: arguments look like: name=text   name:=JSON   name=@FILE   or - for standard input"),
        );
        check(&["t=a", "t=b"], &json!("`t` is given twice"));
        check(
            &["n:={"],
            &json!("`n` is not JSON\n  Caused by: EOF while parsing an object at line 1 column 1\n\nhint: for text write n=…"),
        );
    }
}
