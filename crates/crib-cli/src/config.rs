//! The configuration a command works with.

use std::io;
use std::path::{Path, PathBuf};

use crib_control::{Compiled, Misnamed, Package, World, compile, compile_only, default_config};
use crib_model::Code;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::world::System;
use crate::{places, shop};

/// Compiles the files; the user's own where none is named, and the built-in server where there is none either.
pub(crate) fn load(files: &[PathBuf], output: &Output) -> Result<Compiled, Failure> {
    load_only(&[], files, output)
}

/// Compiles the same, and takes these servers alone where any are named.
pub(crate) fn load_only(only: &[String], files: &[PathBuf], output: &Output) -> Result<Compiled, Failure> {
    let own = if files.is_empty() { own_file() } else { None };
    let files = own.as_ref().map_or(files, std::slice::from_ref);
    if files.is_empty() {
        if let Some(name) = only.first() {
            return Err(Failure::usage(format!("--only {name} chooses from a file, and there is none")).hint("name it: -c FILE"));
        }
        return Ok(default_config());
    }
    let compiled = of_files(only, files)?;
    for warning in &compiled.warnings {
        output.warn(&warning.summary());
    }
    Ok(compiled)
}

/// Compiles the same without a word about what is odd in it: whoever has asked before has said it.
pub(crate) fn again(only: &[String], files: &[PathBuf]) -> Result<Compiled, Failure> {
    if files.is_empty() { own() } else { of_files(only, files) }
}

fn of_files(only: &[String], files: &[PathBuf]) -> Result<Compiled, Failure> {
    let compiled = compile_only(only, files, &System::new()?).map_err(|problems| Failure::problems(&problems))?;
    shop::guard(&compiled.files);
    Ok(compiled)
}

/// Compiles the user's own configuration, and leaves its oddities to others; the built-in server where there is none.
pub(crate) fn own() -> Result<Compiled, Failure> {
    match own_file() {
        Some(file) => of_files(&[], &[file]),
        None => Ok(default_config()),
    }
}

/// Returns whether the user has a configuration that is used where none is named.
pub(crate) fn is_own() -> bool {
    own_file().is_some()
}

/// Returns the user's configuration, if there is one.
fn own_file() -> Option<PathBuf> {
    // Without a home directory there is none.
    let places = places::places().ok()?;
    Some(places::own(&places).config).filter(|path| path.is_file())
}

/// Compiles a configuration of one server that stands in no file.
pub(crate) fn made(name: &str, entry: &Value) -> Result<Compiled, Failure> {
    let world = Typed { system: System::new()?, text: json!({ "version": 1, "servers": { name: entry } }).to_string() };
    let mut compiled = compile(&[PathBuf::from(Typed::FILE)], &world).map_err(|problems| Failure::problems(&problems))?;
    compiled.needs_key = false;
    Ok(compiled)
}

/// Says what is wrong with an address that was typed: it stands in no file.
pub(crate) fn check_address(url: &str) -> Result<(), Failure> {
    let entry = json!({ "version": 1, "servers": { "typed": { "url": url } } });
    let world = Typed { system: System::new()?, text: entry.to_string() };
    let Err(problems) = compile(&[PathBuf::from(Typed::FILE)], &world) else { return Ok(()) };
    let Some(first) = problems.into_iter().next() else { return Ok(()) };
    let summary = first.summary();
    let label =
        summary.strip_prefix(Typed::FILE).and_then(|rest| rest.split_once(": ")).map_or(first.message, |(_, label)| label.to_owned());
    let failure = Failure::coded(Code::SourceInvalid, label);
    Err(failure.hint(first.hint.unwrap_or_else(|| "the address of a server looks like this: https://example.com/mcp".to_owned())))
}

/// The surroundings of this process, and one file that was typed.
struct Typed {
    system: System,
    text: String,
}

impl Typed {
    const FILE: &str = "/(the command line).yaml";
}

impl World for Typed {
    fn variable(&self, name: &str) -> Option<String> {
        self.system.variable(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path == Path::new(Self::FILE) { Ok(self.text.clone()) } else { self.system.read(path) }
    }

    fn directory(&self) -> &Path {
        self.system.directory()
    }

    fn misnamed(&self, package: &Package) -> Option<Misnamed> {
        self.system.misnamed(package)
    }
}
