//! One socket, from the handshake to the close.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_model::{Answer, limits};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::handshake::Opened;
use super::{Front, SocketOptions};
use crate::conversation::Conversation;

/// How long a client gets to take the close, and to close its own side.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

type Input = SplitStream<WebSocketStream<TcpStream>>;
type Output = SplitSink<WebSocketStream<TcpStream>, Message>;

/// How the talk ended.
enum End {
    /// The client closed the socket, or is not there any more.
    Left,
    /// The gateway closes it, and says why.
    Closed(CloseCode, &'static str),
    Shutdown,
}

/// Serves a client until either side ends.
pub(super) async fn serve(front: &Front, socket: WebSocketStream<TcpStream>, opened: Opened) {
    let options = &front.options;
    let (output, mut input) = socket.split();
    let (outbox, queue) = mpsc::channel(limits::STREAM_QUEUE_MAX);
    let (goodbye, last) = oneshot::channel();
    let gone = CancellationToken::new();
    // Aborted when it is dropped.
    let mut writer = JoinSet::new();
    writer.spawn(write(Writer { output, options: options.clone(), gone: gone.clone() }, queue, last));
    let Opened { party, frames, line, slot } = opened;
    let conversation = Conversation::new(Arc::clone(&front.gateway), party, outbox, gone.clone(), options.concurrency_max);
    let stream = Answer::Stream { headers: HeaderMap::new(), frames };
    let standing = conversation.open_stream(Box::pin(std::future::ready(stream)));
    let end = tokio::select! {
        () = front.shutdown.cancelled() => End::Shutdown,
        () = gone.cancelled() => End::Left,
        () = conversation.expelled() => End::Closed(CloseCode::Policy, "the key or the server is not valid any more"),
        end = read(&conversation, &mut input, options.idle_timeout) => end,
    };
    // What the client is told at the end has to fit into the drain time as well.
    let drain = options.drain.saturating_sub(CLOSE_GRACE * 4);
    let close = match end {
        End::Shutdown => {
            conversation.say_last(drain).await;
            Some((CloseCode::Away, "the gateway shuts down"))
        }
        End::Left => None,
        End::Closed(code, why) => Some((code, why)),
    };
    if !matches!(close, Some((CloseCode::Away, _))) {
        conversation.abandon();
    }
    conversation.finish(standing, drain).await;
    drop(conversation);
    drop(line);
    let frame = close.map(|(code, why)| CloseFrame { code, reason: Utf8Bytes::from_static(why) });
    // Fails where the writer has ended already.
    goodbye.send(frame).ok();
    if let Ok(Some(Ok(output))) = timeout(options.drain, writer.join_next()).await {
        part(input, output).await;
    }
    drop(slot);
}

/// Takes messages until there are no more.
async fn read(conversation: &Conversation, input: &mut Input, idle_timeout: Duration) -> End {
    loop {
        // A client that lives answers pings.
        let Ok(Some(next)) = timeout(idle_timeout, input.next()).await else { return End::Left };
        match next {
            Ok(Message::Text(text)) => conversation.take(text.into()).await,
            Ok(Message::Binary(_)) => return End::Closed(CloseCode::Unsupported, "messages are text"),
            // The answers to these two are sent while the next frame is awaited.
            Ok(Message::Ping(_) | Message::Close(_)) => {}
            Ok(Message::Pong(_) | Message::Frame(_)) => {}
            Err(error) => return end_of(&error),
        }
    }
}

fn end_of(error: &Error) -> End {
    if let Error::Capacity(_) = error {
        return End::Closed(CloseCode::Size, "the message is too large");
    }
    if let Error::Utf8(_) = error {
        return End::Closed(CloseCode::Invalid, "the text is not UTF-8");
    }
    if let Error::Protocol(why) = error
        && *why != tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
    {
        return End::Closed(CloseCode::Protocol, "the frames break the protocol");
    }
    tracing::debug!(%error, "a socket ended");
    End::Left
}

/// The half that sends.
struct Writer {
    output: Output,
    options: SocketOptions,
    gone: CancellationToken,
}

/// Sends what the client is to be told, pings, and the close at last. Returns the half, where it still works.
async fn write(mut writer: Writer, mut queue: mpsc::Receiver<Bytes>, last: oneshot::Receiver<Option<CloseFrame>>) -> Output {
    let keep_alive = writer.options.keep_alive;
    let mut pings = interval_at(Instant::now() + keep_alive, keep_alive);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let _gone = writer.gone.clone().drop_guard();
    let mut batch = Vec::new();
    loop {
        let sent = tokio::select! {
            count = queue.recv_many(&mut batch, 64) => {
                if count == 0 {
                    break;
                }
                writer.send(batch.drain(..).filter_map(text)).await
            }
            _ = pings.tick() => writer.send([Message::Ping(Bytes::new())].into_iter()).await,
        };
        if !sent {
            return writer.output;
        }
    }
    if let Ok(Some(frame)) = last.await {
        timeout(CLOSE_GRACE, writer.output.send(Message::Close(Some(frame)))).await.ok();
    }
    writer.output
}

impl Writer {
    /// Tells whether everything was sent.
    async fn send(&mut self, messages: impl Iterator<Item = Message>) -> bool {
        let wait = self.options.idle_timeout;
        for message in messages {
            if !matches!(timeout(wait, self.output.feed(message)).await, Ok(Ok(()))) {
                return false;
            }
        }
        matches!(timeout(wait, self.output.flush()).await, Ok(Ok(())))
    }
}

/// Makes a message of a line.
fn text(mut line: Bytes) -> Option<Message> {
    if line.ends_with(b"\n") {
        line.truncate(line.len() - 1);
    }
    match Utf8Bytes::try_from(line) {
        Ok(text) => Some(Message::Text(text)),
        Err(error) => {
            tracing::warn!(%error, "a message is not UTF-8 and was not sent");
            None
        }
    }
}

/// Ends the connection, reading on for a moment: where bytes are left unread the system resets the connection, and what
/// the client has not read yet is lost to it, the close too.
async fn part(input: Input, output: Output) {
    let Ok(socket) = output.reunite(input) else { return };
    let mut stream = socket.into_inner();
    let read_on = async {
        stream.shutdown().await?;
        let mut rest = vec![0; 16 * 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    timeout(CLOSE_GRACE, read_on).await.ok();
}
