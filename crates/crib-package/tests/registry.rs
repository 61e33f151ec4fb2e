//! Packages of registries of our own making on loopback: only the good ones are installed and started.

#![expect(clippy::expect_used, reason = "a test that cannot go on may stop")]

#[path = "registry/attestations.rs"]
mod attestations;
#[path = "registry/bundles.rs"]
mod bundles;
#[path = "registry/cargo.rs"]
mod cargo;
#[path = "registry/images.rs"]
mod images;
#[path = "registry/npm.rs"]
mod npm;
#[path = "registry/pypi.rs"]
mod pypi;
#[path = "../../crib-oci/tests/images/shelf.rs"]
mod shelf;
#[path = "registry/world.rs"]
mod world;
