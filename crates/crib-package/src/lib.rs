//! Packages on this machine.
//!
//! Invariants: none yet.
