//! Limits that may only fall: what was too large or too many when the rule came.
//!
//! `xtask/ratchet.txt` has a line `NAME COUNT` for each. A figure is raised only by hand, where a reader of the
//! change sees it; `cargo xtask tidy --bless` writes the lower ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::sh;

#[derive(Debug)]
pub(super) struct Ratchet {
    file: PathBuf,
    allowed: BTreeMap<String, usize>,
    lower: BTreeMap<String, Option<usize>>,
}

impl Ratchet {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let file = root.join("xtask/ratchet.txt");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let mut allowed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, count) = line.rsplit_once(' ').with_context(|| format!("ratchet.txt: `{line}` is not `NAME COUNT`"))?;
            allowed.insert(name.to_owned(), count.parse()?);
        }
        // INVARIANT: what `limit` is never asked about no longer exists, so its line can go.
        let lower = allowed.keys().filter(|name| *name != "expect").map(|name| (name.clone(), None)).collect();
        Ok(Self { file, allowed, lower })
    }

    /// Returns how much of `name` is allowed: `usual`, or what the ratchet holds if that is more.
    pub(super) fn limit(&mut self, name: &str, usual: usize, actual: usize) -> usize {
        let Some(&held) = self.allowed.get(name) else { return usual };
        self.lower.remove(name);
        if actual < held {
            self.lower.insert(name.to_owned(), Some(actual).filter(|actual| *actual > usual || name == "expect"));
        }
        held.max(usual)
    }

    /// Says what can be lowered, or lowers it.
    pub(super) fn finish(mut self, blesses: bool) -> Result<()> {
        if self.lower.is_empty() {
            return Ok(());
        }
        if !blesses {
            sh::say(&format!("tidy: {} limits can be lowered: cargo xtask tidy --bless", self.lower.len()));
            return Ok(());
        }
        for (name, count) in std::mem::take(&mut self.lower) {
            match count {
                Some(count) => self.allowed.insert(name, count),
                None => self.allowed.remove(&name),
            };
        }
        let mut text =
            String::from("# Limits that may only fall. NAME COUNT; a figure is raised by hand, with the reason in the commit.\n");
        for (name, count) in &self.allowed {
            writeln!(text, "{name} {count}")?;
        }
        Ok(std::fs::write(&self.file, text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratchet(lines: &[(&str, usize)]) -> Ratchet {
        let allowed: BTreeMap<String, usize> = lines.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Ratchet { file: PathBuf::new(), allowed, lower: BTreeMap::new() }
    }

    #[test]
    fn a_file_without_a_line_has_the_usual_limit() {
        assert_eq!(ratchet(&[]).limit("a.rs", 400, 500), 400);
    }

    #[test]
    fn what_has_fallen_is_to_be_lowered_and_what_is_usual_again_to_go() {
        let mut ratchet = ratchet(&[("a.rs", 600), ("b.rs", 600), ("c.rs", 600)]);
        for (name, lines) in [("a.rs", 600), ("b.rs", 500), ("c.rs", 300)] {
            assert_eq!(ratchet.limit(name, 400, lines), 600);
        }
        let expected = BTreeMap::from([("b.rs".to_owned(), Some(500)), ("c.rs".to_owned(), None)]);
        assert_eq!(ratchet.lower, expected);
    }
}
