//! One request and what comes back for it. Dropping it before the answer cancels the request at the server.

use std::sync::Arc;

use crib_mcp::{Ability, Json, Method, Notification, Payload, RpcError, message};
use crib_model::{Code, Fault};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::link::{Answer, Arrival, Ask, Carry, Link};

/// A request in flight.
pub(crate) struct Exchange {
    link: Arc<Link>,
    id: u64,
    /// The specification forbids to cancel the handshake.
    keeps_quiet: bool,
    arrivals: mpsc::Receiver<Arrival>,
    answered: oneshot::Receiver<Answer>,
    carry: Option<Carry>,
    fault: Option<Fault>,
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
    pub(super) fn new(
        link: Arc<Link>,
        id: u64,
        keeps_quiet: bool,
        (arrivals, answered, carry): (mpsc::Receiver<Arrival>, oneshot::Receiver<Answer>, Option<Carry>),
    ) -> Self {
        Self { link, id, keeps_quiet, arrivals, answered, carry, fault: None }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Waits for what comes next. `Answered` and `Failed` are the last.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if let Some(fault) = self.fault.take() {
                return Next::Failed(fault);
            }
            tokio::select! {
                biased;
                Some(arrival) = self.arrivals.recv() => return match arrival {
                    Arrival::Said(notification) => Next::Said(notification),
                    Arrival::Asked(ask) => Next::Asked(ask),
                    Arrival::Lacks(ability) => Next::Lacks(ability),
                },
                answer = &mut self.answered => return match answer {
                    Ok(Ok(answer)) => Next::Answered(answer),
                    Ok(Err(fault)) => Next::Failed(fault),
                    Err(_closed) => Next::Failed(Fault::new(Code::Internal, "a call was forgotten")),
                },
                () = run(&mut self.carry, &mut self.fault) => {}
            }
        }
    }

    /// Keeps the request alive while nobody reads what comes back.
    pub(crate) async fn idle(&mut self) {
        run(&mut self.carry, &mut self.fault).await;
        std::future::pending::<()>().await;
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

/// Carries the request until its part is done; notes why no answer can come.
async fn run(carry: &mut Option<Carry>, fault: &mut Option<Fault>) {
    let Some(carrying) = carry else { return std::future::pending().await };
    let done = carrying.await;
    *carry = None;
    if let Err(why) = done {
        *fault = Some(why);
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
