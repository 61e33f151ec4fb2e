//! All sessions of the instance.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crib_model::{Code, Fault, Principal, Scope, limits};
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use crate::session::Session;

const SHARDS: usize = 16;

/// The sessions by id, in shards so that finding one never waits for making another.
pub(crate) struct Sessions {
    shards: [RwLock<HashMap<String, Arc<Session>, RandomState>>; SHARDS],
    hasher: RandomState,
    count: AtomicUsize,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()), hasher: RandomState::default(), count: AtomicUsize::new(0) }
    }

    fn shard(&self, id: &str) -> &RwLock<HashMap<String, Arc<Session>, RandomState>> {
        let at = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64).unwrap_or_default();
        // The array has SHARDS elements, so there is always a first.
        self.shards.get(at).unwrap_or(&self.shards[0])
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// There are as many as the instance takes.
    pub(crate) fn insert(&self, session: &Arc<Session>) -> Result<(), Fault> {
        if self.len() >= limits::SESSIONS_MAX {
            return Err(Fault::new(Code::TooBusy, format!("{} sessions are open, the most this gateway keeps", limits::SESSIONS_MAX)));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.shard(&session.id).write().insert(session.id.clone(), Arc::clone(session));
        Ok(())
    }

    /// Finds a session of this caller on this endpoint; one of somebody else is as unknown as none.
    pub(crate) fn find(&self, id: &str, principal: &Principal, scope: &Scope) -> Option<Arc<Session>> {
        let session = self.shard(id).read().get(id).map(Arc::clone)?;
        (*session.principal == *principal && session.scope == *scope && !session.is_closed()).then_some(session)
    }

    pub(crate) fn remove(&self, id: &str) {
        let removed = self.shard(id).write().remove(id);
        if let Some(session) = removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
            session.close();
        }
    }

    /// Ends the sessions nobody used for `idle` and nobody listens on.
    pub(crate) fn sweep(&self, now_ms: u64, idle: Duration) {
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        for shard in &self.shards {
            let old: Vec<String> = shard
                .read()
                .values()
                .filter(|s| now_ms.saturating_sub(s.used_ms.load(Ordering::Relaxed)) > idle_ms && !s.outlet.has_reader())
                .map(|s| s.id.clone())
                .collect();
            for id in old {
                self.remove(&id);
            }
        }
    }

    /// Opens streams for requests that have been silent since `before_ms`.
    pub(crate) fn prime(&self, before_ms: u64) {
        for shard in &self.shards {
            let sessions: Vec<Arc<Session>> = shard.read().values().map(Arc::clone).collect();
            for session in sessions {
                session.prime(before_ms);
            }
        }
    }

    /// Ends all sessions.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let all: Vec<String> = shard.read().keys().cloned().collect();
            for id in all {
                self.remove(&id);
            }
        }
    }
}
