//! What a server may do on macOS, as a profile of Seatbelt, which `sandbox-exec` hands to the kernel.
//!
//! Writing it needs no Mac: the tests read it on every system. What is not named is denied; of two rules that fit, the later
//! one counts.

pub(crate) mod probe;
mod profile;
mod quote;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Net, Spec};

pub(crate) use profile::profile;

/// Programs, libraries and runtimes of the machine. Not all of `/usr/local` and `/opt/homebrew`: their `etc` and `var` hold
/// settings and data of services. Not all of `/System`: every file of the machine is there a second time.
pub(crate) const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/lib",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/usr/local/Cellar",
    "/usr/local/Frameworks",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/usr/local/opt",
    "/usr/local/share",
    "/opt/homebrew/Cellar",
    "/opt/homebrew/Frameworks",
    "/opt/homebrew/bin",
    "/opt/homebrew/lib",
    "/opt/homebrew/libexec",
    "/opt/homebrew/opt",
    "/opt/homebrew/share",
    "/opt/local/bin",
    "/opt/local/lib",
    "/opt/local/libexec",
    "/opt/local/share",
    "/nix/store",
    "/Applications/Xcode.app/Contents/Developer",
    "/Library/Apple",
    "/Library/Developer/CommandLineTools",
    "/Library/Frameworks",
    "/Library/Java/JavaVirtualMachines",
    "/System/Cryptexes",
    "/System/Library",
    "/System/Volumes/Preboot/Cryptexes",
    "/System/iOSSupport",
    "/private/preboot/Cryptexes",
];

/// What a server may do, with every path as the kernel names it.
#[derive(Debug)]
pub(crate) struct Rules {
    /// To be read and run.
    run: BTreeSet<PathBuf>,
    read: BTreeSet<PathBuf>,
    write: BTreeSet<PathBuf>,
    /// Its home and `/tmp`: to be read, written and run.
    scratch: BTreeSet<PathBuf>,
    /// Folders on the way to all these, and links in them.
    way: BTreeSet<PathBuf>,
    net: Reach,
}

/// What is reached over networks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    Nothing,
    /// A port of the loopback interface, at which the proxy for granted hosts is reached.
    Port(u16),
    Everything,
}

impl Reach {
    /// `port` leads to the proxy of the spec.
    pub(crate) const fn of(spec: &Spec, port: Option<u16>) -> Self {
        match (&spec.net, port) {
            (Net::All, _) => Self::Everything,
            (Net::Proxy(_), Some(port)) => Self::Port(port),
            (Net::Proxy(_) | Net::None, _) => Self::Nothing,
        }
    }
}

impl Rules {
    /// Gathers what a spec grants. `scratch` are the folders that are its own; `resolve` follows links.
    pub(crate) fn of(spec: &Spec, scratch: &[&Path], net: Reach, resolve: impl Fn(&Path) -> PathBuf) -> Self {
        let mut way = BTreeSet::new();
        let mut all = |paths: &mut dyn Iterator<Item = &Path>| -> BTreeSet<PathBuf> {
            let mut resolved = |path: &Path| {
                let real = resolve(path);
                way.extend([path, &real].into_iter().flat_map(Path::ancestors).map(Path::to_owned));
                real
            };
            paths.map(&mut resolved).collect()
        };
        let run = all(&mut spec.runtime.iter().chain([&spec.program]).map(PathBuf::as_path));
        let read = all(&mut spec.read.iter().map(PathBuf::as_path));
        let write = all(&mut spec.write.iter().map(PathBuf::as_path));
        let scratch = all(&mut scratch.iter().copied());
        way.retain(|path| path.parent().is_some());
        Self { run, read, write, scratch, way, net }
    }
}
