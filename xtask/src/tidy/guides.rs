//! The guide in English and in 简体中文: the same pages with the same sections.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{Findings, walk};

const ENGLISH: &str = "docs/guide";
const CHINESE: &str = "docs/guide/zh-CN";

pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let mut english = pages(&root.join(ENGLISH))?;
    english.retain(|page, _| !page.starts_with("zh-CN/"));
    let chinese = pages(&root.join(CHINESE))?;
    for (page, sections) in &english {
        match chinese.get(page) {
            None => findings.add(format_args!("{ENGLISH}/{page}"), format_args!("has no page `{CHINESE}/{page}`")),
            Some(other) if other != sections => {
                findings.add(format_args!("{CHINESE}/{page}"), format_args!("has {other} headings where the English page has {sections}"));
            }
            Some(_) => {}
        }
    }
    for page in chinese.keys().filter(|page| !english.contains_key(*page)) {
        findings.add(format_args!("{CHINESE}/{page}"), format_args!("has no page `{ENGLISH}/{page}`"));
    }
    let readme = |name: &str| std::fs::read_to_string(root.join(name)).map(|text| headings(&text)).unwrap_or_default();
    if readme("README.md") != readme("README.zh-CN.md") {
        findings.add("README.zh-CN.md", "does not have as many headings as README.md");
    }
    Ok(())
}

/// Returns the pages below a folder, with the number of headings of each.
fn pages(folder: &Path) -> Result<BTreeMap<String, usize>> {
    let mut paths = Vec::new();
    walk(folder, "md", &mut paths)?;
    let mut found = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        found.insert(name, headings(&std::fs::read_to_string(&path)?));
    }
    Ok(found)
}

/// Counts the headings outside of code blocks.
fn headings(text: &str) -> usize {
    let mut is_code = false;
    let mut count = 0;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && line.starts_with('#') {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::headings;

    #[test]
    fn comments_in_code_blocks_are_no_headings() {
        assert_eq!(headings("# One\n```yaml\n# not one\n```\n## Two\ntext # three\n"), 2);
    }
}
