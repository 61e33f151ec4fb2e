//! The HTTP headers that mirror a request's body (2026-07-28 "Request Metadata", SEP-2243).

#[cfg(test)]
mod tests;

mod number;
mod schema;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};

use crate::error::{RpcError, code};
use crate::json::{Json, Payload};
use crate::scan::Kind;

pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
pub const PARAM_PREFIX: &str = "Mcp-Param-";

const SENTINEL_START: &str = "=?base64?";
const SENTINEL_END: &str = "?=";

/// Writes a value so that it survives as an HTTP field value: as it is, or in the Base64 sentinel form.
#[must_use]
pub fn encode_value(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    let is_padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let is_sentinel = text.starts_with(SENTINEL_START) && text.ends_with(SENTINEL_END);
    if is_plain && !is_padded && !is_sentinel {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{SENTINEL_START}{}{SENTINEL_END}", STANDARD.encode(text)))
}

/// Reads a field value: without the space around it, and decoded where it has the sentinel form.
///
/// `None` for characters a field value must not have, and for a sentinel whose inside is not canonical Base64 of UTF-8.
#[must_use]
pub fn decode_value(value: &[u8]) -> Option<Cow<'_, str>> {
    if !value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let Some(inside) = text.strip_prefix(SENTINEL_START).and_then(|rest| rest.strip_suffix(SENTINEL_END)) else {
        return Some(Cow::Borrowed(text));
    };
    String::from_utf8(STANDARD.decode(inside).ok()?).ok().map(Cow::Owned)
}

/// Which arguments of a tool are mirrored into which `Mcp-Param-*` header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders {
    pub entries: Vec<ParamHeader>,
}

/// One argument that is mirrored: the path of property names to it and the name behind `Mcp-Param-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    pub path: Vec<String>,
    pub name: String,
}

impl ParamHeaders {
    /// Reads the `x-mcp-header` annotations of a tool's input schema; `None` where there are none.
    ///
    /// # Errors
    /// Says which annotation breaks which rule. Such a tool must not be offered over HTTP.
    pub fn from_schema(input_schema: &Json) -> Result<Option<Self>, String> {
        schema::read(input_schema)
    }

    /// Returns the headers for a call: names as `Mcp-Param-Region`, values encoded.
    #[must_use]
    pub fn values(&self, arguments: Option<&Json>) -> Vec<(String, String)> {
        let arguments = arguments.and_then(|json| json.to_object().ok()).unwrap_or_default();
        let header = |entry: &ParamHeader| {
            let text = entry.expected(&arguments)?;
            Some((entry.header(), encode_value(&text).into_owned()))
        };
        self.entries.iter().filter_map(header).collect()
    }

    /// Compares received headers with the arguments (2026-07-28 "Server Validation").
    ///
    /// # Errors
    /// `-32020`, naming the header.
    pub fn check(&self, headers: &HeaderMap, arguments: Option<&Json>) -> Result<(), RpcError> {
        let arguments = arguments.and_then(|json| json.to_object().ok()).unwrap_or_default();
        for entry in &self.entries {
            entry.check(headers, &arguments)?;
        }
        Ok(())
    }
}

impl ParamHeader {
    fn header(&self) -> String {
        format!("{PARAM_PREFIX}{}", self.name)
    }

    /// Returns the argument at the path as header text; `None` where it is absent, null or no primitive.
    fn expected(&self, arguments: &Payload) -> Option<String> {
        let value = self.value(arguments)?;
        match value.kind() {
            Kind::String => value.as_text().map(Cow::into_owned),
            Kind::Number => Some(number::plain(value.as_str())),
            Kind::Bool => Some(value.as_str().to_owned()),
            Kind::Null | Kind::Object | Kind::Array => None,
        }
    }

    fn value(&self, arguments: &Payload) -> Option<Json> {
        let (first, rest) = self.path.split_first()?;
        rest.iter().try_fold(arguments.get(first)?, |json, name| json.to_object().ok()?.get(name))
    }

    /// Every value that was sent must match: two readers may pick different ones.
    fn check(&self, headers: &HeaderMap, arguments: &Payload) -> Result<(), RpcError> {
        let header = self.header();
        let mut sent = headers.get_all(&header).into_iter().peekable();
        let Some(expected) = self.expected(arguments) else {
            return match sent.peek() {
                None => Ok(()),
                Some(_) => Err(mismatch(&header, "has no corresponding argument in the body")),
            };
        };
        if sent.peek().is_none() {
            return Err(mismatch(&header, "is missing"));
        }
        let is_number = self.value(arguments).is_some_and(|json| json.kind() == Kind::Number);
        for value in sent {
            let Some(text) = decode_value(value.as_bytes()) else {
                return Err(mismatch(&header, "has invalid characters"));
            };
            if text != expected && !(is_number && number::equal(&text, &expected)) {
                return Err(mismatch(&header, "does not match the argument in the body"));
            }
        }
        Ok(())
    }
}

/// Makes the error for a header that does not say what the body says.
pub(crate) fn mismatch(header: &str, what: &str) -> RpcError {
    RpcError::new(code::HEADER_MISMATCH, format!("Header mismatch: `{header}` {what}"))
}
