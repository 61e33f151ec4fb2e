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

/// Returns the requirements that are to be installed with a Python package: `--with` of `uvx`.
#[must_use]
pub fn requirements(package: &Package) -> Vec<String> {
    let is_python = package.registry_type == "pypi";
    wishes(package).into_iter().filter(|_| is_python).flat_map(|wish| wish.requirements()).collect()
}

/// Names the rest, which is not done.
pub(super) fn ignored(package: &Package) -> Vec<String> {
    let is_done = |wish: &Wish| {
        let is_itself = wish.name == "--from" && wish.value.as_deref() == Some(package.identifier.as_str());
        let is_python = package.registry_type == "pypi";
        is_itself || IDLE.contains(&wish.name.as_str()) || (is_python && !wish.requirements().is_empty())
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
        match wishes.last_mut().filter(|last| is_value && last.name == "--with" && last.value.is_none()) {
            Some(last) => last.value = Some(name.to_owned()),
            None => wishes.push(Wish { name: name.to_owned(), value: value.map(str::to_owned) }),
        }
    }
    wishes
}

impl Wish {
    fn requirements(&self) -> Vec<String> {
        let values = self.value.iter().filter(|_| self.name == "--with").flat_map(|value| value.split(',')).map(str::trim);
        let all: Vec<String> = values.map(str::to_owned).collect();
        // What is no plain requirement would be an address, a file or an option to the installer.
        if all.iter().all(|one| is_requirement(one)) { all } else { Vec::new() }
    }
}

fn is_requirement(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._[]<>=!~".contains(letter);
    text.len() <= REQUIREMENT_BYTES_MAX && text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && text.chars().all(is_plain)
}
