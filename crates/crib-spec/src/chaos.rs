//! A server that misbehaves in the way the called tool is named after, over stdio and over HTTP.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// Everything the server can do wrong, and `fine`.
pub const MODES: [&str; 12] =
    ["fine", "garbage", "invalid_utf8", "wrong_id", "duplicate_id", "half_closed", "huge", "hang", "crash", "drip", "stderr_flood", "exit"];

/// The size of the line of `huge`.
pub const HUGE_BYTES: usize = 64 << 20;
const FLOOD_BYTES: usize = 16 << 20;
const FOREVER: Duration = Duration::from_secs(3600);

/// The server over HTTP, in this process.
#[derive(Debug)]
pub struct Chaos {
    /// Where it listens.
    pub address: SocketAddr,
    _stop: DropGuard,
}

fn tools() -> Value {
    let tool = |name: &&str| json!({ "name": name, "description": "Misbehaves", "inputSchema": { "type": "object" } });
    json!({ "tools": MODES.iter().map(tool).collect::<Vec<_>>() })
}

fn reply(id: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

fn fine(id: &Value, text: &str) -> String {
    reply(id, &json!({ "content": [{ "type": "text", "text": text }] }))
}

/// Answers everything but calls; `None` for a notification.
fn ordinary(message: &Value) -> Option<String> {
    let id = message.get("id")?;
    Some(match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            let revision = message["params"]["protocolVersion"].as_str().filter(|asked| *asked < "2026").unwrap_or("2025-11-25");
            let capabilities = json!({ "tools": {} });
            let info = json!({ "name": "fixture-chaos", "version": "1" });
            reply(id, &json!({ "protocolVersion": revision, "capabilities": capabilities, "serverInfo": info }))
        }
        "tools/list" => reply(id, &tools()),
        "ping" => reply(id, &json!({})),
        _ => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "method not found" } }).to_string(),
    })
}

/// What a mode answers with, where it is only the bytes that are wrong.
fn bytes(mode: &str, id: &Value) -> Option<Vec<u8>> {
    Some(match mode {
        "garbage" => b"{\"jsonrpc\": this is not JSON".to_vec(),
        "invalid_utf8" => {
            let mut line = fine(id, "@@").into_bytes();
            for byte in line.iter_mut().filter(|byte| **byte == b'@') {
                *byte = 0xff;
            }
            line
        }
        "wrong_id" => fine(&json!("nobody-asked"), "for nobody").into_bytes(),
        "huge" => fine(id, &"x".repeat(HUGE_BYTES)).into_bytes(),
        "hang" | "half_closed" | "crash" | "drip" | "duplicate_id" | "stderr_flood" | "exit" => return None,
        other => fine(id, other).into_bytes(),
    })
}

/// Serves one client over this process's standard input and output.
///
/// # Errors
/// When the input breaks.
pub async fn serve_stdio() -> Result<()> {
    let stdout = Arc::new(Mutex::new(tokio::io::stdout()));
    let tracker = TaskTracker::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let stdout = Arc::clone(&stdout);
        if message["method"] == "tools/call" {
            // A pipe that breaks ends the call, which is what a mode may be about.
            tracker.spawn(async move { misbehave(&message, &stdout).await.unwrap_or_default() });
        } else if let Some(reply) = ordinary(&message) {
            write(&stdout, reply.as_bytes()).await?;
        }
    }
    Ok(())
}

async fn write(stdout: &Mutex<tokio::io::Stdout>, line: &[u8]) -> Result<()> {
    let mut stdout = stdout.lock().await;
    stdout.write_all(line).await?;
    stdout.write_all(b"\n").await?;
    Ok(stdout.flush().await?)
}

async fn misbehave(message: &Value, stdout: &Mutex<tokio::io::Stdout>) -> Result<()> {
    let (id, mode) = (&message["id"], message["params"]["name"].as_str().unwrap_or_default());
    if let Some(line) = bytes(mode, id) {
        return write(stdout, &line).await;
    }
    match mode {
        "duplicate_id" => {
            write(stdout, fine(id, "first").as_bytes()).await?;
            write(stdout, fine(id, "second").as_bytes()).await
        }
        "half_closed" => {
            let null = std::fs::File::options().write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&null)?;
            std::future::pending().await
        }
        "crash" => std::process::abort(),
        "exit" => {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?;
            std::future::pending().await
        }
        "drip" => {
            let mut stdout = stdout.lock().await;
            for byte in fine(id, "drip").bytes() {
                stdout.write_all(&[byte]).await?;
                stdout.flush().await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(stdout.write_all(b"\n").await?)
        }
        "stderr_flood" => {
            let mut stderr = tokio::io::stderr();
            let line = format!("{}\n", "noise ".repeat(100));
            for _ in 0..FLOOD_BYTES / line.len() {
                stderr.write_all(line.as_bytes()).await?;
            }
            write(stdout, fine(id, "flooded").as_bytes()).await
        }
        _ => std::future::pending().await,
    }
}

impl Chaos {
    /// Starts the server on a free loopback port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> Result<Self> {
        Self::listen(0).await
    }

    /// Starts the server on this loopback port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn listen(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let tracker = TaskTracker::new();
        tracker.clone().spawn(async move {
            while let Some(Ok((socket, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let stopped = stopped.clone();
                // A broken connection is the purpose.
                tracker.spawn(async move { stopped.run_until_cancelled(exchange(socket)).await.map(Result::ok) });
            }
        });
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Returns the URL of its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

/// Serves one request and closes the connection.
async fn exchange(mut socket: TcpStream) -> Result<()> {
    let (head, body) = read(&mut socket).await?;
    if !head.starts_with("POST ") {
        return Ok(socket.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?);
    }
    let message: Value = serde_json::from_slice(&body)?;
    if message["method"] != "tools/call" {
        return match ordinary(&message) {
            Some(reply) => respond(&mut socket, reply.as_bytes()).await,
            None => Ok(socket.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?),
        };
    }
    let (id, mode) = (&message["id"], message["params"]["name"].as_str().unwrap_or_default());
    if let Some(body) = bytes(mode, id) {
        return respond(&mut socket, &body).await;
    }
    let body = fine(id, mode);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    match mode {
        "crash" | "exit" => Ok(()),
        "half_closed" => {
            socket.write_all(head.as_bytes()).await?;
            let half = body.as_bytes().chunks(body.len() / 2).next().unwrap_or_default();
            Ok(socket.write_all(half).await?)
        }
        "drip" => {
            socket.write_all(head.as_bytes()).await?;
            for byte in body.bytes() {
                socket.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        "duplicate_id" => {
            let event = format!("data: {body}\n\n");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            Ok(socket.write_all(format!("{head}{event}{event}").as_bytes()).await?)
        }
        "stderr_flood" => respond(&mut socket, body.as_bytes()).await,
        _ => {
            tokio::time::sleep(FOREVER).await;
            Ok(())
        }
    }
}

async fn respond(socket: &mut TcpStream, body: &[u8]) -> Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    Ok(socket.write_all(body).await?)
}

async fn read(socket: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        anyhow::ensure!(reader.read_line(&mut head).await? > 0, "closed");
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|rest| rest.trim().to_owned()));
    let length: usize = length.unwrap_or_else(|| "0".to_owned()).parse().context("content-length")?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok((head, body))
}
