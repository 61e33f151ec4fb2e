//! One text for all spellings of one definition, and its digest.

use std::borrow::Cow;

use crib_mcp::{Json, Kind};
use sha2::{Digest as _, Sha256};

/// A definition in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub text: String,
    /// SHA-256 of the text, in hexadecimal.
    pub digest: String,
}

impl Definition {
    #[must_use]
    pub fn of(json: &Json) -> Self {
        Self::of_text(canonical(json))
    }

    pub(crate) fn of_text(text: String) -> Self {
        let digest = hex(&Sha256::digest(text.as_bytes()));
        Self { text, digest }
    }
}

/// Writes a value as RFC 8785 does: members in the order of their UTF-16 code units, no space, the shortest escapes.
/// Unlike there, numbers keep their spelling: what a server writes with more digits than a float holds stays apart.
#[must_use]
pub fn canonical(json: &Json) -> String {
    let mut out = String::with_capacity(json.bytes().len());
    write(json, &mut out);
    out
}

/// INVARIANT: a [`Json`] has passed the scan, which bounds its depth.
fn write(json: &Json, out: &mut String) {
    match json.kind() {
        Kind::Object => object(json, out),
        Kind::Array => {
            out.push('[');
            for (at, element) in json.to_elements().unwrap_or_default().iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        Kind::String => string(&json.as_text().unwrap_or_default(), out),
        Kind::Number | Kind::Bool | Kind::Null => out.push_str(json.as_str()),
    }
}

fn object(json: &Json, out: &mut String) {
    let members = json.to_object().unwrap_or_default();
    let mut members: Vec<(Cow<'_, str>, Json)> = members.object.members().collect();
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(name, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn string(text: &str, out: &mut String) {
    out.push_str(Json::string(text).as_str());
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
