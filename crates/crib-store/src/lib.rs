//! Files of an instance's data directory: small documents that several programs share, and secrets.
//!
//! Invariants
//! - A file is replaced whole or not at all: who reads it sees the old one or the new one, also after a power cut.
//! - Who changes a file holds its lock from reading to writing, so that no change of another program is lost.
//! - What was damaged is refused, never read as if it were empty.
//! - The value of a secret is in no `Debug`, no error and no file that is not encrypted.

mod document;
mod secrets;

pub use document::{Document, StoreError};
pub use secrets::{Kept, KeySource, NameError, SecretError, SecretName, Secrets, StoreKind};
