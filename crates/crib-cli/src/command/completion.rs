//! `toolcrib completion`: completions for a shell, which asks this program what can stand at the cursor.

mod bash;
mod known;
mod values;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::engine::CompletionCandidate;

use crate::args::{self, Cli, Completion};
use crate::failure::Failure;
use crate::output::Output;
use known::Asked;

/// What the scripts call: the name of the shell follows, then the words up to the cursor.
pub(crate) const ENTRY: &str = "__complete";
/// The name under which the scripts call this program, unless they were made by its path.
const NAME: &str = "toolcrib";
/// A word that ends like this goes on.
const OPEN: [char; 5] = ['=', '.', '/', ':', '@'];

/// Something that can stand at the cursor.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    text: String,
    about: String,
}

impl Candidate {
    /// Returns whether more follows in the same word.
    fn is_open(&self) -> bool {
        self.text.ends_with(OPEN)
    }
}

/// The shells that ask, and how.
const SCRIPTS: [(Shell, &str); 3] = [
    (Shell::Bash, include_str!("completion/scripts/toolcrib.bash")),
    (Shell::Zsh, include_str!("completion/scripts/toolcrib.zsh")),
    (Shell::Fish, include_str!("completion/scripts/toolcrib.fish")),
];

pub(super) fn run(args: &Completion, output: &Output) -> Result<(), Failure> {
    match SCRIPTS.iter().find(|(shell, _)| *shell == args.shell) {
        Some((shell, script)) => output.bytes(script.replace("{PROGRAM}", &program(*shell)).as_bytes()),
        None => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
            output.bytes(&script)
        }
    }
}

/// Returns how this program was called, as a shell reads it: what was found by its name alone is found again.
fn program(shell: Shell) -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let path = Path::new(&called);
    if path.components().count() < 2 {
        return NAME.to_owned();
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    if shell == Shell::Fish {
        format!("'{}'", path.replace('\\', "\\\\").replace('\'', "\\'"))
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// Answers a shell. Whatever goes wrong, nothing is offered, and nothing is said.
pub(crate) fn answer(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let shell = words.next().unwrap_or_default();
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let lines: Vec<String> = match (shell.to_str(), words.as_slice()) {
        (Some("bash"), [line, replaced]) => bash::answer(line, replaced),
        (Some("zsh" | "fish"), words) => candidates(words).into_iter().map(described).collect(),
        _ => return ExitCode::FAILURE,
    };
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    match Output::whole(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What it is, and behind a tab what it is for.
fn described(candidate: Candidate) -> String {
    let Candidate { text, about } = candidate;
    if about.is_empty() { text } else { format!("{text}\t{about}") }
}

/// Returns what can stand for the last of these words, of which the first is the program.
fn candidates(words: &[String]) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last().filter(|(_, before)| !before.is_empty()) else { return Vec::new() };
    let mut command = values::known_to(args::command(), &Arc::new(Asked::of(before)));
    let place = words.len() - 1;
    let directory = std::env::current_dir().ok();
    let words = words.iter().map(OsString::from).collect();
    let found = clap_complete::engine::complete(&mut command, words, place, directory.as_deref()).unwrap_or_default();
    let mut found: Vec<Candidate> = found.iter().filter_map(candidate).collect();
    // Options are offered to who asks for them, or where there is nothing else.
    let is_option = |candidate: &Candidate| candidate.text.starts_with('-');
    if current.is_empty() && !found.iter().all(is_option) {
        found.retain(|candidate| !is_option(candidate));
    }
    found.retain(|candidate| candidate.text.len() != 2 || !is_option(candidate) || current.starts_with('-'));
    found
}

/// Takes what can be typed: names that servers give are not to be trusted.
fn candidate(found: &CompletionCandidate) -> Option<Candidate> {
    let text = found.get_value().to_str().filter(|text| !text.contains(char::is_control))?.to_owned();
    let about = found.get_help().map(ToString::to_string).unwrap_or_default();
    let about = about.lines().next().unwrap_or_default().replace(char::is_control, " ");
    Some(Candidate { text, about: about.trim().to_owned() })
}
