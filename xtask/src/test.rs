//! `cargo xtask test`: everything CI checks, in CI's order, ending with the test runner's own summary.
//!
//! A step that fails does not stop the ones after it: one run names everything that is wrong.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{setup, sh, systems, tidy};

const HELP: &str = "usage: cargo xtask test [--quick] [--no-setup] [--strict] [FILTER or options of the test runner ...]

  --quick      formatting, tidy and the tests; no installation, lints, doc tests or fuzzing
  --no-setup   installs nothing; uses what is installed
  --strict     warnings are errors, too
  FILTER ...   only these tests, without the other checks; passed to cargo nextest run";

/// How long all fuzz targets together may run.
const FUZZ_SECONDS: usize = 60;

/// How much is checked.
#[derive(Debug, PartialEq)]
enum Extent {
    Full,
    Quick,
    /// Only the tests these words of the test runner choose.
    Chosen(Vec<String>),
}

#[derive(Debug)]
struct Options {
    extent: Extent,
    installs: bool,
    strict: bool,
}

impl Options {
    fn parse(args: &[String]) -> Self {
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let chosen: Vec<String> =
            args.iter().filter(|arg| !["--quick", "--no-setup", "--strict"].contains(&arg.as_str())).cloned().collect();
        let extent = match (chosen.is_empty(), has("--quick")) {
            (false, _) => Extent::Chosen(chosen),
            (true, true) => Extent::Quick,
            (true, false) => Extent::Full,
        };
        Self { extent, installs: !has("--quick") && !has("--no-setup"), strict: has("--strict") }
    }

    /// Returns whether the tests start the gateway: those of `crib-spec` and `crib-cli` do.
    fn needs_programs(&self) -> bool {
        let scope = self.scope();
        scope.iter().any(|word| *word == "--workspace" || word.contains("crib-spec") || word.contains("crib-cli"))
    }

    /// Returns what the test runner is told about which tests to run.
    fn scope(&self) -> Vec<&str> {
        let mut words: Vec<&str> = match &self.extent {
            Extent::Chosen(words) => words.iter().map(String::as_str).collect(),
            Extent::Full | Extent::Quick => Vec::new(),
        };
        if !words.iter().any(|word| word.starts_with("-p") || word.starts_with("--package")) {
            words.insert(0, "--workspace");
        }
        words
    }
}

/// Runs the steps. The environment of the tests is described in `CONTRIBUTING.md`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        sh::say(HELP);
        return Ok(());
    }
    let options = Options::parse(args);
    let mut steps = Steps::default();
    let mut ready = steps.take("setup", || Ok(if options.installs { setup::prepare() } else { setup::installed() })).unwrap_or_default();
    if !matches!(options.extent, Extent::Chosen(_)) {
        checks(&options, &mut steps, &mut ready.skipped);
    }
    ready.env.push(("TOOLCRIB_BIN", target().join("debug/toolcrib")));
    ready.env.push(("TOOLCRIB_CACHE", sh::cache()));
    let built = steps.take("build", || build(&options)).is_some();
    if options.extent == Extent::Full && built {
        steps.take("doc tests", || sh::run(&mut sh::cargo(&["test", "--locked", "--workspace", "--doc", "--quiet"])));
        steps.take("fuzz", || fuzz(&mut ready.skipped));
    }
    setup::report(&ready);
    if !steps.failed.is_empty() {
        sh::say(&format!("failed before the tests: {}", steps.failed.join(", ")));
    }
    if built {
        steps.take("tests", || tests(&options, &ready));
    }
    match steps.failed.as_slice() {
        [] => Ok(()),
        ["tests"] => Err(sh::Said.into()),
        failed => bail!("failed: {}", failed.join(", ")),
    }
}

fn checks(options: &Options, steps: &mut Steps, skipped: &mut Vec<String>) {
    steps.take("formatting", || sh::run(&mut sh::cargo(&["fmt", "--all", "--check"])));
    steps.take("tidy", || tidy::run(&[]));
    if options.extent == Extent::Quick {
        return;
    }
    steps.take("clippy", || {
        let mut clippy = sh::cargo(&["clippy", "--locked", "--quiet", "--workspace", "--all-targets"]);
        if options.strict {
            clippy.args(["--", "-D", "warnings"]);
        }
        sh::run(&mut clippy)
    });
    steps.take("other systems", || systems::check(skipped));
    steps.take("bench workspace", bench);
    steps.take("dependencies", || deny(skipped));
}

/// The measuring tools: a workspace of their own, so the other steps do not see it.
fn bench() -> Result<()> {
    const MANIFEST: &[&str] = &["--manifest-path", "bench/Cargo.toml"];
    sh::run(sh::cargo(&["fmt", "--all", "--check"]).args(MANIFEST))?;
    sh::run(sh::cargo(&["clippy", "--locked", "--quiet", "--all-targets"]).args(MANIFEST))?;
    sh::run(sh::cargo(&["test", "--locked", "--quiet"]).args(MANIFEST))
}

/// Licences, bans and sources; advisories need the network and are a CI job of their own.
fn deny(skipped: &mut Vec<String>) -> Result<()> {
    if !sh::succeeds(&mut sh::cargo(&["deny", "--version"])) {
        skipped.push("cargo deny: not installed (cargo install --locked cargo-deny)".to_owned());
        return Ok(());
    }
    sh::run(&mut sh::cargo(&["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"]))
}

fn build(options: &Options) -> Result<()> {
    if options.needs_programs() {
        sh::run(&mut sh::cargo(&["build", "--locked", "--workspace", "--bins", "--examples"]))?;
    }
    if has_nextest() {
        let args = ["nextest", "run", "--locked", "--no-run", "--cargo-quiet"];
        return sh::run(sh::cargo(&args).args(options.scope()));
    }
    sh::run(sh::cargo(&["test", "--locked", "--quiet", "--no-run"]).args(options.scope()))
}

fn tests(options: &Options, ready: &setup::Ready) -> Result<()> {
    let mut tests = if has_nextest() {
        sh::cargo(&["nextest", "run", "--locked", "--no-fail-fast", "--cargo-quiet"])
    } else {
        sh::say("cargo nextest is not installed; using cargo test");
        sh::cargo(&["test", "--locked", "--no-fail-fast"])
    };
    tests.args(options.scope()).envs(ready.env.iter().map(|(name, path)| (*name, path)));
    if sh::env("RUST_LIB_BACKTRACE").is_none() {
        // A test that returns an error names its place; a hundred frames of the runtime hide it.
        tests.env("RUST_LIB_BACKTRACE", "0");
    }
    if !has_nextest() && !matches!(options.extent, Extent::Chosen(_)) {
        tests.args(["--lib", "--bins", "--tests", "--", "--test-threads=2"]);
    }
    sh::run(&mut tests)
}

fn has_nextest() -> bool {
    sh::succeeds(&mut sh::cargo(&["nextest", "--version"]))
}

/// Runs every fuzz target for its share of a minute, where a nightly toolchain and cargo-fuzz are installed.
fn fuzz(skipped: &mut Vec<String>) -> Result<()> {
    if !sh::root().join("fuzz/Cargo.toml").is_file() {
        return Ok(());
    }
    if !sh::succeeds(&mut setup::cargo_fuzz(&["--version"])) {
        skipped.push("fuzzing: needs a nightly toolchain and cargo-fuzz (the kept corpus runs as plain tests)".to_owned());
        return Ok(());
    }
    let listed = sh::output(&mut setup::cargo_fuzz(&["list"]))?;
    let targets: Vec<&str> = listed.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    let share = format!("-max_total_time={}", (FUZZ_SECONDS / targets.len().max(1)).max(5));
    for target in targets {
        // What is found goes to the first folder: the kept corpus changes by hand only.
        let found = sh::cache().join("fuzz").join(target);
        std::fs::create_dir_all(&found)?;
        let kept = sh::root().join("fuzz/corpus").join(target);
        let mut run = setup::cargo_fuzz(&["run", target]);
        sh::run(run.arg(found).arg(kept).args(["--", &share, "-verbosity=0"]))?;
    }
    Ok(())
}

/// Returns the folder cargo builds into.
pub(crate) fn target() -> PathBuf {
    sh::env("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), |folder| sh::root().join(folder))
}

/// The steps so far: each is announced, timed, and remembered if it failed.
#[derive(Debug, Default)]
struct Steps {
    failed: Vec<&'static str>,
}

impl Steps {
    fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        sh::step(name);
        let start = Instant::now();
        match step() {
            Ok(value) => {
                // The test runner's summary is the last thing a person reads.
                if name != "tests" {
                    sh::say(&format!("{name}: {:.1} s", start.elapsed().as_secs_f64()));
                }
                Some(value)
            }
            Err(error) => {
                if name != "tests" {
                    sh::say(&format!("{name} FAILED: {error:#}"));
                }
                self.failed.push(name);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Options {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args)
    }

    #[test]
    fn a_filter_means_only_these_tests() {
        let options = parse("-p crib-mcp scan --strict");
        assert_eq!(options.extent, Extent::Chosen(vec!["-p".to_owned(), "crib-mcp".to_owned(), "scan".to_owned()]));
        assert_eq!(options.scope(), ["-p", "crib-mcp", "scan"]);
        assert_eq!(parse("scan").scope(), ["--workspace", "scan"]);
    }

    #[test]
    fn quick_installs_nothing() {
        assert_eq!((parse("--quick").extent, parse("--quick").installs), (Extent::Quick, false));
        assert_eq!((parse("").extent, parse("").installs), (Extent::Full, true));
    }
}
