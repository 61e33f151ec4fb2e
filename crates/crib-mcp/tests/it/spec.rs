//! The published schemas and examples, read from `$MCP_SPEC_DIR` or beside the repository.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use crib_mcp::Revision;
use jsonschema::Validator;
use serde_json::{Value, json};

pub(crate) static SPEC: LazyLock<Option<Spec>> = LazyLock::new(Spec::find);

pub(crate) struct Spec {
    root: PathBuf,
    schemas: HashMap<Revision, Value>,
    validators: Mutex<HashMap<(Revision, String), &'static Validator>>,
}

/// Returns the specification, or says why a test is skipped.
pub(crate) fn spec() -> Option<&'static Spec> {
    if SPEC.is_none() {
        eprintln!("skipped: no specification under $MCP_SPEC_DIR or ../shared/spec");
    }
    SPEC.as_ref()
}

impl Spec {
    fn find() -> Option<Self> {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec");
        let root = std::env::var_os("MCP_SPEC_DIR").map_or(beside, PathBuf::from);
        let read = |revision: Revision| {
            let text = std::fs::read_to_string(root.join(revision.as_str()).join("schema.json")).ok()?;
            Some((revision, serde_json::from_str(&text).unwrap()))
        };
        let schemas = Revision::ALL.into_iter().map(read).collect::<Option<_>>()?;
        Some(Self { root, schemas, validators: Mutex::default() })
    }

    pub(crate) fn has(&self, revision: Revision, name: &str) -> bool {
        let schema = &self.schemas[&revision];
        schema[key(schema)].get(name).is_some()
    }

    fn validator(&self, revision: Revision, name: &str) -> &'static Validator {
        let mut validators = self.validators.lock().unwrap();
        validators.entry((revision, name.to_owned())).or_insert_with(|| {
            let schema = &self.schemas[&revision];
            let key = key(schema);
            assert!(schema[key].get(name).is_some(), "{revision} has no {name}");
            let root = json!({ "$schema": schema["$schema"], "$ref": format!("#/{key}/{name}"), key: schema[key] });
            Box::leak(Box::new(jsonschema::validator_for(&root).unwrap()))
        })
    }

    /// Fails unless the value is what the revision's schema says.
    #[track_caller]
    pub(crate) fn check(&self, revision: Revision, name: &str, value: &Value) {
        let errors: Vec<String> =
            self.validator(revision, name).iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "not a {name} of {revision}: {value:#}\n{errors:#?}");
    }

    /// Returns the examples of 2026-07-28 for a type.
    pub(crate) fn examples(&self, name: &str) -> Vec<Value> {
        let folder = self.root.join("2026-07-28/examples").join(name);
        let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

fn key(schema: &Value) -> &'static str {
    if schema.get("$defs").is_some() { "$defs" } else { "definitions" }
}

#[test]
fn the_schemas_refuse_what_is_not_of_their_kind() {
    let Some(spec) = spec() else { return };
    let audio = json!({ "content": [{ "type": "audio", "data": "aGk=", "mimeType": "audio/wav" }] });
    assert!(!spec.validator(Revision::V2024_11_05, "CallToolResult").is_valid(&audio));
    assert!(spec.validator(Revision::V2025_03_26, "CallToolResult").is_valid(&audio));
    assert!(!spec.validator(Revision::V2026_07_28, "CallToolResult").is_valid(&audio));
}
