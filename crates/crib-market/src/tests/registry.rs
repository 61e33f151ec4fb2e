//! A registry that speaks the API v0.1, and somebody who asks it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{Market, MarketOptions, Registry, Reveal};
use crib_model::{Clock, Code, Fault};
use crib_transport::{ClientOptions, HttpClient};
use secrecy::SecretString;
use serde_json::{Value, json};

/// What the registry does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Good,
    /// Answers with 500.
    Failing,
    NotJson,
    NoList,
    /// Gives the same cursor again and again.
    Endless,
    /// Sends more than anybody wants.
    Huge,
    /// Answers and then never ends.
    Hanging,
    /// Leads to another place.
    Leading,
    /// Wants a credential.
    Closed,
    /// Is a list only, without addresses for single servers.
    ListOnly,
    /// Answers for another server than the one asked for.
    Lying,
}

#[derive(Default)]
struct State {
    entries: Vec<Value>,
    mood: Mood,
    seen: Vec<String>,
}

/// A registry on loopback.
pub(crate) struct Loopback {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Loopback {
    pub(crate) fn new(entries: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { entries, ..State::default() }));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                std::thread::spawn(move || drop(serve(&stream, &state)));
            }
        });
        Self { url, state }
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state.lock().expect("no panic").mood = mood;
    }

    /// Returns what was asked for since the last look: the target of each request, and its credential.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("no panic").seen)
    }

    pub(crate) fn registry(&self, name: &str) -> Registry {
        Registry::new(name, &self.url, &[]).expect("a registry")
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut etag, mut credential) = (None, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("if-none-match:") {
                etag = Some(value.trim().to_owned());
            }
            if lower.starts_with("authorization:") {
                credential = format!(" {}", line.split_once(':').expect("a header").1.trim());
            }
        }
        let (answer, mood) = {
            let mut state = state.lock().map_err(|_panic| std::io::Error::other("another request panicked"))?;
            state.seen.push(format!("{target}{credential}"));
            (answer(&state, &target, etag.as_deref(), &credential), state.mood)
        };
        let mut out = stream;
        if mood == Mood::Hanging {
            out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
            std::thread::park_timeout(Duration::from_secs(60));
        }
        if mood == Mood::Huge {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 20 * 1024 * 1024)?;
            return (0..20).try_for_each(|_| out.write_all(&vec![b' '; 1024 * 1024]));
        }
        out.write_all(&answer)?;
    }
}

fn answer(state: &State, target: &str, etag: Option<&str>, credential: &str) -> Vec<u8> {
    let reply = |status: &str, more: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len()).into_bytes()
    };
    match state.mood {
        Mood::Failing => return reply("500 No", "", r#"{"error":"the database\u001b[31m is down"}"#),
        Mood::NotJson => return reply("200 OK", "", "<html>"),
        Mood::NoList => return reply("200 OK", "", r#"{"servers":"none"}"#),
        Mood::Leading => return reply("302 Found", "Location: http://127.0.0.1:1/elsewhere\r\n", ""),
        Mood::Closed if credential != " Bearer t0ken" => return reply("401 Unauthorized", "", "{}"),
        Mood::Good | Mood::Endless | Mood::Huge | Mood::Hanging | Mood::Closed | Mood::ListOnly | Mood::Lying => {}
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decode);
    let body = match path.strip_prefix("/v0.1/servers").map(|rest| rest.split('/').collect::<Vec<_>>()).as_deref() {
        Some([""]) => Some(list(state, &parameter)),
        Some(["", name, "versions", version]) if state.mood != Mood::ListOnly => one(state, &decode(name), &decode(version)),
        _ => None,
    };
    let Some(body) = body else { return reply("404 Not Found", "", r#"{"error":"Server not found"}"#) };
    let body = body.to_string();
    let tag = format!("\"{}\"", body.len());
    if etag == Some(tag.as_str()) {
        return reply("304 Not Modified", "", "");
    }
    reply("200 OK", &format!("ETag: {tag}\r\n"), &body)
}

fn list(state: &State, parameter: &dyn Fn(&str) -> Option<String>) -> Value {
    let search = parameter("search").unwrap_or_default().to_lowercase();
    let is_latest = parameter("version").as_deref() == Some("latest");
    let has_deleted = parameter("include_deleted").is_some() || parameter("updated_since").is_some();
    let meta =
        |entry: &Value, name: &str| entry.pointer("/_meta/io.modelcontextprotocol.registry~1official").map(|meta| meta[name].clone());
    let all = state.entries.iter().filter(|entry| {
        let name = entry.pointer("/server/name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let is_old = meta(entry, "isLatest") == Some(Value::Bool(false));
        let is_deleted = meta(entry, "status") == Some(json!("deleted"));
        name.contains(&search) && !(is_latest && is_old) && (has_deleted || !is_deleted)
    });
    let from: usize = parameter("cursor").and_then(|cursor| cursor.strip_prefix("after:")?.parse().ok()).unwrap_or(0);
    let size = parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(30).min(100);
    let all: Vec<&Value> = all.collect();
    let page: Vec<&&Value> = all.iter().skip(from).take(size).collect();
    let next = (from + size < all.len()).then(|| format!("after:{}", from + size));
    let next = if state.mood == Mood::Endless { Some("after:0".to_owned()) } else { next };
    json!({ "servers": page, "metadata": { "count": page.len(), "nextCursor": next } })
}

fn one(state: &State, name: &str, version: &str) -> Option<Value> {
    let is_it = |entry: &&Value| {
        let field = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let latest = entry.pointer("/_meta/io.modelcontextprotocol.registry~1official/isLatest") != Some(&Value::Bool(false));
        field("/server/name") == name && (field("/server/version") == version || (version == "latest" && latest))
    };
    if state.mood == Mood::Lying {
        return Some(entry("io.github.evil/other", "1.0.0", "Other"));
    }
    state.entries.iter().find(is_it).cloned()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = if byte == b'%' { rest.next().zip(rest.next()) } else { None };
        bytes.push(digits.map_or(byte, |(high, low)| {
            let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit");
            u8::try_from(digit(high) * 16 + digit(low)).expect("a byte")
        }));
    }
    String::from_utf8(bytes).expect("text")
}

pub(crate) fn entry(name: &str, version: &str, description: &str) -> Value {
    with(name, version, description, &json!({ "status": "active", "isLatest": true, "updatedAt": "2026-11-01T00:00:00Z" }))
}

pub(crate) fn with(name: &str, version: &str, description: &str, meta: &Value) -> Value {
    let package = json!({ "registryType": "npm", "identifier": name, "version": version, "transport": { "type": "stdio" } });
    json!({
        "server": { "name": name, "version": version, "description": description, "packages": [package] },
        "_meta": { "io.modelcontextprotocol.registry/official": meta }
    })
}

/// A clock that goes when it is told to.
#[derive(Default)]
pub(crate) struct Hand(AtomicU64);

impl Hand {
    pub(crate) fn go(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    fn unix(&self) -> Duration {
        // 2026-11-21
        Duration::from_secs(1_795_219_200 + self.0.load(Ordering::Relaxed))
    }
}

struct Known;

impl Reveal for Known {
    fn secret(&self, name: &str) -> Result<SecretString, Fault> {
        if name == "CORP" { Ok(SecretString::from("t0ken")) } else { Err(Fault::new(Code::SecretMissing, "no such secret")) }
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// Somebody with a data directory.
pub(crate) struct Person {
    folder: tempfile::TempDir,
    pub(crate) clock: Arc<Hand>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Person {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Self { folder: tempfile::tempdir().expect("a folder"), clock: Arc::default(), runtime }
    }

    pub(crate) fn market(&self, registries: Vec<Registry>) -> Market {
        Market::new(MarketOptions {
            data: self.folder.path().to_owned(),
            http: HttpClient::new(ClientOptions::default()).expect("a client"),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            reveal: Arc::new(Known),
            registries,
        })
    }
}
