//! The launcher on its own, for tests: what `toolcrib __sandbox` is.

use std::process::ExitCode;

fn main() -> ExitCode {
    crib_sandbox::enter(std::env::args_os().skip(2))
}
