//! A bundle of the Open Container Initiative: what `runc` and its kin are told to start, with the same grants.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Net, Spec};

/// System calls that no server needs and that are refused, as by our own filter.
const REFUSED: &[&str] = &[
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
];
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The search path of a server whose image names none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a bundle is written for.
pub(crate) struct Place<'a> {
    /// The root directory, in which mount points can be made.
    pub(crate) root: &'a Path,
    /// The folder of the files that are mounted in `/etc`.
    pub(crate) folder: &'a Path,
    pub(crate) home: &'a str,
    /// Folders of its own, in memory.
    pub(crate) scratch: &'a [std::path::PathBuf],
    /// Variables that come after all others.
    pub(crate) more: &'a [(String, String)],
}

/// Returns the `config.json` of a spec that has an image.
pub(crate) fn config(spec: &Spec, place: &Place<'_>) -> Value {
    let program = spec.program.display().to_string();
    let args: Vec<&str> = std::iter::once(program.as_str()).chain(spec.args.iter().map(String::as_str)).collect();
    let none: [&str; 0] = [];
    // Users and networks are those of the launcher, which has made its own.
    let namespaces = ["pid", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "hostname": "toolcrib",
        "root": { "path": place.root, "readonly": true },
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": args,
            "env": env(spec, place),
            "cwd": spec.cwd.as_deref().unwrap_or_else(|| Path::new("/")),
            "noNewPrivileges": true,
            "capabilities": { "bounding": none, "effective": none, "inheritable": none, "permitted": none, "ambient": none },
            "rlimits": limits(spec),
        },
        "mounts": mounts(spec, place),
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{ "names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }],
            },
        },
    })
}

fn env(spec: &Spec, place: &Place<'_>) -> Vec<String> {
    let usual = [("PATH", PATH), ("LANG", "C.UTF-8"), ("HOME", place.home), ("TMPDIR", "/tmp")];
    let mut all: Vec<(&str, &str)> = usual.into();
    for (name, value) in spec.env.iter().chain(place.more) {
        all.retain(|(known, _)| known != name);
        all.push((name, value));
    }
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn limits(spec: &Spec) -> Vec<Value> {
    let limits = &spec.limits;
    let cpu = limits.cpu_seconds.map(|seconds| ("RLIMIT_CPU", seconds));
    [
        ("RLIMIT_DATA", limits.memory_bytes),
        ("RLIMIT_NPROC", limits.processes),
        ("RLIMIT_NOFILE", limits.open_files),
        ("RLIMIT_FSIZE", limits.file_bytes),
        ("RLIMIT_CORE", 0),
    ]
    .into_iter()
    .chain(cpu)
    .map(|(kind, most)| json!({ "type": kind, "hard": most, "soft": most }))
    .collect()
}

fn mounts(spec: &Spec, place: &Place<'_>) -> Vec<Value> {
    let mount = |to: &Path, kind: &str, from: &Path, options: &[&str]| json!({ "destination": to, "type": kind, "source": from, "options": options });
    let memory = |to: &Path, size: &str| mount(to, "tmpfs", Path::new("tmpfs"), &["nosuid", "nodev", "mode=1777", size]);
    let size = format!("size={}", spec.limits.tmp_bytes);
    let mut all = vec![
        mount(Path::new("/proc"), "proc", Path::new("proc"), &["nosuid", "nodev", "noexec"]),
        mount(Path::new("/dev"), "tmpfs", Path::new("tmpfs"), &["nosuid", "strictatime", "mode=755", "size=64k"]),
        memory(Path::new("/dev/shm"), "size=64m"),
        memory(Path::new("/tmp"), &size),
        memory(Path::new(place.home), &size),
    ];
    all.extend(place.scratch.iter().map(|folder| memory(folder, &size)));
    for name in ["hosts", "hostname"] {
        let to = Path::new("/etc").join(name);
        all.push(mount(&to, "bind", &place.folder.join(name), &["bind", "ro", "nosuid", "nodev", "noexec"]));
    }
    if spec.net == Net::All {
        let resolver = Path::new("/etc/resolv.conf");
        all.push(mount(resolver, "bind", resolver, &["bind", "ro", "nosuid", "nodev", "noexec"]));
    }
    let read = spec.read.iter().map(|path| (path, "ro"));
    let mut granted: Vec<_> = read.chain(spec.write.iter().map(|path| (path, "rw"))).collect();
    granted.sort_by_key(|(path, _)| path.components().count());
    all.extend(granted.into_iter().map(|(path, mode)| mount(path, "bind", path, &["rbind", mode, "nosuid", "nodev", "noexec"])));
    all
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Image;

    #[test]
    fn a_bundle_grants_what_the_spec_grants() {
        let mut spec = Spec::new("server");
        spec.args = vec!["--stdio".into()];
        spec.env = vec![("PATH".into(), "/app".into()), ("TOKEN".into(), "t".into())];
        spec.cwd = Some("/app".into());
        spec.read = vec!["/srv/books".into()];
        spec.write = vec!["/srv".into()];
        spec.image = Some(Image { root: "/store/root".into(), volumes: Vec::new(), user: Some(7), engine: Some("/usr/sbin/runc".into()) });
        let scratch = [PathBuf::from("/run")];
        let more = [("HTTPS_PROXY".to_owned(), "http://127.0.0.1:1".to_owned())];
        let place =
            Place { root: Path::new("/merged"), folder: Path::new("/bundle"), home: "/home/toolcrib", scratch: &scratch, more: &more };
        let config = config(&spec, &place);
        insta::assert_snapshot!(serde_json::to_string_pretty(&config).expect("it is written"));
    }

    #[test]
    fn a_server_with_a_network_is_told_whom_to_ask_for_names() {
        let mut spec = Spec::new("server");
        let place = Place { root: Path::new("/merged"), folder: Path::new("/bundle"), home: "/home/toolcrib", scratch: &[], more: &[] };
        let asks = |spec: &Spec| config(spec, &place).to_string().contains("/etc/resolv.conf");
        assert!(!asks(&spec));
        spec.net = Net::All;
        assert!(asks(&spec));
    }
}
