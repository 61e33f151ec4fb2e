//! Which tools, prompts and resources exist, under which names: the immutable catalogue over all upstreams.
//!
//! Invariants
//! - A [`Catalog`] is built once from what the upstreams listed and never changes; the same listings give the same
//!   catalogue, whatever order they come in.
//! - A definition is exposed as its upstream wrote it, to the byte, but for its name and URIs.
//! - Every exposed name leads to exactly one upstream and one name there; what cannot be exposed is reported.

#[cfg(test)]
mod tests;

mod build;
mod catalog;
mod entry;
mod listing;
mod lookalike;
mod names;
pub mod pins;
mod report;
mod rewrite;
mod search;
mod suggest;
mod table;
mod uri;

pub use catalog::Catalog;
pub use entry::{ListEntry, Listed, ToolEntry, write_items};
pub use listing::{CacheScope, Caching, List, Listing};
pub use names::{NameStyle, Template, TemplateError};
pub use report::{Collision, Dropped, DroppedWhy, Lookalike, What};
pub use rewrite::tool_uris_out;
pub use search::Hit;
pub use uri::{uri_in, uri_out};
