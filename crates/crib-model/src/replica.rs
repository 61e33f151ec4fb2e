//! Several gateways that stand for one: which of them holds what lives in one process only.

use std::fmt;

use crate::code::Fault;
use crate::front::{Answer, BoxFuture, Inbound};

/// One running gateway among its equals; another with each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica(pub u64);

/// Hexadecimal digits of a replica in an id.
const DIGITS: usize = 16;

impl Replica {
    /// Puts the name of this replica before an id that only it knows.
    #[must_use]
    pub fn mark(self, id: &str) -> String {
        format!("{self}.{id}")
    }

    /// Returns the replica that an id names.
    #[must_use]
    pub fn marked(id: &str) -> Option<Self> {
        let (name, _) = id.split_once('.')?;
        Self::parse(name)
    }

    /// Reads what [`Replica`] writes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is_name = name.len() == DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_name { u64::from_str_radix(name, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Why a request did not come back from the replica it belongs to.
#[derive(Clone, Debug)]
pub enum Astray {
    /// The replica does not run any more, and what it held is gone with it.
    Gone,
    /// Nothing was done: the same request may succeed after a while.
    Unreachable(Fault),
    /// The answer was lost; what was asked for may have been done.
    Lost(Fault),
}

/// The other replicas, as the data plane sees them. It asks for them only where it does not have something itself.
pub trait Elsewhere: Send + Sync + 'static {
    /// Returns the replica that this process is.
    fn here(&self) -> Replica;

    /// Hands what a client sent to the replica that holds what it is about.
    ///
    /// Dropping the future, or the frames of its answer, tells that the client went away.
    fn forward(&self, to: Replica, inbound: Inbound) -> BoxFuture<'static, Result<Answer, Astray>>;

    /// Returns why the others cannot be found at the moment.
    fn trouble(&self) -> Option<Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_the_replica_that_made_it() {
        let id = Replica(7).mark("a.b");
        assert_eq!(id, "0000000000000007.a.b");
        assert_eq!(Replica::marked(&id), Some(Replica(7)));
        assert_eq!(Replica::marked(&Replica(u64::MAX).mark("")), Some(Replica(u64::MAX)));
    }

    #[test]
    fn any_other_id_names_none() {
        for id in
            ["", ".", "a", "0000000000000007", "000000000000007.a", "+000000000000007.a", "000000000000000G.a", "000000000000000A.a", "é.a"]
        {
            assert_eq!(Replica::marked(id), None, "{id}");
        }
    }
}
