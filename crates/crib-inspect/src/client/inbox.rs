//! What the server sends: answers to whoever waits for them, questions to whoever answers them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Message, Payload, Request, RpcError};
use crib_model::{Code, Fault};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::wire::Heard;

/// Questions of the server that wait to be answered; further ones are dropped.
const QUESTIONS_MAX: usize = 64;

/// An answer, and the HTTP status it came with.
pub(super) type Answered = (Result<Result<Payload, RpcError>, Fault>, Option<u16>);

/// Where answers arrive.
pub(super) struct Inbox {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answered>>>,
    over: watch::Sender<Option<Fault>>,
    questions: mpsc::Sender<Request>,
}

// === impl Inbox ===

impl Inbox {
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<Request>) {
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        (Arc::new(Self { waiting: Mutex::default(), over: watch::Sender::new(None), questions }), asked)
    }

    pub(super) fn expect(&self, id: u64) -> oneshot::Receiver<Answered> {
        let (tell, answer) = oneshot::channel();
        // Behind the end nobody answers: dropping the sender says so.
        if self.over.borrow().is_none() {
            self.waiting.lock().insert(id, tell);
        }
        answer
    }

    pub(super) fn forget(&self, id: u64) {
        self.waiting.lock().remove(&id);
    }

    /// Says why there is nothing more.
    pub(super) fn fault(&self, name: &str) -> Fault {
        let fault = self.over.borrow().clone();
        fault.unwrap_or_else(|| Fault::new(Code::ServerGone, format!("`{name}` is gone")))
    }

    /// Waits for the end.
    pub(super) async fn over(&self, name: &str) -> Fault {
        let mut over = self.over.subscribe();
        drop(over.wait_for(Option::is_some).await);
        self.fault(name)
    }

    /// Waits a moment for the reason of an end that shows.
    pub(super) async fn fault_soon(&self) -> Option<Fault> {
        let mut over = self.over.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(1), over.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }

    /// Takes what is heard until the end.
    pub(super) async fn run(self: Arc<Self>, mut heard: mpsc::Receiver<Heard>) {
        while let Some(next) = heard.recv().await {
            match next {
                Heard::Message { text, of, status } => self.message(&text, of, status),
                Heard::Lost { of, fault, status } => self.answer(of, Err(fault), status),
                Heard::Ended(fault) => {
                    self.over.send_replace(Some(fault));
                    self.waiting.lock().clear();
                    return;
                }
            }
        }
        self.waiting.lock().clear();
    }

    fn message(&self, text: &Bytes, of: Option<u64>, status: Option<u16>) {
        match Message::parse(text) {
            Ok(Message::Response(response)) => {
                let id = match response.id {
                    Some(id) => id.as_u64(),
                    // Only on HTTP does an error without an id belong to something.
                    None => of,
                };
                if let Some(id) = id {
                    self.answer(id, Ok(response.outcome), status);
                }
            }
            Ok(Message::Request(request)) => {
                if self.questions.try_send(request).is_err() {
                    tracing::debug!("a question of the server is dropped: too many wait");
                }
            }
            // The tap has seen it.
            Ok(Message::Notification(_)) | Err(_) => {}
        }
    }

    fn answer(&self, id: u64, outcome: Result<Result<Payload, RpcError>, Fault>, status: Option<u16>) {
        if let Some(tell) = self.waiting.lock().remove(&id) {
            // Whoever asked may have gone meanwhile.
            drop(tell.send((outcome, status)));
        }
    }
}
