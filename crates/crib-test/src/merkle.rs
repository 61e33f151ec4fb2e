//! The tree of a transparency log as its standard defines it (RFC 6962), written to be read and not to be fast.

use sha2::{Digest as _, Sha256};

/// A node.
pub type Hash = [u8; 32];

/// Returns the leaf of an entry.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Returns the root over these leaves, of which there must be one.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    if let [one] = leaves {
        return *one;
    }
    let (left, right) = halves(leaves);
    Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
}

/// Returns what a leaf needs to be led to the root, the nearest first.
#[must_use]
pub fn path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = halves(leaves);
    let half = left.len();
    let (mut way, other) = if at < half { (path(at, left), root(right)) } else { (path(at - half, right), root(left)) };
    way.push(other);
    way
}

/// The left half is the largest full tree that leaves something for the right.
fn halves(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    leaves.split_at(leaves.len().next_power_of_two() / 2)
}
