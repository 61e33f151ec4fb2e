//! Arguments against a tool's schema.
//!
//! A schema comes from an upstream and arguments from a client, so neither may cost more than a bound: schemas beyond
//! the caps are not used, references must stay inside the schema, patterns run in linear time, and arguments that
//! could make a schema branch without end are left to the server. What is left unchecked is never refused.

mod cost;
mod fast;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

use crib_mcp::{Json, Kind};
use serde_json::Value;

use cost::Cost;
use fast::{Fast, Verdict};

/// Largest schema that is compiled; a tool with a larger one is not checked here.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Largest compiled form of one regular expression.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Problems told at once; who fixes these finds the rest.
const PROBLEMS_MAX: usize = 8;

/// One way in which arguments do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as people write it: `a`, `filter.tags[0]`; empty for the arguments as a whole.
    pub path: String,
    /// What is wrong: `expected number, got "x"`.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Why a schema cannot be used to check arguments. The tool stays usable; its server checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaUnusable(String);

impl SchemaUnusable {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    fast: Option<Fast>,
    full: jsonschema::Validator,
    cost: Cost,
    /// Arguments that may be left out.
    optional: HashSet<Box<str>>,
}

impl Validator {
    /// Compiles a schema of 2020-12, or of the older draft its `$schema` names.
    ///
    /// # Errors
    /// The schema is beyond the caps, refers to something elsewhere or is not valid.
    pub fn compile(schema: &Json) -> Result<Self, SchemaUnusable> {
        if schema.bytes().len() > SCHEMA_BYTES_MAX {
            return Err(SchemaUnusable::new("the schema is larger than 256 KiB"));
        }
        let mut value: Value = schema.read().map_err(|e| SchemaUnusable::new(e.to_string()))?;
        excuse_defaults(&mut value);
        let cost = Cost::of(&value)?;
        let patterns = jsonschema::PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let full = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(patterns)
            .build(&value)
            .map_err(|e| SchemaUnusable::new(words::clip(&e.to_string())))?;
        Ok(Self { fast: Fast::compile(&value), full, cost, optional: optional(&value) })
    }

    /// Checks arguments; none are the same as an empty object.
    ///
    /// # Errors
    /// What is wrong, up to a bound.
    pub fn check(&self, arguments: Option<&Json>) -> Result<(), Vec<Problem>> {
        let empty = Json::from_static("{}");
        let arguments = arguments.unwrap_or(&empty);
        if self.fast.as_ref().map_or(Verdict::Unsure, |fast| fast.check(arguments)) == Verdict::Fits {
            return Ok(());
        }
        let problems = match self.check_fully(arguments) {
            Ok(()) => return Ok(()),
            Err(problems) => problems,
        };
        // Many clients write null for an argument they leave out, as the protocol's headers read it too.
        match self.without_nulls(arguments).map(|trimmed| self.check_fully(&trimmed)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(problems),
        }
    }

    /// Leaves out optional arguments that are null; `None` when there are none.
    fn without_nulls(&self, arguments: &Json) -> Option<Json> {
        let object = arguments.to_object().ok()?;
        let mut edit = object.edit();
        for (name, value) in object.object.members() {
            if value.kind() == Kind::Null && self.optional.contains(name.as_ref()) {
                edit.remove(&name);
            }
        }
        (!edit.is_unchanged()).then(|| edit.to_payload().to_json())
    }

    fn check_fully(&self, arguments: &Json) -> Result<(), Vec<Problem>> {
        // A number no common type can hold is not for us to judge.
        let Ok(value) = arguments.read::<Value>() else { return Ok(()) };
        if !self.cost.is_affordable(&value) || self.full.is_valid(&value) {
            return Ok(());
        }
        let mut problems: Vec<Problem> = self.full.iter_errors(&value).take(PROBLEMS_MAX).map(|error| words::problem(&error)).collect();
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        Err(problems)
    }
}

/// Takes arguments with a `default` off the list of those that must be there: servers fill them in, and many SDKs
/// list them as required all the same.
fn excuse_defaults(schema: &mut Value) {
    let has_default = |property: &Value| property.get("default").is_some();
    let described = schema.get("properties").and_then(Value::as_object);
    let excused: HashSet<String> = described.into_iter().flatten().filter(|(_, p)| has_default(p)).map(|(name, _)| name.clone()).collect();
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| !name.as_str().is_some_and(|name| excused.contains(name)));
    }
}

/// Returns the names of the arguments that a schema describes and does not require.
fn optional(schema: &Value) -> HashSet<Box<str>> {
    let required = schema.get("required").and_then(Value::as_array);
    let required: HashSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let described = schema.get("properties").and_then(Value::as_object);
    described.into_iter().flatten().map(|(name, _)| name.as_str()).filter(|name| !required.contains(name)).map(Box::from).collect()
}

/// Compiled schemas of a whole list, each made when it is first needed.
#[derive(Debug, Default)]
pub struct Validators {
    slots: Vec<OnceLock<Option<Box<Validator>>>>,
}

impl Validators {
    /// Makes room for a list of this length.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { slots: std::iter::repeat_with(OnceLock::new).take(len).collect() }
    }

    /// Returns the validator at a position, compiling it at first use; `None` where the schema cannot be used, which
    /// is reported once.
    pub fn at(&self, position: usize, schema: impl FnOnce() -> Option<Json>, report: impl FnOnce(SchemaUnusable)) -> Option<&Validator> {
        let compile = || match Validator::compile(&schema()?) {
            Ok(validator) => Some(Box::new(validator)),
            Err(why) => {
                report(why);
                None
            }
        };
        self.slots.get(position)?.get_or_init(compile).as_deref()
    }
}
