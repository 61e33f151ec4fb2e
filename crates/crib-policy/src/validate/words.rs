//! Problems in the words of people.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as What};
use jsonschema::paths::{Location, LocationSegment};
use serde_json::Value;

use super::Problem;

/// Longest piece of a value that is quoted.
const QUOTE_CHARS_MAX: usize = 60;
/// Choices that are listed.
const CHOICES_MAX: usize = 12;

/// Says what an error means for whoever wrote the arguments.
pub(super) fn problem(error: &ValidationError<'_>) -> Problem {
    let mut path = path(error.instance_path());
    let message = missing_or_unknown(error.kind(), &mut path).unwrap_or_else(|| match expected(error.kind()) {
        Some(expected) => format!("expected {expected}, got {}", quote(error.instance())),
        None => clip(&error.to_string()),
    });
    Problem { path, message }
}

/// Problems of a name rather than a value; they belong to the place the name stands for.
fn missing_or_unknown(kind: &What, path: &mut String) -> Option<String> {
    if let What::Required { property } = kind {
        append(path, property.as_str().unwrap_or_default());
        return Some("required, missing".to_owned());
    }
    let (What::AdditionalProperties { unexpected } | What::UnevaluatedProperties { unexpected }) = kind else { return None };
    if let [only] = unexpected.as_slice() {
        append(path, &clip(only));
        return Some("not known".to_owned());
    }
    Some(format!("not known: {}", list(unexpected.iter().map(|name| format!("`{}`", clip(name))))))
}

fn expected(kind: &What) -> Option<String> {
    if let What::Type { kind } = kind {
        return Some(types(kind));
    }
    if let What::Enum { options } = kind {
        let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
        return Some(list(options.iter().map(quote)));
    }
    if let What::Constant { expected_value } = kind {
        return Some(quote(expected_value));
    }
    bounds(kind).or_else(|| sizes(kind))
}

fn bounds(kind: &What) -> Option<String> {
    if let What::Minimum { limit } = kind {
        Some(format!("at least {limit}"))
    } else if let What::Maximum { limit } = kind {
        Some(format!("at most {limit}"))
    } else if let What::ExclusiveMinimum { limit } = kind {
        Some(format!("more than {limit}"))
    } else if let What::ExclusiveMaximum { limit } = kind {
        Some(format!("less than {limit}"))
    } else if let What::MultipleOf { multiple_of } = kind {
        Some(format!("a multiple of {multiple_of}"))
    } else {
        None
    }
}

fn sizes(kind: &What) -> Option<String> {
    if let What::MinLength { limit } = kind {
        Some(format!("at least {limit} characters"))
    } else if let What::MaxLength { limit } = kind {
        Some(format!("at most {limit} characters"))
    } else if let What::MinItems { limit } = kind {
        Some(format!("at least {limit} items"))
    } else if let What::MaxItems { limit } = kind {
        Some(format!("at most {limit} items"))
    } else if let What::Pattern { pattern } = kind {
        Some(format!("text that matches `{}`", clip(pattern)))
    } else if matches!(kind, What::UniqueItems) {
        Some("items that all differ".to_owned())
    } else {
        None
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(set) => list(set.iter().map(|one| one.to_string())),
    }
}

fn path(location: &Location) -> String {
    let mut path = String::new();
    for segment in location {
        match segment {
            LocationSegment::Property(name) => append(&mut path, &name),
            LocationSegment::Index(at) => path.extend(["[", &at.to_string(), "]"]),
        }
    }
    path
}

fn append(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Writes choices with `or` before the last.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.take(CHOICES_MAX + 1).collect();
    if items.len() > CHOICES_MAX {
        items.truncate(CHOICES_MAX);
        return format!("{}, ...", items.join(", "));
    }
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} or {last}", items.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

fn quote(value: &Value) -> String {
    match value {
        // The inside of a large value helps nobody.
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => clip(&value.to_string()),
    }
}

/// Cuts a long text.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
