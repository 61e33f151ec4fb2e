//! An image that is started by `runc`, `crun` or `runsc`: the launcher makes users, networks, control group and the
//! root directory, writes a bundle, and leaves the rest to the engine.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use rustix::process::Pid;

use super::inner::reap_until;
use super::{Facts, HOME, Namespaces, Purpose, failed, image, limits, loopback, root};
use crate::bundle::{self, Place};
use crate::enter::{Refusal, insist, print};
use crate::{Holds, Image, Net, Promise, Report, Spec, forward};

const CGROUPS: &str = "/sys/fs/cgroup";
const HOSTNAME: &str = "toolcrib\n";
/// Where engines find the programs that they call.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The engines that are known, by the names of their programs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Runc,
    Crun,
    Runsc,
}

/// The folders of one start, in memory.
struct Stage {
    merged: PathBuf,
    bundle: PathBuf,
    state: PathBuf,
}

pub(super) fn run(spec: &Spec, facts: &Facts, (image, engine): (&Image, &Path), report: &mut Report) -> Result<ExitCode, Refusal> {
    if let Namespaces::Shared { why } = &facts.namespaces {
        return Err(failed("a container cannot be started here")(io::Error::other(why.clone())));
    }
    let kind = Kind::of(engine)?;
    let stage = Stage::set_up(&facts.scratch, image).map_err(failed("the container's root directory cannot be built"))?;
    kind.hide_groups().map_err(failed("control groups cannot be kept from the container"))?;
    if spec.net != Net::All {
        loopback::raise().map_err(failed("the loopback interface cannot be raised"))?;
    }
    limits::bound_use(spec, facts, report).map_err(failed("the limits cannot be set"))?;
    promise(spec, kind, report);
    insist(spec, report)?;
    if facts.purpose == Purpose::Measure {
        return print(report).map(|()| ExitCode::SUCCESS);
    }
    let proxy = match &spec.net {
        Net::Proxy(socket) => Some(forward::start(socket).map_err(failed("no way to the proxy"))?),
        Net::None | Net::All => None,
    };
    stage.write(spec, proxy).map_err(failed("the bundle cannot be written"))?;
    let mut command = Command::new(engine);
    command.args(kind.options()).arg("--root").arg(&stage.state).args(["run", "--bundle"]).arg(&stage.bundle);
    command.arg(format!("toolcrib-{}", std::process::id()));
    command.env_clear().env("PATH", PATH).env("XDG_RUNTIME_DIR", &stage.state).env("HOME", &stage.state);
    let child = command.spawn().map_err(failed(format!("`{}` cannot be started", engine.display())))?;
    Ok(ExitCode::from(reap_until(i32::try_from(child.id()).ok().and_then(Pid::from_raw))))
}

impl Kind {
    fn of(engine: &Path) -> Result<Self, Refusal> {
        match engine.file_name().and_then(|name| name.to_str()) {
            Some("runc") => Ok(Self::Runc),
            Some("crun") => Ok(Self::Crun),
            Some("runsc") => Ok(Self::Runsc),
            _ => Err(Refusal::Spec(format!("`{}` is not an engine that is known", engine.display()))),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Runsc => "runsc",
        }
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Runc => &[],
            Self::Crun => &["--cgroup-manager=disabled"],
            // The network is the launcher's, which has none but what is granted.
            Self::Runsc => &["--rootless", "--ignore-cgroups", "--network=host"],
        }
    }

    /// Keeps the server in the group that the launcher has put it into.
    fn hide_groups(self) -> io::Result<()> {
        let mounts = super::submounts::Mounts::read()?;
        let folder = Path::new(CGROUPS);
        if !folder.is_dir() {
            return Ok(());
        }
        if self != Self::Runc {
            return mount("tmpfs", folder, "tmpfs", MountFlags::RDONLY | MountFlags::NOSUID, Some(c"size=4k")).map_err(Into::into);
        }
        // It looks for its groups, and goes without those that it cannot make.
        for point in mounts.below(folder) {
            let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount_remount(point, flags | MountFlags::RELATIME, c"").or_else(|_locked| mount_remount(point, flags, c""))?;
        }
        Ok(())
    }
}

/// What is promised is the engine's to keep; what it is told stands in its bundle.
fn promise(spec: &Spec, kind: Kind, report: &mut Report) {
    let engine = kind.as_str();
    report.set(Promise::Network, Holds::yes(if spec.net == Net::All { "a grant of every network" } else { "a network namespace" }));
    report.set(Promise::Files, Holds::yes(format!("a root directory of its own, by {engine}")));
    report.set(Promise::Scratch, Holds::yes(format!("file systems in memory, by {engine}")));
    report.set(Promise::Processes, Holds::yes(format!("a process namespace, by {engine}")));
    report.set(Promise::Privilege, Holds::yes(format!("a user namespace, no_new_privs and no capabilities, by {engine}")));
    report.set(Promise::Ptrace, Holds::yes(format!("seccomp, by {engine}")));
    report.set(Promise::Mounts, Holds::yes(format!("seccomp and no capabilities, by {engine}")));
}

impl Stage {
    /// Builds a root directory in which mount points can be made, and none of it in the image.
    fn set_up(folder: &Path, image: &Image) -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        std::fs::DirBuilder::new().mode(0o700).create(folder)?;
        mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=0700,size=32m"))?;
        let make = |name: &str| std::fs::create_dir(folder.join(name)).map(|()| folder.join(name));
        let (lower, upper, work) = (make("lower")?, make("upper")?, make("work")?);
        let stage = Self { merged: make("merged")?, bundle: make("bundle")?, state: make("state")? };
        // The image may be at a path that no option can name.
        mount_bind(&image.root, &lower)?;
        let options = format!("lowerdir={},upperdir={},workdir={},userxattr", lower.display(), upper.display(), work.display());
        let options = std::ffi::CString::new(options)?;
        mount("overlay", &stage.merged, "overlay", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))?;
        // That of the machine has other numbers than those of this namespace.
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "/proc", "proc", flags, None::<&std::ffi::CStr>)?;
        Ok(stage)
    }

    fn write(&self, spec: &Spec, proxy: Option<u16>) -> io::Result<()> {
        std::fs::write(self.bundle.join("hosts"), root::HOSTS)?;
        std::fs::write(self.bundle.join("hostname"), HOSTNAME)?;
        let more = proxy.map(|port| forward::said(port, spec)).unwrap_or_default();
        let place = Place { root: &self.merged, folder: &self.bundle, home: HOME, scratch: &image::scratch(spec), more: &more };
        std::fs::write(self.bundle.join("config.json"), bundle::config(spec, &place).to_string())
    }
}
