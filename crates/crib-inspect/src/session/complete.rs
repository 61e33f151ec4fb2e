//! What the last word of a line may become: from what the server listed, and for some values from the server itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::COMMANDS;
use crate::overview::Overview;

/// An argument, and what it can be where its schema says so.
#[derive(Clone, Debug, Default)]
struct Argument {
    name: String,
    values: Vec<String>,
}

/// What can be completed.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Tools and prompts, each with its arguments.
    tools: BTreeMap<String, Vec<Argument>>,
    prompts: BTreeMap<String, Vec<Argument>>,
    templates: Vec<String>,
    uris: Vec<String>,
    /// Lines begin with a tool, and commands with `/`.
    are_of_tools: bool,
}

// === impl Words ===

impl Words {
    pub(super) fn of(overview: &Overview) -> Self {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        let properties = |tool: &Value| {
            let properties = tool.get("inputSchema").and_then(|schema| schema.get("properties")?.as_object());
            properties.into_iter().flatten().map(|(name, schema)| Argument { name: name.clone(), values: values(schema) }).collect()
        };
        let arguments = |prompt: &Value| {
            let names = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten().filter_map(name);
            names.map(|name| Argument { name, values: Vec::new() }).collect()
        };
        Self {
            tools: overview.tools.iter().filter_map(|tool| Some((name(tool)?, properties(tool)))).collect(),
            prompts: overview.prompts.iter().filter_map(|prompt| Some((name(prompt)?, arguments(prompt)))).collect(),
            uris: overview.resources.iter().filter_map(|item| item.get("uri")?.as_str().map(str::to_owned)).collect(),
            templates: overview.resource_templates.iter().filter_map(|item| item.get("uriTemplate")?.as_str().map(str::to_owned)).collect(),
            are_of_tools: false,
        }
    }

    /// Completes lines that begin with a tool and need no command for it; commands begin with `/`.
    #[must_use]
    pub fn of_tools(self) -> Self {
        Self { are_of_tools: true, ..self }
    }

    /// Returns what the last word of a line may become, and where that word begins.
    #[must_use]
    pub fn complete(&self, line: &str) -> (usize, Vec<String>) {
        if !self.are_of_tools {
            return self.commanded(line);
        }
        const CALL: &str = "call ";
        match line.strip_prefix('/') {
            Some(command) => {
                let (start, words) = self.commanded(command);
                (start + 1, words)
            }
            None => {
                let (start, mut words) = self.commanded(&[CALL, line].concat());
                // Behind the tool come its arguments.
                if !line.contains(' ') {
                    words.iter_mut().for_each(|word| word.push(' '));
                }
                (start.saturating_sub(CALL.len()), words)
            }
        }
    }

    fn commanded(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let (before, last) = line.split_at(start);
        let before: Vec<&str> = before.split_whitespace().collect();
        let candidates: Vec<Cow<'_, str>> = match before.as_slice() {
            [] => COMMANDS.into_iter().map(Cow::from).collect(),
            ["call" | "start"] => self.tools.keys().map(Cow::from).collect(),
            ["prompt"] | ["complete", "prompt"] => self.prompts.keys().map(Cow::from).collect(),
            ["read" | "subscribe"] => self.uris.iter().map(Cow::from).collect(),
            ["complete"] => vec!["prompt".into(), "resource".into()],
            ["complete", "prompt", name] => {
                self.prompts.get(*name).into_iter().flatten().map(|argument| Cow::from(&argument.name)).collect()
            }
            ["complete", "resource"] => self.templates.iter().map(Cow::from).collect(),
            ["log"] => ["debug", "info", "notice", "warning", "error"].map(Cow::from).into(),
            ["call" | "start", name, given @ ..] => assignments(self.tools.get(*name), given, last),
            ["prompt", name, given @ ..] => assignments(self.prompts.get(*name), given, last),
            _ => Vec::new(),
        };
        (start, candidates.into_iter().filter(|word| word.starts_with(last)).map(Cow::into_owned).collect())
    }
}

/// Arguments that are not given yet; behind `name=`, what its value can be.
fn assignments<'a>(known: Option<&'a Vec<Argument>>, given: &[&str], last: &str) -> Vec<Cow<'a, str>> {
    if let Some((name, _)) = last.split_once('=') {
        let known = known.into_iter().flatten().find(|argument| argument.name == name.trim_end_matches(':'));
        return known.into_iter().flat_map(|argument| &argument.values).map(|value| Cow::from(format!("{name}={value}"))).collect();
    }
    let is_given = |name: &str| given.iter().any(|word| word.split(['=', ':']).next() == Some(name));
    known
        .into_iter()
        .flatten()
        .filter(|argument| !is_given(&argument.name))
        .map(|argument| Cow::from(format!("{}=", argument.name)))
        .collect()
}

/// Returns the values that a schema names.
fn values(schema: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let all: Vec<String> = match schema.get("enum").and_then(Value::as_array) {
        Some(values) => values.iter().map(text).collect(),
        None if schema.get("type").and_then(Value::as_str) == Some("boolean") => vec!["true".to_owned(), "false".to_owned()],
        None => Vec::new(),
    };
    all.into_iter().filter(|value| is_word(value)).collect()
}

/// Whether a value is one word of a line as it stands.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || "'\"\\".contains(c))
}

/// A value that only the server can complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Of `completion/complete`.
    pub params: Value,
    /// Where the word begins that is completed, and what of it stays before the value.
    start: usize,
    before: String,
}

/// Asks the server for values; nothing where it does not answer at once.
pub type Suggest = Arc<dyn Fn(&Value) -> Vec<String> + Send + Sync>;

// === impl Wish ===

impl Wish {
    /// Returns what the word may become.
    #[must_use]
    pub fn filled(&self, values: &[String]) -> (usize, Vec<String>) {
        let words = values.iter().filter(|value| is_word(value)).map(|value| format!("{}{value}", self.before));
        (self.start, words.collect())
    }
}

impl Words {
    /// Returns what the server is to be asked for the last word of a line: values of prompts and of templates.
    #[must_use]
    pub fn wish(&self, line: &str) -> Option<Wish> {
        let (line, shift) = match (self.are_of_tools, line.strip_prefix('/')) {
            (false, _) => (line, 0),
            (true, Some(line)) => (line, 1),
            (true, None) => return None,
        };
        let start = line.rfind(' ')? + 1;
        let (before, last) = line.split_at_checked(start)?;
        let before: Vec<&str> = before.split_whitespace().collect();
        let prompt = |name: &str| json!({ "type": "ref/prompt", "name": name });
        let (reference, argument, value, given) = match before.as_slice() {
            ["prompt", name, given @ ..] if self.prompts.contains_key(*name) => {
                let (argument, value) = last.split_once('=')?;
                (prompt(name), argument, value, given)
            }
            ["complete", "prompt", name, argument] => (prompt(name), *argument, last, [].as_slice()),
            ["complete", "resource", template, argument] => {
                (json!({ "type": "ref/resource", "uri": template }), *argument, last, [].as_slice())
            }
            _ => return None,
        };
        let mut params = json!({ "ref": reference, "argument": { "name": argument, "value": value } });
        let given: Map<String, Value> =
            given.iter().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), json!(value))).collect();
        if let Some(params) = params.as_object_mut().filter(|_| !given.is_empty()) {
            params.insert("context".to_owned(), json!({ "arguments": given }));
        }
        let kept = last.strip_suffix(value).unwrap_or_default().to_owned();
        Some(Wish { params, start: start + shift, before: kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let argument =
            |name: &str, values: &[&str]| Argument { name: name.to_owned(), values: values.iter().map(|&v| v.to_owned()).collect() };
        Words {
            tools: BTreeMap::from([
                ("add".to_owned(), vec![argument("a", &[]), argument("b", &["1", "22"])]),
                ("ask".to_owned(), Vec::new()),
            ]),
            prompts: BTreeMap::from([("greet".to_owned(), vec![argument("name", &[])])]),
            uris: vec!["demo://a".to_owned()],
            templates: vec!["demo://{name}".to_owned()],
            are_of_tools: false,
        }
    }

    #[test]
    fn commands_tools_and_arguments_are_completed() {
        let complete = |line: &str| words().complete(line).1;
        assert_eq!(complete("to"), ["tools"]);
        assert_eq!(complete("call a"), ["add", "ask"]);
        assert_eq!(complete("call add "), ["a=", "b="]);
        assert_eq!(complete("call add a=1 "), ["b="]);
        assert_eq!(complete("prompt greet n"), ["name="]);
        assert_eq!(complete("call add b=2"), ["b=22"]);
        assert_eq!(complete("complete resource d"), ["demo://{name}"]);
        assert_eq!(complete("read d"), ["demo://a"]);
        assert_eq!(words().complete("call add b").0, 9);
    }

    #[test]
    fn tools_are_completed_without_a_command() {
        let complete = |line: &str| words().of_tools().complete(line);
        assert_eq!(complete("a"), (0, vec!["add ".to_owned(), "ask ".to_owned()]));
        assert_eq!(complete("add a=1 "), (8, vec!["b=".to_owned()]));
        assert_eq!(complete("/too"), (1, vec!["tools".to_owned()]));
        assert_eq!(complete("/read d"), (6, vec!["demo://a".to_owned()]));
    }

    #[test]
    fn values_of_prompts_and_templates_are_asked_of_the_server() {
        let wish = |line: &str| words().wish(line);
        let asked = wish("prompt greet style=kind name=A").expect("a question");
        let reference = json!({ "type": "ref/prompt", "name": "greet" });
        let context = json!({ "arguments": { "style": "kind" } });
        assert_eq!(asked.params, json!({ "ref": reference, "argument": { "name": "name", "value": "A" }, "context": context }));
        let values = ["Ada", "two words", "Al"].map(str::to_owned);
        assert_eq!(asked.filled(&values), (24, vec!["name=Ada".to_owned(), "name=Al".to_owned()]));
        let asked = wish("complete resource demo://{name} name ").expect("a question");
        assert_eq!(asked.params["ref"], json!({ "type": "ref/resource", "uri": "demo://{name}" }));
        for line in ["prompt greet na", "prompt nobody name=A", "call add a=1", "read demo", ""] {
            assert_eq!(wish(line), None, "{line}");
        }
        assert_eq!(words().of_tools().wish("/prompt greet name=").expect("a question").start, 14);
        assert_eq!(words().of_tools().wish("prompt greet name="), None);
    }
}
