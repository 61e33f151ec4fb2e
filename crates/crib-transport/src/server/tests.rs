//! The front from the outside: bytes over loopback against a gateway made of closures.

mod bounds;
mod checks;
mod lanes;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crib_mcp::{Chunks, Json};
use crib_model::{Answer, BoxFuture, Carrier, Connection, Frame, Gateway, Inbound, Scope, Verb};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{NoRoutes, Server, ServerOptions, bind};

/// Long enough for a loaded machine, short enough to fail.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

type Receive = Box<dyn Fn(Inbound) -> BoxFuture<'static, Answer> + Send + Sync>;

pub(super) struct Fake(Receive);

impl Gateway for Fake {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer> {
        (self.0)(inbound)
    }

    fn closed(&self, _: Connection) {}
}

/// A running server.
pub(super) struct Rig {
    pub(super) address: std::net::SocketAddr,
    pub(super) shutdown: CancellationToken,
    tasks: TaskTracker,
}

pub(super) fn options() -> ServerOptions {
    ServerOptions { listen: vec![([127, 0, 0, 1], 0).into()], ..ServerOptions::default() }
}

pub(super) async fn start<F, T>(options: ServerOptions, receive: F) -> Rig
where
    F: Fn(Inbound) -> T + Send + Sync + 'static,
    T: Future<Output = Answer> + Send + 'static,
{
    let server = bind(options).await.unwrap();
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let address = server.local_addrs()[0];
    let gateway = Arc::new(Fake(Box::new(move |inbound| Box::pin(receive(inbound)))));
    tasks.spawn(Server::run(server, gateway, Arc::new(NoRoutes), shutdown.clone()));
    tasks.close();
    Rig { address, shutdown, tasks }
}

/// Answers every message with its own body.
pub(super) async fn echo(options: ServerOptions) -> Rig {
    start(options, |inbound| async move { Answer::json(200, Chunks::from(inbound.body)) }).await
}

impl Rig {
    pub(super) async fn connect(&self) -> Wire {
        Wire { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the server ends");
    }
}

/// A client that speaks bytes.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends a request with the usual fields.
    pub(super) async fn post(&mut self, path: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    pub(super) async fn get(&mut self, path: &str, fields: &str) {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes()).await;
    }

    /// Reads until the text has come; returns everything up to its end and keeps the rest.
    pub(super) async fn until(&mut self, text: &str) -> String {
        let reading = async {
            loop {
                if let Some(at) = self.read.windows(text.len()).position(|window| window == text.as_bytes()) {
                    let rest = self.read.split_off(at + text.len());
                    return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
                }
                let read = self.stream.read_buf(&mut self.read).await.unwrap();
                assert!(read > 0, "closed before {text:?}, after {:?}", String::from_utf8_lossy(&self.read));
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time")
    }

    /// Reads one response with a length.
    pub(super) async fn response(&mut self) -> Plain {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        let reading = async {
            while self.read.len() < length {
                assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "closed in the middle of a body");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a body in time");
        let rest = self.read.split_off(length);
        Plain { status, body: Bytes::from(std::mem::replace(&mut self.read, rest)), head }
    }

    /// Waits for the other side to close.
    pub(super) async fn closed(&mut self) -> String {
        let reading = async { while matches!(self.stream.read_buf(&mut self.read).await, Ok(1..)) {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server closes the connection");
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}

pub(super) struct Plain {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Bytes,
}

impl Plain {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// The TC code in the data of the error.
    pub(super) fn code(&self) -> Option<String> {
        let error = Json::parse(&self.body).ok()?.to_object().ok()?.get("error")?.to_object().ok()?;
        let rpc = error.get("data").and_then(|data| data.to_object().ok()?.text("code").map(|code| code.into_owned()));
        rpc.or_else(|| error.text("code").map(|code| code.into_owned()))
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}

/// An answer whose frames the test sends by hand, and a receiver that sees the frames dropped.
pub(super) fn by_hand() -> (Answer, mpsc::Sender<Frame>) {
    let (sender, receiver) = mpsc::channel(8);
    let frames = stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|frame| (frame, receiver)) });
    (Answer::Stream { headers: http::HeaderMap::new(), frames: Box::pin(frames) }, sender)
}

pub(super) fn text(text: &'static str) -> Chunks {
    Chunks::from(Bytes::from_static(text.as_bytes()))
}
