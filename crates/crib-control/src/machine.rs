//! The machine's clock and randomness, for programs that put a gateway together.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

use crib_model::{Clock, Entropy};

/// Bytes asked of the system at once, per thread.
const POOL: usize = 512;
/// Longest wish that is met from the pool: ids. Keys come straight from the system.
const SMALL: usize = 16;

/// Real time, real randomness.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

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
        thread_local! {
            static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if bytes.len() > SMALL {
            return system(bytes);
        }
        LEFT.with_borrow_mut(|left| {
            if left.len() < bytes.len() {
                left.resize(POOL, 0);
                system(left);
            }
            // What is handed out is taken out: no byte is used twice.
            let rest = left.len() - bytes.len();
            for (byte, random) in bytes.iter_mut().zip(left.drain(rest..)) {
                *byte = random;
            }
        });
    }
}

fn system(bytes: &mut [u8]) {
    // Without randomness no handle is safe, so there is nothing to go on with.
    assert!(getrandom::fill(bytes).is_ok(), "the system gives no randomness");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_ids_are_alike() {
        let ids: HashSet<u128> = (0..10_000).map(|_| Machine.u128()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
