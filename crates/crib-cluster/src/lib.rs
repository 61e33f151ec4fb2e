//! Several gateways behind one address: what lives in the process of one of them is reached through each.
//!
//! Invariants
//! - A request is handed on once: a replica that does not have what it was sent for says so.
//! - Redis holds nothing secret, and what stands there is believed only where it was signed with the cluster's secret:
//!   whoever can write there cannot have requests, and the keys in them, sent elsewhere.
//! - Nothing here is on the way of a call whose session is in this process, and no wait is without an end.
//!
//! What a client is given to come back with (a session id, a `requestState`) names the replica that holds what it
//! stands for. Redis is the directory of the replicas that run, and of nothing else; so a session costs no write there,
//! and replicas that know each other go on while Redis is away.

mod cluster;
mod directory;
mod forward;
mod frames;
mod keys;

pub use cluster::{Cluster, Options};
pub use keys::ClusterSecret;
