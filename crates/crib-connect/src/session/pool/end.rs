//! How the sessions of a pool end.

use std::sync::Arc;

use super::super::legacy::Session;
use super::super::link::closed;
use super::Pool;

impl Pool {
    /// Lets go of sessions with a server that is not there any more. What runs in them ends by itself.
    pub(crate) fn dismiss(&self) {
        let members = std::mem::take(&mut self.inner.lock().members);
        for member in members {
            if let Some(Ok(session)) = &*member.session.borrow() {
                session.link.end(&closed(&self.options.slug));
            }
        }
        self.freed.notify_waiters();
    }

    /// Lets go of all sessions, if it is quiet once nobody else can take one; whoever asked ends them. Those that are
    /// being started are ended when they are up.
    pub(crate) fn release(&self, is_quiet: &dyn Fn() -> bool, on_release: impl FnOnce()) -> Option<Vec<Arc<Session>>> {
        let members = {
            let mut inner = self.inner.lock();
            if !is_quiet() {
                return None;
            }
            if !inner.members.is_empty() {
                on_release();
            }
            std::mem::take(&mut inner.members)
        };
        self.freed.notify_waiters();
        let mut sessions = Vec::with_capacity(members.len());
        for mut session in members.into_iter().map(|member| member.session) {
            let started = session.borrow().clone();
            match started {
                Some(Ok(session)) => sessions.push(session),
                Some(Err(_)) => {}
                None => drop(self.tracker.spawn(async move {
                    let started = session.wait_for(Option::is_some).await.ok().and_then(|started| started.clone());
                    if let Some(Ok(session)) = started {
                        session.close().await;
                    }
                })),
            }
        }
        sessions.retain(|session| !session.link.is_over());
        Some(sessions)
    }

    /// Ends all sessions and waits for their ends.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        let sessions = self.sessions();
        futures_util::future::join_all(sessions.iter().map(|session| session.close())).await;
    }
}
