//! What servers said of their tools when they were trusted, and what of it has changed since.
//!
//! The first definitions a server lists are pinned. From then on a definition that is another one, or that is new, waits
//! for a person: it is in no list and cannot be called until it is approved. Which of two definitions is the same is
//! decided on a canonical form of the whole of it, so that the order of members or the spelling of a character is no
//! change, and everything else is.
//!
//! All of this is a function of values. Where the book is kept is another's business: see [`Pins`].

mod book;
mod canonical;
mod diff;
mod judge;
mod poison;
mod port;
mod visible;

#[cfg(test)]
mod tests;

pub use book::{Approval, Book, BookError, Pending, Pin, Record};
pub use canonical::{Definition, canonical};
pub use diff::{Part, parts, unified};
pub use judge::{Held, HeldWhy, Judged, Listed as ListedTools, Verdict};
pub use poison::{Confidence, Finding, Rule as PoisonRule, scan_definition, scan_text};
pub use port::{InMemory, Mode, NewTools, Pins, Policies, Policy, Results, Unpinned};
pub use visible::visible;

/// The name under which a server's instructions are pinned and approved; no tool can have it.
pub const INSTRUCTIONS: &str = "(instructions)";
