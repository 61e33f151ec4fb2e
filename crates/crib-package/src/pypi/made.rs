//! What ties installed files to the interpreter of this machine: an environment that is links only.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use crate::{Runtime, system};

/// Files of an installer that differ with it and its paths.
const OF_INSTALLER: &[&str] = &["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];

/// Removes what depends on the machine and not on the packages.
pub(super) fn strip(tree: &Path) -> io::Result<()> {
    for name in [".lock", ".gitignore"] {
        drop(fs::remove_file(tree.join(name)));
    }
    let scripts = tree.join("bin");
    if scripts.is_dir() {
        for entry in fs::read_dir(&scripts)? {
            let path = entry?.path();
            // A script names the interpreter it was installed with; a program is what the package brought.
            if path.is_file() && is_script(&path)? {
                fs::remove_file(path)?;
            }
        }
    }
    for entry in fs::read_dir(tree)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "dist-info") {
            for name in OF_INSTALLER {
                drop(fs::remove_file(path.join(name)));
            }
            forget(tree, &path.join("RECORD"))?;
        }
    }
    Ok(())
}

/// Takes out of a list of files those that are gone: it has the digests of scripts, which name their interpreter.
fn forget(tree: &Path, record: &Path) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(record) else { return Ok(()) };
    let is_there = |line: &&str| {
        let file = line.split(',').next().unwrap_or_default();
        file.starts_with('"') || tree.join(file).exists()
    };
    let kept: String = text.lines().filter(is_there).flat_map(|line| [line, "\n"]).collect();
    fs::write(record, kept)
}

fn is_script(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(2).read_to_end(&mut head)?;
    Ok(head == b"#!")
}

/// Makes an environment whose modules are the tree beside it.
pub(super) fn link(made: &Path, runtime: &Runtime, series: &str) -> io::Result<()> {
    system::link_python(made, &runtime.path, series)?;
    let home = runtime.path.parent().unwrap_or_else(|| Path::new("/usr/bin")).display();
    fs::write(made.join("pyvenv.cfg"), format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", runtime.version))
}
