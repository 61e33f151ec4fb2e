//! A registry of images on loopback, and the images in it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crib_oci::Digest;
use serde_json::{Value, json};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A registry for as long as the test runs.
pub(crate) struct Shelf {
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, (String, Vec<u8>)>,
    /// Paths that were asked for, in order, with the credentials that came.
    asked: Vec<(String, Option<String>)>,
    /// Who may ask for tokens: nothing, everybody, or `Basic …`.
    login: Option<Option<String>>,
    /// Blobs are elsewhere.
    leads_on: bool,
    /// How many bytes of a blob are sent before the connection ends, once.
    cut: Option<usize>,
}

/// What an image is started with.
pub(crate) fn platform() -> (&'static str, &'static str) {
    ("linux", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" })
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let state = Arc::<Mutex<State>>::default();
        let (served, name) = (Arc::clone(&state), host.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, host) = (Arc::clone(&served), name.clone());
                std::thread::spawn(move || drop(answer(&stream, &state, &host)));
            }
        });
        Self { host, state }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no panic"))
    }

    /// Asks for a token: everybody's, or only that of a login.
    pub(crate) fn ask_for_token(&self, login: Option<&str>) {
        self.change(|state| state.login = Some(login.map(str::to_owned)));
    }

    pub(crate) fn keep_blobs_elsewhere(&self) {
        self.change(|state| state.leads_on = true);
    }

    pub(crate) fn cut_once_after(&self, bytes: usize) {
        self.change(|state| state.cut = Some(bytes));
    }

    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        self.change(|state| state.asked.clone())
    }

    pub(crate) fn serve(&self, path: &str, kind: &str, bytes: impl Into<Vec<u8>>) {
        self.change(|state| state.pages.insert(path.to_owned(), (kind.to_owned(), bytes.into())));
    }

    /// Puts a blob into a repository; returns its descriptor.
    pub(crate) fn blob(&self, repository: &str, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.serve(&format!("/v2/{repository}/blobs/{digest}"), "application/octet-stream", bytes);
        json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() })
    }

    /// Puts a manifest or an index under its digest and a tag; returns its descriptor.
    pub(crate) fn manifest(&self, repository: &str, tag: &str, kind: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        for name in [tag, digest.as_str()] {
            self.serve(&format!("/v2/{repository}/manifests/{name}"), kind, bytes.clone());
        }
        json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() })
    }

    /// Puts an image for this machine behind an index; `config` is what stands in its `config`. Returns the manifest's
    /// descriptor.
    pub(crate) fn image(&self, name: (&str, &str), config: &Value, layers: &[Vec<u8>]) -> Value {
        let packed: Vec<(Vec<u8>, Digest)> = layers.iter().map(|layer| (layer.clone(), Digest::of(layer))).collect();
        self.packed_image(name, config, &packed)
    }

    /// The same with layers as they are sent, and the digests of what is in them.
    pub(crate) fn packed_image(&self, (repository, tag): (&str, &str), config: &Value, layers: &[(Vec<u8>, Digest)]) -> Value {
        let (os, architecture) = platform();
        let contents: Vec<String> = layers.iter().map(|(_, content)| content.to_string()).collect();
        let whole = json!({ "os": os, "architecture": architecture, "config": config,
            "rootfs": { "type": "layers", "diff_ids": contents } });
        let config = self.blob(repository, CONFIG, whole.to_string().as_bytes());
        let layers: Vec<Value> = layers.iter().map(|(bytes, _)| self.blob(repository, LAYER, bytes)).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let image = self.manifest(repository, "", MANIFEST, &manifest);
        let of = |os: &str| {
            let mut entry = image.as_object().cloned().unwrap_or_default();
            entry.insert("platform".to_owned(), json!({ "os": os, "architecture": architecture }));
            entry
        };
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [of("windows"), of(os)] });
        self.manifest(repository, tag, INDEX, &index);
        image
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>, host: &str) -> std::io::Result<()> {
    let mut first = [0];
    // A hello of TLS is not for us.
    if stream.peek(&mut first)? == 0 || first == [0x16] {
        return Ok(());
    }
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.by_ref().take(16 * 1024).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut login, mut from) = (None, 0);
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? <= 2 {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "authorization" => login = Some(value.trim().to_owned()),
                "range" => from = value.trim().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0),
                _ => {}
            }
        }
        let Ok(mut state) = state.lock() else { return Ok(()) };
        if !reply(stream, &mut state, &Asked { target, login, from, host })? {
            return Ok(());
        }
    }
}

struct Asked<'a> {
    target: String,
    login: Option<String>,
    from: usize,
    host: &'a str,
}

/// Answers one request; returns whether the connection goes on.
fn reply(mut out: &TcpStream, state: &mut State, asked: &Asked<'_>) -> std::io::Result<bool> {
    let &Asked { ref target, ref login, from, host } = asked;
    state.asked.push((target.clone(), login.clone()));
    let path = target.split('?').next().unwrap_or_default();
    let mut say = |status: &str, more: &str, body: &[u8]| {
        write!(out, "HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n", body.len())?;
        out.write_all(body).map(|()| true)
    };
    if path == "/token" {
        let is_welcome = match &state.login {
            Some(Some(wanted)) => login.as_ref() == Some(wanted),
            Some(None) | None => true,
        };
        return if is_welcome { say("200 OK", "", br#"{"token":"granted"}"#) } else { say("401 Unauthorized", "", b"") };
    }
    if state.login.is_some() && path.starts_with("/v2/") && login.as_deref() != Some("Bearer granted") {
        let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"shelf\",scope=\"repository:x:pull\"\r\n");
        return say("401 Unauthorized", &challenge, b"");
    }
    if state.leads_on && path.contains("/blobs/") && !path.starts_with("/elsewhere") {
        // Another origin, which has no business with the token.
        let place = format!("Location: http://localhost:{}/elsewhere{path}\r\n", host.rsplit(':').next().unwrap_or_default());
        return say("307 Temporary Redirect", &place, b"");
    }
    let Some((kind, body)) = state.pages.get(path.trim_start_matches("/elsewhere")).cloned() else {
        return say("404 Not Found", "", b"{}");
    };
    let kind = format!("Content-Type: {kind}\r\n");
    if let Some(cut) = state.cut.take_if(|cut| path.contains("/blobs/") && body.len() > *cut) {
        write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        out.write_all(body.get(..cut).unwrap_or_default())?;
        return Ok(false);
    }
    if from > 0 {
        let range = format!("{kind}Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
        return say("206 Partial Content", &range, body.get(from..).unwrap_or_default());
    }
    say("200 OK", &kind, &body)
}
