//! The root directory of an image: its files where they are in the image, and between them what is this sandbox's own.
//!
//! The image is not written to, not even for the folders that are mounted in it: each folder on the way to one of those
//! is made anew, and what the image has in it is bound one by one.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::HOME;
use super::outer::INSIDE_ID;
use super::root::{self, Mode, bind_at, create_dir, granted, inside, outside};
use super::submounts::Mounts;
use crate::{Image, Spec};

/// Mounts of one image; a folder with more in it is none that anything is granted in.
const MOUNTS_MAX: usize = 4000;
/// What is the kernel's, whatever an image has there.
const KERNEL: &[&str] = &["/dev", "/proc", "/sys"];
/// Folders that programs write to everywhere.
const WRITTEN: &[&str] = &["/run", "/var/tmp"];
/// Files that are written for each start.
const MADE: &[&str] = &["/etc/group", "/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf"];
/// Largest list of accounts that is taken over.
const ACCOUNTS_BYTES_MAX: u64 = 1024 * 1024;

/// Returns the folders of its own that an image asks for.
pub(super) fn scratch(spec: &Spec) -> Vec<PathBuf> {
    let Some(image) = &spec.image else { return Vec::new() };
    let is_taken = |path: &Path| {
        path.parent().is_none() || !path.is_absolute() || KERNEL.iter().chain(&["/tmp", "/etc", HOME]).any(|own| path.starts_with(own))
    };
    let is_plain = |path: &Path| !path.components().any(|part| part == std::path::Component::ParentDir);
    let is_granted = |path: &Path| spec.read.iter().chain(&spec.write).any(|granted| path.starts_with(granted));
    let asked = image.volumes.iter().cloned().chain(WRITTEN.iter().map(PathBuf::from));
    let mut all: Vec<PathBuf> = asked.filter(|path| is_plain(path) && !is_taken(path) && !is_granted(path)).collect();
    all.sort();
    all.dedup();
    // One inside another is there with it.
    let outer = all.clone();
    all.retain(|path| !outer.iter().any(|other| other != path && path.starts_with(other)));
    all
}

/// Lays the image out, and returns what of it may be read and run.
pub(super) fn lay(image: &Image, spec: &Spec, mounts: &Mounts) -> io::Result<Vec<PathBuf>> {
    let mut own: BTreeSet<PathBuf> = KERNEL.iter().chain(MADE).chain(&["/tmp", HOME]).map(PathBuf::from).collect();
    own.extend(scratch(spec));
    for (path, _) in granted(spec) {
        own.insert(root::resolve(path)?);
        own.insert(path.clone());
    }
    let way: BTreeSet<&Path> = own.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let mut shown = Vec::new();
    for folder in &way {
        create_dir(folder)?;
        let from = below(image, folder);
        // Behind a link would be another part of the image, or none; the granted place is a folder.
        if !is_folder(image, folder) {
            continue;
        }
        for entry in std::fs::read_dir(outside(&from))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if own.contains(&path) || way.contains(path.as_path()) {
                continue;
            }
            if entry.file_type()?.is_symlink() {
                symlink(std::fs::read_link(entry.path())?, inside(&path))?;
                continue;
            }
            if shown.len() >= MOUNTS_MAX {
                return Err(io::Error::other(format!("`{}` has too much in it to grant something there", folder.display())));
            }
            bind_at(&from.join(entry.file_name()), &path, Mode::Run, mounts)?;
            shown.push(path);
        }
    }
    Ok(shown)
}

/// Tells whether every part of a path is a folder of the image itself.
fn is_folder(image: &Image, folder: &Path) -> bool {
    let is_one = |path: &Path| std::fs::symlink_metadata(outside(&below(image, path))).is_ok_and(|found| found.is_dir());
    folder.ancestors().all(is_one)
}

fn below(image: &Image, path: &Path) -> PathBuf {
    image.root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Writes the files that every start has: names, and an account for whoever runs it.
pub(super) fn etc(image: &Image, spec: &Spec) -> io::Result<()> {
    root::names(spec)?;
    let id = image.user.unwrap_or(INSIDE_ID);
    for (file, line) in [("passwd", format!("toolcrib:x:{id}:{id}::{HOME}:/bin/false\n")), ("group", format!("toolcrib:x:{id}:\n"))] {
        let path = Path::new("/etc").join(file);
        let mut text = accounts(image, &path);
        let is_known = text.lines().any(|line| line.split(':').nth(2) == Some(id.to_string().as_str()));
        if !is_known {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&line);
        }
        std::fs::write(inside(&path), text)?;
    }
    Ok(())
}

/// Reads a list of accounts of the image; through no link, which would be this machine's.
fn accounts(image: &Image, path: &Path) -> String {
    let from = outside(&below(image, path));
    let is_own = is_folder(image, Path::new("/etc"))
        && std::fs::symlink_metadata(&from).is_ok_and(|found| found.is_file() && found.len() <= ACCOUNTS_BYTES_MAX);
    let bytes = is_own.then(|| std::fs::read(from).ok()).flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
