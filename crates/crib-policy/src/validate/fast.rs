//! The check most tools need, on the bytes: a flat object of simple values.
//!
//! It only ever says that arguments fit. Whatever else it finds, or cannot judge, goes to the full validator, which
//! also finds the words for it.

use std::collections::HashMap;

use crib_mcp::{Json, Kind};
use serde_json::{Map, Value};

/// Numbers with more digits are compared by the full validator.
const DIGITS_MAX: usize = 15;

/// Words of a schema that do not decide whether a value fits. Unknown words do not either, and are taken as such.
const DECIDING: [&str; 34] = [
    "$dynamicRef",
    "$recursiveRef",
    "$ref",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "divisibleBy",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
];
const DECIDING_MORE: [&str; 11] = [
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "then",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "$vocabulary",
];

/// What the quick look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    DoesNotFit,
    Unsure,
}

/// A flat object schema.
#[derive(Debug)]
pub(super) struct Fast {
    properties: HashMap<Box<str>, Property>,
    required: usize,
    /// Whether members that are not among the properties may stand.
    is_open: bool,
}

#[derive(Debug, Default)]
struct Property {
    is_required: bool,
    value: Simple,
}

/// What one value must be.
#[derive(Debug, Default)]
struct Simple {
    /// `None` for any kind.
    kinds: Option<Kinds>,
    choices: Option<Vec<Box<str>>>,
    min: Option<f64>,
    max: Option<f64>,
}

/// A set of JSON Schema types.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds(u8);

const INTEGER: u8 = 1;
const NUMBER: u8 = 2;
const STRING: u8 = 4;
const BOOLEAN: u8 = 8;
const NULL: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

impl Fast {
    /// Compiles a schema, if it is one of the simple ones.
    pub(super) fn compile(schema: &Value) -> Option<Self> {
        let schema = schema.as_object()?;
        let is_common_draft = schema.get("$schema").is_none_or(|draft| {
            let draft = draft.as_str().unwrap_or_default().trim_end_matches('#');
            draft.ends_with("/draft/2020-12/schema") || draft.ends_with("/draft/2019-09/schema") || draft.ends_with("/draft-07/schema")
        });
        let is_object = schema.get("type").is_none_or(|kind| kind == "object");
        if !is_common_draft || !is_object || !decides_only(schema, &["type", "properties", "required", "additionalProperties"]) {
            return None;
        }
        let is_open = match schema.get("additionalProperties") {
            None | Some(Value::Bool(true)) => true,
            Some(Value::Bool(false)) => false,
            Some(_) => return None,
        };
        let mut properties = HashMap::new();
        if let Some(described) = schema.get("properties") {
            for (name, value) in described.as_object()? {
                properties.insert(name.as_str().into(), Property { is_required: false, value: Simple::compile(value)? });
            }
        }
        let mut required = 0;
        if let Some(names) = schema.get("required") {
            for name in names.as_array()? {
                let name = name.as_str()?;
                // Required but not described: any value, and never allowed in a closed object.
                if !is_open && !properties.contains_key(name) {
                    return None;
                }
                let property = properties.entry(name.into()).or_default();
                required += usize::from(!std::mem::replace(&mut property.is_required, true));
            }
        }
        Some(Self { properties, required, is_open })
    }

    pub(super) fn check(&self, arguments: &Json) -> Verdict {
        let Ok(arguments) = arguments.to_object() else { return Verdict::Unsure };
        let mut missing = self.required;
        let mut verdict = Verdict::Fits;
        for (name, value) in arguments.object.members() {
            let found = match self.properties.get(name.as_ref()) {
                Some(property) => {
                    missing -= usize::from(property.is_required);
                    property.value.check(&value)
                }
                None if self.is_open => Verdict::Fits,
                None => Verdict::DoesNotFit,
            };
            match found {
                Verdict::Fits => {}
                Verdict::DoesNotFit => verdict = Verdict::DoesNotFit,
                Verdict::Unsure => return Verdict::Unsure,
            }
        }
        if missing > 0 { Verdict::DoesNotFit } else { verdict }
    }
}

impl Simple {
    fn compile(schema: &Value) -> Option<Self> {
        let schema = match schema {
            Value::Bool(true) => return Some(Self::default()),
            Value::Object(schema) => schema,
            Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) | Value::Array(_) => return None,
        };
        if !decides_only(schema, &["type", "enum", "const", "minimum", "maximum"]) {
            return None;
        }
        let kinds = match schema.get("type") {
            Some(kinds) => Some(Kinds::compile(kinds)?),
            None => None,
        };
        let choices = match (schema.get("enum"), schema.get("const")) {
            (None, None) => None,
            (Some(Value::Array(choices)), None) => {
                Some(choices.iter().map(|choice| choice.as_str().map(Box::from)).collect::<Option<Vec<_>>>()?)
            }
            (None, Some(Value::String(only))) => Some(vec![only.as_str().into()]),
            (Some(_), _) | (_, Some(_)) => return None,
        };
        let (min, max) = (limit(schema.get("minimum"))?, limit(schema.get("maximum"))?);
        Some(Self { kinds, choices, min, max })
    }

    fn check(&self, value: &Json) -> Verdict {
        let kind = value.kind();
        if kind != Kind::Number {
            let fits_kind = self.kinds.is_none_or(|kinds| kinds.has(kind));
            let fits_choice = self
                .choices
                .as_ref()
                .is_none_or(|choices| value.as_text().is_some_and(|text| choices.iter().any(|choice| **choice == *text)));
            return verdict(fits_kind && fits_choice);
        }
        let Some((number, is_integer)) = simple_number(value.bytes()) else { return Verdict::Unsure };
        let fits_kind = self.kinds.is_none_or(|kinds| kinds.0 & NUMBER != 0 || (is_integer && kinds.0 & INTEGER != 0));
        let fits_range = self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max);
        verdict(fits_kind && fits_range && self.choices.is_none())
    }
}

impl Kinds {
    fn compile(kinds: &Value) -> Option<Self> {
        let one = |kind: &Value| {
            Some(match kind.as_str()? {
                "integer" => INTEGER,
                "number" => NUMBER,
                "string" => STRING,
                "boolean" => BOOLEAN,
                "null" => NULL,
                "array" => ARRAY,
                "object" => OBJECT,
                _ => return None,
            })
        };
        match kinds {
            Value::Array(kinds) => kinds.iter().try_fold(Self(0), |set, kind| Some(Self(set.0 | one(kind)?))),
            Value::String(_) => one(kinds).map(Self),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }

    /// For all kinds but numbers.
    fn has(self, kind: Kind) -> bool {
        let bit = match kind {
            Kind::Object => OBJECT,
            Kind::Array => ARRAY,
            Kind::String => STRING,
            Kind::Bool => BOOLEAN,
            Kind::Null => NULL,
            Kind::Number => return false,
        };
        self.0 & bit != 0
    }
}

fn verdict(fits: bool) -> Verdict {
    if fits { Verdict::Fits } else { Verdict::DoesNotFit }
}

/// Tells whether all words of a schema that decide are among those that are understood here.
fn decides_only(schema: &Map<String, Value>, understood: &[&str]) -> bool {
    schema.keys().all(|word| {
        let word = word.as_str();
        understood.contains(&word) || !(DECIDING.contains(&word) || DECIDING_MORE.contains(&word))
    })
}

/// Reads a limit that can be compared without loss.
#[expect(clippy::option_option, reason = "no limit is not the same as one that cannot be used")]
fn limit(limit: Option<&Value>) -> Option<Option<f64>> {
    let Some(limit) = limit else { return Some(None) };
    let Value::Number(number) = limit else { return None };
    simple_number(number.to_string().as_bytes()).map(|(number, _)| Some(number))
}

/// Reads a number without exponent and with few digits, and whether it is whole.
fn simple_number(text: &[u8]) -> Option<(f64, bool)> {
    if text.len() > DIGITS_MAX || text.iter().any(|b| matches!(b, b'e' | b'E')) {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((number, number.fract() == 0.0))
}
