//! The stdio front: one client, one connection, a message per line.

mod standard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::line::{LineDecoder, TooLong};
use crib_mcp::{Message, Method, RpcError, code, message};
use crib_model::{Answer, Carrier, Connection, Frames, Gateway, Inbound, Scope, Verb, limits};
use futures_util::StreamExt;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lines::line;

/// How long the stream of a connection may go on behind its end.
const STREAM_END: Duration = Duration::from_secs(1);

/// What the stdio front bounds.
#[derive(Clone, Debug)]
pub struct StdioOptions {
    pub scope: Scope,
    /// Longest line; beyond it the line is discarded and answered with an error.
    pub line_bytes_max: usize,
    /// Messages worked on at once; beyond it reading pauses.
    pub concurrency_max: usize,
    /// How long messages in flight get to finish after the input ended.
    pub drain: Duration,
}

impl StdioOptions {
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self { scope, line_bytes_max: limits::REQUEST_BYTES_MAX, concurrency_max: 256, drain: Duration::from_secs(10) }
    }
}

/// Serves the client on standard input and output until either side ends.
///
/// At a terminal, the thread that waits for input outlives this: end such a runtime with `shutdown_background`.
pub async fn serve_stdio(gateway: Arc<dyn Gateway>, scope: Scope, shutdown: CancellationToken) {
    serve_lines(gateway, StdioOptions::new(scope), standard::input(), standard::output(), shutdown).await;
}

/// Serves one client on any pair of byte streams. Only messages are written.
pub async fn serve_lines<R, W>(gateway: Arc<dyn Gateway>, options: StdioOptions, input: R, output: W, shutdown: CancellationToken)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    let connection = Connection(CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    let (outbox, queue) = mpsc::channel(limits::STREAM_QUEUE_MAX);
    let gone = CancellationToken::new();
    let writer = TaskTracker::new();
    writer.spawn(write(output, queue, gone.clone()));
    writer.close();
    let front = Front {
        gateway,
        connection,
        scope: options.scope,
        outbox,
        gone: gone.clone(),
        ended: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };

    let standing = CancellationToken::new();
    let stream = front.open_stream(&standing);
    tokio::select! {
        () = shutdown.cancelled() => front.say_last(options.drain).await,
        () = gone.cancelled() => {}
        () = front.read(input, options.line_bytes_max, options.concurrency_max) => {}
    }
    front.finish(options.drain).await;
    // The last answers of legacy requests may still be on the stream, which ends with the connection.
    front.gateway.closed(connection);
    if tokio::time::timeout(options.drain.min(STREAM_END), stream.wait()).await.is_err() {
        standing.cancel();
        stream.wait().await;
    }
    drop(front);
    tokio::time::timeout(options.drain, writer.wait()).await.ok();
}

struct Front {
    gateway: Arc<dyn Gateway>,
    connection: Connection,
    scope: Scope,
    outbox: mpsc::Sender<Bytes>,
    /// Cancelled when nobody reads the output any more.
    gone: CancellationToken,
    /// Cancelled at the end of the input.
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Front {
    fn inbound(&self, verb: Verb, body: Bytes) -> Inbound {
        let carrier = Carrier::Stdio(self.connection);
        Inbound { verb, carrier, scope: self.scope.clone(), headers: HeaderMap::new(), body, peer: None }
    }

    /// Opens the stream of messages that answer nothing in particular; it ends with the connection.
    fn open_stream(&self, standing: &CancellationToken) -> TaskTracker {
        let answer = self.gateway.receive(self.inbound(Verb::Get, Bytes::new()));
        let (outbox, standing) = (self.outbox.clone(), standing.clone());
        let stream = TaskTracker::new();
        stream.spawn(async move {
            tokio::select! {
                () = standing.cancelled() => {}
                () = async { deliver(answer.await, &outbox).await } => {}
            }
        });
        stream.close();
        stream
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut input: R, line_bytes_max: usize, concurrency_max: usize) {
        let slots = Arc::new(Semaphore::new(concurrency_max));
        let mut lines = LineDecoder::new(line_bytes_max);
        let mut buffer = Vec::with_capacity(64 * 1024);
        loop {
            for line in lines.by_ref() {
                self.take(line, &slots).await;
            }
            buffer.clear();
            match input.read_buf(&mut buffer).await {
                Ok(1..) => lines.push(&buffer),
                Ok(0) => break,
                Err(error) => {
                    tracing::debug!(%error, "standard input cannot be read");
                    break;
                }
            }
        }
        // The last line may lack its end.
        if let Some(line) = lines.finish() {
            self.take(line, &slots).await;
        }
    }

    /// Hands one line to the gateway.
    ///
    /// The first step is taken here, so that what the gateway does at once it does in the order of the lines: a
    /// cancellation never overtakes its request. It also spares a task where the answer is ready.
    async fn take(&self, line: Result<Bytes, TooLong>, slots: &Arc<Semaphore>) {
        let line = match line {
            Ok(line) => line,
            Err(TooLong { bytes_max }) => return self.refuse_line(bytes_max).await,
        };
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
        let mut answer = self.gateway.receive(self.inbound(Verb::Post, line.clone()));
        let answer = match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Ready(message @ Answer::Message { .. }) => return deliver(message, &self.outbox).await,
            Poll::Ready(stream @ Answer::Stream { .. }) => Box::pin(std::future::ready(stream)),
            Poll::Pending => answer,
        };
        let (outbox, gone, ended) = (self.outbox.clone(), self.gone.clone(), self.ended.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = gone.cancelled() => {}
                () = end_of_subscription(ended, line) => {}
                () = async { deliver(answer.await, &outbox).await } => {}
            }
            drop(slot);
        });
    }

    async fn refuse_line(&self, max: usize) {
        let error = RpcError::new(code::INVALID_REQUEST, format!("Invalid Request: the line is longer than {max} bytes"));
        self.outbox.send(line(&message::error(None, &error))).await.ok();
    }

    /// Lets subscriptions end with their results while the client still reads.
    async fn say_last(&self, drain: Duration) {
        self.gateway.draining();
        self.tasks.close();
        let _calls_run_on = tokio::time::timeout(drain.min(STREAM_END), self.tasks.wait()).await.is_err();
    }

    /// Lets what is in flight finish, within a bound.
    async fn finish(&self, drain: Duration) {
        self.ended.cancel();
        self.tasks.close();
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_err() {
            tracing::debug!(open = self.tasks.len(), "calls are dropped at the end of the drain time");
            self.gone.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Waits for the end of the input where the request in `line` would go on for ever: nobody unsubscribes behind it.
async fn end_of_subscription(ended: CancellationToken, line: Bytes) {
    ended.cancelled().await;
    let is_subscription = matches!(Message::parse(&line), Ok(Message::Request(request)) if request.method == Method::Listen);
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

async fn write<W: AsyncWrite + Unpin>(mut output: W, mut queue: mpsc::Receiver<Bytes>, gone: CancellationToken) {
    let _gone = gone.drop_guard();
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 64).await > 0 {
        for line in batch.drain(..) {
            if let Err(error) = output.write_all(&line).await {
                tracing::debug!(%error, "standard output cannot be written");
                return;
            }
        }
        if output.flush().await.is_err() {
            return;
        }
    }
}
