//! A file of settings as a tree that remembers where everything stood, and typed values read out of it.

mod read;

pub(crate) use crib_clients::tree::{Key, Language, Node, Span, SyntaxError, Value, parse};
pub(crate) use read::{ReadError, read};
