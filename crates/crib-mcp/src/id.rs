//! Request ids, kept to the byte: `1`, `"1"` and `9007199254740993` stay what they were.

use bytes::Bytes;

use crate::json::{Json, slice};
use crate::scan::{Kind, Member};

/// The id of a JSON-RPC request: a string or a number, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(Json);

impl RequestId {
    /// Takes a scanned value; `None` unless it is a string or a number.
    #[must_use]
    pub fn from_json(json: Json) -> Option<Self> {
        matches!(json.kind(), Kind::String | Kind::Number).then_some(Self(json))
    }

    /// Takes the value of a member of a scanned message.
    pub(crate) fn at(text: &Bytes, id: &Member) -> Option<Self> {
        matches!(id.kind, Kind::String | Kind::Number).then(|| Self(Json::trusted(slice(text, id.value()))))
    }

    #[must_use]
    pub fn number(n: u64) -> Self {
        Self(Json::trusted(Bytes::copy_from_slice(itoa::Buffer::new().format(n).as_bytes())))
    }

    #[must_use]
    pub fn as_json(&self) -> &Json {
        &self.0
    }

    /// Returns the number, when it is one that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.0.as_str().parse().ok()
    }
}
