//! Debian packages: installed where we may, asked for where we may not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Ready;
use crate::sh;

/// Programs the tests call and the packages that bring them.
const WANTED: &[(&str, &[&str])] =
    &[("npm", &["nodejs", "npm"]), ("python3", &["python3"]), ("git", &["git"]), ("redis-server", &["redis-server"])];

/// What starts containers, where only root looks for it.
const ENGINE: (&str, &str) = ("runc", "/usr/sbin/runc");

/// A browser for the server that drives one: big, so what needs the other packages does not wait for it.
const BROWSER: &str = "chromium";

/// Packages of which `nginx` or a library of it may be missing on a small system.
const NGINX: &[&str] = &["nginx", "libpcre2-8-0", "libssl3", "zlib1g", "libcrypt1"];

/// Installs the Debian packages the tests need and this machine lacks.
pub(super) fn prepare(ready: &mut Ready) {
    let mut missing: Vec<&str> = Vec::new();
    for (program, packages) in WANTED {
        if sh::which(program).is_none() {
            missing.extend(*packages);
        }
    }
    if !has_venv() {
        missing.push("python3-venv");
    }
    let (engine, place) = ENGINE;
    if sh::which(engine).is_none() && !Path::new(place).is_file() {
        missing.push(engine);
    }
    wanted(&missing, ready);
    if sh::which(BROWSER).is_none() {
        wanted(&[BROWSER], ready);
    }
}

fn wanted(missing: &[&str], ready: &mut Ready) {
    if missing.is_empty() {
        return;
    }
    sh::say(&format!("debian: installing {}", missing.join(" ")));
    if let Err(error) = install(missing) {
        ready.skipped.push(format!("Debian packages {}: {error:#}", missing.join(", ")));
    }
}

fn has_venv() -> bool {
    sh::succeeds(&mut sh::command("python3", ["-c", "import venv, ensurepip"]))
}

/// Runs `apt-get install`, as root or through a `sudo` that asks nothing.
fn install(packages: &[&str]) -> Result<()> {
    let Some(apt) = sh::which("apt-get") else { bail!("this is not a Debian system; install them by hand") };
    let apt = apt.to_string_lossy().into_owned();
    let prefix: Vec<String> = match (is_root(), sh::which("sudo")) {
        (true, _) => vec![apt],
        (false, Some(sudo)) if sh::succeeds(&mut sh::command(&sudo, ["-n", "true"])) => {
            vec![sudo.to_string_lossy().into_owned(), "-n".to_owned(), apt]
        }
        (false, _) => bail!("not root; install them by hand: apt-get install {}", packages.join(" ")),
    };
    let (program, before) = prefix.split_first().context("no program")?;
    let mut first = before.to_vec();
    first.extend(["install", "-y", "-qq", "--no-install-recommends"].map(str::to_owned));
    first.extend(packages.iter().map(|package| (*package).to_owned()));
    if sh::output(sh::patiently(program, &first).env("DEBIAN_FRONTEND", "noninteractive")).is_ok() {
        return Ok(());
    }
    let mut update = before.to_vec();
    update.extend(["update", "-qq"].map(str::to_owned));
    sh::output(&mut sh::patiently(program, &update))?;
    sh::output(sh::patiently(program, &first).env("DEBIAN_FRONTEND", "noninteractive")).map(drop)
}

fn is_root() -> bool {
    sh::output(&mut sh::command("id", ["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Returns an `nginx` and the folder of libraries it needs beside it, if any.
///
/// Debian's package starts a service when it is installed, so it is unpacked into the cache instead;
/// that needs no root either.
pub(crate) fn nginx() -> Result<(PathBuf, Option<PathBuf>)> {
    if let Some(installed) = sh::which("nginx").or_else(|| Some(PathBuf::from("/usr/sbin/nginx")).filter(|file| file.is_file())) {
        return Ok((installed, None));
    }
    let folder = sh::cache().join("debian");
    let binary = folder.join("root/usr/sbin/nginx");
    if !binary.is_file() {
        sh::say("debian: unpacking nginx into .cache/debian");
        std::fs::create_dir_all(folder.join("root"))?;
        unpack(&folder).context("cannot have nginx from Debian")?;
    }
    let libraries = find_libraries(&folder.join("root"));
    Ok((binary, libraries))
}

fn unpack(folder: &Path) -> Result<()> {
    let download = |package: &str| sh::output(sh::command("apt-get", ["download", "-qq", package]).current_dir(folder));
    for package in NGINX {
        if download(package).is_err() {
            if is_root() {
                sh::output(&mut sh::command("apt-get", ["update", "-qq"]))?;
            }
            download(package)?;
        }
    }
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            let target = folder.join("root");
            sh::output(&mut sh::command("dpkg", [Path::new("-x"), &file, &target]))?;
        }
    }
    Ok(())
}

fn find_libraries(root: &Path) -> Option<PathBuf> {
    let folder = root.join("usr/lib");
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("linux-gnu")))
}
