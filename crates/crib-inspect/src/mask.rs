//! Messages without their secrets, for files that are passed on.
//!
//! Three things are taken for a secret: a value that is known to be one, the value of a member or variable whose name says
//! so, and a text of a shape that only credentials have. Everything else keeps its bytes.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use crate::tap::is_secret_name;
use crate::target::{Target, Way};

/// What stands where a secret was.
pub(crate) const MASKED: &str = "[secret]";
/// What stands where a secret was whose name is known.
const NAMED: &str = "${secret:";
/// Shorter values are found in ordinary words.
const KNOWN_BYTES_MIN: usize = 6;

/// Members that hold a secret, without `_` and `-`; and those that only sound like it.
const MEMBERS: &[&str] = &[
    "authorization",
    "cookie",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "privatekey",
    "token",
];
const INNOCENT: &[&str] = &["progresstoken", "pagetoken", "nexttoken", "continuationtoken", "synctoken"];

/// Shapes that only credentials have. What is in the group `keep` stays.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const SHAPES: &[&str] = &[
        r"(?P<keep>\b(?i:bearer|basic) )([A-Za-z0-9._~+/-]{16,}=*|[A-Za-z0-9+/]{6,}={1,2})",
        r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
        r"\b(sk|rk|pk)[-_](live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{20,}",
        r"\b(xox[abeoprs]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{40,})",
        r"\b((AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\z)|AGE-SECRET-KEY-1[0-9A-Z]{40,}",
        r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@",
        // `GITHUB_TOKEN=…`, `"apiKey": "…"`, `password: …`, also inside of a text.
        concat!(
            r#"(?P<keep>(?i:\b[A-Za-z0-9_.-]*(password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|"#,
            r#"(auth|access|refresh|id|bearer|github|api|bot)[_-]?token|_token|client[_-]?secret))['"]?\s*[=:]\s*['"]?)[^\s'",;&{}\[\]$()]{6,}"#
        ),
    ];
    // INVARIANT: the tests build them all.
    SHAPES.iter().filter_map(|shape| Regex::new(shape).ok()).collect()
});

/// What is to be masked.
#[derive(Clone, Default)]
pub struct Mask {
    /// Values and what stands for them, the longest first.
    known: Vec<(String, String)>,
}

// === impl Mask ===

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("known", &self.known.len()).finish()
    }
}

impl Mask {
    /// Knows the credentials that a server is given: its variables and headers whose names say so.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let mut mask = Self::default();
        let (pairs, is_header) = match &target.way {
            Way::Command(command) => (command.env.as_slice(), false),
            Way::Url { headers, .. } => (headers.as_slice(), true),
            Way::Here(_) => (&[][..], false),
        };
        for (_, value) in pairs.iter().filter(|(name, _)| is_header || is_secret_name(name)) {
            // Of `Bearer abc` it is `abc`.
            for word in value.split_whitespace().chain([value.as_str()]) {
                mask.know(word.to_owned(), MASKED.to_owned());
            }
        }
        mask
    }

    /// Knows a secret of the store, which is written as `${secret:NAME}`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.known.retain(|(known, _)| known != value);
        self.know(value.to_owned(), format!("{NAMED}{name}}}"));
        self
    }

    fn know(&mut self, value: String, stand_in: String) {
        if value.len() >= KNOWN_BYTES_MIN && self.known.iter().all(|(known, _)| *known != value) {
            self.known.push((value, stand_in));
            self.known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// Masks a text.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for (value, stand_in) in &self.known {
            if masked.contains(value) {
                masked = Cow::Owned(masked.replace(value, stand_in));
            }
        }
        for shape in SHAPES.iter() {
            if shape.is_match(&masked) {
                masked = Cow::Owned(shape.replace_all(&masked, stand_in).into_owned());
            }
        }
        masked
    }

    /// Masks JSON, where there is something to mask: all other bytes stay.
    #[must_use]
    pub fn json(&self, json: &str) -> Option<String> {
        let mut out = String::with_capacity(json.len());
        let (mut member, mut rest) = (None::<String>, json);
        let mut is_changed = false;
        while let Some((before, after)) = rest.split_once('"') {
            let (inside, behind) = after.split_at_checked(end_of_string(after))?;
            let behind = behind.strip_prefix('"')?;
            // What is no text stands between: the member before it is not this text's.
            let is_value = before.trim() == ":";
            out.push_str(before);
            let quoted = ["\"", inside, "\""].concat();
            let is_name = behind.trim_start().starts_with(':');
            let text = serde_json::from_str::<String>(&quoted).ok()?;
            let is_secret = is_value && !text.is_empty() && member.as_deref().is_some_and(is_secret_member);
            let masked = match () {
                () if is_name => Cow::Borrowed(text.as_str()),
                // A secret whose name is known keeps its name.
                () if is_secret && !self.known.iter().any(|(known, _)| text.contains(known)) => Cow::Borrowed(MASKED),
                () => self.text(&text),
            };
            if masked == text.as_str() {
                out.push_str(&quoted);
            } else {
                is_changed = true;
                out.push_str(&Value::String(masked.into_owned()).to_string());
            }
            member = is_name.then_some(text);
            rest = behind;
        }
        out.push_str(rest);
        is_changed.then_some(out)
    }

    /// Masks a value, to be compared with a recorded one.
    #[must_use]
    pub(crate) fn value(&self, value: &Value) -> Value {
        let masked = self.json(&value.to_string());
        masked.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| value.clone())
    }

    /// Puts back what is known; `None` where something was masked that is not.
    #[must_use]
    pub(crate) fn filled(&self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::String(text) if text.contains(MASKED) || text.contains(NAMED) => {
                let named = self.known.iter().filter(|(_, stand_in)| stand_in.starts_with(NAMED));
                let filled = named.fold(text.clone(), |text, (value, stand_in)| text.replace(stand_in, value));
                if filled.contains(MASKED) || filled.contains(NAMED) {
                    return None;
                }
                Value::String(filled)
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.filled(item)).collect::<Option<_>>()?),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, item)| Some((name.clone(), self.filled(item)?))).collect::<Option<_>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        })
    }
}

/// What stands for a text of a shape: what may stay of it, and that there was more.
fn stand_in(found: &Captures<'_>) -> String {
    let whole = found.get(0).map_or("", |whole| whole.as_str());
    let tail = if whole.ends_with('@') { "@" } else { "" };
    [found.name("keep").map_or("", |keep| keep.as_str()), MASKED, tail].concat()
}

/// Whether a recorded value is this one, as far as it was not masked.
pub(crate) fn is_alike(recorded: &Value, now: &Value) -> bool {
    match (recorded, now) {
        (Value::String(recorded), Value::String(_)) if recorded.contains(MASKED) || recorded.contains(NAMED) => true,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_alike(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_alike(a, b))),
        (a, b) => a == b,
    }
}

/// Returns where a string ends, from behind its opening quote.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    text.bytes()
        .position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        })
        .unwrap_or(text.len())
}

fn is_secret_member(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !matches!(c, '_' | '-')).collect::<String>().to_ascii_lowercase();
    MEMBERS.iter().any(|member| name.ends_with(member)) && !INNOCENT.iter().any(|innocent| name.ends_with(innocent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_sounds_or_looks_like_a_secret_is_masked_and_nothing_else() {
        let mask = Mask::default().with("GH", "canary-value");
        #[rustfmt::skip]
        let cases = [
            (r#"{"apiKey":"x","progressToken":"p","max_tokens": 3, "token":{"type":"string"}}"#, Some(r#"{"apiKey":"[secret]","progressToken":"p","max_tokens": 3, "token":{"type":"string"}}"#)),
            (r#"{"required":["token","password"],"n":1.50e3,"key":"a"}"#, None),
            (r#"{"text":"{\"GITHUB_TOKEN\": \"abcdefgh\"}"}"#, Some(r#"{"text":"{\"GITHUB_TOKEN\": \"[secret]\"}"}"#)),
            (r#"{"a":"use canary-value","password":"canary-value"}"#, Some(r#"{"a":"use ${secret:GH}","password":"${secret:GH}"}"#)),
            (r#"{"a":"Bearer abcdefgh12345678","b":"https://me:pw@host/x"}"#, Some(r#"{"a":"Bearer [secret]","b":"https://me:[secret]@host/x"}"#)),
            (r#"{"a":"ghp_0123456789abcdef0123456789abcdef0123"}"#, Some(r#"{"a":"[secret]"}"#)),
            (r#"{"description":"The token to use; a password is a secret that you keep; basic authentication, Bearer authentication"}"#, None),
            (r#"{"a\"b":"\\","c":"sketch-of-something-quite-long-indeed"}"#, None),
        ];
        for (given, expected) in cases {
            assert_eq!(mask.json(given).as_deref(), expected, "{given}");
        }
        assert_eq!(SHAPES.len(), 9);
    }

    #[test]
    fn what_is_known_can_be_put_back() {
        let mask = Mask::default().with("GH", "canary-value");
        let masked = mask.value(&json!({ "arguments": { "a": ["canary-value"] } }));
        assert_eq!(masked, json!({ "arguments": { "a": ["${secret:GH}"] } }));
        assert_eq!(mask.filled(&masked), Some(json!({ "arguments": { "a": ["canary-value"] } })));
        assert_eq!(Mask::default().filled(&masked), None);
        assert_eq!(mask.filled(&json!("[secret]")), None);
        assert!(is_alike(&masked, &json!({ "arguments": { "a": ["anything"] } })));
        assert!(!is_alike(&masked, &json!({ "arguments": { "b": ["anything"] } })));
    }
}
