//! Which files belong to a command: its script with the project around it, or its program.

use std::path::{Path, PathBuf};

use crib_transport::CommandLine;

use super::files::{is_left_out, is_made};

/// What stands beside the sources of a server.
const MARKS: [&str; 9] = [
    "package.json",
    "pyproject.toml",
    "Cargo.toml",
    "go.mod",
    "deno.json",
    "manifest.json",
    "requirements.txt",
    "setup.py",
    "composer.json",
];

/// How far up a project is looked for.
const UP_MAX: usize = 4;

/// Returns the files and folders of a command that `here` is its folder; none where the command says nothing of them.
#[must_use]
pub fn of_command(command: &CommandLine, here: &Path) -> Vec<PathBuf> {
    let base = command.cwd.as_ref().map_or_else(|| here.to_owned(), |cwd| here.join(cwd));
    let script = command.args.iter().filter(|arg| !arg.starts_with('-')).map(|arg| base.join(arg)).find(|path| path.exists());
    let mut places = Vec::new();
    if let Some(script) = script {
        places.push(around(&script, &base));
    }
    let program = Path::new(&command.program);
    let program = (program.components().count() > 1).then(|| base.join(program)).filter(|path| path.is_file() && path.starts_with(&base));
    if let Some(program) = program {
        // What is built is another one when it is built again, and not when its sources are written.
        if places.is_empty() && !is_left_out(program.strip_prefix(&base).unwrap_or(&program)) {
            places.push(around(&program, &base));
        }
        places.push(program);
    }
    if places.is_empty() {
        places.extend(project(&base));
    }
    places
}

/// Returns the project that a file or folder of a command belongs to; a file of nobody's stands for itself.
fn around(path: &Path, base: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    let folder = path.parent().unwrap_or(base);
    project(folder).unwrap_or_else(|| if folder.starts_with(base) { folder.to_owned() } else { path.to_owned() })
}

/// Returns the nearest folder, from this one upwards, that has what a project begins with.
#[must_use]
pub fn project(folder: &Path) -> Option<PathBuf> {
    let has_mark = |folder: &&Path| MARKS.iter().any(|mark| folder.join(mark).is_file());
    // What was built or installed is in a project, and not of it.
    folder.ancestors().take(UP_MAX).take_while(|folder| !is_made(folder)).find(has_mark).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(program: &str, args: &[&str]) -> CommandLine {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        CommandLine { program: program.to_owned(), args, env: Vec::new(), cwd: None }
    }

    #[test]
    fn a_command_belongs_to_the_project_of_its_script_or_is_its_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        for file in ["ts/package.json", "ts/build/index.js", "plain/server.py", "target/debug/server", "bin/server"] {
            std::fs::create_dir_all(here.join(file).parent().expect("a folder")).expect("made");
            std::fs::write(here.join(file), "").expect("written");
        }
        let places = |program: &str, args: &[&str]| of_command(&command(program, args), here);
        assert_eq!(places("node", &["--inspect", "ts/build/index.js", "plain"]), [here.join("ts")]);
        assert_eq!(places("python3", &["plain/server.py"]), [here.join("plain")]);
        assert_eq!(places("./target/debug/server", &[]), [here.join("target/debug/server")]);
        assert_eq!(places("bin/server", &[]), [here.join("bin"), here.join("bin/server")]);
        assert_eq!(places("npm", &["start"]), Vec::<PathBuf>::new());
        let within = CommandLine { cwd: Some("ts".into()), ..command("npm", &["start"]) };
        assert_eq!(of_command(&within, here), [here.join("ts")]);
    }
}
