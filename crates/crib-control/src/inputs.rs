//! The inputs of VS Code's files: what a client would ask its user for, answered here by a secret.

use std::path::{Component, Path, PathBuf};

use crib_store::SecretName;

use crate::tree::{self, Language, Node, Value};

/// Hex digits of a secret's name that tell the inputs of one file from those of another.
const MARK_LEN: usize = 6;
/// Most characters of an input's id in the name of its secret.
const ID_LEN_MAX: usize = 40;

/// Something a file has its user asked for: `promptString`, `pickString` or `command`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub id: String,
    /// What it is for, in the words of whoever wrote the file.
    pub description: String,
    /// Whether what is typed is shown to nobody.
    pub is_password: bool,
    /// What may be answered; anything where empty.
    pub choices: Vec<Choice>,
    /// What is answered by saying nothing.
    pub default: Option<String>,
    /// The command of VS Code that would give the value.
    pub command: Option<String>,
    /// What the answer is kept as.
    pub secret: SecretName,
}

/// One of several answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub label: String,
    pub value: String,
}

/// An input that a server uses and that has no value in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub input: Input,
    /// The server that uses it.
    pub server: String,
}

impl Input {
    /// Names the input, and says what it is for: `key` (Key of the search).
    #[must_use]
    pub fn title(&self) -> String {
        let Self { id, description, command, .. } = self;
        match command {
            Some(command) => format!("`{id}` (what VS Code's command `{command}` gives)"),
            None if description.is_empty() => format!("`{id}`"),
            None => format!("`{id}` ({description})"),
        }
    }

    /// Says how it gets a value.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("toolcrib secret set {}   or set the variable {}", self.secret, variable(&self.id))
    }
}

/// Reads the inputs that a file declares, `path` being absolute. What is none is passed over.
#[must_use]
pub fn of_text(text: &str, path: &Path) -> Vec<Input> {
    tree::parse(text, Language::of(path, text)).map(|root| declared(&root, path)).unwrap_or_default()
}

/// Reads the inputs of a file: those of `mcp.json`, and those of older settings.
pub(crate) fn declared(root: &Node, path: &Path) -> Vec<Input> {
    let lists = [root.get("inputs"), root.get("mcp").and_then(|mcp| mcp.get("inputs"))];
    lists.into_iter().flatten().filter_map(Node::as_list).flatten().filter_map(|node| input(node, path)).collect()
}

fn input(node: &Node, path: &Path) -> Option<Input> {
    let text = |name: &str| node.get(name).and_then(Node::as_text).map(str::to_owned);
    let id = text("id").filter(|id| !id.is_empty())?;
    let command = text("command").filter(|_| text("type").as_deref() == Some("command"));
    let options = node.get("options").and_then(Node::as_list).unwrap_or_default();
    Some(Input {
        description: text("description").map(|words| one_line(&words)).unwrap_or_default(),
        is_password: node.get("password").and_then(Node::as_bool) == Some(true),
        choices: options.iter().filter_map(choice).collect(),
        default: text("default").filter(|default| !default.is_empty()),
        command,
        secret: secret(path, &id)?,
        id,
    })
}

fn choice(node: &Node) -> Option<Choice> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    };
    match node.get("value").and_then(text) {
        Some(value) => Some(Choice { label: node.get("label").and_then(text).unwrap_or_else(|| value.clone()), value }),
        None => text(node).map(|value| Choice { label: value.clone(), value }),
    }
}

/// What others wrote is shown as one line, and moves no cursor.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// Returns the name of the secret for an input: its own for every file, since one `api-key` is not another.
fn secret(path: &Path, id: &str) -> Option<SecretName> {
    let plain: String = id.chars().take(ID_LEN_MAX).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(straight(path).to_string_lossy().as_bytes()).update(&[0]).update(id.as_bytes());
    let mark: String = hasher.finalize().to_hex().as_str().chars().take(MARK_LEN).collect();
    SecretName::parse(&format!("input.{plain}.{mark}")).ok()
}

/// The path without its detours, so that one file has one name.
fn straight(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// The variable that answers an `${input:…}`.
#[must_use]
pub fn variable(id: &str) -> String {
    let mut name = String::from("TOOLCRIB_INPUT_");
    name.extend(id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }));
    name
}

/// Returns the ids that a text names: `${input:ID}`.
pub fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("${input:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_input_is_read_and_each_file_has_its_own() {
        let text = r#"{ "servers": {}, "inputs": [
            { "type": "promptString", "id": "key", "description": "The\nkey", "password": true },
            { "type": "pickString", "id": "region", "options": ["eu", { "label": "America", "value": "us" }], "default": "eu" },
            { "type": "command", "id": "who", "command": "ext.login" },
            { "type": "promptString" } ] }"#;
        let inputs = of_text(text, Path::new("/srv/./a/../.vscode/mcp.json"));
        let titles: Vec<String> = inputs.iter().map(Input::title).collect();
        assert_eq!(titles, ["`key` (The key)", "`region`", "`who` (what VS Code's command `ext.login` gives)"]);
        assert!(inputs[0].is_password && !inputs[1].is_password);
        assert_eq!(inputs[1].choices.iter().map(|choice| choice.value.as_str()).collect::<Vec<_>>(), ["eu", "us"]);
        assert!(inputs[0].secret.as_str().starts_with("input.key."), "{}", inputs[0].secret);
        assert_eq!(inputs, of_text(text, Path::new("/srv/.vscode/mcp.json")));
        assert_ne!(inputs[0].secret, of_text(text, Path::new("/other/.vscode/mcp.json"))[0].secret);
        assert_eq!(named("${input:a}/${env:B}/${input:c}").collect::<Vec<_>>(), ["a", "c"]);
    }
}
