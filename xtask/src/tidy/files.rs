//! Size, place and head of source files.

use super::ratchet::Ratchet;
use super::{Findings, Source};

/// Lines of one file before its tests.
const LINES_MAX: usize = 400;

pub(super) fn check(sources: &[Source], ratchet: &mut Ratchet, findings: &mut Findings) {
    let mut exceptions = 0;
    for source in sources {
        if source.path.ends_with("/mod.rs") {
            findings.add(&source.path, "is `foo/mod.rs`; name it `foo.rs`");
        }
        let lines = source.production().count();
        if !source.is_test() && lines > ratchet.limit(&source.path, LINES_MAX, lines) {
            findings.add(&source.path, format_args!("has {lines} lines before its tests; {LINES_MAX} is the most"));
        }
        if !source.path.starts_with("bench/") {
            exceptions += source.production().filter(|(_, line)| is_exception(line)).count();
        }
        check_head(source, findings);
    }
    let allowed = ratchet.limit("expect", 0, exceptions);
    if exceptions > allowed {
        findings
            .add("#[expect(..)]", format_args!("{exceptions} exceptions to the lints; {allowed} were there before (xtask/ratchet.txt)"));
    }
}

fn is_exception(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[expect(") || line.starts_with("#![expect(")
}

/// Every file says what it is for; every crate says what holds in it.
fn check_head(source: &Source, findings: &mut Findings) {
    let head: Vec<&str> = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
    let is_root =
        source.path.ends_with("/src/lib.rs") && source.path.starts_with("crates/") || source.path == "crates/crib-cli/src/main.rs";
    if head.is_empty() && !source.is_test() && !source.path.starts_with("fuzz/") {
        findings.add(&source.path, "does not say in a first line of `//!` what it is for");
    } else if is_root && !head.iter().any(|line| line.contains("Invariants")) {
        findings.add(&source.path, "the crate's `//!` has no part `Invariants`");
    }
}
