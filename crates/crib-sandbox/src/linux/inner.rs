//! The inner process: gives up everything that is not granted, then starts the server and reaps what it leaves.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};

use super::files::{self, Access};
use super::{Facts, HOME, Namespaces, Purpose, calls, container, failed, limits, loopback, privilege, root};
use crate::enter::{Refusal, insist, print};
use crate::{Holds, Net, Promise, Report, Spec, forward};

/// The search path of a server whose environment names none.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where the server finds itself.
struct Place {
    home: PathBuf,
    tmp: PathBuf,
    has_own_root: bool,
    /// What came with an image.
    shown: Vec<PathBuf>,
    scratch: Vec<PathBuf>,
}

pub(crate) fn inner(spec: &Spec, mut args: impl Iterator<Item = String>) -> Result<ExitCode, Refusal> {
    let facts: Facts = args
        .next()
        .ok_or_else(|| "no facts".to_owned())
        .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
        .map_err(Refusal::Spec)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from).map_err(failed("no death signal"))?;
    wait_at(facts.gate)?;
    let mut report = Report::default();
    report.set(Promise::Environment, Holds::yes("the launcher"));
    report.set(Promise::Reaped, reaped(&facts));
    limits::bound_processes(spec, &facts, &mut report);
    if let Some((image, engine)) = spec.image.as_ref().and_then(|image| Some((image, image.engine.as_deref()?))) {
        return container::run(spec, &facts, (image, engine), &mut report);
    }
    let place = settle(spec, &facts, &mut report)?;
    confine(spec, &facts, &place, &mut report)?;
    insist(spec, &report)?;
    if facts.purpose == Purpose::Measure {
        return print(&report).map(|()| ExitCode::SUCCESS);
    }
    run(spec, &facts, &place)
}

/// Waits until the outer process has put this one in its place.
fn wait_at(gate: i32) -> Result<(), Refusal> {
    let mut byte = [0_u8; 1];
    let mut pipe = std::fs::File::open(format!("/proc/self/fd/{gate}")).map_err(failed("no gate"))?;
    io::Read::read_exact(&mut pipe, &mut byte).map_err(failed("the outer process has ended"))?;
    // It was let through to this process; the server shall not have it.
    nix::unistd::close(gate).map_err(io::Error::from).map_err(failed("the gate cannot be closed"))
}

fn reaped(facts: &Facts) -> Holds {
    match &facts.namespaces {
        Namespaces::Own => Holds::yes("a process namespace that ends with the launcher"),
        Namespaces::Shared { why } => {
            Holds::partly("death signals and the process group", format!("a process that leaves both can stay behind: {why}"))
        }
    }
}

/// Builds the place the server will live in.
fn settle(spec: &Spec, facts: &Facts, report: &mut Report) -> Result<Place, Refusal> {
    let why = match &facts.namespaces {
        Namespaces::Own => match root::build(spec) {
            Ok(built) => {
                let processes = if built.has_own_proc {
                    Holds::yes("a process namespace")
                } else {
                    Holds::partly("a process namespace", "the machine's /proc is seen, because a new one cannot be mounted here")
                };
                report.set(Promise::Processes, processes);
                report.set(Promise::Scratch, Holds::yes("file systems in memory"));
                let (shown, scratch) = (built.shown, built.scratch);
                return Ok(Place { home: HOME.into(), tmp: "/tmp".into(), has_own_root: true, shown, scratch });
            }
            Err(root::Failure::Early(error)) => error.to_string(),
            Err(root::Failure::Late(error)) => return Err(failed("the root directory cannot be built")(error)),
        },
        Namespaces::Shared { why } => why.clone(),
    };
    if spec.image.is_some() {
        // Without a root directory of its own it would start with this machine's.
        return Err(Refusal::System { what: "an image cannot be started here".to_owned(), error: io::Error::other(why) });
    }
    report.set(Promise::Processes, Holds::partly("Landlock's scopes", format!("their names can be seen: {why}")));
    report.set(Promise::Scratch, Holds::partly("a folder of its own", format!("its size is not bounded: {why}")));
    make_scratch(&facts.scratch).map_err(failed("no temporary folder"))?;
    let (home, tmp) = (facts.scratch.join("home"), facts.scratch.join("tmp"));
    Ok(Place { home, tmp, has_own_root: false, shown: Vec::new(), scratch: Vec::new() })
}

/// Makes a folder that was not there and is nobody else's.
fn make_scratch(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(folder)?;
    std::fs::create_dir(folder.join("tmp"))?;
    std::fs::create_dir(folder.join("home"))
}

/// Gives up privileges, files, networks and system calls, in an order in which each step is still allowed.
fn confine(spec: &Spec, facts: &Facts, place: &Place, report: &mut Report) -> Result<(), Refusal> {
    let has_own_net = facts.namespaces.are_own() && spec.net != Net::All;
    if has_own_net {
        loopback::raise().map_err(failed("the loopback interface cannot be raised"))?;
    }
    limits::bound_use(spec, facts, report).map_err(failed("the limits cannot be set"))?;
    privilege::drop_all(report).map_err(failed("privileges cannot be dropped"))?;
    let mut granted = files::system(place.has_own_root);
    granted.extend(spec.runtime.iter().map(|path| (path.clone(), Access::Run)));
    granted.extend(spec.read.iter().map(|path| (path.clone(), Access::Read)));
    granted.extend(spec.write.iter().map(|path| (path.clone(), Access::Write)));
    granted.extend(place.shown.iter().map(|path| (path.clone(), Access::Run)));
    granted.extend([&place.home, &place.tmp].into_iter().chain(&place.scratch).map(|path| (path.clone(), Access::Scratch)));
    let ruled = files::restrict(&granted, has_own_net, spec);
    files::report(&ruled, place.has_own_root, report);
    let filtered = calls::filter(spec, has_own_net).map_err(io::Error::other);
    report.set(Promise::Network, network(spec, has_own_net, &ruled, &filtered));
    calls::report(&filtered, report);
    Ok(())
}

fn network(spec: &Spec, has_own_net: bool, ruled: &files::Ruled, filtered: &io::Result<()>) -> Holds {
    match (&spec.net, filtered) {
        (Net::All, _) if ruled.is_full() => Holds::yes("a grant of every network"),
        (Net::All, _) => Holds::partly("a grant of every network", "this Landlock does not keep it from abstract sockets of the machine"),
        (Net::None | Net::Proxy(_), _) if has_own_net => Holds::yes("a network namespace"),
        (Net::None, Ok(())) => Holds::yes("seccomp"),
        (Net::Proxy(_), Ok(())) if ruled.has_net => {
            Holds::no("granting single hosts needs a network namespace, which is not allowed here; there is no network at all")
        }
        (_, Ok(())) => Holds::yes("seccomp"),
        (_, Err(error)) => Holds::no(error),
    }
}

/// Starts the server and returns its status once it has ended.
fn run(spec: &Spec, facts: &Facts, place: &Place) -> Result<ExitCode, Refusal> {
    // Keeps the spec, which is in the environment of this process, from being read through /proc.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from).map_err(failed("still dumpable"))?;
    let proxy = match &spec.net {
        Net::Proxy(socket) if facts.namespaces.are_own() => Some(forward::start(socket).map_err(failed("no way to the proxy"))?),
        Net::Proxy(_) | Net::None | Net::All => None,
    };
    if !facts.namespaces.are_own() {
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this)).map_err(io::Error::from).map_err(failed("not a reaper"))?;
    }
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear();
    command.env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", &place.home).env("TMPDIR", &place.tmp);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(port) = proxy {
        command.envs(forward::said(port, spec));
    }
    command.current_dir(spec.cwd.as_ref().unwrap_or(&place.home));
    let child = command.spawn().map_err(failed(format!("`{}` cannot be started", spec.program.display())))?;
    let server = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let code = reap_until(server);
    if !facts.namespaces.are_own() {
        end_children();
    }
    Ok(ExitCode::from(code))
}

/// Reaps every child until the server itself has ended; returns its status.
pub(super) fn reap_until(server: Option<Pid>) -> u8 {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == server => {
                let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| signal.saturating_add(128)));
                return code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return u8::MAX,
        }
    }
}

/// Ends what the server left behind: orphans have become children of this process.
fn end_children() {
    let this = std::process::id();
    let list = format!("/proc/{this}/task/{this}/children");
    loop {
        let children = std::fs::read_to_string(&list).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}
