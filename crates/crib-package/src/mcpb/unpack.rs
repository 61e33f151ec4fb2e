//! Unpacking an archive from a stranger: no file lands outside, and none is larger or more than it says.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crib_model::{Code, Fault};
use zip::ZipArchive;

use crate::system;

const FILES_MAX: usize = 50_000;
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
const ALL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
const NAME_BYTES_MAX: usize = 1024;
/// Of a manifest, this much is read for the name alone.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

pub(super) fn unpack(archive: &Path, to: &Path) -> Result<(), Fault> {
    let file = File::open(archive).map_err(broken)?;
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    if archive.len() > FILES_MAX {
        return Err(hostile(format!("it has {} files; {FILES_MAX} is the most", archive.len())));
    }
    let mut left = ALL_BYTES_MAX;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = place(&entry.name().map_err(broken)?)?;
        let path = to.join(&name);
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(broken)?;
            continue;
        }
        if !matches!(kind, 0 | 0o100_000) {
            return Err(hostile(format!("`{}` is a link or a device", name.display())));
        }
        fs::create_dir_all(path.parent().unwrap_or(to)).map_err(broken)?;
        let mut out = File::create_new(&path).map_err(|error| taken(&name, error))?;
        let most = left.min(FILE_BYTES_MAX);
        // What the archive says of its sizes is not believed.
        let written = io::copy(&mut entry.by_ref().take(most.saturating_add(1)), &mut out).map_err(broken)?;
        if written > most {
            return Err(hostile(format!("`{}` is larger than {most} bytes", name.display())));
        }
        left -= written;
        let can_run = entry.unix_mode().unwrap_or(0) & 0o111 != 0;
        system::set_can_run(&path, can_run).map_err(broken)?;
    }
    Ok(())
}

/// Returns the manifest of an archive, unpacked or not; nothing else of it is looked at.
pub(super) fn manifest(archive: &Path) -> Option<serde_json::Value> {
    let mut archive = ZipArchive::new(File::open(archive).ok()?).ok()?;
    let mut text = Vec::new();
    archive.by_name("manifest.json").ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Returns where an entry goes: names, nothing else.
fn place(name: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let is_clean = !name.contains(['\\', '\0', ':']) && name.len() <= NAME_BYTES_MAX && path.components().next().is_some();
    if is_plain && is_clean { Ok(path) } else { Err(hostile(format!("`{}` leads out of it", name.escape_debug()))) }
}

fn taken(name: &Path, error: io::Error) -> Fault {
    if error.kind() == io::ErrorKind::AlreadyExists { hostile(format!("`{}` is in it twice", name.display())) } else { broken(error) }
}

fn hostile(why: String) -> Fault {
    Fault::new(Code::PackageUnverified, "the bundle is not one that can be trusted").because(why)
}

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PullFailed, "the bundle cannot be unpacked").because(error)
}
