//! The log of the program itself, on standard error.

use tracing_subscriber::EnvFilter;

use crate::world;

/// Starts the log: warnings, or more with `-v`, or what `TOOLCRIB_LOG` says.
pub(crate) fn start(verbose: u8, is_json: bool) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug,hyper=info,rustls=info",
        _ => "trace",
    };
    let filter = world::variable("TOOLCRIB_LOG").and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(verbose > 1);
    let started =
        if is_json { log.json().try_init() } else { log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init() };
    debug_assert!(started.is_ok(), "the log is started once");
}
