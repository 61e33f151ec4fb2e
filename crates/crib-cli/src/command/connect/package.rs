//! What of an import comes from a package: it comes in as one, and runs in the sandbox.

use std::io::IsTerminal as _;
use std::path::Path;

use crib_clients::{Imported, Value};
use crib_model::Code;
use crib_package::Source;

use super::Task;
use crate::args::Run;
use crate::asked;
use crate::command::run::{confined, is_same_package};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What a command line of `npx` or `uvx` starts.
#[derive(Debug)]
pub(super) struct Packaged {
    source: Source,
    args: Vec<String>,
}

/// How servers of packages come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As packages, in the sandbox.
    Confined,
    /// As the commands they are.
    Unconfined,
}

/// What became of a package.
pub(super) enum Come {
    /// It is locked, with what it was granted.
    In(Value),
    /// It will be fetched at its first call: why not now.
    Later(Value, String),
    /// It was refused: why.
    Not(String),
}

/// Reads what a server starts; `None` for what comes from no package.
///
/// # Errors
/// It comes from one, and not in a way that can be said here: why.
pub(super) fn read(task: &Task<'_>, value: &Value) -> Option<Result<Packaged, String>> {
    let program = value.member("command")?.as_text()?;
    let args: Vec<String> = match value.member("args") {
        Some(Value::List(args)) => args.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
        Some(_) | None => Vec::new(),
    };
    let base = value.member("cwd").and_then(Value::as_text).map(|cwd| task.places.project.join(cwd));
    let read = Source::of_command(program, &args)?;
    Some(match read {
        Ok((source, args)) => Ok(Packaged { source, args: args.iter().map(|arg| absolute(arg, base.as_deref())).collect() }),
        Err(fault) => Err(fault.causes().first().map_or_else(|| fault.message().to_owned(), Clone::clone)),
    })
}

/// Makes an argument that names something of the folder a server started in absolute: in the sandbox it starts elsewhere.
fn absolute(arg: &str, base: Option<&Path>) -> String {
    let is_place = matches!(arg, "." | "..") || arg.contains('/') && !arg.contains("://");
    let place = base.filter(|_| is_place && !Path::new(arg).is_absolute()).and_then(|base| base.join(arg).canonicalize().ok());
    place.map_or_else(|| arg.to_owned(), |path| path.display().to_string())
}

impl Packaged {
    /// Tells whether a server of the configuration is this package with these arguments.
    pub(super) fn is(&self, known: &Value) -> bool {
        let Some(run) = known.member("run").and_then(Value::as_text) else { return false };
        let args = match known.member("args") {
            Some(Value::List(args)) => args.iter().filter_map(Value::as_text).collect(),
            Some(_) | None => Vec::new(),
        };
        is_same_package(run, &self.source) && args == self.args
    }

    /// Returns it as the configuration has a package that is not here yet.
    pub(super) fn entry(&self, imported: &Value) -> Value {
        let mut members = vec![("run".to_owned(), Value::text(self.source.to_string()))];
        if let Source::Npm { more, .. } | Source::Pypi { more, .. } = &self.source
            && !more.with.is_empty()
        {
            members.push(("with".to_owned(), Value::texts(more.with.iter().cloned())));
        }
        if !self.args.is_empty() {
            members.push(("args".to_owned(), Value::texts(self.args.iter().cloned())));
        }
        members.extend(imported.members().iter().filter(|(name, _)| !matches!(name.as_str(), "command" | "args" | "cwd")).cloned());
        Value::Map(members)
    }

    /// Fetches it, has what its arguments name be granted, and locks it.
    ///
    /// # Errors
    /// Whoever was asked interrupted it.
    pub(super) async fn fetch(&self, task: &Task<'_>, imported: &Imported, output: &Output) -> Result<Come, Failure> {
        let later = self.entry(&imported.value);
        let env = imported.value.member("env").map(Value::members).unwrap_or_default();
        let env = env.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_text()?)));
        let mut run = Run::of_package(&imported.name, self.args.clone(), env.collect(), task.args.yes);
        if let Source::Npm { more, .. } | Source::Pypi { more, .. } = &self.source {
            run.fetch.with.clone_from(&more.with);
        }
        match confined(&run, &self.source.to_string(), output).await {
            Ok(entry) => {
                let rest = later.members().iter().filter(|(name, _)| entry.member(name).is_none()).cloned();
                Ok(Come::In(Value::Map(entry.members().iter().cloned().chain(rest).collect())))
            }
            Err(failure) if failure.exit() == Exit::Interrupted => Err(failure),
            Err(failure) => {
                let is_reach = matches!(failure.code(), Some(Code::PackageMissing | Code::PullFailed | Code::RuntimeMissing));
                let why = failure.one_line();
                Ok(if is_reach { Come::Later(later, why) } else { Come::Not(why) })
            }
        }
    }
}

/// Chooses how these servers come in: as was said, else as is answered, else the safe way.
pub(super) fn choose(task: &Task<'_>, names: &[&str], output: &Output) -> Result<Way, Failure> {
    let args = task.args;
    if args.no_confine {
        return Ok(Way::Unconfined);
    }
    let can_ask = output.can_ask() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if names.is_empty() || args.confine || args.yes || args.dry_run || !can_ask {
        return Ok(Way::Confined);
    }
    output.ask(&format!(
        "\n{} come from packages. Run them in the sandbox, where they see no files and no network but what you grant? [Y/n] ",
        names.join(", ")
    ));
    let answer = asked::line()?;
    let is_no = matches!(answer.trim().to_lowercase().as_str(), "n" | "no" | "nein" | "否" | "不");
    Ok(if is_no { Way::Unconfined } else { Way::Confined })
}
