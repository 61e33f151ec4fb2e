//! Arguments against a tool's schema.

use std::fmt;
use std::sync::OnceLock;

use crib_mcp::Json;

/// Largest schema that is compiled; a tool with a larger one is not checked here.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;

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

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    slow: jsonschema::Validator,
}

impl Validator {
    /// Compiles a schema.
    ///
    /// # Errors
    /// The schema is beyond the caps, refers to something elsewhere or is not valid.
    pub fn compile(schema: &Json) -> Result<Self, SchemaUnusable> {
        if schema.bytes().len() > SCHEMA_BYTES_MAX {
            return Err(SchemaUnusable("the schema is larger than 256 KiB".to_owned()));
        }
        let value: serde_json::Value = schema.read().map_err(|e| SchemaUnusable(e.to_string()))?;
        let slow = jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&value)
            .map_err(|e| SchemaUnusable(e.to_string()))?;
        Ok(Self { slow })
    }

    /// Checks arguments; none are the same as an empty object.
    ///
    /// # Errors
    /// Everything that is wrong, up to a bound.
    pub fn check(&self, arguments: Option<&Json>) -> Result<(), Vec<Problem>> {
        let value: serde_json::Value = arguments.map_or_else(|| Ok(serde_json::json!({})), Json::read).unwrap_or_default();
        if self.slow.is_valid(&value) {
            return Ok(());
        }
        Err(self
            .slow
            .iter_errors(&value)
            .take(16)
            .map(|e| Problem { path: e.instance_path().to_string(), message: e.to_string() })
            .collect())
    }
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

    /// Returns the validator at a position, compiling it at first use; `None` where the schema cannot be used.
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
