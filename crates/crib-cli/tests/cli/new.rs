//! `toolcrib new`: what it says, what it makes, and that what it makes runs.
//!
//! The projects are installed from what `cargo xtask setup` has fetched; a test that misses something says so and passes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{folder, toolcrib};

/// Runs `toolcrib new` in a folder that is empty, and returns what it said.
fn new(test: &str, args: &[&str]) -> String {
    let place = folder(test);
    drop(fs::remove_dir_all(&place));
    folder(test);
    super::out(test, args, "")
}

#[test]
fn new_in_rust() {
    insta::assert_snapshot!(new("new_in_rust", &["new", "weather", "--lang", "rust"]));
}

#[test]
fn new_in_typescript() {
    insta::assert_snapshot!(new("new_in_typescript", &["init", "@me/weather", "--lang", "ts", "--dir", "my servers/weather"]));
}

#[test]
fn new_in_python_for_programs() {
    let said = new("new_in_python", &["new", "my-weather", "--lang", "python", "--json"]);
    // How it is installed depends on what is on this machine.
    for part in
        ["\"schema\":\"toolcrib/v1/project\"", "\"src/my_weather/server.py\"", "{\"what\":\"install\",\"command\":\"cd ./my-weather && "]
    {
        assert!(said.starts_with("exit 0") && said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_folder_with_something_in_it_stays_as_it_is() {
    let test = "new_taken";
    assert!(new(test, &["new", "weather", "--lang", "rust"]).starts_with("exit 0"));
    let place = folder(test).join("weather");
    for file in [place.clone(), place.join("Cargo.toml")] {
        let file = file.display().to_string();
        let said = super::out(test, &["new", "weather", "--lang", "python", "--dir", &file], "");
        assert!(said.starts_with("exit 2") && said.contains("error[TC0481]"), "{said}");
    }
    assert!(!place.join("pyproject.toml").exists());
    fs::create_dir_all(folder(test).join("empty")).expect("a folder");
    assert!(super::out(test, &["new", "weather", "--lang", "python", "--dir", "empty"], "").starts_with("exit 0"));
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    super::with_file("new_unwritable", "file", "");
    let said = super::out("new_unwritable", &["new", "weather", "--lang", "rust", "--dir", "file/weather"], "");
    assert!(said.starts_with("exit 2") && said.contains("file/weather"), "{said}");
}

// --- what is made runs

/// Says that a test is skipped, and why.
fn skip(test: &str, why: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {test}: {why}"));
}

fn cache() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout").to_owned();
    std::env::var_os("TOOLCRIB_CACHE").map_or_else(|| checkout.join(".cache"), PathBuf::from)
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let said = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {said}");
    said
}

/// Makes a project and returns its folder.
fn made(test: &str, lang: &str) -> PathBuf {
    let said = new(test, &["new", "weather", "--lang", lang]);
    assert!(said.starts_with("exit 0"), "{said}");
    folder(test).join("weather")
}

/// Calls the server of a project through a gateway of its own: run as a folder, and so in a sandbox.
fn call(test: &str, project: &Path, path: &str) {
    let started = |args: &[&str]| {
        let mut command = toolcrib(test);
        command.env("PATH", path).env("TOOLCRIB_LISTEN", "127.0.0.1:0").current_dir(project).args(args);
        command.output().expect("the program starts")
    };
    let done = started(&["run", ".", "count_words", "text=a rose is a rose", "top=1", "--no-input"]);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let ended = started(&["stop", "--gateway"]);
    assert!(done.status.success() && said.contains("rose") && said.contains("most_frequent"), "{said}");
    assert!(ended.status.success(), "{ended:?}");
}

/// Copies a tree by linking its files: a sandbox does not follow a link out of the project.
fn link_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, to) = (entry.file_type().expect("a kind"), to.join(entry.file_name()));
        if kind.is_dir() {
            link_tree(&entry.path(), &to);
        } else if kind.is_file() && fs::hard_link(entry.path(), &to).is_err() {
            fs::copy(entry.path(), &to).expect("a copy");
        }
    }
}

#[test]
fn a_new_project_in_typescript_passes_its_tests_and_runs() {
    let test = "new_typescript_runs";
    let modules = cache().join("new/node_modules");
    let node = std::env::var_os("TOOLCRIB_NODE").map(PathBuf::from).filter(|node| node.is_file());
    let (Some(node), true) = (node, modules.join("typescript").is_dir()) else {
        return skip(test, "no packages of new TypeScript projects, or no TOOLCRIB_NODE (cargo xtask setup)");
    };
    let project = made(test, "typescript");
    link_tree(&modules, &project.join("node_modules"));
    let node_folder = node.parent().expect("a folder").display().to_string();
    let run = |args: &[&str]| {
        let mut command = Command::new(&node);
        command.args(args).current_dir(&project);
        succeeds(command)
    };
    run(&["node_modules/typescript/bin/tsc"]);
    let said = run(&["--test", "dist/server.test.js"]);
    assert!(said.contains("pass 4"), "{said}");
    call(test, &project, &format!("{node_folder}:/usr/bin:/bin"));
}

#[test]
fn a_new_project_in_python_passes_its_tests_and_runs() {
    let test = "new_python_runs";
    let python = std::env::var_os("TOOLCRIB_PYTHON").map(PathBuf::from).filter(|python| python.is_file());
    let Some(python) = python else { return skip(test, "no TOOLCRIB_PYTHON (cargo xtask setup)") };
    let project = made(test, "python");
    let environment = python.ancestors().nth(2).expect("an environment");
    std::os::unix::fs::symlink(environment, project.join(".venv")).expect("a link");
    let mut command = Command::new(project.join(".venv/bin/python"));
    command.args(["-m", "unittest", "discover", "tests"]).current_dir(&project);
    let said = succeeds(command);
    assert!(said.contains("Ran 4 tests") && said.contains("OK"), "{said}");
    call(test, &project, "/usr/bin:/bin");
}

#[test]
fn a_new_project_in_rust_passes_its_tests_and_runs() {
    let test = "new_rust_runs";
    let project = made(test, "rust");
    // The versions this repository is built with are on this machine already.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    fs::copy(lock, project.join("Cargo.lock")).expect("a lockfile");
    // Built once, and kept from run to run.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-rust");
    let cargo = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(args).current_dir(&project).env("CARGO_TARGET_DIR", &target).env("CARGO_PROFILE_DEV_DEBUG", "0");
        // The wrapper of the build this test is part of is not for this one.
        command.env_remove("RUSTC_WRAPPER").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command
    };
    if !cargo(&["metadata", "--offline", "--format-version", "1"]).output().is_ok_and(|done| done.status.success())
        && !cargo(&["fetch"]).output().is_ok_and(|done| done.status.success())
    {
        return skip(test, "the crates of a new Rust project are not on this machine, and cannot be fetched");
    }
    let said = succeeds(cargo(&["test", "--offline", "--quiet"]));
    assert!(said.contains("4 passed"), "{said}");
    std::os::unix::fs::symlink(&target, project.join("target")).expect("a link");
    call(test, &project, "/usr/bin:/bin");
}
