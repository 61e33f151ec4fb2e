//! Conversations with servers that share one channel between many requests.
//!
//! A [`link::Link`] knows which request a message belongs to; an [`exchange::Exchange`] is one request and what comes
//! back for it; a [`legacy::Session`] is a link after the `initialize` handshake.

pub(crate) mod call;
mod chores;
pub(crate) mod exchange;
mod follow;
mod inbox;
pub(crate) mod legacy;
pub(crate) mod link;
pub(crate) mod listen;
pub(crate) mod memory;
pub(crate) mod modern;
pub(crate) mod park;
pub(crate) mod pool;
pub(crate) mod questions;
pub(crate) mod talks;
pub(crate) mod tasks;
mod wire;

#[cfg(test)]
mod tests;
