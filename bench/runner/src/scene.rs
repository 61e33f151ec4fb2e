//! The scenes: each starts its peers, measures its cells, and ends what it started.

pub(crate) mod cli;
pub(crate) mod config;
pub(crate) mod http;
pub(crate) mod list;
pub(crate) mod observed;
pub(crate) mod scaling;
pub(crate) mod sessions;
pub(crate) mod start;
pub(crate) mod stdio;

use anyhow::Result;

use crate::peers::Bench;
use crate::record::Records;

type Scene = fn(&Bench, &mut Records) -> Result<()>;

/// Name, one line for people, and the scene.
pub(crate) const ALL: &[(&str, &str, Scene)] = &[
    ("http", "HTTP upstream: both eras, across eras, 1 to 256 connections, 64 KB", http::run),
    ("observed", "the same with access log, audit entry and traces sampled at 1 %", observed::run),
    ("stdio", "stdio upstream", stdio::run),
    ("list", "tools/list: 1,000 tools over 10 upstreams; memory with 10 upstreams", list::run),
    ("sessions", "memory of 8,000 sessions of legacy clients", sessions::run),
    ("start", "start to the first answered call", start::run),
    ("scaling", "one gateway core and two", scaling::run),
    ("cli", "start of the program, and a call from the command line", cli::run),
];
