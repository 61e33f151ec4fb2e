//! The stdio front: one client, one connection, a message per line.

mod standard;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::line::{LineDecoder, TooLong};
use crib_mcp::{RpcError, code, message};
use crib_model::{Carrier, Gateway, Scope, Verb, limits};
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::conversation::{Conversation, Party, next_connection};
use crate::lines::line;

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
    let connection = next_connection();
    let StdioOptions { scope, line_bytes_max, concurrency_max, drain } = options;
    let party = Party { connection, carrier: Carrier::Stdio(connection), scope, headers: HeaderMap::new(), peer: None };
    let (outbox, queue) = mpsc::channel(limits::STREAM_QUEUE_MAX);
    let gone = CancellationToken::new();
    let writer = TaskTracker::new();
    writer.spawn(write(output, queue, gone.clone()));
    writer.close();
    let conversation = Conversation::new(gateway, party, outbox, gone.clone(), concurrency_max);

    let standing = conversation.open_stream(conversation.gateway.receive(conversation.party.inbound(Verb::Get, Bytes::new())));
    tokio::select! {
        () = shutdown.cancelled() => conversation.say_last(drain).await,
        () = gone.cancelled() => {}
        () = read(&conversation, input, line_bytes_max) => {}
    }
    conversation.finish(standing, drain).await;
    drop(conversation);
    tokio::time::timeout(drain, writer.wait()).await.ok();
}

async fn read<R: AsyncRead + Unpin>(conversation: &Conversation, mut input: R, line_bytes_max: usize) {
    let mut lines = LineDecoder::new(line_bytes_max);
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        for line in lines.by_ref() {
            take(conversation, line).await;
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
        take(conversation, line).await;
    }
}

async fn take(conversation: &Conversation, read: Result<Bytes, TooLong>) {
    match read {
        Ok(message) => conversation.take(message).await,
        Err(TooLong { bytes_max }) => {
            let error = RpcError::new(code::INVALID_REQUEST, format!("Invalid Request: the line is longer than {bytes_max} bytes"));
            conversation.outbox.send(line(&message::error(None, &error))).await.ok();
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
