//! The programs that call MCP servers: where each keeps its settings, in which words, and how to change one entry there
//! without losing a byte that is not ours.
//!
//! Invariants
//! - Nothing here touches a file, an environment variable or a process: texts come in and go out.
//! - A change is a splice. What it must mean is known beforehand, and a text that means anything else is never returned.
//! - What cannot be read is refused with its place, and left alone.
//!
//! To add a client: a row in `table.rs`; a shape in `shape.rs` if it has words of its own. The tests take it from there.

mod diff;
mod edit;
mod import;
mod origin;
mod places;
mod shape;
mod table;
mod text;
pub mod tree;
mod value;

pub use diff::unified;
pub use edit::{Edit, Place, Refusal, Spot, decode, entries, entry, remove, upsert};
pub use import::{Imported, Unusable, import};
pub use origin::{Origin, Writing, origin};
pub use places::{Os, Places};
pub use shape::{Local, Remote};
pub use table::{Checker, Client, Scope, Support, clients, find};
pub use text::Splice;
pub use tree::Language;
pub use value::Value;
