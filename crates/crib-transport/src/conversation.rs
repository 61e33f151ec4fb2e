//! One client on one connection that carries messages both ways: what stdio and WebSocket have in common.

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Message, Method};
use crib_model::{Answer, BoxFuture, Carrier, Connection, Frames, Gateway, Inbound, Scope, Verb};
use futures_util::StreamExt;
use http::HeaderMap;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lines::line;

/// How long the stream of a connection may go on behind its end.
const STREAM_END: Duration = Duration::from_secs(1);

/// Names a connection, unlike every other of this process.
pub(crate) fn next_connection() -> Connection {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    Connection(CONNECTIONS.fetch_add(1, Ordering::Relaxed))
}

/// Who talks, and over what.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) connection: Connection,
    pub(crate) carrier: Carrier,
    pub(crate) scope: Scope,
    /// What the client said of itself when it connected.
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<IpAddr>,
}

impl Party {
    pub(crate) fn inbound(&self, verb: Verb, body: Bytes) -> Inbound {
        let Self { carrier, scope, headers, peer, .. } = self.clone();
        Inbound { verb, carrier, scope, headers, body, peer }
    }
}

/// The messages of one connection on their way to the gateway and back.
pub(crate) struct Conversation {
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) party: Party,
    /// What the client is to be told, each message with a line feed behind it.
    pub(crate) outbox: mpsc::Sender<Bytes>,
    /// Messages worked on at once; beyond it reading pauses.
    slots: Arc<Semaphore>,
    /// Cancelled when nobody reads the output any more.
    gone: CancellationToken,
    /// Cancelled at the end of the input.
    ended: CancellationToken,
    /// Cancelled when the gateway no longer serves this client.
    expelled: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("connection", &self.party.connection).finish_non_exhaustive()
    }
}

/// The stream of messages that answer nothing in particular.
#[derive(Debug)]
pub(crate) struct Standing {
    stream: TaskTracker,
    end: CancellationToken,
}

impl Conversation {
    pub(crate) fn new(
        gateway: Arc<dyn Gateway>,
        party: Party,
        outbox: mpsc::Sender<Bytes>,
        gone: CancellationToken,
        concurrency_max: usize,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(concurrency_max));
        let (ended, expelled, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        Self { gateway, party, outbox, slots, gone, ended, expelled, tasks }
    }

    /// Passes on the stream of messages that answer nothing in particular; it ends with the connection.
    pub(crate) fn open_stream(&self, answer: BoxFuture<'static, Answer>) -> Standing {
        let (outbox, end) = (self.outbox.clone(), CancellationToken::new());
        let (stream, ends) = (TaskTracker::new(), end.clone());
        stream.spawn(async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = async { deliver(answer.await, &outbox).await } => {}
            }
        });
        stream.close();
        Standing { stream, end }
    }

    /// Hands one message to the gateway.
    ///
    /// The first step is taken here, so that what the gateway does at once it does in the order of the messages: a
    /// cancellation never overtakes its request. It also spares a task where the answer is ready.
    pub(crate) async fn take(&self, message: Bytes) {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
        let mut answer = self.gateway.receive(self.party.inbound(Verb::Post, message.clone()));
        let answer = match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Ready(message @ Answer::Message { .. }) => return self.deliver(message).await,
            Poll::Ready(stream @ Answer::Stream { .. }) => Box::pin(std::future::ready(stream)),
            Poll::Pending => answer,
        };
        let (outbox, gone, ended) = (self.outbox.clone(), self.gone.clone(), self.ended.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = gone.cancelled() => {}
                () = end_of_subscription(ended, message) => {}
                () = async { deliver(answer.await, &outbox).await } => {}
            }
            drop(slot);
        });
    }

    async fn deliver(&self, answer: Answer) {
        if let Answer::Message { status: 401 | 410, .. } = answer {
            self.expelled.cancel();
        }
        deliver(answer, &self.outbox).await;
    }

    /// Waits until the gateway no longer serves this client: its key was taken back, or its server.
    pub(crate) async fn expelled(&self) {
        self.expelled.cancelled().await;
    }

    /// Drops what is in flight: nobody is there to read it.
    pub(crate) fn abandon(&self) {
        self.gone.cancel();
    }

    /// Lets subscriptions end with their results while the client still reads.
    pub(crate) async fn say_last(&self, drain: Duration) {
        self.gateway.draining();
        self.tasks.close();
        let _calls_run_on = tokio::time::timeout(drain.min(STREAM_END), self.tasks.wait()).await.is_err();
    }

    /// Lets what is in flight finish, within a bound, and then the stream.
    pub(crate) async fn finish(&self, standing: Standing, drain: Duration) {
        self.ended.cancel();
        self.tasks.close();
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_err() {
            tracing::debug!(open = self.tasks.len(), "calls are dropped at the end of the drain time");
            self.gone.cancel();
            self.tasks.wait().await;
        }
        // The last answers of legacy requests may still be on the stream, which ends with the connection.
        self.gateway.closed(self.party.connection);
        let Standing { stream, end } = standing;
        if tokio::time::timeout(drain.min(STREAM_END), stream.wait()).await.is_err() {
            end.cancel();
            stream.wait().await;
        }
    }
}

/// Waits for the end of the input where the request in `message` would go on for ever: nobody unsubscribes behind it.
async fn end_of_subscription(ended: CancellationToken, message: Bytes) {
    ended.cancelled().await;
    let is_subscription = matches!(Message::parse(&message), Ok(Message::Request(request)) if request.method == Method::Listen);
    if !is_subscription {
        std::future::pending::<()>().await;
    }
}

async fn deliver(answer: Answer, outbox: &mpsc::Sender<Bytes>) {
    match answer {
        Answer::Message { body, .. } if body.is_empty() => {}
        Answer::Message { body, .. } => {
            outbox.send(line(&body)).await.ok();
        }
        Answer::Stream { frames, .. } => deliver_all(frames, outbox).await,
    }
}

async fn deliver_all(mut frames: Frames, outbox: &mpsc::Sender<Bytes>) {
    while let Some(frame) = frames.next().await {
        if !frame.data.is_empty() && outbox.send(line(&frame.data)).await.is_err() {
            return;
        }
    }
}
