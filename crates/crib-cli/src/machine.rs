//! The machine's clock and randomness.

pub(crate) use crib_control::Machine;
