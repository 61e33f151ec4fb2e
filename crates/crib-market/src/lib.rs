//! Registries of servers: searched, asked for one server, and what it takes to run what they list.
//!
//! [`Market::search`] and [`Market::resolve`] ask the registries of a [`Registries`] by the API v0.1 and keep what they
//! answered; [`plan`] turns a [`ServerJson`] and what its user gave into a [`Recipe`].
//!
//! Invariants
//! - Nothing of what a registry says reaches a screen unescaped, and no name that is not one gets into a result.
//! - A registry that cannot be asked is never passed over in silence when a name is resolved: another one might answer
//!   for it with something else.
//! - Credentials go to the origin they were given for, and nowhere else.
//! - Every answer, list and wait has a limit; what was cut is said.
//! - A value becomes one argument, variable or header. No shell reads it.

mod book;
mod cache;
mod date;
mod document;
mod entry;
mod fetch;
mod market;
mod plan;
mod rank;
mod resolve;
mod search;
mod tally;
#[cfg(test)]
mod tests;
mod text;

pub use book::{OFFICIAL, OFFICIAL_URL, Registries, Registry, header};
pub use date::{ago, moment};
pub use document::{Argument, ArgumentKind, Input, KeyValue, Package, Remote, Repository, ServerJson, Transport, TransportKind};
pub use entry::{Entry, Status};
pub use market::{Answer, Market, MarketOptions, Reveal};
pub use plan::{Beside, Given, Missing, Piece, Recipe, Value, Way, beside, choose, plan};
pub use rank::Words;
pub use resolve::Resolved;
pub use search::{Facets, Found, Hit, Query};
pub use tally::{OTHERS, Tally};
pub use text::shown;
