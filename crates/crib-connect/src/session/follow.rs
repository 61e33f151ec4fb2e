//! A task of 2025-11-25 as the extension tells of it: each state with what it announces.
//!
//! A server of 2025-11-25 need not say that a task has changed, and says less than the extension wants when it does. So
//! its word only hastens the next look at the task.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Method, Notification, Payload};
use crib_model::Outcome;
use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::legacy::{ASIDE_TIMEOUT, Session};
use super::tasks;

struct Follow {
    session: Arc<Session>,
    id: String,
    /// What the server says in the session the task runs in.
    changes: broadcast::Receiver<Notification>,
    /// What was told last.
    told: Told,
    /// Absent before the first look and after the last one.
    pause: Option<Duration>,
    is_over: bool,
}

/// What makes one state differ from the one before.
#[derive(PartialEq, Eq)]
struct Told {
    status: String,
    message: Option<String>,
    questions: Option<String>,
}

/// Tells of a task until it is over. A task that just works is no news.
pub(super) fn follow(session: Arc<Session>, id: String) -> BoxStream<'static, Notification> {
    let changes = session.link.changes();
    session.link.wire().hear(&session.link);
    let told = Told { status: "working".to_owned(), message: None, questions: None };
    let follow = Follow { session, id, changes, told, pause: None, is_over: false };
    Box::pin(stream::unfold(follow, |mut follow| async move { follow.next().await.map(|change| (change, follow)) }))
}

// === impl Follow ===

impl Follow {
    async fn next(&mut self) -> Option<Notification> {
        while !self.is_over {
            if let Some(pause) = self.pause {
                // Either way it is looked at.
                let _was_told = tokio::time::timeout(pause, self.word()).await.is_ok();
            }
            // A task or a session that is gone has no news any more.
            let looked = tasks::get(&self.session, &self.id, Instant::now() + ASIDE_TIMEOUT).await;
            let Ok(Outcome::Complete(task, _)) = looked else { return None };
            self.pause = Some(tasks::pause(task.object.u64("pollIntervalMs")));
            self.is_over = tasks::is_over(&task);
            let now = Told::read(&task);
            if now != self.told {
                self.told = now;
                let mut edit = task.edit();
                edit.remove("resultType");
                return Some(Notification { method: Method::TaskStatus, params: edit.to_payload() });
            }
        }
        None
    }

    /// Waits until the server says something about the task.
    async fn word(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(change) if change.method != Method::TaskStatusLegacy => {}
                Ok(change) if change.params.text("taskId").as_deref() != Some(self.id.as_str()) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Told {
    fn read(task: &Payload) -> Self {
        let text = |name: &str| task.text(name).map(std::borrow::Cow::into_owned);
        Self {
            status: text("status").unwrap_or_default(),
            message: text("statusMessage"),
            questions: task.get("inputRequests").map(|requests| requests.as_str().to_owned()),
        }
    }
}
