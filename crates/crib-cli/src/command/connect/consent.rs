//! Nothing is changed without a yes.

use std::io::IsTerminal as _;

use crib_model::Code;

use super::Task;
use crate::asked;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A file: whose it is, where it is, what will be done.
pub(super) type Asked = (&'static str, String, String);

/// Says what will be changed and waits for a yes.
pub(super) fn ask(task: &Task<'_>, files: &[Asked], output: &Output) -> Result<(), Failure> {
    if task.args.yes {
        return Ok(());
    }
    let width = |cell: fn(&Asked) -> usize| files.iter().map(cell).max().unwrap_or(0);
    let (names, paths) = (width(|file| file.0.chars().count()), width(|file| file.1.chars().count()));
    let lines: Vec<String> = files.iter().map(|(name, path, words)| format!("  {name:names$}  {path:paths$}  {words}")).collect();
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let mut failure = Failure::coded(Code::ConsentNeeded, "these files would be changed, and there is nobody to ask");
        for line in lines {
            failure = failure.detail(line.trim_end());
        }
        return Err(failure.hint("agree with --yes, or look first with --dry-run"));
    }
    let files = if lines.len() == 1 { "one file" } else { "these files" };
    output.ask(&format!("This changes {files}; a copy is kept:\n\n{}\n\nGo on? [y/N] ", lines.join("\n")));
    let answer = asked::line()?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "ja" | "是" | "好") {
        return Ok(());
    }
    output.say("nothing was changed");
    Err(Failure::shown(Exit::Authentication))
}
