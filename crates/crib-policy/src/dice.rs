//! Entropy that repeats itself, for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use crib_model::Entropy;

#[derive(Debug, Default)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed << 32))
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let throw = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&blake3::hash(&throw.to_le_bytes()).as_bytes()[..chunk.len()]);
        }
    }
}
