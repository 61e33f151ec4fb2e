//! Spans of time as people write them: `500ms`, `30s`, `5m`, `2h`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};

/// A span of time with its unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timespan(pub Duration);

impl Timespan {
    /// Reads a number and its unit; `None` for anything else, zero included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = text.split_at_checked(digits)?;
        let number: f64 = number.parse().ok()?;
        let seconds = match unit.trim() {
            "ms" => number / 1000.0,
            "s" | "sec" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86400.0,
            _ => return None,
        };
        Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero()).map(Self)
    }
}

impl fmt::Debug for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Timespan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a span of time like `30s`, `500ms` or `5m`")))
    }
}

impl Serialize for Timespan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl JsonSchema for Timespan {
    fn schema_name() -> Cow<'static, str> {
        "Timespan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time: a number and `ms`, `s`, `m`, `h` or `d`.",
            "pattern": "^[0-9]+(\\.[0-9]+)?\\s*(ms|s|sec|m|min|h|d)$",
            "examples": ["30s", "500ms", "5m"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_needs_a_number_and_a_unit() {
        let ms = |text: &str| Timespan::parse(text).map(|span| span.0.as_millis());
        assert_eq!([ms("30s"), ms("500ms"), ms("1.5m"), ms("2h")], [Some(30_000), Some(500), Some(90_000), Some(7_200_000)]);
        assert_eq!([ms("30"), ms("s"), ms("0s"), ms("-1s"), ms("1y"), ms("")], [None; 6]);
    }
}
