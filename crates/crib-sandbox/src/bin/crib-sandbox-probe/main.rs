//! A server that attacks its sandbox: one attack per start, told by its arguments. It prints what came of it.

#[cfg(target_os = "linux")]
mod attacks;

#[cfg(target_os = "linux")]
use std::io::Write as _;
use std::process::ExitCode;

/// What an attack came to.
#[cfg(target_os = "linux")]
enum Came {
    /// It was stopped; by what.
    Stopped(String),
    /// It went through; what was won.
    Through(String),
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let came = attacks::run(&args);
    let (line, code) = match came {
        Came::Stopped(how) => (format!("stopped: {how}"), 0),
        Came::Through(what) => (format!("through: {what}"), 1),
    };
    drop(writeln!(std::io::stdout(), "{line}"));
    ExitCode::from(code)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
