//! The nouns of Toolcrib and the ports between its parts.
//!
//! Invariants
//! - No socket, file, clock or randomness of its own: time and entropy come in through [`Clock`] and [`Entropy`].
//! - Every refusal that leaves the process has a [`Code`] with a document.
//! - Everything has a named limit (see [`limits`]).

mod call;
mod clock;
mod code;
mod entry;
mod front;
pub mod limits;
mod principal;
mod reach;
mod redaction;
mod replica;
mod trace;
mod upstream;

pub use call::{Client, Event, Forward, InputResponse, Inputs, Outcome, ParkId, Reply, State, Step, Steps};
pub use clock::{Clock, Entropy};
pub use code::{Code, Fault, Retry, Side};
pub use entry::{Ending, Entry, Ledger};
pub use front::{Answer, BoxFuture, Carrier, Connection, Frame, Frames, Gateway, Inbound, Scope, Verb};
pub use principal::{Principal, Tenant};
pub use reach::{Guarded, guarded_address, guarded_host};
pub use redaction::Redaction;
pub use replica::{Astray, Elsewhere, Replica};
pub use trace::TraceContext;
pub use upstream::{Health, Slug, Upstream};
