//! Every code as whoever meets it reads it: people in both languages, and programs.

mod machine;
mod market;
pub(super) mod remote;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crib_model::Code;

use super::{folder, toolcrib};

/// Codes that nobody can be shown here, and why.
const EXCEPTIONS: &[(Code, &str)] = &[(Code::Internal, "a fault of the program itself, which no test knows how to cause")];

/// A name that no folder can have.
pub(super) static LONG: LazyLock<String> = LazyLock::new(|| "long".repeat(100));

/// A place to fail in.
pub(super) struct Scene {
    name: String,
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Scene {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("code_{name}");
        drop(fs::remove_dir_all(folder(&name)));
        let folder = folder(&name).canonicalize().expect("it is there");
        Self { name, folder, variables: vec![("TOOLCRIB_REGISTRY", crate::run::NOWHERE.to_owned())] }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(path, text).expect("writable");
        self
    }

    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.push((name, value.into()));
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = toolcrib(&self.name);
        command.env("HOME", self.path("user")).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command line that does what it says.
    #[track_caller]
    pub(super) fn good(&self, args: &[&str]) {
        let done = self.command(args).output().expect("it runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Shows what becomes of a command line: in both languages, and for programs.
    #[track_caller]
    pub(super) fn fails(&self, code: &str, args: &[&str]) {
        let mut told = format!("$ toolcrib {}\n", args.join(" "));
        for (tongue, flags) in [("en", &[][..]), ("zh-CN", &[]), ("zh-CN", &["--json"])] {
            // What stands behind `--` is somebody else's.
            let own = args.iter().position(|word| *word == "--").unwrap_or(args.len());
            let (own, others) = args.split_at(own);
            let line = [own, flags, others].concat();
            let done = self.command(&line).env("TOOLCRIB_LANG", tongue).output().expect("it runs");
            let shown = if flags.is_empty() { tongue } else { "--json" };
            let stderr = String::from_utf8_lossy(&done.stderr);
            let (status, failure) = (done.status.code().unwrap_or(-1), failure(&stderr));
            if shown == "zh-CN" {
                all_is_chinese(code, &failure);
            }
            write!(told, "\n--- {shown}   -> {status}\n{failure}\n").expect("a text takes it");
        }
        self.keep(code, &told);
    }

    /// Keeps what a code looks like.
    #[track_caller]
    pub(super) fn keep(&self, code: &str, told: &str) {
        assert!(told.contains(&format!("[{code}]")) || told.contains(&format!("\"{code}\"")), "{code} is not in it: {told}");
        insta::assert_snapshot!(code.to_owned(), self.steady(told));
    }

    /// Puts names in the place of what is another one every time.
    fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.folder.display().to_string(), "[HERE]").replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
        let text = text.replace(LONG.as_str(), "[LONG]");
        let marks = [
            ("127.0.0.1:", "[PORT]"),
            ("sport = :", "[PORT]"),
            ("toolcrib-probe-", "[ID]"),
            ("sha256:", "[DIGEST]"),
            ("grants take ", "[N]"),
            ("和授权共 ", "[N]"),
        ];
        marks.into_iter().fold(text, |text, mark| named(&text, mark))
    }
}

/// Puts a name in the place of every number behind a mark.
fn named(text: &str, (mark, name): (&str, &str)) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        // A port at which nobody listens, and the usual one, are always the same.
        let is_known = ["1", "8665", ""].contains(&part.strip_suffix(rest).unwrap_or_default());
        if is_known { [&told, mark, part].concat() } else { [&told, mark, name, rest].concat() }
    })
}

/// What servers and files say themselves.
const THEIRS: &[&str] =
    &["out of luck", "no such thing", "come again", "Ignore all previous instructions", "not a lockfile", "the server says no"];

/// Checks that nothing but names, commands and the words of others is in English.
#[track_caller]
fn all_is_chinese(code: &str, failure: &str) {
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    for line in failure.lines().filter(|line| !THEIRS.iter().any(|theirs| line.contains(theirs))) {
        let said: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let said = said.split("toolcrib ").next().unwrap_or_default();
        let words: Vec<&str> = said.split([' ', '：', '，']).collect();
        let english = words.windows(3).find(|three| three.iter().all(|word| is_word(word)));
        assert!(english.is_none(), "{code}: add to crib-words/src/chinese: {line}");
    }
}

/// Returns the failure without what was told on the way to it.
fn failure(stderr: &str) -> String {
    let is_first = |line: &&str| ["error", "错误", "{\"error\""].iter().any(|mark| line.starts_with(mark));
    let mut lines: Vec<&str> = stderr.lines().collect();
    let begin = lines.iter().rposition(is_first).unwrap_or(0);
    lines.split_off(begin).join("\n").trim_end().to_owned()
}

/// Returns the code that a snapshot is named after.
fn shown(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".snap")?;
    name.rsplit("__").next().map(str::to_owned)
}

#[test]
fn every_code_has_been_seen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let files = fs::read_dir(folder).expect("snapshots").filter_map(Result::ok).map(|entry| entry.path());
    let seen: BTreeSet<String> = files.filter_map(|path| shown(&path)).filter(|name| name.starts_with("TC")).collect();
    let excepted: BTreeSet<String> = EXCEPTIONS.iter().map(|(code, _)| code.to_string()).collect();
    let all: BTreeSet<String> = Code::ALL.iter().map(ToString::to_string).collect();
    let unseen: Vec<_> = all.difference(&seen).filter(|code| !excepted.contains(*code)).collect();
    assert!(unseen.is_empty(), "have somebody meet these codes in tests/cli/codes: {unseen:?}");
    let odd: Vec<_> = seen.iter().filter(|code| !all.contains(*code) || excepted.contains(*code)).collect();
    assert!(odd.is_empty(), "these codes are gone, or no exceptions any more: {odd:?}");
}
