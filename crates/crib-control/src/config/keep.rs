//! How long a server lives that nobody uses: a span of time, `0` or `forever`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::Timespan;

/// How long a server lives without a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepAlive {
    #[default]
    Forever,
    For(Duration),
}

impl KeepAlive {
    /// Reads a span of time, `0` or `forever`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "forever" => Some(Self::Forever),
            "0" | "0s" => Some(Self::For(Duration::ZERO)),
            span => Timespan::parse(span).map(|span| Self::For(span.0)),
        }
    }

    /// Returns the time, where there is an end to it.
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::For(span) => Some(span),
        }
    }
}

/// As a file has it.
impl fmt::Display for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(span) = self else { return f.write_str("forever") };
        let ms = span.as_millis();
        match (ms, ms % 1000, ms % 60_000, ms % 3_600_000) {
            (0, ..) => f.write_str("0"),
            (_, _, _, 0) => write!(f, "{}h", ms / 3_600_000),
            (_, _, 0, _) => write!(f, "{}m", ms / 60_000),
            (_, 0, ..) => write!(f, "{}s", ms / 1000),
            _ => write!(f, "{ms}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for KeepAlive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// What a file has: a text, or the number nought.
struct Written;

impl Visitor<'_> for Written {
    type Value = KeepAlive;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time like `5m`, `0` or `forever`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<KeepAlive, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeepAlive, E> {
        let wrong = || E::custom(format!("`{text}` is not a span of time like `5m`, `0` or `forever`"));
        KeepAlive::parse(text).ok_or_else(wrong)
    }
}

impl Serialize for KeepAlive {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for KeepAlive {
    fn schema_name() -> Cow<'static, str> {
        "KeepAlive".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time, `0`, or `forever`.",
            "anyOf": [
                { "type": "string", "pattern": "^(forever|0|0s|[0-9]+(\\.[0-9]+)?\\s*(ms|s|sec|m|min|h|d))$" },
                { "const": 0 }
            ],
            "examples": ["5m", "forever"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for text in ["forever", "0", "5m", "90s", "2h", "1500ms"] {
            assert_eq!(KeepAlive::parse(text).map(|keep| keep.to_string()).as_deref(), Some(text));
        }
        assert_eq!([KeepAlive::parse("5"), KeepAlive::parse("never"), KeepAlive::parse("-1s")], [None; 3]);
    }
}
