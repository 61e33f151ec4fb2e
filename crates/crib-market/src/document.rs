//! `server.json` (schema 2025-12-11): what its author says of a server and how it is run.
//!
//! Read leniently: unknown members and kinds are kept apart until somebody wants to run them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A server as a registry lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerJson {
    /// `io.github.owner/server`.
    pub name: String,
    #[serde(deserialize_with = "lenient")]
    pub title: String,
    #[serde(deserialize_with = "lenient")]
    pub description: String,
    #[serde(deserialize_with = "lenient")]
    pub version: String,
    #[serde(deserialize_with = "lenient")]
    pub website_url: String,
    #[serde(deserialize_with = "lenient")]
    pub repository: Repository,
    #[serde(deserialize_with = "each")]
    pub packages: Vec<Package>,
    #[serde(deserialize_with = "each")]
    pub remotes: Vec<Remote>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Repository {
    #[serde(deserialize_with = "lenient")]
    pub url: String,
    #[serde(deserialize_with = "lenient")]
    pub source: String,
    #[serde(deserialize_with = "lenient")]
    pub subfolder: String,
}

/// A package that is the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Package {
    /// `npm`, `pypi`, `oci`, `mcpb`, `cargo`, `nuget`, or what will come.
    #[serde(deserialize_with = "lenient")]
    pub registry_type: String,
    #[serde(deserialize_with = "lenient")]
    pub registry_base_url: String,
    #[serde(deserialize_with = "lenient")]
    pub identifier: String,
    #[serde(deserialize_with = "lenient")]
    pub version: String,
    #[serde(deserialize_with = "lenient")]
    pub file_sha256: String,
    #[serde(deserialize_with = "lenient")]
    pub runtime_hint: String,
    #[serde(deserialize_with = "lenient")]
    pub transport: Transport,
    #[serde(deserialize_with = "each")]
    pub runtime_arguments: Vec<Argument>,
    #[serde(deserialize_with = "each")]
    pub package_arguments: Vec<Argument>,
    #[serde(deserialize_with = "each")]
    pub environment_variables: Vec<KeyValue>,
}

/// How a package is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Transport {
    #[serde(rename = "type")]
    pub kind: TransportKind,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "String::is_empty")]
    pub url: String,
    #[serde(deserialize_with = "each", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<KeyValue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportKind {
    #[default]
    Stdio,
    StreamableHttp,
    Sse,
    #[serde(other)]
    Other,
}

/// A server that runs elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Remote {
    #[serde(rename = "type")]
    pub kind: TransportKind,
    #[serde(deserialize_with = "lenient")]
    pub url: String,
    #[serde(deserialize_with = "each")]
    pub headers: Vec<KeyValue>,
    /// What fills `{curly}` parts of the URL.
    #[serde(deserialize_with = "lenient")]
    pub variables: BTreeMap<String, Input>,
}

/// A part of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Argument {
    #[serde(rename = "type")]
    pub kind: ArgumentKind,
    /// The flag of a named one, with its dashes.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What a positional one is called.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "String::is_empty")]
    pub value_hint: String,
    #[serde(deserialize_with = "lenient")]
    pub is_repeated: bool,
    #[serde(flatten)]
    pub input: Input,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgumentKind {
    #[default]
    Positional,
    Named,
}

/// A variable or a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyValue {
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    #[serde(flatten)]
    pub input: Input,
}

/// Something to be told by the user, or fixed by the author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Input {
    #[serde(deserialize_with = "lenient", skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(deserialize_with = "lenient")]
    pub is_required: bool,
    #[serde(deserialize_with = "lenient")]
    pub is_secret: bool,
    /// `string`, `number`, `boolean` or `filepath`.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "String::is_empty")]
    pub format: String,
    /// Fixed by the author, but for its `{curly}` parts.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Self>,
}

impl ServerJson {
    /// Reads one, as a registry gives it.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok().filter(|server| is_name(&server.name) && is_version(&server.version))
    }

    /// Returns the kinds of what it can be run as: `npm`, `pypi`, `remote`.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for kind in self.packages.iter().map(|package| package.registry_type.as_str()).chain(self.remotes.iter().map(|_| "remote")) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}

/// Tells the name of a server from everything else: `namespace/server`, in plain letters.
pub(crate) fn is_name(text: &str) -> bool {
    let is_word = |word: &str, marks: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte))
    };
    (3..=200).contains(&text.len()) && text.split_once('/').is_some_and(|(space, server)| is_word(space, ".-") && is_word(server, "._-"))
}

/// One version, no range.
pub(crate) fn is_version(text: &str) -> bool {
    text.len() <= 255 && text.chars().all(|c| c.is_ascii_graphic() && !"/\\?#%\"'`".contains(c))
}

/// What is missing, `null` or of another kind is nothing.
fn lenient<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// A list without those entries that cannot be read.
fn each<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let Value::Array(entries) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(entries.into_iter().filter_map(|entry| T::deserialize(entry).ok()).collect())
}

/// A text, or a number or truth value that somebody forgot to quote.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_whatever_else_stands_in_it() {
        let text = r#"{"$schema":"x","name":"io.github.a/b","description":null,"version":"1.0.0","icons":[{}],
            "packages":[{"registryType":"npm","identifier":"@a/b","version":"1.0.0","transport":{"type":"stdio"},
              "packageArguments":[{"type":"named","name":"--port","default":8080,"isRequired":"odd"},{"type":"novel"}],
              "environmentVariables":[{"name":"KEY","isSecret":true,"isRequired":true,"variables":{"x":{"default":"y"}}}]},
              {"registryType":"zig","identifier":"b","transport":{"type":"carrier-pigeon"}}, 5],
            "remotes":null}"#;
        let server = ServerJson::read(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(server.kinds(), ["npm", "zig"]);
        let package = &server.packages[0];
        assert_eq!(package.package_arguments.len(), 1);
        assert_eq!(package.package_arguments[0].input.default.as_deref(), Some("8080"));
        assert!(package.environment_variables[0].input.is_secret);
        assert_eq!(package.environment_variables[0].input.variables["x"].default.as_deref(), Some("y"));
        assert_eq!(server.packages[1].transport.kind, TransportKind::Other);
    }

    #[test]
    fn what_is_no_name_is_no_server() {
        for name in ["", "plain", "a/b/c", "a/../b", "io.github.a/\u{202e}b", "a /b", "io.github.\u{430}/b", "/b", "a/"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("io.github.Owner-x/my_server.v2"));
        assert!(ServerJson::read(&serde_json::json!({ "name": "a/b", "version": "1.0/../2" })).is_none());
    }
}
