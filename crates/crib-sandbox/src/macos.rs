//! The launcher on macOS. It stays outside, has `sandbox-exec` start the server with a profile of what was granted, and waits
//! for its end.

mod limits;
mod scratch;

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::signal::{SigSet, Signal};

use crate::enter::{Refusal, insist, print};
use crate::launch::{ENTRY, SPEC};
use crate::seatbelt::probe::{Bait, Through};
use crate::seatbelt::{self, Reach, Rules, profile};
use crate::{Holds, Net, Promise, Report, Spec, forward, promised};
use scratch::Scratch;

const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";
/// The search path of a server whose environment names none.
const PATH: &str = "/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin:/usr/sbin:/sbin";
/// What the launcher is started as inside, to try what is kept back.
const PROBE: &str = "probe";

/// Tells whether a path is part of what every server sees.
pub(crate) fn is_shown(path: &Path) -> bool {
    seatbelt::SYSTEM.iter().any(|shown| path.starts_with(shown))
}

pub(crate) fn dispatch(verb: &str, mut args: impl Iterator<Item = String>, spec: &Spec) -> Result<ExitCode, Refusal> {
    match verb {
        "run" => run(spec),
        "measure" => {
            let report = measure(spec, &Scratch::make().map_err(failed("no temporary folder"))?);
            insist(spec, &report)?;
            print(&report).map(|()| ExitCode::SUCCESS)
        }
        PROBE => probe(&args.next().unwrap_or_default()),
        verb => Err(Refusal::Spec(format!("`{verb}` is not something the launcher does"))),
    }
}

/// Starts the server and returns its status once it has ended.
fn run(spec: &Spec) -> Result<ExitCode, Refusal> {
    if spec.image.is_some() {
        return Err(Refusal::Spec("images are of Linux, and cannot be started by another system".to_owned()));
    }
    // Polite signals go to the whole group; the server answers them, and the launcher follows the server.
    let polite: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    polite.thread_block().map_err(io::Error::from).map_err(failed("signals cannot be held back"))?;
    let scratch = Scratch::make().map_err(failed("no temporary folder"))?;
    let is_confined = check(spec, &scratch)?;
    let proxy = match &spec.net {
        Net::Proxy(socket) => Some(forward::start(socket).map_err(failed("no way to the proxy"))?),
        Net::None | Net::All => None,
    };
    limits::bound(spec).map_err(failed("the limits cannot be set"))?;
    let mut command = if is_confined { inside(&rules(spec, &scratch, proxy)) } else { Command::new(&spec.program) };
    if is_confined {
        command.arg(&spec.program);
    }
    command.args(&spec.args).env_clear();
    command.env("PATH", PATH).env("LANG", "en_US.UTF-8").env("HOME", scratch.home()).env("TMPDIR", scratch.tmp());
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(port) = proxy {
        command.envs(forward::said(port, spec));
    }
    command.current_dir(spec.cwd.as_deref().unwrap_or_else(|| scratch.home()));
    let what = format!("`{}` cannot be started", command.get_program().display());
    let status = command.status().map_err(failed(what))?;
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
}

/// Returns whether the server is to be confined; it is, but where that was tried and cannot be, and somebody agreed. What
/// nobody asks about is not tried before: a profile that the kernel does not take keeps its server from starting.
fn check(spec: &Spec, scratch: &Scratch) -> Result<bool, Refusal> {
    if spec.require.is_empty() && !spec.unconfined {
        return Ok(true);
    }
    let report = measure(spec, scratch);
    insist(spec, &report)?;
    Ok(!spec.unconfined || report.holds(Promise::Files).is_some_and(Holds::is_yes))
}

fn rules(spec: &Spec, scratch: &Scratch, proxy: Option<u16>) -> Rules {
    let reach = Reach::of(spec, proxy);
    Rules::of(spec, &[scratch.home(), scratch.tmp()], reach, |path| path.canonicalize().unwrap_or_else(|_gone| path.to_owned()))
}

/// Returns the command that starts what its arguments will name.
fn inside(rules: &Rules) -> Command {
    let mut command = Command::new(SANDBOX_EXEC);
    command.args(["-p", &profile(rules)]);
    command
}

/// Says what holds, after an attempt on it from inside.
fn measure(spec: &Spec, scratch: &Scratch) -> Report {
    let mut report = match attempt(spec, scratch) {
        Ok(through) => {
            let mut report = promised::on_macos();
            if spec.net == Net::All {
                report.set(Promise::Network, Holds::yes("a grant of every network"));
            }
            through.correct(&mut report, spec.net == Net::All);
            report
        }
        Err(why) => promised::on_macos_without(&why),
    };
    limits::report(&mut report);
    report
}

fn attempt(spec: &Spec, scratch: &Scratch) -> Result<Through, String> {
    let (bait, _listener) = Bait::set_out(scratch.folder()).map_err(|error| error.to_string())?;
    let bait = serde_json::to_string(&bait).map_err(|error| error.to_string())?;
    let launcher = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut own = Spec::new(&launcher);
    own.net.clone_from(&spec.net);
    let text = serde_json::to_string(&own).map_err(|error| error.to_string())?;
    let mut command = inside(&rules(&own, scratch, None));
    command.arg(launcher).args([ENTRY, PROBE, &bait]).env_clear().env(SPEC, text).current_dir(scratch.home()).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("`{SANDBOX_EXEC}`: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_said| {
        let said = String::from_utf8_lossy(&output.stderr);
        let first =
            said.lines().find(|line| !line.trim().is_empty()).map_or_else(|| output.status.to_string(), |line| line.trim().to_owned());
        format!("Seatbelt does not take the profile: {first}")
    })
}

/// Tries what must be kept back, and tells what was not.
fn probe(bait: &str) -> Result<ExitCode, Refusal> {
    let bait: Bait = serde_json::from_str(bait).map_err(|error| Refusal::Spec(error.to_string()))?;
    let told = serde_json::to_writer(io::stdout(), &bait.take());
    told.map_err(io::Error::from).map_err(failed("the report cannot be written"))?;
    Ok(ExitCode::SUCCESS)
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Refusal {
    let what = what.into();
    move |error| Refusal::System { what, error }
}
