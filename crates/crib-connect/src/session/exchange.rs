//! One request and what comes back for it. Dropping it before the answer cancels the request at the server.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crib_mcp::{Ability, Json, Method, Notification, Payload, RpcError, message};
use crib_model::Fault;
use serde_json::json;

use super::inbox::{Arrival, Inbox, Mail};
use super::link::{Ask, Carry, Link};

/// A request in flight.
pub(crate) struct Exchange {
    link: Arc<Link>,
    id: u64,
    /// The specification forbids to cancel the handshake.
    keeps_quiet: bool,
    inbox: Inbox,
    carry: Option<Carry>,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Said(Notification),
    Asked(Ask),
    /// The server asked for something the client did not declare.
    Lacks(Ability),
    Answered(Result<Payload, RpcError>),
    Failed(Fault),
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn new(link: Arc<Link>, id: u64, keeps_quiet: bool, (inbox, carry): (Inbox, Option<Carry>)) -> Self {
        Self { link, id, keeps_quiet, inbox, carry }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Waits for what comes next. `Answered` and `Failed` are the last.
    pub(crate) async fn next(&mut self) -> Next {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(mail) = self.inbox.take() {
            return Poll::Ready(mail.into());
        }
        // What the request brings in while it is polled here wakes nobody: it is looked at right behind.
        let carried = self.poll_carry(cx);
        match (self.inbox.poll_take(cx), carried) {
            (Poll::Ready(mail), _) => Poll::Ready(mail.into()),
            (Poll::Pending, Poll::Ready(Err(fault))) => Poll::Ready(Next::Failed(fault)),
            (Poll::Pending, _) => Poll::Pending,
        }
    }

    /// Keeps the request alive while nobody reads what comes back.
    pub(crate) async fn idle(&mut self) {
        poll_fn(|cx| {
            // Without a way the answer can come, the next reader finds a fault.
            if let Poll::Ready(Err(fault)) = self.poll_carry(cx) {
                self.link.fail_call(self.id, fault);
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Carries the request until its part is done; the error says why no answer can come.
    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Some(carry) = &mut self.carry else { return Poll::Pending };
        let done = ready!(carry.as_mut().poll(cx));
        self.carry = None;
        Poll::Ready(done)
    }

    /// Waits for the answer alone.
    pub(crate) async fn answer(mut self) -> Result<Result<Payload, RpcError>, Fault> {
        loop {
            match self.next().await {
                Next::Answered(answer) => return Ok(answer),
                Next::Failed(fault) => return Err(fault),
                Next::Said(_) | Next::Asked(_) | Next::Lacks(_) => {}
            }
        }
    }
}

impl From<Mail> for Next {
    fn from(mail: Mail) -> Self {
        match mail {
            Mail::Arrival(Arrival::Said(notification)) => Self::Said(notification),
            Mail::Arrival(Arrival::Asked(ask)) => Self::Asked(ask),
            Mail::Arrival(Arrival::Lacks(ability)) => Self::Lacks(ability),
            Mail::Answer(Ok(answer)) => Self::Answered(answer),
            Mail::Answer(Err(fault)) => Self::Failed(fault),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.link.forget(self.id) && !self.keeps_quiet {
            let params = Json::of(&json!({ "requestId": self.id, "reason": "the caller is gone" }));
            self.link.post(message::notification(Method::Cancelled.as_str(), &params.into()));
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({:?}, {})", self.link, self.id)
    }
}
