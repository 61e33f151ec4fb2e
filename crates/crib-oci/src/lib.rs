//! Images of containers: found in a registry, verified, and unpacked without running anything of them.
//!
//! [`Registry::resolve`] turns a [`Reference`] into the digest of the manifest for this machine, [`Registry::attached`]
//! finds what others have signed of it, [`Registry::pull`] downloads what that manifest names and unpacks it into a
//! folder. Believing it and starting it are somebody else's affair.
//!
//! Invariants
//! - Every byte that is used has the digest and the size that its parent promised, up to the manifest; the manifest has
//!   the digest that is kept.
//! - Nothing is written outside of the folder, whatever names and links the layers have.
//! - What is unpacked are files, folders and links: no devices, no bits that change who runs them.
//! - Every document, download and layer has a bound, and every wait a deadline.
//! - Plain HTTP is spoken to this machine's loopback alone, and credentials are sent to their own registry alone.

mod attached;
mod config;
mod credentials;
mod digest;
mod layer;
mod manifest;
mod pull;
mod reference;
mod registry;
mod rootfs;

pub use attached::Attached;
pub use config::Config;
pub use credentials::Credentials;
pub use digest::{Digest, NotADigest};
pub use manifest::Platform;
pub use pull::{Pulled, Resolved, Step};
pub use reference::Reference;
pub use registry::Registry;
