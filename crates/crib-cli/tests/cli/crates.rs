//! Crates are built where they can do no harm.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crib_test::Site;
use crib_test::crates::{Crate, Index};

use crate::run::{Home, lacks, said};

/// A build that tries what it must not do, and has its program say what came of it.
const BUILD: &str = r#"
fn main() {
    let read = std::fs::read_to_string("CANARY").map_or("kept", |_| "READ");
    let home = std::fs::write("HOME/written", "x").map_or("kept", |()| "WRITTEN");
    let reached = std::net::TcpStream::connect("ADDRESS").map_or("kept", |_| "REACHED");
    let told = std::env::var("CANARY_SECRET").map_or("kept", |_| "TOLD");
    let list = std::process::Command::new("ls").arg("HOME").output().map_or(false, |out| !out.stdout.is_empty());
    let text = format!("file {read}, home {home}, network {reached}, variable {told}, list {list}");
    std::fs::write(std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("said"), text).unwrap();
}
"#;
const HELPER: &str = "pub fn word() -> &'static str { let _ = std::fs::remove_file(\"/nonexistent/file\"); \"tried\" }";
const MAIN: &str = r#"fn main() { println!("{}: {}", good_helper::word(), include_str!(concat!(env!("OUT_DIR"), "/said"))); }"#;

fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    // Where `cargo` is a shim, it has to find what it stands for.
    let rustup = std::env::var_os("RUSTUP_HOME").or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".rustup").into()));
    command
        .envs(rustup.map(|path| ("RUSTUP_HOME", path)))
        .env_remove("CARGO_HOME")
        .env_remove("CARGO_TARGET_DIR")
        .env("CANARY_SECRET", "x");
    command
}

fn program(home: &Home) -> PathBuf {
    let store = home.0.join(".local/share/toolcrib/store");
    let folders = fs::read_dir(store).expect("a store").flatten().map(|entry| entry.path().join("tree/bin/probe-server"));
    folders.into_iter().find(|path| path.is_file()).expect("the program was installed")
}

#[test]
fn a_build_has_no_network_and_no_file_of_the_user_and_its_program_runs() {
    if ["cargo", "rustc", "cc", "tar"].iter().any(|tool| lacks(tool)) {
        return;
    }
    let home = Home::new("crates");
    let index = Index::new(Site::new());
    home.write(".cargo/config.toml", &index.settings());
    let canary = home.write("canary", "the secret").display().to_string();
    let address = index.site.base.trim_start_matches("http://");
    let build = BUILD.replace("CANARY_SECRET", "\0").replace("CANARY", &canary).replace('\0', "CANARY_SECRET");
    let build = build.replace("ADDRESS", address).replace("HOME", &home.0.display().to_string());
    let (_, sum) = index.publish(&Crate { name: "good-helper", files: &[("src/lib.rs", HELPER)], needs: None }, None);
    let files = [("build.rs", build.as_str()), ("src/main.rs", MAIN)];
    index.publish(&Crate { name: "probe-server", files: &files, needs: Some(("good-helper", &sum)) }, None);
    let pulled = said(&mut command(&home, &["pull", "cargo:probe-server"]));
    if pulled.stderr.contains("TC0509") {
        drop(writeln!(std::io::stderr(), "skipped: nothing can be confined here"));
        return;
    }
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    assert!(pulled.stderr.contains("is built on this machine, in a sandbox without a network (built)"), "{}", pulled.stderr);
    let ran = said(&mut Command::new(program(&home)));
    assert_eq!(ran.stdout.trim(), "tried: file kept, home kept, network kept, variable kept, list false");
    let lock = fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).expect("a lockfile");
    assert!(lock.contains(&format!("\"good-helper@1.0.0\" = [\"sha256:{sum}\"]")), "{lock}");
    assert!(!home.0.join("written").exists());
    // What it was built of was read: the program, and not what ran in the sandbox of the build.
    let reach = fs::read_to_string(program(&home).ancestors().nth(3).expect("a folder").join("tree.reach")).expect("what it mentions");
    assert!(reach.contains("\"files\":\"src/lib.rs\"") && reach.contains("good-helper") && !reach.contains("network"), "{reach}");

    // A crate it needs that is not what the index promised is never built.
    index.publish(&Crate { name: "good-helper", files: &[("src/lib.rs", "pub fn word() {}")], needs: None }, Some(b"another"));
    let other = Home::new("crates_tampered");
    other.write(".cargo/config.toml", &index.settings());
    let refused = said(&mut command(&other, &["pull", "cargo:probe-server"]));
    assert!(refused.status == 6 && refused.stderr.contains("TC0505"), "{}", refused.stderr);
}
