//! The data plane: what a front receives goes through eight hops to an upstream and back.
//!
//! Invariants
//! - It knows no transport, connector, store or configuration file: it sees ports and one snapshot.
//! - Only `pipeline` calls an upstream for a client; `source` and `ask` call on the gateway's own account.
//! - Every call has a ticket, and every ticket is settled exactly once, also when its client vanishes.
//! - A legacy client's request is a modern call with a session around it: there is no second path.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "forty methods and thirty codes: what a place does not name it refuses, also what will be added"
)]

#[cfg(test)]
mod tests;

mod ask;
mod call;
mod clients;
mod elsewhere;
mod follow;
mod held;
mod inbound;
mod legacy;
mod lines;
mod listen;
mod lists;
mod mapping;
mod modern;
mod pipeline;
mod plane;
mod route;
mod session;
mod settle;
mod snapshot;
mod source;
mod state;
mod stream;
mod tasks;
mod trace;
mod typed;
mod view;

pub use held::{LeftOut, LeftOutWhy};
pub use plane::{Parts, Plane};
pub use snapshot::{Server, Setup};
pub use typed::{Called, ServerInfo, ToolInfo};
