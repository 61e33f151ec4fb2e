//! A process and everything it starts, as one thing that can be ended.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{Group, ask_to_end};
#[cfg(windows)]
pub(super) use windows::{Group, ask_to_end};
