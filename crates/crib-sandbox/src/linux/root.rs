//! A root directory of the server's own, in which only what is granted exists.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::StatVfsMountFlags;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount, unmount,
};
use rustix::process::pivot_root;

use super::files::{DEVICES, ETC, SYSTEM};
use super::submounts::Mounts;
use super::{HOME, image};
use crate::{Net, Spec};

/// A folder that is on every machine, over which the new root is built.
const STAGE: &str = "/tmp";
const OLD: &str = "/old";
const NEW: &str = "/new";
/// What the folders and links of the root itself may take.
const SKELETON: &str = "mode=0755,size=4m";
const SHARED_MEMORY: &str = "mode=1777,size=64m";

const ACCOUNTS: &str = "root:x:0:0::/:/bin/false\ntoolcrib:x:1000:1000::/home/toolcrib:/bin/false\nnobody:x:65534:65534::/:/bin/false\n";
const GROUPS: &str = "root:x:0:\ntoolcrib:x:1000:\nnogroup:x:65534:\n";
pub(super) const HOSTS: &str = "127.0.0.1 localhost toolcrib\n::1 localhost toolcrib\n";

/// A root that is in use.
pub(super) struct Built {
    pub(super) has_own_proc: bool,
    /// What came with an image and may be read and run.
    pub(super) shown: Vec<PathBuf>,
    /// Folders of its own beside `/tmp` and the home.
    pub(super) scratch: Vec<PathBuf>,
}

/// Why there is no new root.
pub(super) enum Failure {
    /// Nothing has changed yet: it can be done without.
    Early(io::Error),
    /// This process is somewhere in between.
    Late(io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    Read,
    Write,
}

pub(super) fn build(spec: &Spec) -> Result<Built, Failure> {
    let mounts = Mounts::read().map_err(Failure::Early)?;
    stage().map_err(Failure::Early)?;
    fill(spec, &mounts).map_err(Failure::Late)
}

/// Makes a place outside of the old root, from which both roots can be reached.
fn stage() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    mount("tmpfs", STAGE, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(&*text(SKELETON)))?;
    let stage = Path::new(STAGE);
    std::fs::create_dir(stage.join("old"))?;
    std::fs::create_dir(stage.join("new"))?;
    pivot_root(STAGE, stage.join("old"))?;
    std::env::set_current_dir("/")
}

fn text(options: &str) -> std::borrow::Cow<'static, std::ffi::CStr> {
    std::ffi::CString::new(options).unwrap_or_default().into()
}

fn fill(spec: &Spec, mounts: &Mounts) -> io::Result<Built> {
    tmpfs(Path::new("/"), SKELETON)?;
    let scratch = image::scratch(spec);
    let shown = match &spec.image {
        Some(image) => image::lay(image, spec, mounts)?,
        None => Vec::new(),
    };
    let bounded = format!("mode=1777,size={}", spec.limits.tmp_bytes);
    let own =
        [("/tmp", bounded.as_str()), (HOME, &bounded), ("/dev/shm", SHARED_MEMORY)].map(|(folder, options)| (Path::new(folder), options));
    for (folder, options) in own.into_iter().chain(scratch.iter().map(|folder| (folder.as_path(), bounded.as_str()))) {
        create_dir(folder)?;
        tmpfs(folder, options)?;
    }
    match &spec.image {
        Some(image) => image::etc(image, spec)?,
        None => {
            system(mounts)?;
            etc(spec, mounts)?;
        }
    }
    devices()?;
    let has_own_proc = proc(spec)?;
    for (path, mode) in granted(spec) {
        grant(path, mode, spec, mounts).map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))?;
    }
    rustix::system::sethostname(b"toolcrib")?;
    mount_remount(NEW, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, c"")?;
    std::env::set_current_dir(NEW)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")?;
    Ok(Built { has_own_proc, shown, scratch })
}

/// Returns what is granted; a folder comes before what is granted below it.
pub(super) fn granted(spec: &Spec) -> Vec<(&PathBuf, Mode)> {
    let mut granted: Vec<(&PathBuf, Mode)> = Vec::new();
    granted.extend(spec.runtime.iter().map(|path| (path, Mode::Run)));
    granted.extend(spec.read.iter().map(|path| (path, Mode::Read)));
    granted.extend(spec.write.iter().map(|path| (path, Mode::Write)));
    if let Net::Proxy(socket) = &spec.net {
        granted.push((socket, Mode::Write));
    }
    granted.sort_by_key(|(path, _)| path.components().count());
    granted
}

pub(super) fn inside(path: &Path) -> PathBuf {
    below(NEW, path)
}

pub(super) fn outside(path: &Path) -> PathBuf {
    below(OLD, path)
}

fn below(root: &str, path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    std::iter::once(Component::Normal(root.trim_start_matches('/').as_ref())).chain(parts).fold(PathBuf::from("/"), |mut all, part| {
        all.push(part);
        all
    })
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(inside(path))
}

fn tmpfs(path: &Path, options: &str) -> io::Result<()> {
    mount("tmpfs", inside(path), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(&*text(options)))?;
    Ok(())
}

/// Programs and libraries of the machine.
fn system(mounts: &Mounts) -> io::Result<()> {
    for path in SYSTEM.iter().map(Path::new) {
        match std::fs::symlink_metadata(outside(path)) {
            Ok(found) if found.is_symlink() => symlink(std::fs::read_link(outside(path))?, inside(path))?,
            Ok(found) if found.is_dir() => bind(path, Mode::Run, mounts)?,
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn etc(spec: &Spec, mounts: &Mounts) -> io::Result<()> {
    create_dir(Path::new("/etc"))?;
    for path in ETC.iter().map(Path::new) {
        link_or_bind(path, mounts)?;
    }
    names(spec)?;
    for (file, content) in [("passwd", ACCOUNTS), ("group", GROUPS)] {
        std::fs::write(inside(&Path::new("/etc").join(file)), content)?;
    }
    Ok(())
}

/// Writes which names there are: its own, and where to ask for others if there is a network.
pub(super) fn names(spec: &Spec) -> io::Result<()> {
    if spec.net == Net::All {
        let resolver = Path::new("/etc/resolv.conf");
        if let Ok(servers) = read_outside(resolver) {
            std::fs::write(inside(resolver), servers)?;
        }
    }
    for (file, content) in [("hosts", HOSTS), ("hostname", "toolcrib\n")] {
        std::fs::write(inside(&Path::new("/etc").join(file)), content)?;
    }
    Ok(())
}

/// Reads a file of the old root, one level of absolute links included.
fn read_outside(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read_link(outside(path)) {
        Ok(target) if target.is_absolute() => std::fs::read(outside(&target)),
        Ok(_) | Err(_) => std::fs::read(outside(path)),
    }
}

fn link_or_bind(path: &Path, mounts: &Mounts) -> io::Result<()> {
    match std::fs::symlink_metadata(outside(path)) {
        Ok(found) if found.is_symlink() => symlink(std::fs::read_link(outside(path))?, inside(path)),
        Ok(_) => bind(path, Mode::Run, mounts),
        Err(_) => Ok(()),
    }
}

fn devices() -> io::Result<()> {
    for device in DEVICES.iter().map(Path::new) {
        let target = inside(device);
        std::fs::File::create(&target)?;
        mount_bind(outside(device), &target)?;
    }
    for (name, target) in
        [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")]
    {
        symlink(target, inside(&Path::new("/dev").join(name)))?;
    }
    Ok(())
}

/// Mounts a `/proc` of the new process namespace; where that is not allowed, the machine's, read-only.
fn proc(spec: &Spec) -> io::Result<bool> {
    let target = inside(Path::new("/proc"));
    std::fs::create_dir(&target)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if mount("proc", &target, "proc", flags, None::<&std::ffi::CStr>).is_ok() {
        super::limits::bound_pids(&target, spec);
        mount_remount(&target, MountFlags::BIND | MountFlags::RDONLY | flags, c"")?;
        return Ok(true);
    }
    mount_bind_recursive(outside(Path::new("/proc")), &target)?;
    mount_remount(&target, MountFlags::BIND | MountFlags::RDONLY | flags, c"")?;
    Ok(false)
}

/// Binds a granted path to where it is outside, and links the name it was given by to its real one.
fn grant(path: &Path, mode: Mode, spec: &Spec, mounts: &Mounts) -> io::Result<()> {
    if !path.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path"));
    }
    let real = resolve(path)?;
    if real.parent().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the whole machine cannot be granted"));
    }
    // What every server sees of the machine stays as it is: a grant to read it would take away that it can be run.
    if mode != Mode::Read || spec.image.is_some() || !super::is_shown(&real) {
        bind(&real, mode, mounts)?;
    }
    let name = inside(path);
    if real != path && std::fs::symlink_metadata(&name).is_err() {
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        symlink(&real, name)?;
    }
    Ok(())
}

/// Follows links as the old root would.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    const LINKS_MAX: usize = 40;
    let mut pending: Vec<PathBuf> = path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect();
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = pending.pop() {
        match part.components().next() {
            Some(Component::ParentDir) => {
                real.pop();
            }
            Some(Component::Normal(name)) => {
                let next = real.join(name);
                let Ok(target) = std::fs::read_link(outside(&next)) else {
                    real = next;
                    continue;
                };
                links += 1;
                if links > LINKS_MAX {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links"));
                }
                if target.is_absolute() {
                    real = PathBuf::from("/");
                }
                pending.extend(target.components().rev().map(|part| PathBuf::from(part.as_os_str())));
            }
            Some(Component::RootDir | Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    Ok(real)
}

fn bind(path: &Path, mode: Mode, mounts: &Mounts) -> io::Result<()> {
    bind_at(path, path, mode, mounts)
}

/// Binds what is at one path outside to another inside.
pub(super) fn bind_at(from: &Path, path: &Path, mode: Mode, mounts: &Mounts) -> io::Result<()> {
    let (source, target) = (outside(from), inside(path));
    let found = std::fs::metadata(&source)?;
    if std::fs::symlink_metadata(&target).is_err() {
        if found.is_dir() {
            create_dir(path)?;
        } else {
            create_dir(path.parent().unwrap_or(path))?;
            std::fs::File::create(&target)?;
        }
    }
    mount_bind_recursive(&source, &target)?;
    restrict(&target, mode)?;
    for point in mounts.below(from).filter_map(|point| point.strip_prefix(from).ok()) {
        restrict(&target.join(point), mode)?;
    }
    Ok(())
}

/// Takes rights from a mount and keeps what was taken before, which a user namespace may not give back.
fn restrict(target: &Path, mode: Mode) -> io::Result<()> {
    let has = rustix::fs::statvfs(target)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    for (had, flag) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if has.contains(had) {
            flags |= flag;
        }
    }
    if mode != Mode::Write {
        flags |= MountFlags::RDONLY;
    }
    if mode != Mode::Run {
        flags |= MountFlags::NOEXEC;
    }
    mount_remount(target, flags, c"")?;
    Ok(())
}
