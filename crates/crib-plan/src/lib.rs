//! Which call may run when.
//!
//! Invariants
//! - No socket, file, clock or timer: who waits brings the end of its patience along.
//! - Every queue has a bound, every slot comes back.

pub mod sched;
