//! Variables of a server that stand in a file of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Server;
use crate::dotenv::{self, Wrong};
use crate::problem::{File, Problem};
use crate::secrets;
use crate::world::World;

const MEMBER: &str = "envFile";

/// Why variables cannot be taken from a file.
pub(super) enum Trouble {
    /// It is not there, or not for us: why.
    Unreadable(String),
    /// A line of it is wrong.
    Wrong(Problem),
}

/// Returns where the file of a server is, if it has one; `base` is where relative paths start.
pub(super) fn place(server: &Server, base: &Path, world: &dyn World) -> Option<PathBuf> {
    let file = Path::new(&server.env_file);
    let is_named = !server.env_file.is_empty();
    is_named.then(|| if file.starts_with("~") { world.absolute(file) } else { base.join(file) })
}

/// Adds what the file says to what the server says itself, which wins.
pub(super) fn merge(server: &mut Server, path: &Path, world: &dyn World) -> Result<(), Trouble> {
    let text = world.read(path).map_err(|error| Trouble::Unreadable(format!("cannot read `{}`: {error}", path.display())))?;
    let wrong = |wrong: &Wrong| Trouble::Wrong(problem(path, &text, wrong));
    if let Some(at) = text.lines().position(secrets::is_marked) {
        return Err(wrong(&Wrong { line: at + 1, why: "U+FDD0 or U+FDD1 is no character: this program has a use of its own for it" }));
    }
    let found = dotenv::parse(&text).map_err(|error| wrong(&error))?;
    let own = std::mem::take(&mut server.env);
    server.env = found.into_iter().chain(own).collect();
    Ok(())
}

/// Points to a line. Every value in such a file may be a secret, so none is shown.
fn problem(path: &Path, text: &str, wrong: &Wrong) -> Problem {
    let line = text.lines().nth(wrong.line - 1).unwrap_or_default();
    let name = line.split_once('=').map_or("", |(name, _)| name);
    let value = line.get(name.len()..).unwrap_or_default();
    let hidden: String = value.chars().map(|c| if matches!(c, '=' | ' ' | '"' | '\'') { c } else { '•' }).collect();
    let before = "\n".repeat(wrong.line - 1);
    let span = before.len()..before.len() + name.len() + hidden.len();
    let file = File { path: path.to_owned(), text: format!("{before}{name}{hidden}") };
    let problem = Problem::at(&Arc::new(file), span, wrong.why);
    problem.hint(format!("the file is read for `{MEMBER}` of a server: one `NAME=value` in a line, comments behind `#`"))
}
