//! Results: whether they are what the tools' output schemas promise.

use crib_mcp::Json;
use crib_policy::Validator;
use serde_json::Value;

use super::Part;

/// What came of calls of tools that have an output schema.
#[derive(Debug, Default)]
pub(super) struct Results {
    count: u32,
    /// The first tool whose result does not fit, and why.
    unfit: Option<String>,
    unfit_count: u32,
}

// === impl Results ===

impl Results {
    /// Compares one result with what its tool promises.
    pub(super) fn look(&mut self, tool: &Value, result: &Value) {
        let Some(schema) = tool.get("outputSchema").filter(|schema| !schema.is_null()) else { return };
        // A schema that is none is found by lint.
        let Ok(validator) = Validator::compile(&Json::of(schema)) else { return };
        self.count += 1;
        let why = match result.get("structuredContent").filter(|content| !content.is_null()) {
            Some(content) => match validator.check(Some(&Json::of(content))) {
                Ok(()) => return,
                Err(problems) => problems.first().map(ToString::to_string).unwrap_or_default(),
            },
            None => "there is no structuredContent".to_owned(),
        };
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        self.unfit_count += 1;
        self.unfit.get_or_insert_with(|| format!("{name}: {why}"));
    }

    /// Notes what was found among the definitions.
    pub(super) fn tell(self, parts: &mut [Part]) {
        let Some(part) = parts.iter_mut().find(|part| part.name == "Definitions") else { return };
        match (self.count, self.unfit) {
            (0, _) => part.unknown(3.0, "results", "no tool that could be called promises a structure"),
            (count, None) => part.earned(3.0, 1.0, "results", format!("{count} as their schemas promise")),
            (count, Some(first)) => {
                let share = 1.0 - f64::from(self.unfit_count) / f64::from(count);
                part.earned(3.0, share, "results", format!("{} of {count} are not what their schemas promise: {first}", self.unfit_count));
            }
        }
    }
}
