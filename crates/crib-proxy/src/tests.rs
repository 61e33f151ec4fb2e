//! The data plane behind its port, with scripted servers.

mod calls;
mod legacy;
mod lists;
mod rig;
mod subscriptions;
