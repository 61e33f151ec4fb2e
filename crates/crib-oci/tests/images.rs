//! Images of a registry of our own on loopback: honest ones are unpacked as they are, and of the others nothing is used.

#![expect(clippy::expect_used, reason = "a test that cannot go on may stop")]

#[path = "images/attacks.rs"]
mod attacks;
#[path = "images/fetched.rs"]
mod fetched;
#[path = "images/layers.rs"]
mod layers;
#[path = "images/shelf.rs"]
mod shelf;
#[path = "images/world.rs"]
mod world;
