//! The log of the program itself, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{logs, world};

/// Starts the log: warnings, or more with `-v`, or what `TOOLCRIB_LOG` says. What servers write is kept beside it.
pub(crate) fn start(verbose: u8, is_json: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug,hyper=info,rustls=info",
        _ => "trace",
    };
    let filter = world::variable("TOOLCRIB_LOG").and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(verbose > 1);
    let log = if is_json { log.json().boxed() } else { log.with_ansi(std::io::stderr().is_terminal()).boxed() };
    let kept = logs::Collect(logs::kept()).with_filter(Targets::new().with_target(logs::TARGET, LevelFilter::DEBUG));
    let started = tracing_subscriber::registry().with(log.with_filter(filter)).with(kept).try_init();
    debug_assert!(started.is_ok(), "the log is started once");
}
