//! A web server that answers with what it was given.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

type Pages = Arc<Mutex<HashMap<String, Page>>>;
type Page = (&'static str, Vec<u8>);

/// Pages on loopback, for as long as the test runs. Paths are told apart without their case.
#[derive(Clone, Debug)]
pub struct Site {
    pages: Pages,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let pages = Pages::default();
        let served = Arc::clone(&pages);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pages = Arc::clone(&served);
                std::thread::spawn(move || drop(answer(&stream, &pages)));
            }
        });
        Self { pages, base }
    }

    /// Serves a page, in the place of the one that was there.
    pub fn serve(&self, path: &str, kind: &'static str, bytes: impl Into<Vec<u8>>) {
        self.pages.lock().expect("no panic").insert(path.to_lowercase(), (kind, bytes.into()));
    }

    /// Serves nothing any more.
    pub fn clear(&self) {
        self.pages.lock().expect("no panic").clear();
    }
}

fn answer(stream: &TcpStream, pages: &Pages) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_lowercase();
        while reader.read_line(&mut line)? > 2 {}
        let page = page(pages, &path);
        let (status, (kind, body)) = page.map_or(("404 Not Found", ("text/plain", Vec::new())), |page| ("200 OK", page));
        let mut out = stream;
        write!(out, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        out.write_all(&body)?;
    }
}

fn page(pages: &Pages, path: &str) -> Option<Page> {
    pages.lock().expect("no panic").get(path).cloned()
}
