//! What people write after `npx` and `uvx`, as the sources it stands for.

use std::borrow::Cow;

use crib_model::Fault;

use super::{More, Source, invalid, is_series, is_word, npm, pypi};

/// What was written before the program's own arguments.
struct Words<'a> {
    text: Cow<'a, str>,
    rest: std::vec::IntoIter<&'a str>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.into(), rest: text.split_whitespace().collect::<Vec<_>>().into_iter() }
    }

    fn of(words: Vec<&'a str>) -> Self {
        Self { text: words.join(" ").into(), rest: words.into_iter() }
    }

    /// Returns the value of an option: after its equals sign, or the next word.
    fn value(&mut self, given: Option<&'a str>) -> Result<&'a str, Fault> {
        let value = given.or_else(|| self.rest.next()).filter(|value| !value.is_empty() && !value.starts_with('-'));
        value.ok_or_else(|| invalid(&self.text, "an option has no value"))
    }

    fn other(&self, word: &str) -> Fault {
        invalid(&self.text, &format!("`{}` is not understood here", word.escape_debug()))
    }

    /// Refuses what comes after the program, since arguments of a server come after `--`.
    fn end(&mut self) -> Result<(), Fault> {
        match self.rest.next() {
            None => Ok(()),
            Some(_) => Err(invalid(&self.text, "arguments of the server come after `--`")),
        }
    }
}

/// Returns the package that a command line of `npx`, `uvx` or one of their kind starts, and the server's own arguments;
/// `None` for every other command.
pub(super) fn of_command(program: &str, args: &[String]) -> Option<Result<(Source, Vec<String>), Fault>> {
    let stem = |word: &str| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
        [".exe", ".cmd", ".ps1"].iter().find_map(|end| name.strip_suffix(end)).map_or_else(|| name.clone(), str::to_owned)
    };
    let mut words: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut runner = stem(program);
    // Windows starts scripts through its shell.
    if runner == "cmd" && words.len() > 1 && words.first().is_some_and(|flag| flag.eq_ignore_ascii_case("/c")) {
        runner = stem(words.get(1)?);
        words.drain(..2);
    }
    let verbs: &[&str] = match runner.as_str() {
        "npx" | "pnpx" | "bunx" | "uvx" => &[],
        "npm" => &["exec"],
        "pnpm" | "yarn" => &["dlx"],
        "bun" => &["x"],
        "uv" => &["tool", "run"],
        "pipx" => &["run"],
        _ => return None,
    };
    if !words.starts_with(verbs) {
        return None;
    }
    let mut words = Words::of(words.split_off(verbs.len()));
    let read = if matches!(runner.as_str(), "uvx" | "uv" | "pipx") { read_uvx } else { read_npx };
    Some(read(&mut words).map(|source| (source, words.rest.map(str::to_owned).collect())))
}

/// Reads `-y PACKAGE` and `-p PACKAGE -p ANOTHER PROGRAM`.
pub(super) fn npx(text: &str) -> Result<Source, Fault> {
    let mut words = Words::new(text);
    let source = read_npx(&mut words)?;
    words.end().map(|()| source)
}

fn read_npx(words: &mut Words<'_>) -> Result<Source, Fault> {
    let mut packages = Vec::new();
    let mut program = None;
    while let Some(word) = words.rest.next() {
        let (flag, given) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        match flag {
            "-y" | "--yes" | "-q" | "--quiet" | "-s" | "--silent" | "--prefer-offline" | "--prefer-online" | "--" => {}
            "-p" | "--package" => packages.push(words.value(given)?),
            _ if word.starts_with('-') => return Err(words.other(word)),
            _ => {
                program = Some(word);
                break;
            }
        }
    }
    let text = words.text.as_ref();
    let last = program.ok_or_else(|| invalid(text, "it names no program"))?;
    if packages.is_empty() {
        return super::qualified(last, npm);
    }
    // The package of the program's name comes first; else the first one that was named.
    let is_its_own = |package: &&str| npm(package).is_ok_and(|source| short(&source) == last);
    let at = packages.iter().position(is_its_own).unwrap_or(0);
    let mut source = npm(packages.remove(at))?;
    let is_named_so = short(&source) == last;
    if !is_word(last, "-._") {
        return Err(invalid(text, "not the name of a program"));
    }
    if let Source::Npm { more, .. } = &mut source {
        for package in &packages {
            super::beside_npm(package)?;
        }
        let with = packages.iter().map(|package| (*package).to_owned()).collect();
        *more = More { with, program: Some(last.to_owned()).filter(|_| !is_named_so), python: None };
    }
    Ok(source)
}

/// Returns the part of a package's name after its scope.
fn short(source: &Source) -> String {
    let Source::Npm { name, .. } = source else { return String::new() };
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// Reads `--from PACKAGE --with REQUIREMENT --python 3.12 PROGRAM`.
pub(super) fn uvx(text: &str) -> Result<Source, Fault> {
    let mut words = Words::new(text);
    let source = read_uvx(&mut words)?;
    words.end().map(|()| source)
}

fn read_uvx(words: &mut Words<'_>) -> Result<Source, Fault> {
    let (mut from, mut program) = (None, None);
    let mut more = More::default();
    while let Some(word) = words.rest.next() {
        let (flag, given) =
            word.split_once('=').filter(|(flag, _)| flag.starts_with("--")).map_or((word, None), |(flag, value)| (flag, Some(value)));
        match flag {
            "-q" | "--quiet" | "--isolated" | "--no-progress" | "--refresh" | "-U" | "--upgrade" | "--" => {}
            "--from" | "--spec" => from = Some(words.value(given)?),
            "--with" | "-w" => more.with.extend(requirements(words.value(given)?, &words.text)?),
            "-p" | "--python" => more.python = Some(series(words.value(given)?, &words.text)?),
            _ if word.starts_with('-') => return Err(words.other(word)),
            _ => {
                program = Some(word);
                break;
            }
        }
    }
    let text = words.text.as_ref();
    let program = program.ok_or_else(|| invalid(text, "it names no program"))?;
    if !is_word(program.split(['@', '=', '[']).next().unwrap_or(program), "-._") {
        return Err(invalid(text, "not the name of a program"));
    }
    let (package, bound) = from.map_or((program, None), |from| bound(from));
    let mut source = pypi(package)?;
    more.with.extend(bound.map(str::to_owned));
    if let Source::Pypi { name, more: own, .. } = &mut source {
        let bare = name.split('[').next().unwrap_or(name);
        more.program = from.map(|_| program.to_owned()).filter(|program| program != bare);
        *own = more;
    }
    Ok(source)
}

/// Tells a name with an exact version from one with bounds, which are a requirement of their own.
fn bound(from: &str) -> (&str, Option<&str>) {
    if from.contains("==") || from.contains('@') {
        return (from, None);
    }
    let end = from.find(['<', '>', '~', '!', '=']);
    end.and_then(|end| from.split_at_checked(end)).map_or((from, None), |(name, _)| (name, Some(from)))
}

/// Reads requirements with commas between them; bounds of one have commas too.
fn requirements(value: &str, text: &str) -> Result<Vec<String>, Fault> {
    let mut list: Vec<String> = Vec::new();
    for part in value.split(',').filter(|part| !part.is_empty()) {
        match list.last_mut().filter(|_| part.starts_with(['<', '>', '=', '~', '!'])) {
            Some(last) => {
                last.push(',');
                last.push_str(part);
            }
            None => list.push(part.to_owned()),
        }
    }
    let is_plain = |one: &String| one.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._[],<>=~!*+".contains(letter));
    let is_name = |one: &String| one.starts_with(|first: char| first.is_ascii_alphanumeric());
    if list.iter().all(|one| is_plain(one) && is_name(one)) {
        Ok(list)
    } else {
        Err(invalid(text, "a requirement is a name and its versions"))
    }
}

/// Reads `3.12`, `python3.12` or `cpython@3.12`.
fn series(value: &str, text: &str) -> Result<String, Fault> {
    let bare = ["cpython@", "cpython", "python@", "python"].iter().find_map(|head| value.strip_prefix(head)).unwrap_or(value);
    if is_series(bare) { Ok(bare.to_owned()) } else { Err(invalid(text, "Python is named by numbers, like 3.12")) }
}
