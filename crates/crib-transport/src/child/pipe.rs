//! The writing end of a child's standard input: what has room is written at once.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::Pipe;
#[cfg(windows)]
pub(super) use windows::Pipe;
