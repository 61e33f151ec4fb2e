//! Every code has a document that helps, and every document a code.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::Findings;

const CODES: &str = "crates/crib-model/src/code.rs";

pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let text = std::fs::read_to_string(root.join(CODES)).with_context(|| format!("cannot read `{CODES}`"))?;
    let codes: Vec<&str> = text.lines().filter_map(declared).collect();
    for folder in ["docs/errors", "docs/errors/zh-CN"] {
        check_folder(root, folder, &codes, findings)?;
    }
    Ok(())
}

fn check_folder(root: &Path, folder: &str, codes: &[&str], findings: &mut Findings) -> Result<()> {
    for code in codes {
        let path = format!("{folder}/{code}.md");
        match std::fs::read_to_string(root.join(&path)) {
            Ok(document) => check_document(&path, code, &document, findings),
            Err(_) => findings.add(CODES, format_args!("`{code}` has no document `{path}`")),
        }
    }
    for entry in std::fs::read_dir(root.join(folder)).with_context(|| format!("no folder `{folder}`"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let code = name.trim_end_matches(".md");
        if code.starts_with("TC") && !codes.contains(&code) {
            findings.add(format_args!("{folder}/{name}"), "no code has this document");
        }
    }
    Ok(())
}

/// Returns the code of a line `Name = TC0101, Client, ...;` of the table.
fn declared(line: &str) -> Option<&str> {
    let (_, right) = line.split_once(" = ")?;
    let code = right.split(',').next()?;
    let digits = code.strip_prefix("TC")?;
    (digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(code)
}

fn check_document(path: &str, code: &str, document: &str, findings: &mut Findings) {
    let mut lines = document.lines().filter(|line| !line.trim().is_empty());
    if !lines.next().is_some_and(|title| title.starts_with(&format!("# {code}"))) {
        findings.add(path, format_args!("does not begin with `# {code}: ...`"));
    }
    if lines.count() < 2 {
        findings.add(path, "has only a title; say what happened, why, and what to do");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_the_table_and_from_nothing_else() {
        assert_eq!(declared("    StartFailed = TC0203, Upstream, Later, \"stopped\";"), Some("TC0203"));
        for line in ["/// `TC0203` is a code", "let a = TC02031, b;", "    ($name:ident = $text:ident, $side:ident)"] {
            assert_eq!(declared(line), None, "{line}");
        }
    }

    #[test]
    fn a_document_of_a_title_alone_is_found() {
        let mut findings = Findings::default();
        check_document("docs/errors/TC0203.md", "TC0203", "# TC0203: stopped\n\nIt stopped.\n\nStart it.\n", &mut findings);
        assert_eq!(findings.0, Vec::<String>::new());
        check_document("docs/errors/TC0203.md", "TC0203", "# TC0203: stopped\n", &mut findings);
        assert_eq!(findings.0.len(), 1);
    }
}
