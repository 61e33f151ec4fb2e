//! The Model Context Protocol on bytes: the strict envelope, the revisions, negotiation, translation and framing.
//!
//! Invariants
//! - No socket, file, clock or randomness: text in, text out.
//! - What is not read is not written again: ids, numbers, schemas and unknown members keep their bytes.
//! - Everything that passed [`Message::parse`] means the same to every later reader of the same bytes.

#[cfg(test)]
mod tests;

mod caps;
mod error;
pub mod header;
mod id;
mod json;
pub mod ladder;
pub mod line;
pub mod message;
pub mod meta;
mod method;
mod revision;
mod scan;
pub mod sse;
pub mod translate;

pub use caps::{Ability, CapSet, ClientCaps};
pub use error::{RpcError, code};
pub use id::RequestId;
pub use json::{Chunks, Edit, Json, Object, Payload, Pieces};
pub use message::{Malformed, Message, Notification, Request, Response};
pub use method::Method;
pub use revision::Revision;
pub use scan::{DEPTH_MAX, Kind, Reason, ScanError, Span};
