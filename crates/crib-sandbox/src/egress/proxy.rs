//! One connection of the proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::rule::{HostRule, split};
use super::{Refused, Tell};

const CONNECTIONS_MAX: usize = 128;
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEAD_WAIT: Duration = Duration::from_secs(10);
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long after a failed accept the next is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    host: String,
    port: u16,
    /// What is to be sent on; for `CONNECT` nothing of the head is.
    first: Vec<u8>,
    is_tunnel: bool,
}

/// Begins to listen at a socket to be made, and serves it until `closing`.
pub(super) fn serve(socket: &Path, rules: Arc<[HostRule]>, tell: Tell, tasks: &TaskTracker, closing: &CancellationToken) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    tasks.spawn(accept(listener, rules, tell, tasks.clone(), closing.clone()));
    Ok(())
}

async fn accept(listener: UnixListener, rules: Arc<[HostRule]>, tell: Tell, tasks: TaskTracker, closing: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        let Ok((client, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (rules, tell, closing) = (Arc::clone(&rules), Arc::clone(&tell), closing.clone());
        tasks.spawn(async move {
            tokio::select! {
                // What ends a connection, ends it for both sides.
                ended = answer(client, &rules, &tell) => drop(ended),
                () = closing.cancelled() => {}
            }
            drop(slot);
        });
    }
}

async fn answer(mut client: UnixStream, rules: &[HostRule], tell: &Tell) -> io::Result<()> {
    let Ok(head) = timeout(HEAD_WAIT, read_head(&mut client)).await else { return Ok(()) };
    let Some(asked) = read_request(&head?) else {
        return client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    };
    match reach(&asked, rules).await {
        Ok(mut server) => {
            if asked.is_tunnel {
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            }
            server.write_all(&asked.first).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            Ok(())
        }
        Err(why) => {
            tell(Refused { host: asked.host.clone(), port: asked.port, why: why.text() });
            let body = format!("toolcrib: {}:{}: {}\n", asked.host, asked.port, why.text());
            let head = format!("HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", why.status(), body.len());
            client.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).await
        }
    }
}

/// Why a host is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NotGranted,
    Inward,
    Unreachable,
}

impl Why {
    const fn text(self) -> &'static str {
        match self {
            Self::NotGranted => "this host is not granted",
            Self::Inward => "this name stands for an address that is not of the public internet",
            Self::Unreachable => "this host cannot be reached",
        }
    }

    const fn status(self) -> &'static str {
        match self {
            Self::NotGranted | Self::Inward => "403 Forbidden",
            Self::Unreachable => "502 Bad Gateway",
        }
    }
}

/// Resolves a granted host, and connects to the very address that was looked at.
async fn reach(asked: &Asked, rules: &[HostRule]) -> Result<TcpStream, Why> {
    let rule = rules.iter().find(|rule| rule.covers(&asked.host, asked.port)).ok_or(Why::NotGranted)?;
    let looked_up = timeout(CONNECT_WAIT, tokio::net::lookup_host((asked.host.as_str(), asked.port))).await;
    let addresses: Vec<SocketAddr> = looked_up.map_err(|_late| Why::Unreachable)?.map_err(|_unknown| Why::Unreachable)?.collect();
    let mut why = Why::Unreachable;
    for address in addresses {
        if !rule.is_of_address() && !is_public(address.ip()) {
            why = Why::Inward;
        } else if let Ok(Ok(stream)) = timeout(CONNECT_WAIT, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(why)
}

/// Returns whether an address is of the public internet, also inside of those that carry another.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let is_reserved = a == 0
                || a >= 240
                || address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_documentation();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_protocol = (a, b, c) == (192, 0, 0) || (a == 198 && (b == 18 || b == 19));
            !(is_reserved || is_shared || is_protocol)
        }
        IpAddr::V6(address) => {
            let [first, second, .., high, low] = address.segments();
            // Only 2000::/3 is given out; of it, 6to4, Teredo and documentation are not what they seem.
            let is_given_out = first & 0xE000 == 0x2000;
            let is_odd = first == 0x2002 || (first == 0x2001 && (second < 0x0200 || second == 0x0DB8));
            let is_translated = address.segments().starts_with(&[0x64, 0xFF9B, 0, 0, 0, 0]);
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            (is_given_out && !is_odd) || (is_translated && is_public(IpAddr::from([a, b, c, d])))
        }
    }
}

async fn read_head(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX || client.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

/// Reads `CONNECT host:port` and `GET http://host/path`; what comes after the head is sent on as it is.
fn read_request(bytes: &[u8]) -> Option<Asked> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?.checked_add(4)?;
    let (head, rest) = bytes.split_at_checked(end)?;
    let head = std::str::from_utf8(head).ok()?;
    let (line, headers) = head.split_once("\r\n")?;
    let mut parts = line.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    if method == "CONNECT" {
        let (host, port) = split(target)?;
        return Some(Asked { host: host.to_owned(), port: port?, first: rest.to_vec(), is_tunnel: true });
    }
    let after = target.strip_prefix("http://")?;
    let (authority, path) = after.find('/').and_then(|at| after.split_at_checked(at)).unwrap_or((after, "/"));
    let (host, port) = split(authority)?;
    let mut first = format!("{method} {path} {version}\r\n");
    for header in headers.split("\r\n").filter(|header| !header.is_empty()) {
        let name = header.split(':').next()?.to_ascii_lowercase();
        if !matches!(name.as_str(), "connection" | "keep-alive") && !name.starts_with("proxy-") {
            first.push_str(header);
            first.push_str("\r\n");
        }
    }
    // One request per connection: a second one might name another host.
    first.push_str("Connection: close\r\n\r\n");
    let first = [first.as_bytes(), rest].concat();
    Some(Asked { host: host.to_owned(), port: port.unwrap_or(80), first, is_tunnel: false })
}
