//! Attacks on every promise, by a server that does nothing else; as this user and, where the tests run as root, as an
//! ordinary one too.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test that cannot go on may stop")]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crib_sandbox::{Egress, Launch, Limits, Net, Promise, Spec, command, measure};

const NOBODY: u32 = 65534;
const MEGABYTE: u64 = 1024 * 1024;

/// A folder with the launcher and the probe, which every user can reach.
struct Range {
    folder: tempfile::TempDir,
    user: Option<u32>,
}

/// What came of an attack.
#[derive(Debug)]
struct Came {
    through: bool,
    said: String,
}

impl Range {
    fn new(user: Option<u32>) -> Self {
        let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in("/var/tmp").expect("a folder");
        for (name, from) in [("launcher", env!("CARGO_BIN_EXE_crib-sandbox")), ("probe", env!("CARGO_BIN_EXE_crib-sandbox-probe"))] {
            fs::copy(from, folder.path().join(name)).expect("a copy");
        }
        for name in ["granted", "secret"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o777)).expect("rights");
            fs::write(folder.path().join(name).join("file"), "content").expect("a file");
            fs::set_permissions(folder.path().join(name).join("file"), fs::Permissions::from_mode(0o666)).expect("rights");
        }
        Self { folder, user }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn spec(&self, attack: &[&str]) -> Spec {
        let mut spec = Spec::new(self.path("probe"));
        spec.args = attack.iter().map(|arg| (*arg).to_owned()).collect();
        spec
    }

    fn command(&self, spec: &Spec) -> Command {
        let Launch { program, args, env } = command(&self.path("launcher"), spec).expect("a command");
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn run(&self, spec: &Spec) -> Came {
        let output: Output = self.command(spec).output().expect("a launcher");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.starts_with("stopped: ") || said.starts_with("through: "), "{:?}: {} {said}", spec.args, output.status);
        Came { through: said.starts_with("through: "), said }
    }

    fn attack(&self, attack: &[&str]) -> Came {
        self.run(&self.spec(attack))
    }

    #[track_caller]
    fn is_stopped(&self, attack: &[&str]) {
        let came = self.attack(attack);
        assert!(!came.through, "{attack:?}: {}", came.said);
    }
}

fn each(test: impl Fn(&Range)) {
    test(&Range::new(None));
    if rustix::process::geteuid().is_root() {
        test(&Range::new(Some(NOBODY)));
    }
}

#[test]
fn files_that_are_not_granted_are_not_there() {
    each(|range| {
        for path in ["/etc/shadow", "/root/.bashrc", "/sys/kernel/profiling", "/proc/kcore", &range.text("secret/file"), "/dev/mem"] {
            range.is_stopped(&["read", path]);
        }
        for path in
            ["/etc/passwd", "/usr/bin/new", "/new", "/proc/self/oom_score_adj", "/dev/new", &range.text("secret/new"), &range.text("probe")]
        {
            range.is_stopped(&["write", path]);
        }
        range.is_stopped(&["list", &range.text("secret")]);
        range.is_stopped(&["sysctl", "kernel/hostname"]);
        range.is_stopped(&["sysctl", "vm/drop_caches"]);
    });
}

#[test]
fn a_granted_folder_can_be_read_written_and_nothing_run_from_it() {
    each(|range| {
        let file = range.text("granted/file");
        let mut spec = range.spec(&["read", &file]);
        spec.read = vec![range.path("granted")];
        assert!(range.run(&spec).through);
        spec.args = vec!["write".into(), file];
        assert!(!range.run(&spec).through, "a folder to be read is not written");
        spec.read.clear();
        spec.write = vec![range.path("granted")];
        assert!(range.run(&spec).through, "a folder to be written is");
        let (probe, copy) = (range.text("probe"), range.text("granted/copy"));
        spec.args = ["copy-and-exec", &probe, &copy].map(str::to_owned).into();
        assert!(!range.run(&spec).through, "what was written is not run");
        std::os::unix::fs::symlink("/etc/shadow", range.path("granted/link")).expect("a link");
        spec.args = vec!["read".into(), range.text("granted/link")];
        assert!(!range.run(&spec).through, "a link leads nowhere");
    });
}

#[test]
fn no_network_is_reached_unless_it_is_granted() {
    each(|range| {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").expect("a port"), UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let address = tcp.local_addr().expect("an address").to_string();
        range.is_stopped(&["connect", &address]);
        range.is_stopped(&["connect", "1.1.1.1:443"]);
        range.is_stopped(&["resolve", "example.com"]);
        // A datagram to its own loopback goes nowhere.
        udp.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        range.attack(&["udp", &udp.local_addr().expect("an address").to_string()]);
        assert!(udp.recv(&mut [0; 8]).is_err());
        let mut spec = range.spec(&["connect", &address]);
        spec.net = Net::All;
        assert!(range.run(&spec).through, "a granted network is reached");
    });
}

#[test]
fn sockets_of_others_are_not_reached() {
    use std::os::linux::net::SocketAddrExt as _;
    each(|range| {
        let path = range.path("secret/socket");
        let _listener = UnixListener::bind(&path).expect("a socket");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("rights");
        range.is_stopped(&["unix", &path.display().to_string()]);
        let name = format!("toolcrib-test-{}-{:?}", std::process::id(), range.user);
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let _other = UnixListener::bind_addr(&address).expect("a socket");
        range.is_stopped(&["abstract", &name]);
        let mut spec = range.spec(&["abstract", &name]);
        spec.net = Net::All;
        assert!(!range.run(&spec).through, "not even with the machine's network");
    });
}

#[test]
fn granted_hosts_are_reached_through_the_proxy_and_others_are_not() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    each(|range| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let granted = listener.local_addr().expect("an address").to_string();
        let other = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
        let _runtime = runtime.enter();
        let (told, refused) = std::sync::mpsc::channel();
        let rules = vec![granted.parse().expect("a rule"), "*.localhost.example:80".parse().expect("a rule")];
        let egress = Egress::start(range.path("egress"), rules, move |what| drop(told.send(what))).expect("a proxy");
        fs::set_permissions(egress.socket(), fs::Permissions::from_mode(0o777)).expect("rights");
        let mut spec = range.spec(&["proxy", &granted]);
        spec.net = Net::Proxy(egress.socket().to_owned());
        let came = range.run(&spec);
        assert!(came.through, "{}", came.said);
        spec.args = vec!["proxy".into(), other.clone()];
        let came = range.run(&spec);
        assert!(came.said.contains("403"), "{}", came.said);
        let what = refused.recv_timeout(Duration::from_secs(5)).expect("it is told");
        assert_eq!(format!("{}:{}", what.host, what.port), other);
        spec.args = vec!["connect".into(), granted];
        assert!(!range.run(&spec).through, "there is no way but the proxy");
    });
}

#[test]
fn the_environment_is_the_granted_one() {
    each(|range| {
        let mut spec = range.spec(&["env"]);
        spec.env = vec![("GRANTED".into(), "yes".into())];
        let said = range.run(&spec).said;
        let names: Vec<&str> = said.trim_start_matches("through: ").split_whitespace().filter_map(|pair| pair.split('=').next()).collect();
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        assert_eq!(names, ["GRANTED", "HOME", "LANG", "PATH", "TMPDIR"]);
        range.is_stopped(&["environ", "1"]);
    });
}

#[test]
fn files_that_were_open_in_the_gateway_are_not_open_in_the_server() {
    each(|range| {
        let secret = fs::File::open(range.path("secret/file")).expect("a file");
        rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).expect("it is let through");
        let said = range.attack(&["descriptors"]).said;
        assert!(!said.contains("secret"), "{said}");
        // Standard input, output and error, and the folder that was listed.
        assert!(said.split_whitespace().count() <= 5, "{said}");
    });
}

#[test]
fn other_processes_are_neither_seen_nor_signalled_nor_traced() {
    each(|range| {
        let this = std::process::id().to_string();
        range.is_stopped(&["kill", &this]);
        let came = range.attack(&["processes"]);
        assert!(came.said.split_whitespace().count() <= 3, "only the launcher and itself: {}", came.said);
        range.is_stopped(&["ptrace"]);
    });
}

#[test]
fn no_privilege_is_left_and_no_namespace_or_mount_is_made() {
    each(|range| {
        range.is_stopped(&["privilege"]);
        range.is_stopped(&["unshare"]);
        range.is_stopped(&["mount"]);
    });
}

#[test]
fn a_fork_bomb_and_what_eats_memory_disk_and_files_are_bounded() {
    each(|range| {
        let limits = Limits {
            memory_bytes: 256 * MEGABYTE,
            processes: 64,
            open_files: 128,
            file_bytes: 8 * MEGABYTE,
            tmp_bytes: 16 * MEGABYTE,
            cpu_seconds: Some(20),
        };
        let bounded = |attack: &[&str]| {
            let mut spec = range.spec(attack);
            spec.limits = limits.clone();
            spec.write = vec![range.path("granted")];
            spec
        };
        let report = measure_as(range, &bounded(&[]));
        assert!(report.holds(Promise::ProcessCount).is_some_and(crib_sandbox::Holds::is_yes), "{report}");
        assert!(!range.run(&bounded(&["fork-bomb"])).through);
        let files = range.run(&bounded(&["open-files"]));
        assert!(!files.through, "{}", files.said);
        let memory = range.command(&bounded(&["memory", "600"])).output().expect("a launcher");
        assert!(!String::from_utf8_lossy(&memory.stdout).starts_with("through"), "{memory:?}");
        for path in ["/tmp/file", "/home/toolcrib/file", &range.text("granted/large")] {
            // The kernel ends a process that writes beyond the size of a file, unless it asks not to.
            let disk = range.command(&bounded(&["disk", path, "600"])).output().expect("a launcher");
            assert!(!String::from_utf8_lossy(&disk.stdout).starts_with("through"), "{disk:?}");
        }
        assert!(fs::metadata(range.path("granted/large")).expect("a file").len() <= 8 * MEGABYTE);
    });
}

fn measure_as(range: &Range, spec: &Spec) -> crib_sandbox::Report {
    if range.user.is_none() {
        return measure(&range.path("launcher"), spec).expect("a report");
    }
    let launch = command(&range.path("launcher"), spec).expect("a command");
    let mut measuring = Command::new(launch.program);
    measuring.args(["__sandbox", "measure"]).env_clear().envs(launch.env).uid(NOBODY).gid(NOBODY);
    let output = measuring.output().expect("a launcher");
    serde_json::from_slice(&output.stdout).expect("a report")
}

#[test]
fn every_process_ends_with_whoever_started_it() {
    each(|range| {
        let beat = range.path("granted/beat");
        let outlive = |wait: bool| {
            let mut spec = range.spec(&["outlive", &beat.display().to_string()]);
            spec.write = vec![range.path("granted")];
            let mut child = range.command(&spec).spawn().expect("a launcher");
            let until = Instant::now() + Duration::from_secs(10);
            while !beat.exists() && Instant::now() < until {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            assert!(beat.exists(), "the process it leaves behind was started");
            if !wait {
                child.kill().expect("it is killed");
            }
            child.wait().expect("it ends");
            std::thread::park_timeout(Duration::from_millis(100));
            let size = || fs::metadata(&beat).expect("a file").len();
            let before = size();
            std::thread::park_timeout(Duration::from_millis(300));
            assert_eq!(size(), before, "nothing lives on");
            fs::remove_file(&beat).expect("a file");
        };
        outlive(true);
        outlive(false);
    });
}

#[test]
fn everything_holds_here_or_the_report_says_why_not() {
    let range = Range::new(None);
    let report = measure(&range.path("launcher"), &range.spec(&[])).expect("a report");
    for promise in Promise::ALL {
        assert!(report.holds(*promise).is_some(), "{promise}");
    }
    for promise in [Promise::Network, Promise::Files, Promise::Privilege, Promise::Reaped, Promise::Environment, Promise::Mounts] {
        assert_eq!(report.missing(&[promise]), None, "{report}");
    }
}

/// Inside a sandbox no further namespace can be entered, which is how it is on many machines.
#[test]
fn without_namespaces_landlock_and_seccomp_hold_what_they_can_and_the_rest_is_refused_if_required() {
    let range = Range::new(None);
    let nested = |spec: &Spec| {
        let inner = command(&range.path("launcher"), spec).expect("a command");
        let mut outer = Spec::new(range.path("launcher"));
        outer.args = inner.args;
        outer.env = inner.env;
        outer.runtime.push(range.path("probe"));
        outer.read = vec![range.path("secret")];
        outer.write = vec![range.path("granted")];
        outer.net = Net::All;
        let output = range.command(&outer).output().expect("a launcher");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    for attack in [vec!["read", &range.text("secret/file")], vec!["connect", &address], vec!["unshare"], vec!["privilege"], vec!["ptrace"]]
    {
        let said = nested(&range.spec(&attack));
        assert!(said.starts_with("stopped: "), "{attack:?}: {said}");
    }
    let mut spec = range.spec(&["write", &range.text("granted/file")]);
    spec.write = vec![range.path("granted")];
    assert!(nested(&spec).starts_with("through: "));
    spec.require = vec![Promise::Processes];
    let said = nested(&spec);
    assert!(said.contains("is required and does not hold"), "{said}");
}

#[test]
fn what_cannot_be_granted_is_told() {
    let range = Range::new(None);
    for path in [Path::new("/"), Path::new("relative"), &range.path("absent")] {
        let mut spec = range.spec(&["env"]);
        spec.read = vec![path.to_owned()];
        let output = range.command(&spec).output().expect("a launcher");
        assert_eq!(output.status.code(), Some(126), "{path:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(&*path.to_string_lossy()), "{output:?}");
    }
}
