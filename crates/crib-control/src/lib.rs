//! The control plane: from files of settings to what the data plane runs, and the plain HTTP interface.
//!
//! Invariants
//! - Compiling a configuration is a pure function of texts and of a [`World`]; nothing here reads the environment.
//! - What a user wrote wrong is said with file, line and column, and with what to do about it.
//! - Our own files refuse what they do not know; files of other programs may hold anything.
//!
//! To add an option: a field with a comment in `config.rs`, its use in `compile.rs`, an example under
//! `tests/examples/`; the schema test tells how to refresh `docs/guide/config.schema.json`.

pub mod audit;
mod catalogue;
mod compile;
pub mod config;
mod dialect;
mod dotenv;
mod figures;
pub mod inputs;
mod machine;
mod nearest;
mod percent;
pub mod pins;
mod problem;
mod record;
mod rest;
mod restart;
mod rotation;
mod schema;
mod screen;
pub mod secrets;
mod switch;
mod tree;
mod variables;
mod world;

pub use catalogue::Catalogue;
pub use compile::{
    AccessLog, Compiled, CompiledKey, CompiledServer, Limits, Missing, Package, SandboxGrants, Source, ToolNames, Traces, compile,
    compile_only, default_config,
};
pub use figures::{Figure, Figures, Latency, ServerFigure};
pub use machine::Machine;
pub use nearest::nearest;
pub use problem::{File, Place, Problem};
pub use record::write_call;
pub use rest::{LeftOutRow, Metrics, Rest, ServerRow, Servers, Why};
pub use restart::{AtStart, Pending};
pub use rotation::is_moved_away;
pub use schema::schema;
pub use screen::screen;
pub use switch::{Switches, switch};
pub use world::{Fixed, Misnamed, World};
