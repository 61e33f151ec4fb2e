//! What tests of several crates need: registries of our own making on loopback, and those who sign what is in them.
//!
//! Invariants
//! - Nothing leaves this machine, and nothing here is part of a released program.
//! - What is made is real: archives are archives, and signatures are made by keys and authorities of the test's own.

#![expect(clippy::expect_used, reason = "a test that cannot go on may stop")]

pub mod attest;
pub mod crates;
pub mod merkle;
pub mod minisign;
pub mod npm;
pub mod pypi;
mod site;
mod tool;

pub use site::Site;
pub use tool::{find, lacks};

/// Writes bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
