//! `toolcrib new`: the project of a server, which runs and passes its own tests.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use crib_model::Code;
use crib_scaffold::{Language, Name, Project, Step, Tools};
use serde::Serialize;

use crate::args::New;
use crate::asked;
use crate::failure::Failure;
use crate::output::Output;
use crate::places;

/// How often the same question is asked.
const ASK_MAX: usize = 3;

pub(super) fn run(args: &New, output: &Output) -> Result<(), Failure> {
    let language = match args.lang {
        Some(name) => name.into(),
        None => ask(output)?,
    };
    let name = Name::parse(&args.name, language).map_err(|refused| {
        let failure = Failure::coded(Code::ProjectNameRefused, format!("`{}` cannot be the name of a project", args.name));
        let failure = failure.because(refused.why);
        match refused.suggestion {
            Some(name) => failure.hint(format!("toolcrib new {name} --lang {}", language.id())),
            None => failure.hint(format!("toolcrib new my-server --lang {}", language.id())),
        }
    })?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(name.short()));
    let project = Project::new(name, language);
    write(&project, &folder)?;
    let shown = shown(&folder);
    let tools = Tools { has_uv: places::program("uv").is_some(), is_windows: cfg!(windows) };
    tell(&project, &shown, &project.steps(&quoted(&shown), tools), output)
}

/// Asks for the language.
fn ask(output: &Output) -> Result<Language, Failure> {
    let ids = Language::ALL.map(Language::id).join(", ");
    let missing = || Failure::usage("no language is given, and there is nobody to ask").hint(format!("--lang: {ids}"));
    if !output.can_ask() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(missing());
    }
    for _ in 0..ASK_MAX {
        output.ask("Language: [r]ust, [t]ypescript or [p]ython? ");
        let answer = asked::line()?;
        if answer.is_empty() {
            break;
        }
        if let Some(language) = Language::parse(&answer) {
            return Ok(language);
        }
    }
    Err(missing())
}

/// Writes the files into a folder that is new or empty. What was written goes away again when a file cannot be.
fn write(project: &Project, folder: &Path) -> Result<(), Failure> {
    let unwritable = |path: &Path, error: &io::Error| {
        Failure::coded(Code::ProjectUnwritable, format!("cannot write `{}`", path.display())).because(error.to_string())
    };
    let was_there = match folder.read_dir().map(|mut entries| entries.next().is_none()) {
        Ok(true) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Ok(false) => return Err(taken(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(taken(folder)),
        Err(error) => return Err(unwritable(folder, &error)),
    };
    for file in &project.files {
        let path = file.path.split('/').fold(folder.to_owned(), |path, part| path.join(part));
        let parent = path.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, &file.text));
        if let Err(error) = written {
            if !was_there {
                // The first error is the one worth telling.
                drop(std::fs::remove_dir_all(folder));
            }
            return Err(unwritable(&path, &error));
        }
    }
    Ok(())
}

fn taken(folder: &Path) -> Failure {
    let failure = Failure::coded(Code::ProjectFolderTaken, format!("`{}` exists and is not an empty folder", folder.display()));
    failure.hint("nothing was written; choose another place: --dir DIR")
}

/// Returns the folder as a shell takes it for a folder, whatever its first letter.
fn shown(folder: &Path) -> String {
    let text = folder.display().to_string();
    let is_plain = folder.is_relative() && !text.starts_with('.');
    if is_plain { format!(".{}{text}", std::path::MAIN_SEPARATOR) } else { text }
}

fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "-_./\\:~@+".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn tell(project: &Project, folder: &str, steps: &[Step], output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Made<'a> {
        name: &'a str,
        language: &'static str,
        folder: &'a str,
        files: Vec<&'a str>,
        next: Vec<Next<'a>>,
    }
    #[derive(Serialize)]
    struct Next<'a> {
        what: &'static str,
        command: &'a str,
    }
    if output.is_json {
        let next = steps.iter().map(|step| Next { what: step.kind.as_str(), command: &step.command }).collect();
        let files = project.files.iter().map(|file| file.path.as_str()).collect();
        let made = Made { name: project.name.as_str(), language: project.language.id(), folder, files, next };
        return output.document("project", &made);
    }
    output.say(&format!("made     {folder} · {} · {} files\n", project.language.as_str(), project.files.len()));
    for step in steps {
        output.say(&format!("{:<8} {}", step.kind.as_str(), step.command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_shown_so_that_a_shell_takes_it() {
        assert_eq!(shown(Path::new("weather")), "./weather");
        assert_eq!(shown(Path::new("../weather")), "../weather");
        assert_eq!(shown(Path::new("/srv/weather")), "/srv/weather");
        assert_eq!((quoted("./weather"), quoted("./my weather's")), ("./weather".to_owned(), r"'./my weather'\''s'".to_owned()));
    }
}
