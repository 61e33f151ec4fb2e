//! Two answers, and where they differ in what does not change by itself.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

/// Differences of one answer that are told.
const TOLD_MAX: usize = 20;
/// Longest value that is shown.
const SHOWN_CHARS_MAX: usize = 120;

/// Members that are other ones every time.
const VOLATILE: [&str; 10] = [
    "requestState",
    "taskId",
    "nextCursor",
    "createdAt",
    "lastUpdatedAt",
    "elicitationId",
    "lastModified",
    "progressToken",
    "io.modelcontextprotocol/subscriptionId",
    "ttlMs",
];

/// Texts that are other ones every time: dates with and without time, times of day, UUIDs, durations.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    const PATTERNS: &[(&str, &str)] = &[
        (r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", "<time>"),
        (r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"\b\d{1,2}:\d{2}:\d{2}(\.\d+)?( ?[AP]M)?", "<time>"),
        (r"\b\d+(\.\d+)? ?(ms|µs|milliseconds|seconds)\b", "<duration>"),
    ];
    // INVARIANT: the tests build them all.
    PATTERNS.iter().filter_map(|(pattern, word)| Some((Regex::new(pattern).ok()?, *word))).collect()
});

/// Places of results that are not compared, as JSON pointers; `*` stands for any member or element.
#[derive(Clone, Debug, Default)]
pub struct Ignored(Vec<Vec<String>>);

/// A place in which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
}

// === impl Ignored ===

impl Ignored {
    #[must_use]
    pub fn new<T: AsRef<str>>(pointers: impl IntoIterator<Item = T>) -> Self {
        let steps = |pointer: T| pointer.as_ref().trim_start_matches('/').split('/').map(str::to_owned).collect();
        Self(pointers.into_iter().map(steps).collect())
    }

    fn has(&self, path: &[String]) -> bool {
        // The first step is `result` or `error`, which nobody wants to type.
        let path = path.get(1..).unwrap_or_default();
        self.0.iter().any(|steps| steps.len() == path.len() && steps.iter().zip(path).all(|(step, at)| step == "*" || step == at))
    }
}

/// Compares two answers.
pub(super) fn differences(recorded: &Value, now: &Value, ignored: &Ignored) -> Vec<Difference> {
    let mut walk = Walk { ignored, path: Vec::new(), found: Vec::new() };
    walk.compare(Some(recorded), Some(now));
    walk.found
}

struct Walk<'a> {
    ignored: &'a Ignored,
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn compare(&mut self, recorded: Option<&Value>, now: Option<&Value>) {
        if self.found.len() >= TOLD_MAX || self.ignored.has(&self.path) {
            return;
        }
        match (recorded, now) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for name in names.into_iter().filter(|name| !VOLATILE.contains(&name.as_str())) {
                    self.step(name, a.get(name), b.get(name));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.step(&at.to_string(), a.get(at), b.get(at));
                }
            }
            (Some(Value::String(a)), Some(Value::String(b))) if steady(a) == steady(b) => {}
            (a, b) if a == b => {}
            (a, b) => self.found.push(Difference { place: format!("/{}", self.path.join("/")), recorded: a.cloned(), now: b.cloned() }),
        }
    }

    fn step(&mut self, name: &str, recorded: Option<&Value>, now: Option<&Value>) {
        self.path.push(name.to_owned());
        self.compare(recorded, now);
        self.path.pop();
    }
}

/// Takes out of a text what is another one every time.
fn steady(text: &str) -> String {
    PATTERNS.iter().fold(text.to_owned(), |text, (pattern, word)| pattern.replace_all(&text, *word).into_owned())
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "(nothing)".to_owned(), |value| crate::overview::cut(&value.to_string(), SHOWN_CHARS_MAX))
        };
        write!(f, "{}\n  - {}\n  + {}", self.place, show(&self.recorded), show(&self.now))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(a: &Value, b: &Value, ignored: &[&str]) -> Vec<String> {
        differences(a, b, &Ignored::new(ignored)).into_iter().map(|found| found.place).collect()
    }

    #[test]
    fn what_changes_by_itself_is_no_difference() {
        let a = json!({ "result": { "text": "at 2026-01-02T03:04:05Z in 12 ms", "requestState": "x", "taskId": "1" } });
        let b = json!({ "result": { "text": "at 2027-11-12T13:14:15.5+01:00 in 9.5 ms", "requestState": "y", "taskId": "2" } });
        assert!(places(&a, &b, &[]).is_empty());
        assert_eq!(PATTERNS.len(), 4);
    }

    #[test]
    fn what_differs_is_named_and_can_be_left_out() {
        let a = json!({ "result": { "content": [{ "text": "a" }, { "text": "b" }], "n": 1 } });
        let b = json!({ "result": { "content": [{ "text": "a" }, { "text": "c" }, {}], "n": 1.5 } });
        assert_eq!(places(&a, &b, &[]), ["/result/content/1/text", "/result/content/2", "/result/n"]);
        assert_eq!(places(&a, &b, &["/content/*/text", "n"]), ["/result/content/2"]);
    }
}
