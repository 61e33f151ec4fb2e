//! What an author wants of the program that runs a package (`npx`, `uvx`), which is not started here.

use crate::document::{Argument, Package};

/// What would do nothing here: nobody is asked, and nothing is left behind.
const IDLE: &[&str] = &["-y", "--yes", "-q", "--quiet", "run", "--no-cache", "--isolated"];
const REQUIREMENT_BYTES_MAX: usize = 200;

/// One option, with its value where it has one.
struct Wish {
    name: String,
    value: Option<String>,
}

/// What an author wants that can be done here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Further packages and requirements: `--with` of `uvx`, `-p` of `npx`.
    pub with: Vec<String>,
    /// The series of Python: `3.12`.
    pub python: Option<String>,
}

/// Returns what is to be done beside installing a package.
#[must_use]
pub fn beside(package: &Package) -> Beside {
    let mut this = Beside::default();
    for wish in wishes(package) {
        this.with.extend(wish.requirements(package));
        this.python = wish.python(package).or(this.python);
    }
    this
}

/// Names the rest, which is not done.
pub(super) fn ignored(package: &Package) -> Vec<String> {
    let is_done = |wish: &Wish| {
        let is_itself =
            ["--from", "-p", "--package"].contains(&wish.name.as_str()) && wish.value.as_deref() == Some(package.identifier.as_str());
        let is_idle = IDLE.contains(&wish.name.as_str());
        is_itself || is_idle || !wish.requirements(package).is_empty() || wish.python(package).is_some()
    };
    let text = |wish: Wish| [Some(wish.name), wish.value].into_iter().flatten().collect::<Vec<_>>().join(" ");
    wishes(package).into_iter().filter(|wish| !is_done(wish)).map(|wish| crate::shown(text(wish).trim(), 100)).collect()
}

/// Reads options, however they are written: as named arguments, as `--name=value`, or as two texts in a row.
fn wishes(package: &Package) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    for argument in &package.runtime_arguments {
        let Argument { name, input, .. } = argument;
        let value = input.value.as_deref().map(str::trim).filter(|value| !value.is_empty());
        let (name, value) = match (name.as_str(), value) {
            ("", None) => continue,
            ("", Some(text)) => match text.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            },
            (name, value) => (name, value),
        };
        let is_value = !name.starts_with('-');
        let takes = ["--with", "-p", "--package", "--python", "--from"];
        match wishes.last_mut().filter(|last| is_value && takes.contains(&last.name.as_str()) && last.value.is_none()) {
            Some(last) => last.value = Some(name.to_owned()),
            None => wishes.push(Wish { name: name.to_owned(), value: value.map(str::to_owned) }),
        }
    }
    wishes
}

impl Wish {
    fn requirements(&self, package: &Package) -> Vec<String> {
        let (is_meant, is_plain): (bool, fn(&str) -> bool) = match package.registry_type.as_str() {
            "pypi" => (self.name == "--with", is_requirement),
            "npm" => (["-p", "--package"].contains(&self.name.as_str()), is_npm),
            _ => return Vec::new(),
        };
        let values = self.value.iter().filter(|_| is_meant).flat_map(|value| value.split(',')).map(str::trim);
        let all: Vec<String> = values.filter(|value| *value != package.identifier).map(str::to_owned).collect();
        // What is no plain requirement would be an address, a file or an option to the installer.
        if all.iter().all(|one| is_plain(one)) { all } else { Vec::new() }
    }

    fn python(&self, package: &Package) -> Option<String> {
        let is_meant = package.registry_type == "pypi" && ["--python", "-p"].contains(&self.name.as_str());
        let value = self.value.as_deref().filter(|_| is_meant)?;
        let bare = value.trim_start_matches("cpython").trim_start_matches("python").trim_start_matches('@');
        let is_number = |part: &str| (1..4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        ((2..=3).contains(&bare.split('.').count()) && bare.split('.').all(is_number)).then(|| bare.to_owned())
    }
}

/// A name of npm, and perhaps a version.
fn is_npm(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._@/^~".contains(letter);
    text.len() <= REQUIREMENT_BYTES_MAX
        && text.starts_with(|first: char| first == '@' || first.is_ascii_alphanumeric())
        && text.chars().all(is_plain)
}

fn is_requirement(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._[]<>=!~".contains(letter);
    text.len() <= REQUIREMENT_BYTES_MAX && text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && text.chars().all(is_plain)
}
