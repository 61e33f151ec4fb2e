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
        // Frames of a backtrace push away the line that says what is wrong.
        command.env("RUST_BACKTRACE", "0").env_remove("RUST_LIB_BACKTRACE");
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
        let Told { causes, hint } = told(&self.stderr);
        for line in causes.iter().skip(causes.len().saturating_sub(LINES_MAX)) {
            fault = fault.because(line);
        }
        match hint.filter(|_| fault.remedy().is_none()) {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
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

/// What a program says of its failure.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    causes: Vec<String>,
    /// What it advises itself.
    hint: Option<String>,
}

/// What npm, uv and cargo put before the words that say something.
const MARKS: &[&str] = &["npm error", "npm ERR!", "error:", "ERROR:", "Caused by:", "×", "╰─▶", "├─▶"];
/// Words of npm that help nobody here.
const NOISE: &[&str] =
    &["A complete log of this run", "Note that you can also install from a", "tarball, folder, http url", "For a full report see"];

/// Takes what says why out of all that a program wrote.
fn told(stderr: &str) -> Told {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // What stands before the first mark is what it was doing.
    let from = lines.iter().position(|line| MARKS.iter().any(|mark| line.starts_with(mark))).unwrap_or(0);
    let mut told = Told::default();
    for line in lines.iter().skip(from) {
        if let Some(advice) = ["hint:", "help:"].iter().find_map(|mark| line.strip_prefix(mark)) {
            told.hint.get_or_insert_with(|| advice.trim().to_owned());
            continue;
        }
        let words = MARKS.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim();
        let is_noise = NOISE.iter().any(|noise| words.contains(noise))
            || words.contains("_logs/")
            || ["npm warn", "npm WARN", "npm notice"].iter().any(|mark| line.starts_with(mark))
            // `404` and `code E404`, with nothing behind.
            || !words.contains(' ')
            || words.strip_prefix("code ").is_some_and(|code| !code.contains(' '));
        if !is_noise || lines.len() == 1 {
            told.causes.push(words.to_owned());
        }
    }
    if told.causes.is_empty() {
        told.causes = lines.into_iter().map(str::to_owned).collect();
    }
    told
}

/// Makes the arguments of a command out of what is text and what is a path.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(::std::ffi::OsStr::new($arg)),*] };
}
pub(crate) use args;

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(text: &str) -> Vec<String> {
        told(text).causes
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_fails_shows_no_frames() {
        let surroundings = Surroundings::new([("RUST_BACKTRACE".into(), "1".into())]);
        let said = surroundings.run(Path::new("/bin/sh"), &args!["-c", "echo $RUST_BACKTRACE"], Path::new("/"), "").await;
        assert_eq!(said.unwrap().stdout, "0\n");
    }

    #[test]
    fn of_all_that_npm_writes_what_says_why_is_told() {
        let text = "npm warn using --force\nnpm error code E404\nnpm error 404 Not Found - GET https://registry.npmjs.org/mcp-none - Not found\n\
                    npm error 404\nnpm error 404  The requested resource 'mcp-none@*' could not be found or you do not have permission to access it.\n\
                    npm error 404\nnpm error 404 Note that you can also install from a\nnpm error 404 tarball, folder, http url, or git folder.\n\
                    npm error A complete log of this run can be found in: /root/.npm/_logs/2026-debug-0.log\n";
        assert_eq!(
            causes(text),
            [
                "404 Not Found - GET https://registry.npmjs.org/mcp-none - Not found",
                "404  The requested resource 'mcp-none@*' could not be found or you do not have permission to access it."
            ]
        );
    }

    #[test]
    fn the_advice_of_a_program_is_no_cause() {
        let uv = "Using CPython 3.12.4\n  × No solution found when resolving dependencies:\n  ╰─▶ Because x was not found in the package registry, \
                  your requirements are unsatisfiable.\n\nhint: Consider enabling pre-releases\n";
        let read = told(uv);
        assert_eq!(
            read.causes,
            [
                "No solution found when resolving dependencies:",
                "Because x was not found in the package registry, your requirements are unsatisfiable."
            ]
        );
        assert_eq!(read.hint.as_deref(), Some("Consider enabling pre-releases"));
        let cargo = "error: rustup could not choose a version of cargo to run\nhelp: run 'rustup default stable' to download it\n";
        let read = told(cargo);
        assert_eq!((read.causes.len(), read.hint.as_deref()), (1, Some("run 'rustup default stable' to download it")));
    }

    #[test]
    fn words_without_marks_stay() {
        assert_eq!(causes("killed\n"), ["killed"]);
        assert_eq!(causes("one thing\nand another\n"), ["one thing", "and another"]);
        assert_eq!(causes(""), [""; 0]);
    }
}
