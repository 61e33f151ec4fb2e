//! A small MCP echo server for gateway benchmarks, on one thread.
//!
//! `mcp-echo http [--addr 127.0.0.1:9100] [--stateful] [--sse] [--tools N] [--legacy-only | --modern-only]`
//! `mcp-echo stdio [--tools N] [--legacy-only | --modern-only]`
//!
//! It speaks the initialize-based revisions (2024-11-05 to 2025-11-25; with a session id when `--stateful`) and the
//! per-request revision 2026-07-28, and checks what the revision in use requires (session id, Mcp-Method, Mcp-Name,
//! version header against `_meta`), so that a gateway that cuts a corner gets an error rather than a good figure.
//!
//! Tools: `echo {message}`, `blob {n}` (n bytes of text), `sleep {ms}`, and N fillers that echo.

mod http;
mod rpc;
mod stdio;

use std::rc::Rc;

use anyhow::{Context as _, Result, bail};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_default();
    let mut addr = String::from("127.0.0.1:9100");
    let mut options = rpc::Options { tools: 7, ..rpc::Options::default() };
    let mut is_sse = false;
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--addr" => addr = value()?,
            "--tools" => options.tools = value()?.parse()?,
            "--stateful" => options.is_stateful = true,
            "--sse" => is_sse = true,
            "--legacy-only" => options.eras = rpc::Eras::Legacy,
            "--modern-only" => options.eras = rpc::Eras::Modern,
            _ => bail!("unknown argument `{arg}`"),
        }
    }
    let server = Rc::new(rpc::Server::new(options));
    match mode.as_str() {
        "http" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio::task::LocalSet::new().block_on(&runtime, http::run(server, &addr, is_sse))
        }
        "stdio" => stdio::run(&server),
        _ => bail!("the first argument is `http` or `stdio`"),
    }
}
