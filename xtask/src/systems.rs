//! Whether the program compiles for other systems: checked for every target whose standard library is installed.
//!
//! Nothing is linked, so that no foreign C compiler, assembler or SDK is needed: where C code would be compiled, a script
//! stands in that makes empty files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{sh, test};

/// What is checked beside the system of this machine.
const TARGETS: &[&str] = &["aarch64-apple-darwin", "x86_64-apple-darwin", "x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu"];

/// Makes the file that a C compiler or an archiver is asked for.
const STAND_IN: &str = r#"#!/bin/sh
out="" last=""
for word in "$@"; do
  case "$last" in -o|/Fo|-Fo) out="$word" ;; esac
  case "$word" in
    /Fo?*|-Fo?*) out="${word#?Fo}" ;;
    /OUT:*|-out:*|/out:*) out="${word#*:}" ;;
    *.a|*.lib) [ -n "$out" ] || out="$word" ;;
  esac
  last="$word"
done
case " $* " in *" --version "*) echo "clang version 18.0.0" ;; esac
[ -z "$out" ] || : > "$out"
"#;

/// Checks them, and says what was not.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let mut skipped = Vec::new();
    let checked = check(&mut skipped);
    for what in skipped {
        sh::say(&format!("skipped: {what}"));
    }
    checked
}

/// Checks the program for each other system, and says which could not be looked at.
pub(crate) fn check(skipped: &mut Vec<String>) -> Result<()> {
    let sysroot = PathBuf::from(sh::output(&mut sh::command(rustc(), ["--print", "sysroot"]))?.trim());
    let is_installed = |target: &&&str| sysroot.join("lib/rustlib").join(target).join("lib").is_dir();
    let (installed, missing): (Vec<&str>, Vec<&str>) = TARGETS.iter().partition(is_installed);
    for target in missing {
        skipped.push(format!("{target}: not checked, its standard library is not installed (rustup target add {target})"));
    }
    if installed.is_empty() {
        return Ok(());
    }
    let stand_in = stand_in()?;
    let failed: Vec<&str> = installed.into_iter().filter(|target| !compiles(target, &stand_in)).collect();
    if !failed.is_empty() {
        bail!("does not compile for {}", failed.join(", "));
    }
    Ok(())
}

fn rustc() -> String {
    sh::env("RUSTC").unwrap_or_else(|| "rustc".to_owned())
}

fn compiles(target: &str, stand_in: &Path) -> bool {
    let name = target.replace('-', "_");
    let mut check = sh::cargo(&["check", "--locked", "--quiet", "--target", target, "--package", "crib-cli"]);
    for tool in ["CC", "CXX", "AR"] {
        check.env(format!("{tool}_{name}"), stand_in);
    }
    check.env("AWS_LC_SYS_CMAKE_BUILDER", "0").env("AWS_LC_SYS_PREBUILT_NASM", "1");
    match sh::run(&mut check) {
        Ok(()) => true,
        Err(error) => {
            sh::say(&format!("{target}: {error:#}"));
            false
        }
    }
}

/// Writes the script that stands in for foreign tools.
fn stand_in() -> Result<PathBuf> {
    let folder = test::target().join("xtask");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("stand-in");
    std::fs::write(&path, STAND_IN).with_context(|| format!("cannot write {}", path.display()))?;
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(path)
}
