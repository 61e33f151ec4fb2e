//! The gateway in the background: where it is, how it is started, and how it ends.
//!
//! A gateway that serves the user's own configuration holds a lock in the data directory as long as it lives, and says
//! beside it who and where it is. What is not locked is not there, whatever the file says.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crib_model::Code;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};
use crate::shop::{self, private_folder};
use crate::signals::{self, Wish};

#[cfg(unix)]
pub(crate) use unix::detach;
#[cfg(unix)]
use unix::{is_ours, let_go};
#[cfg(windows)]
pub(crate) use windows::detach;
#[cfg(windows)]
use windows::{is_ours, let_go};

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(20);
/// How long calls under way may hold up the end: longer than a gateway lets them, since a machine may be slow.
const STOP: Duration = Duration::from_secs(45);
/// After this it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the system may take to end what was killed.
const KILL: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// What is told of a gateway that did not start.
const LAST_WORDS_BYTES: u64 = 2000;
/// The log is begun anew beyond this size.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Who serves the user's own configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) pid: i32,
    pub(crate) url: String,
    pub(crate) version: String,
    /// Whether another command started it.
    pub(crate) is_background: bool,
    /// How often it has read the configuration.
    pub(crate) reads: u64,
    /// Why it did not take over what it has read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// Its code and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// Held by a gateway as long as it serves the user's own configuration.
#[derive(Debug)]
pub(crate) struct Registration {
    state: PathBuf,
    gateway: Gateway,
    _held: File,
}

fn state(data: &Path) -> PathBuf {
    data.join("gateway.json")
}

fn lock(data: &Path) -> PathBuf {
    data.join("gateway.lock")
}

pub(crate) fn log(data: &Path) -> PathBuf {
    data.join("gateway.log")
}

impl Gateway {
    /// Returns why it did not take over what it has read last.
    fn refusal(&self) -> Option<Failure> {
        let why = self.problem.as_ref()?;
        let code = self.code.as_ref().and_then(|code| Code::ALL.iter().find(|known| known.as_str() == code));
        let failure = Failure::coded(code.copied().unwrap_or(Code::ConfigInvalid), "the gateway stays as it was").because(why);
        Some(match &self.remedy {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        })
    }
}

impl Registration {
    /// Becomes the one that serves the user's own configuration, if nobody is.
    pub(crate) fn new(gateway: Gateway) -> Result<Option<Self>, Failure> {
        let data = shop::data()?;
        private_folder(&data)?;
        let held = File::options().create(true).truncate(false).write(true).open(lock(&data))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let this = Self { state: state(&data), gateway, _held: held };
        this.write()?;
        Ok(Some(this))
    }

    /// Says that the configuration was read again, and what was wrong with it.
    pub(crate) fn has_read(&mut self, problem: Option<&Failure>) {
        self.gateway.reads += 1;
        self.gateway.problem = problem.map(Failure::one_line);
        self.gateway.code = problem.and_then(Failure::code).map(|code| code.to_string());
        self.gateway.remedy = problem.and_then(Failure::remedy).map(str::to_owned);
        if let Err(error) = self.write() {
            tracing::warn!(%error, "other commands are not told of the reload");
        }
    }

    fn write(&self) -> io::Result<()> {
        let beside = self.state.with_extension("json.new");
        fs::write(&beside, serde_json::to_vec(&self.gateway).unwrap_or_default())?;
        fs::rename(&beside, &self.state)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.state));
    }
}

/// Finds the gateway that serves the user's own configuration.
pub(crate) fn find() -> Option<Gateway> {
    let data = shop::data().ok()?;
    if !is_held(&data) {
        return None;
    }
    let path = state(&data);
    is_ours(&path).then(|| fs::read(path).ok()).flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok())
}

fn is_held(data: &Path) -> bool {
    let Ok(file) = File::options().write(true).open(lock(data)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Starts a gateway that outlives this command, and waits until it serves.
pub(crate) async fn start() -> Result<Gateway, Failure> {
    let data = shop::data()?;
    private_folder(&data)?;
    let path = log(&data);
    let is_long = path.metadata().is_ok_and(|meta| meta.len() > LOG_BYTES_MAX);
    let mut log = File::options().create(true).append(!is_long).write(true).truncate(is_long).read(true).open(&path)?;
    let from = log.seek(io::SeekFrom::End(0))?;
    let mut child = let_go(&mut Command::new(std::env::current_exe()?))
        .args(["serve", "--started-by", &std::process::id().to_string()])
        .env_remove("TOOLCRIB_CONFIG")
        .env_remove("TOOLCRIB_URL")
        .current_dir(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.try_clone()?)
        .spawn()?;
    let deadline = Instant::now() + START;
    loop {
        if let Some(gateway) = find() {
            return Ok(gateway);
        }
        let ended = child.try_wait()?;
        if ended.is_some() || Instant::now() > deadline {
            if ended.is_none() {
                drop(child.kill());
                drop(child.wait());
            }
            return Err(not_started(&mut log, from, &path));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn not_started(log: &mut File, from: u64, path: &Path) -> Failure {
    let mut words = String::new();
    if log.seek(io::SeekFrom::Start(from)).is_ok() {
        // What cannot be read is not told.
        drop(log.take(LAST_WORDS_BYTES).read_to_string(&mut words));
    }
    let failure = Failure::coded(Code::ListenRefused, "the gateway in the background did not start").with_exit(Exit::Unreachable);
    let words = words.trim();
    let failure = if words.is_empty() { failure } else { failure.because(words) };
    failure.hint(format!("its log: {}   by hand: toolcrib serve", path.display()))
}

/// Has a gateway read its configuration again, and waits until it has.
pub(crate) async fn reload(gateway: &Gateway) -> Result<(), Failure> {
    signal(gateway, |pid| signals::ask(pid, Wish::Reload)).await?;
    let deadline = Instant::now() + START;
    loop {
        match find() {
            Some(now) if now.pid == gateway.pid && now.reads > gateway.reads => {
                return now.refusal().map_or(Ok(()), Err);
            }
            Some(_) if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            Some(_) => return Err(Failure::coded(Code::DeadlineExceeded, "the gateway does not read its configuration again")),
            None => return Err(Failure::coded(Code::ServerUnreachable, "the gateway has just ended").hint("try again")),
        }
    }
}

/// Ends a gateway and waits until nothing of it is left; `say` is told what is waited for where it takes long.
pub(crate) async fn stop(gateway: &Gateway, say: impl Fn(&str)) -> Result<(), Failure> {
    let data = shop::data()?;
    signal(gateway, |pid| signals::ask(pid, Wish::Terminate)).await?;
    let mut has_ended = is_gone(&data, PATIENCE).await;
    if !has_ended {
        say("waiting  for calls under way, and for servers to end");
        has_ended = is_gone(&data, STOP.saturating_sub(PATIENCE)).await;
    }
    if !has_ended {
        say("killing  the gateway, which has not ended");
        signal(gateway, signals::kill).await?;
        if !is_gone(&data, KILL).await {
            return Err(Failure::new(Exit::Unexpected, "not_stopped", format!("process {} does not end", gateway.pid)));
        }
    }
    // One that was killed could not clean up.
    drop(fs::remove_file(state(&data)));
    if let Ok(entries) = fs::read_dir(data.join("run")) {
        let start = format!("{}-", gateway.pid);
        let sockets = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
        sockets.for_each(|entry| drop(fs::remove_file(entry.path())));
    }
    Ok(())
}

async fn is_gone(data: &Path, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while is_held(data) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

async fn signal(gateway: &Gateway, send: impl Fn(i32) -> io::Result<()>) -> Result<(), Failure> {
    let pid = Some(gateway.pid).filter(|pid| *pid > 1);
    let pid = pid.ok_or_else(|| Failure::new(Exit::Unexpected, "no_process", "the gateway's file has no process in it"))?;
    let deadline = Instant::now() + KILL;
    loop {
        match send(pid) {
            // Another command is asking it.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            sent => return Ok(sent?),
        }
    }
}
