//! Programs of this machine that do a part of the work: `npm`, `uv`, `pip`, interpreters.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use crib_model::{Code, Fault};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long one program may take.
const WAIT: Duration = Duration::from_secs(600);
/// How many lines of what a program complained of are told.
const LINES_MAX: usize = 12;

/// How a program's file may end.
const ENDINGS: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };

/// The variables of whoever asked, by which these programs find their settings.
#[derive(Clone)]
pub(crate) struct Surroundings(Vec<(OsString, OsString)>);

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) is_success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Surroundings {
    pub(crate) fn new(env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(env.into_iter().collect())
    }

    /// Puts interpreters of our own in front of those of the machine.
    pub(crate) fn with(mut self, runtimes: &Path) -> Self {
        let own = runtimes.join("node/bin");
        let pythons = runtimes.join("python");
        if own.is_dir() {
            let others = self.var("PATH").map(OsStr::to_owned).unwrap_or_default();
            let all = std::iter::once(own).chain(std::env::split_paths(&others));
            if let Ok(path) = std::env::join_paths(all) {
                self.set("PATH", path);
            }
        }
        if pythons.is_dir() && self.var("UV_PYTHON_INSTALL_DIR").is_none() {
            self.set("UV_PYTHON_INSTALL_DIR", pythons.into_os_string());
        }
        self
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: OsString) {
        self.0.retain(|(known, _)| if cfg!(windows) { !known.eq_ignore_ascii_case(name) } else { known != name });
        self.0.push((name.into(), value));
    }

    /// Returns all of them, for a program that is asked by somebody else.
    pub(crate) fn all(&self) -> Vec<(OsString, OsString)> {
        self.0.clone()
    }

    /// Finds a program in the search path.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.var("PATH")?;
        let mut places =
            std::env::split_paths(path).flat_map(|folder| ENDINGS.iter().map(move |ending| folder.join(format!("{name}{ending}"))));
        places.find(|path| path.is_file())
    }

    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        self.0
            .iter()
            .find(|(known, _)| if cfg!(windows) { known.eq_ignore_ascii_case(name) } else { known == name })
            .map(|(_, value)| value.as_os_str())
    }

    /// Runs a program to its end. It is killed when it takes too long, or when nobody waits for it any more.
    pub(crate) async fn run(&self, program: &Path, args: &[&OsStr], cwd: &Path, input: &str) -> Result<Said, Fault> {
        let shown = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let failed = |why: String| Fault::new(Code::PullFailed, format!("`{shown}` cannot be run")).because(why);
        let mut command = Command::new(program);
        command.args(args).current_dir(cwd).env_clear().envs(self.0.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read has its reasons; it tells them by its status.
                drop(stdin.write_all(input.as_bytes()).await);
            }
        };
        let work = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output: Output = tokio::time::timeout(WAIT, work)
            .await
            .map_err(|_late| failed(format!("it took longer than {} seconds", WAIT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { is_success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }
}

impl std::fmt::Debug for Surroundings {
    /// Says nothing of the values: there are tokens among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("variables", &self.0.len()).finish()
    }
}

impl Said {
    /// Adds the end of what the program complained of.
    pub(crate) fn explain(&self, mut fault: Fault) -> Fault {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LINES_MAX)) {
            fault = fault.because(line);
        }
        fault
    }

    /// Adds lines to what the program complained of.
    pub(crate) fn and_complains(mut self, lines: &[String]) -> Self {
        for line in lines {
            self.stderr.push('\n');
            self.stderr.push_str(line);
        }
        self
    }

    pub(crate) fn complains_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.stderr.contains(word) || self.stdout.contains(word))
    }
}

/// Makes the arguments of a command out of what is text and what is a path.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(::std::ffi::OsStr::new($arg)),*] };
}
pub(crate) use args;
