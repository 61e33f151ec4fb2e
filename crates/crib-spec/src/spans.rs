//! A collector of traces: what an OTLP exporter sends, as far as tests look at it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// One span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// The trace, in hexadecimal digits.
    pub trace: String,
    /// The span, in hexadecimal digits.
    pub id: String,
    /// The span it belongs to; empty where it is the first.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Attributes; only the text of those that are texts.
    pub attributes: BTreeMap<String, String>,
}

/// A collector that listens on loopback.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    _tasks: JoinSet<()>,
}

impl Collector {
    /// Listens for exporters.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let spans = Arc::<Mutex<Vec<Span>>>::default();
        let (mut tasks, taken) = (JoinSet::new(), Arc::clone(&spans));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                // An exporter that breaks off shows up as a span that is missing.
                connections.spawn(async move { serve(stream, &taken).await.unwrap_or_default() });
            }
        });
        Ok(Self { address, spans, _tasks: tasks })
    }

    /// Returns what has come so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().clone()
    }
}

async fn serve(mut stream: TcpStream, spans: &Mutex<Vec<Span>>) -> Result<()> {
    let mut got = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = got.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut got).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(got.get(..head).unwrap_or_default()).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).context("no length")?.trim().parse::<usize>()?;
        while got.len() < head + length {
            anyhow::ensure!(stream.read_buf(&mut got).await? > 0, "the body breaks off");
        }
        let body: Vec<u8> = got.drain(..head + length).skip(head).collect();
        // ExportTraceServiceRequest.resource_spans.scope_spans.spans
        let each = fields(&body, 1).into_iter().flat_map(|resource| fields(resource, 2)).flat_map(|scope| fields(scope, 2));
        spans.lock().extend(each.map(span));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

fn span(message: &[u8]) -> Span {
    let first = |number| fields(message, number).first().copied().unwrap_or_default();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let attribute = |pair: &[u8]| {
        let key = fields(pair, 1).first().map(|key| text(key)).unwrap_or_default();
        let value = fields(pair, 2).first().and_then(|value| fields(value, 1).first().map(|value| text(value)));
        (key, value.unwrap_or_default())
    };
    Span {
        trace: hex(first(1)),
        id: hex(first(2)),
        parent: hex(first(4)),
        name: text(first(5)),
        attributes: fields(message, 9).into_iter().map(attribute).collect(),
    }
}

/// Returns the fields of one number in a message of protocol buffers that have a length.
fn fields(mut message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((tag, rest)) = number(message) {
        let (value, rest) = match tag & 7 {
            0 => (None, number(rest).map_or(&[][..], |(_, rest)| rest)),
            1 => (None, rest.get(8..).unwrap_or_default()),
            5 => (None, rest.get(4..).unwrap_or_default()),
            _ => {
                let Some((length, rest)) = number(rest) else { break };
                let Some((value, rest)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else { break };
                (Some(value), rest)
            }
        };
        found.extend(value.filter(|_| tag >> 3 == wanted));
        message = rest;
    }
    found
}

/// Reads a number of variable length.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (own, rest) = bytes.split_at_checked(length)?;
    let value = own.iter().rev().fold(0_u64, |value, byte| (value << 7) | u64::from(byte & 0x7f));
    Some((value, rest))
}
