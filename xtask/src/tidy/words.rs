//! Words and names that do not belong into the code.

use super::{Findings, Source};

/// What may stand in no line, and what to do instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("FIXME", "fix it, or write `TODO(#issue): ...`"),
    ("XXX:", "say what is meant, or write `TODO(#issue): ...`"),
    ("#[ignore]", "a test runs, or says that it is skipped and why"),
    ("downstream", "one word per idea: `upstream` is a server we call, `client` is who calls us"),
    ("blacklist", "say `deny`"),
    ("whitelist", "say `allow`"),
];

/// Ends of type names that name no idea.
const VAGUE: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Service", "Handler", "Impl"];

pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources.iter().filter(|source| !source.path.starts_with("xtask/src/tidy")) {
        let mut is_foreign = false;
        for (number, line) in (1..).zip(source.text.lines()) {
            is_foreign = implements_foreign(line, is_foreign);
            let place = format!("{}:{number}", source.path);
            for (word, instead) in FORBIDDEN {
                if line.contains(word) {
                    findings.add(&place, format_args!("`{word}`: {instead}"));
                }
            }
            if line.contains("TODO") && !line.contains("TODO(") {
                findings.add(&place, "a `TODO` without an owner: write `TODO(#issue): ...`");
            }
            if let Some(name) = declared(line).filter(|name| names_nothing(source, name)) {
                findings.add(&place, format_args!("`{name}`: name what it is, not that it does something"));
            }
            if is_getter(line) && !is_foreign {
                findings.add(&place, "`get_`: a function is a verb of its own, and what reads a field has the field's name");
            }
        }
    }
}

/// Returns whether a name says nothing; tests and fixtures may take the words of the library they stand in for.
fn names_nothing(source: &Source, name: &str) -> bool {
    let is_product = !source.is_test() && !source.path.starts_with("crates/crib-spec/");
    is_product && VAGUE.iter().any(|end| name.ends_with(end))
}

/// Follows whether the lines are inside `impl Trait for Type`, whose names are the trait's.
fn implements_foreign(line: &str, is_foreign: bool) -> bool {
    match line {
        "}" => false,
        line if line.starts_with("impl") => line.contains(" for "),
        _ => is_foreign,
    }
}

/// Returns the name of the type this line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line =
        line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|keyword| line.strip_prefix(keyword))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn is_getter(line: &str) -> bool {
    line.contains("fn get_") && !line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let source = Source { path: "crates/x/src/a.rs".to_owned(), text: text.to_owned() };
        let mut findings = Findings::default();
        check(&[source], &mut findings);
        findings.0
    }

    #[test]
    fn a_vague_type_is_found_whatever_its_visibility() {
        for line in ["struct ToolManager;", "pub(crate) enum CallHandler {", "    pub trait FooHelper<T> {"] {
            assert_eq!(findings(line).len(), 1, "{line}");
        }
    }

    #[test]
    fn names_that_only_contain_a_vague_word_pass() {
        assert_eq!(findings("struct ServiceLevel;\nstruct ManagerOf<T>(T);\n// the Handler of old"), Vec::<String>::new());
    }

    #[test]
    fn the_names_of_a_trait_are_not_ours_to_choose() {
        assert_eq!(findings("impl Read for File {\n    fn get_text(&self) {}\n}\n").len(), 0);
        assert_eq!(findings("impl Read for File {\n}\nimpl File {\n    fn get_text(&self) {}\n}\n").len(), 1);
    }

    #[test]
    fn a_todo_needs_an_owner() {
        assert_eq!(findings("// TODO(#12): later"), Vec::<String>::new());
        assert_eq!(findings("// TODO: later"), ["crates/x/src/a.rs:1: a `TODO` without an owner: write `TODO(#issue): ...`"]);
    }
}
