//! The machine's clock and randomness.

use std::time::{Duration, Instant, SystemTime};

use crib_model::{Clock, Entropy};

/// Real time, real randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Clock for Machine {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl Entropy for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no handle is safe, so there is nothing to go on with.
        assert!(getrandom::fill(bytes).is_ok(), "the system gives no randomness");
    }
}
