//! `cargo xtask tidy`: the rules of `STYLE.md` that no compiler and no lint knows.

mod errors;
mod files;
mod guides;
mod layers;
mod ratchet;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// What is wrong, one line each, with the place first.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.0.push(format!("{place}: {what}"));
    }
}

/// One source file, with its path from the root.
#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Returns whether the whole file is test code.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.contains("/benches/")
    }

    /// Returns the lines before the file's own test module, counted from one.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).take_while(|(_, line)| line.trim_end() != "#[cfg(test)]")
    }
}

/// Checks the tree. With `--bless`, writes lower limits where the tree has improved.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let root = sh::root();
    let sources = sources(&root)?;
    let mut findings = Findings::default();
    let mut ratchet = ratchet::Ratchet::load(&root)?;
    layers::check(&mut findings)?;
    layers::check_purity(&sources, &mut findings);
    files::check(&sources, &mut ratchet, &mut findings);
    words::check(&sources, &mut findings);
    errors::check(&root, &mut findings)?;
    guides::check(&root, &mut findings)?;
    ratchet.finish(args.iter().any(|arg| arg == "--bless"))?;
    for finding in &findings.0 {
        sh::say(&format!("tidy: {finding}"));
    }
    match findings.0.len() {
        0 => Ok(()),
        1 => bail!("1 finding"),
        n => bail!("{n} findings"),
    }
}

/// Reads every Rust file below the folders of our own code.
fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for folder in ["crates", "xtask", "bench", "examples", "fuzz"] {
        walk(&root.join(folder), "rs", &mut paths)?;
    }
    paths.sort();
    paths.iter().map(|path| read(root, path)).collect()
}

fn read(root: &Path, path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    Ok(Source { path, text })
}

/// Adds the files below `folder` with this extension; a missing folder has none.
fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            walk(&path, extension, found)?;
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    Ok(())
}
