//! Carriers with one stream to the client: a connection of stdio or WebSocket, or the GET of HTTP+SSE.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use crib_model::{Connection, Principal, Scope};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::session::Session;
use crate::stream::{Ids, StreamLog};

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum LineKey {
    Connection(Connection),
    Sse(String),
}

/// One such connection.
pub(crate) struct Line {
    pub(crate) outlet: Arc<StreamLog>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) scope: Scope,
    /// The legacy session, once there was an `initialize`.
    pub(crate) session: Mutex<Option<Arc<Session>>>,
    /// The `initialize` under way; cancelled once it is answered.
    opening: Mutex<Option<CancellationToken>>,
    /// Modern requests under way, by the text of their id.
    running: Mutex<HashMap<Bytes, CancellationToken>>,
}

impl Line {
    pub(crate) fn start(&self, id: &Bytes) -> CancellationToken {
        let token = CancellationToken::new();
        self.running.lock().insert(id.clone(), token.clone());
        token
    }

    pub(crate) fn finish(&self, id: &Bytes) {
        self.running.lock().remove(id);
    }

    pub(crate) fn cancel(&self, id: &Bytes) {
        if let Some(token) = self.running.lock().get(id) {
            token.cancel();
        }
    }

    /// Says that an `initialize` is under way, until what is returned is dropped.
    pub(crate) fn opening(&self) -> DropGuard {
        let token = CancellationToken::new();
        *self.opening.lock() = Some(token.clone());
        token.drop_guard()
    }

    /// Waits for an `initialize` under way: clients may send requests behind it without awaiting its answer.
    pub(crate) async fn opened(&self) {
        let token = self.opening.lock().clone();
        if let Some(token) = token {
            token.cancelled().await;
        }
    }

    fn close(&self) {
        self.outlet.end();
        if let Some(session) = self.session.lock().take() {
            session.close();
        }
        for (_, token) in self.running.lock().drain() {
            token.cancel();
        }
    }
}

#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<LineKey, Arc<Line>>>);

impl Lines {
    pub(crate) fn open(&self, key: LineKey, principal: &Arc<Principal>, scope: &Scope) -> Arc<Line> {
        let make = || {
            Arc::new(Line {
                outlet: StreamLog::new("0".to_owned(), Ids::None),
                principal: Arc::clone(principal),
                scope: scope.clone(),
                session: Mutex::default(),
                opening: Mutex::default(),
                running: Mutex::default(),
            })
        };
        Arc::clone(self.0.lock().entry(key).or_insert_with(make))
    }

    pub(crate) fn find(&self, key: &LineKey) -> Option<Arc<Line>> {
        self.0.lock().get(key).map(Arc::clone)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Counts the connections on which there was an `initialize`.
    pub(crate) fn session_count(&self) -> usize {
        self.0.lock().values().filter(|line| line.session.lock().is_some()).count()
    }

    pub(crate) fn close(&self, key: &LineKey) {
        let line = self.0.lock().remove(key);
        if let Some(line) = line {
            line.close();
        }
    }

    pub(crate) fn clear(&self) {
        let all: Vec<Arc<Line>> = self.0.lock().drain().map(|(_, line)| line).collect();
        for line in all {
            line.close();
        }
    }
}
