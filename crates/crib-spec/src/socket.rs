//! A client over WebSocket, bare enough to misbehave.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{ClientRequestBuilder, Error, Message},
};

use crate::{client::oblige, wait::within};

const PATIENCE: Duration = Duration::from_secs(30);

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    next: u64,
}

/// What a handshake led to.
#[derive(Debug)]
pub enum Handshake {
    Open(Box<Socket>),
    /// The status and the body of the answer.
    Refused(u16, String),
}

/// Asks for a socket with these header fields and subprotocols.
///
/// # Errors
/// When the server cannot be reached or does not speak WebSocket.
pub async fn shake(address: SocketAddr, path: &str, headers: &[(&str, &str)], protocols: &[&str]) -> Result<Handshake> {
    let mut builder = ClientRequestBuilder::new(format!("ws://{address}{path}").parse()?);
    for (name, value) in headers {
        builder = builder.with_header(*name, *value);
    }
    for protocol in protocols {
        builder = builder.with_sub_protocol(*protocol);
    }
    let stream = TcpStream::connect(address).await?;
    match within(PATIENCE, "a handshake", client_async(builder, stream)).await? {
        Ok((stream, _)) => Ok(Handshake::Open(Box::new(Socket { stream, next: 1 }))),
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Ok(Handshake::Refused(response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

impl Socket {
    /// Opens a socket for MCP.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self> {
        match shake(address, path, headers, &["mcp"]).await? {
            Handshake::Open(socket) => Ok(*socket),
            Handshake::Refused(status, body) => bail!("HTTP {status}: {body}"),
        }
    }

    /// Opens a socket and runs the handshake of the legacy era.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn connect(address: SocketAddr, capabilities: Value) -> Result<Self> {
        let mut socket = Self::open(address, "/mcp", &[]).await?;
        let info = json!({ "name": "spec-client", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
        let reply = socket.call("initialize", params).await?;
        anyhow::ensure!(reply["result"]["protocolVersion"] == "2025-11-25", "initialize: {reply}");
        socket.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(socket)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.send_frame(Message::text(message.to_string())).await
    }

    /// Sends one frame of whatever kind.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn send_frame(&mut self, frame: Message) -> Result<()> {
        Ok(within(PATIENCE, "a frame is taken", self.stream.send(frame)).await??)
    }

    /// Receives one message.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn receive(&mut self) -> Result<Value> {
        loop {
            match within(PATIENCE, "a message", self.stream.next()).await?.context("the socket ended")?? {
                Message::Text(text) => return serde_json::from_str(&text).with_context(|| format!("not JSON: {text:?}")),
                Message::Close(frame) => bail!("closed: {frame:?}"),
                Message::Binary(_) => bail!("a binary frame"),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Sends a request and returns its id.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<u64> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        Ok(id)
    }

    /// Sends a request and returns the reply, answering what the server asks meanwhile.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        Ok(self.call_hearing(method, params).await?.pop().unwrap_or_default())
    }

    /// The same, and returns what was said before the reply as well; the reply is the last.
    ///
    /// # Errors
    /// When the server is gone or silent.
    pub async fn call_hearing(&mut self, method: &str, params: Value) -> Result<Vec<Value>> {
        let id = self.ask(method, params).await?;
        let mut heard = Vec::new();
        loop {
            let message = self.receive().await?;
            if let Some(answer) = oblige(&message) {
                self.send(&answer).await?;
            }
            let is_reply = message["id"] == id && message.get("method").is_none();
            heard.push(message);
            if is_reply {
                return Ok(heard);
            }
        }
    }

    /// Reads on until the server closes the socket, and returns the code; `None` where it gives none.
    ///
    /// # Errors
    /// When the server does not close it.
    pub async fn closed(&mut self) -> Result<Option<u16>> {
        loop {
            match within(PATIENCE, "the close", self.stream.next()).await? {
                Some(Ok(Message::Close(frame))) => return Ok(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    /// Closes the socket and waits until the server has done so, too.
    ///
    /// # Errors
    /// When the server does not close it.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close(None).await?;
        self.closed().await?;
        Ok(())
    }
}
