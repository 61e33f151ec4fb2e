//! Projects of MCP servers: from a name and a language to the files of a server that runs and passes its own tests.
//!
//! Invariants
//! - Nothing is read or written here: a project is a list of paths and texts.
//! - A name is one the language's own tools take ([`Name::parse`]), so nothing in a template needs escaping.
//! - Every template is a file below `templates/`, written for this program and free to use without any notice.
//!
//! To add a language: a variant of [`Language`], its folder of templates, its rules in `name.rs`, its steps in `steps.rs`.

mod language;
mod name;
mod project;
mod steps;

pub use language::Language;
pub use name::{Name, NameRefused};
pub use project::{File, Project};
pub use steps::{Step, StepKind, Tools};
