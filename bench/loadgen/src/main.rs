//! Load on an MCP Streamable HTTP endpoint.
//!
//! Closed loop by default (each connection sends its next call when the last is answered), open loop with `--rate`
//! (latency then counts from the time the call was due, so a stall is not hidden). HTTP/1.1 keep-alive, one thread, a
//! hand-written client so that the generator costs little next to what it measures. Every answer is checked: HTTP
//! status, JSON-RPC id, and the text.
//!
//! mcp-load --url http://127.0.0.1:8080/mcp [--conns 16] [--duration 5] [--warmup 1] [--rate R]
//!          [--version 2025-11-25 | 2026-07-28] [--tool echo] [--payload BYTES] [--blob BYTES]
//!          [--list | --get] [--expect-tools N] [--header 'K: V']... [--timeout SECONDS]
//!   other modes: --first-call (try until one call is answered; prints CLOCK_MONOTONIC ns)
//!                --marks (MARK start / MARK end on stderr around the counted window)
//!                --open-sessions N (initialize N sessions, one call each, then exit; sessions stay)
//!                --save FILE (write the first answer there, to be served as a static file)
//! One JSON object on stdout.

mod call;
mod http;
mod run;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What one call is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Tool,
    /// `tools/list`, over all pages.
    List,
    /// A plain GET of an answer to `tools/list`.
    Get,
}

pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) conns: usize,
    pub(crate) duration: f64,
    pub(crate) warmup: f64,
    pub(crate) rate: f64,
    pub(crate) timeout: f64,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    pub(crate) tool: String,
    pub(crate) payload: usize,
    pub(crate) blob: usize,
    pub(crate) expect_tools: usize,
    pub(crate) headers: String,
    pub(crate) open_sessions: usize,
    pub(crate) save: Option<String>,
    pub(crate) is_first_call: bool,
    pub(crate) has_marks: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            host: "127.0.0.1:9100".into(),
            path: "/mcp".into(),
            conns: 16,
            duration: 5.0,
            warmup: 1.0,
            rate: 0.0,
            timeout: 10.0,
            version: "2025-11-25".into(),
            kind: Kind::Tool,
            tool: "echo".into(),
            payload: 0,
            blob: 0,
            expect_tools: 0,
            headers: String::new(),
            open_sessions: 0,
            save: None,
            is_first_call: false,
            has_marks: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--url" => (options.host, options.path) = split(&value()?)?,
                "--conns" => options.conns = value()?.parse()?,
                "--duration" => options.duration = value()?.parse()?,
                "--warmup" => options.warmup = value()?.parse()?,
                "--rate" => options.rate = value()?.parse()?,
                "--timeout" => options.timeout = value()?.parse()?,
                "--version" => options.version = value()?,
                "--tool" => options.tool = value()?,
                "--payload" => options.payload = value()?.parse()?,
                "--blob" => options.blob = value()?.parse()?,
                "--list" => options.kind = Kind::List,
                "--get" => options.kind = Kind::Get,
                "--expect-tools" => options.expect_tools = value()?.parse()?,
                "--header" => options.headers.push_str(&format!("{}\r\n", value()?)),
                "--open-sessions" => options.open_sessions = value()?.parse()?,
                "--save" => options.save = Some(value()?),
                "--first-call" => options.is_first_call = true,
                "--marks" => options.has_marks = true,
                _ => bail!("unknown argument `{arg}`"),
            }
        }
        Ok(options)
    }
}

fn split(url: &str) -> Result<(String, String)> {
    let rest = url.strip_prefix("http://").context("the URL begins with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !host.starts_with("127.0.0.1:") && !host.starts_with("localhost:") {
        bail!("loopback only");
    }
    Ok((host.to_owned(), format!("/{path}")))
}

fn main() -> Result<ExitCode> {
    let options = Rc::new(Options::parse(std::env::args().skip(1))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let is_good = local.block_on(&runtime, async {
        if options.is_first_call {
            run::first_call(&options).await
        } else if options.open_sessions > 0 {
            run::open_sessions(&options).await
        } else if options.save.is_some() {
            run::save(&options).await
        } else {
            run::load(Rc::clone(&options)).await
        }
    });
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
