//! A web server that answers with what it was given, and a place to keep packages.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crib_model::{Code, Fault};
use crib_package::{FindingKind, Locked, Packages, PackagesOptions, Policy, Progress, Pulled, Source};
use crib_transport::{ClientOptions, HttpClient};

type Pages = Arc<Mutex<HashMap<String, Page>>>;
type Page = (&'static str, Vec<u8>);

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pages: Pages,
    pub(crate) base: String,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
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
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Self { folder: tempfile::tempdir().expect("a folder"), pages, base, runtime }
    }

    pub(crate) fn serve(&self, path: &str, kind: &'static str, bytes: impl Into<Vec<u8>>) {
        self.pages.lock().expect("no panic").insert(path.to_lowercase(), (kind, bytes.into()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The packages of this world; `tools` are the programs that may be used.
    pub(crate) fn packages(&self, policy: Policy, tools: &[&str]) -> Packages {
        let bin = self.path("bin");
        fs::create_dir_all(&bin).expect("a folder");
        for tool in tools {
            if let Some(real) = find(tool) {
                // A program may look for its own files beside itself.
                let script = format!("#!/bin/sh\nexec {} \"$@\"\n", real.display());
                fs::write(bin.join(tool), script).expect("a script");
                fs::set_permissions(bin.join(tool), fs::Permissions::from_mode(0o755)).expect("rights");
            }
        }
        let index = format!("{}/simple", self.base);
        let (cache, home) = (self.path("cache").display().to_string(), self.path("").display().to_string());
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let env = [
            ("PATH", path.as_str()),
            ("HOME", &home),
            ("npm_config_registry", &self.base),
            ("npm_config_cache", &cache),
            ("npm_config_fetch_retries", "0"),
            ("npm_config_userconfig", "/dev/null"),
            ("UV_DEFAULT_INDEX", &index),
            ("UV_CACHE_DIR", &cache),
            ("PIP_INDEX_URL", &index),
            ("PIP_CACHE_DIR", &cache),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ];
        let mut env: Vec<(std::ffi::OsString, std::ffi::OsString)> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        // Where `cargo` is a shim, it has to find what it stands for.
        let rustup = std::env::var_os("RUSTUP_HOME").or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".rustup").into()));
        env.extend(rustup.map(|path| ("RUSTUP_HOME".into(), path)));
        let http = HttpClient::new(ClientOptions::default()).expect("a client");
        Packages::new(PackagesOptions { data: self.path("data"), env, http, policy }).expect("a store")
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn pull(&self, packages: &Packages, source: &str, before: Option<&Locked>) -> Result<Pulled, Fault> {
        let source = Source::parse(source)?;
        self.runtime.block_on(packages.pull(&source, before, &Progress::silent()))
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

/// Finds a program; a shim that only knows where the program is counts as what it stands for.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Tells that a test cannot be made here.
pub(crate) fn lacks(tool: &str) -> bool {
    let is_missing = find(tool).is_none();
    if is_missing {
        drop(writeln!(std::io::stderr(), "skipped: `{tool}` is not on this machine"));
    }
    is_missing
}

/// Starts what was locked, without a sandbox, and returns what it prints.
pub(crate) fn run(packages: &Packages, locked: &Locked) -> String {
    let start = packages.start(locked).expect("it is what was locked");
    let output = Command::new(&start.program).args(&start.args).env_clear().envs(start.env).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[track_caller]
pub(crate) fn refused(result: Result<Pulled, Fault>, code: Code, word: &str) {
    let fault = result.expect_err("it is refused");
    assert_eq!(fault.code(), code, "{fault}");
    assert!(fault.to_string().contains(word), "{fault}");
}

pub(crate) fn kinds(pulled: &Pulled) -> Vec<FindingKind> {
    pulled.findings.iter().map(|finding| finding.kind).collect()
}

/// Nothing half-made is left, and nothing was stored.
pub(crate) fn is_empty(data: &Path) -> bool {
    fs::read_dir(data.join("store")).is_ok_and(|mut entries| entries.next().is_none())
}
