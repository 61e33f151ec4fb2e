//! Packages on this machine: what a name stands for, which bytes those are, and how they are started.
//!
//! [`Packages::pull`] resolves a [`Source`] to exact versions, has every byte checked against what its registry
//! promised, and unpacks it into a store without running anything of it. What was found is written into a
//! [`Lock`]. [`Packages::start`] checks that the bytes are still those, and says what to start; it needs no network.
//!
//! Invariants
//! - No code of a package runs before it is started: no install scripts, no builds. A crate, which has to be built, is
//!   built in a sandbox from what was fetched before, or not at all.
//! - A folder of the store is named by the digest of what is in it, and appears there whole or not at all.
//! - What is started is what was locked: every file is the one that was hashed, or the start is refused with TC0505.
//! - Nothing asks who may be believed but the trusted root and the keys that the user has.
//! - What could not be verified is said as a [`Finding`]; nothing is called verified that was only seen.
//!
//! To add a kind of package: a variant of [`Source`], a module beside `npm` that fills a [`Locked`], and an arm in
//! `pull.rs`.

mod asks;
mod cargo;
mod changes;
mod confined;
mod digest;
mod finding;
mod grants;
mod listing;
mod local;
mod lock;
mod mcpb;
mod names;
mod npm;
mod oci;
mod progress;
mod pull;
mod pypi;
mod reach;
mod remedy;
mod signature;
mod source;
mod start;
mod store;
mod system;
mod tool;
mod tree;
mod web;

pub use changes::{Changes, Moved};
pub use digest::Digest;
pub use finding::{Finding, FindingKind, Policy, Verdict};
pub use grants::{Engine, Grants, NetGrant};
pub use listing::{Listing, Standing};
pub use lock::{Build, Entry, Image, Listed, Lock, Locked, Owner, Proof, Provenance, Runtime};
pub use mcpb::Setting;
pub use progress::{Event, Progress};
pub use pull::{Packages, PackagesOptions, Pulled, Trust};
pub use reach::{Gained, Means, Reach, Reached, What};
pub use remedy::{Remedy, RemedyKind, recognise, unbuilt};
pub use signature::{ImageKey, Key, NotAKey, Required, Signer};
pub use source::{More, Source};
pub use start::Start;
pub use store::Busy;
