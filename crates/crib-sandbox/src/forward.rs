//! The way from inside to the proxy: a port on the loopback that the server reaches, passed on to the gateway's socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use crate::Spec;

/// Connections at once; beyond it a new one is closed at once.
const CONNECTIONS_MAX: usize = 64;
const BUFFER_BYTES: usize = 16 * 1024;
const STACK_BYTES: usize = 64 * 1024;

/// Starts to forward, and returns the port.
pub(crate) fn start(socket: &Path) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let socket: Arc<Path> = PathBuf::from(socket).into();
    Builder::new().stack_size(STACK_BYTES).spawn(move || accept(&listener, &socket))?;
    Ok(port)
}

/// Returns the variables that a server is given, whatever proxy it was given: there is one way out. What goes past it
/// may be said.
pub(crate) fn said(port: u16, spec: &Spec) -> Vec<(String, String)> {
    let is_said = |name: &str| name.eq_ignore_ascii_case("NO_PROXY") && spec.env.iter().any(|(said, _)| said == name);
    variables(port).into_iter().filter(|(name, _)| !is_said(name)).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the variables by which programs find a proxy.
fn variables(port: u16) -> Vec<(&'static str, String)> {
    let url = format!("http://127.0.0.1:{port}");
    let mut all: Vec<(&str, String)> =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"].map(|name| (name, url.clone())).into();
    all.extend(["NO_PROXY", "no_proxy"].map(|name| (name, "localhost,127.0.0.1,::1".to_owned())));
    // Node's own `fetch` looks at the variables only when it is told to.
    all.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    all
}

fn accept(listener: &TcpListener, socket: &Arc<Path>) {
    let open = Arc::new(AtomicUsize::new(0));
    for inside in listener.incoming() {
        let Ok(inside) = inside else { continue };
        if open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        let (counted, socket) = (Arc::clone(&open), Arc::clone(socket));
        open.fetch_add(1, Ordering::Relaxed);
        let spawned = Builder::new().stack_size(STACK_BYTES).spawn(move || {
            // What ends a connection, ends it for both sides; there is nobody else to tell.
            drop(connect(&inside, &socket));
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn connect(inside: &TcpStream, socket: &Path) -> io::Result<()> {
    let outside = UnixStream::connect(socket)?;
    let (from, to) = (inside.try_clone()?, outside.try_clone()?);
    let up = Builder::new().stack_size(STACK_BYTES).spawn(move || {
        drop(pump(&from, &to));
        drop(to.shutdown(Shutdown::Write));
    })?;
    drop(pump(&outside, inside));
    drop(inside.shutdown(Shutdown::Write));
    drop(up.join());
    Ok(())
}

fn pump(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0_u8; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(buffer.get(..read).unwrap_or_default())?,
        }
    }
}
