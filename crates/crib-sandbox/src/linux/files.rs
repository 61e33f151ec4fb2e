//! Which files may be used, by Landlock; and what every program needs of the machine.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::{Holds, Net, Promise, Report, Spec};

/// Programs and libraries of the machine.
pub(super) const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];
/// What programs look up in `/etc`: libraries, certificates, zones, types; no accounts, hosts or keys.
pub(super) const ETC: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/pki",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
];
/// Where there is no root of its own, these are seen as they are.
const ETC_SHARED: &[&str] = &["/etc/group", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf"];
pub(super) const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// The newest Landlock that these rules were written for.
const KNOWN: ABI = ABI::V7;

/// What may be done below a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, and run programs from it.
    Run,
    Read,
    /// Read, write, create and remove; never run.
    Write,
    /// Read, write, create, remove and run.
    Scratch,
    Device,
    /// See what there is.
    List,
}

/// How far Landlock holds.
pub(super) struct Ruled {
    status: Result<RulesetStatus, RulesetError>,
    /// Whether TCP is refused by Landlock.
    pub(super) has_net: bool,
}

impl Ruled {
    /// Returns whether everything that was asked of Landlock is in force.
    pub(super) const fn is_full(&self) -> bool {
        matches!(self.status, Ok(RulesetStatus::FullyEnforced))
    }
}

impl Access {
    fn rights(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let nodes = AccessFs::MakeChar | AccessFs::MakeBlock;
        match self {
            Self::Run => read | AccessFs::Execute,
            Self::Read => read,
            Self::Write => AccessFs::from_all(KNOWN) & !(nodes | AccessFs::Execute | AccessFs::IoctlDev),
            Self::Scratch => AccessFs::from_all(KNOWN) & !(nodes | AccessFs::IoctlDev),
            Self::List => AccessFs::ReadDir.into(),
            Self::Device => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev,
        }
    }
}

/// Returns what every program may use of the machine.
pub(super) fn system(has_own_root: bool) -> Vec<(PathBuf, Access)> {
    let mut all: Vec<(PathBuf, Access)> = SYSTEM.iter().map(|path| (path.into(), Access::Run)).collect();
    all.push(("/proc".into(), Access::Read));
    all.extend(DEVICES.iter().map(|path| (path.into(), Access::Device)));
    if has_own_root {
        // In a root of its own there is nothing to be seen that was not granted.
        all.push(("/".into(), Access::List));
        all.push(("/etc".into(), Access::Read));
        all.push(("/dev/shm".into(), Access::Write));
    } else {
        all.extend(ETC.iter().chain(ETC_SHARED).map(|path| (path.into(), Access::Read)));
    }
    all
}

/// Gives up every file but these, signals and abstract sockets beyond this process, and TCP where it is not the
/// namespace that keeps it away.
pub(super) fn restrict(granted: &[(PathBuf, Access)], has_own_net: bool, spec: &Spec) -> Ruled {
    let has_net = !has_own_net && spec.net != Net::All;
    let status = enforce(granted, has_net).map(|status| status.ruleset);
    Ruled { status, has_net }
}

fn enforce(granted: &[(PathBuf, Access)], has_net: bool) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(KNOWN))?;
    rules = rules.scope(Scope::from_all(KNOWN))?;
    if has_net {
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let mut created = rules.create()?;
    for (path, access) in granted {
        created = created.add_rules(path_beneath_rules([path], access.rights()))?;
    }
    created.restrict_self()
}

pub(super) fn report(ruled: &Ruled, has_own_root: bool, report: &mut Report) {
    let full = ruled.is_full();
    let some = matches!(ruled.status, Ok(RulesetStatus::PartiallyEnforced));
    let why = match &ruled.status {
        Ok(_) => "Landlock is not in this kernel".to_owned(),
        Err(error) => format!("Landlock: {error}"),
    };
    let files = match (has_own_root, full, some) {
        (true, true, _) => Holds::yes("a root directory of its own and Landlock"),
        (true, false, true) => Holds::yes("a root directory of its own and an older Landlock"),
        (true, false, false) => Holds::partly("a root directory of its own", format!("its temporary files can be run: {why}")),
        (false, true, _) => Holds::yes("Landlock"),
        (false, false, true) => Holds::partly("an older Landlock", "some operations on files are not covered by it"),
        (false, false, false) => Holds::no(&why),
    };
    report.set(Promise::Files, files);
    if !has_own_root && !full {
        report.set(Promise::Processes, Holds::no(format!("no process namespace, and {why}")));
    }
}
