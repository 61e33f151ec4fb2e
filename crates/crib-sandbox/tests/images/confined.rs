//! Servers in the root directory of an image: what they see, what they may write, and that an engine grants the same.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crib_sandbox::{Egress, Image, Launch, Net, Spec, command, measure};

const NOBODY: u32 = 65534;

/// An image with the probe in it, and folders that may be granted.
struct Range {
    folder: tempfile::TempDir,
    user: Option<u32>,
    engine: Option<PathBuf>,
}

impl Range {
    /// None where the image cannot be made, which is told.
    fn new(user: Option<u32>, engine: Option<PathBuf>) -> Option<Self> {
        let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in("/var/tmp").expect("a folder");
        let probe = env!("CARGO_BIN_EXE_crib-sandbox-probe");
        fs::copy(env!("CARGO_BIN_EXE_crib-sandbox"), folder.path().join("launcher")).expect("a copy");
        let said = Command::new("ldd").arg(probe).output().ok().filter(|said| said.status.success());
        let Some(said) = said else {
            skip("`ldd` does not say which libraries there are");
            return None;
        };
        let this = Self { folder, user, engine };
        let text = String::from_utf8(said.stdout).expect("text");
        let libraries = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        this.put("/app/bin/probe", Path::new(probe));
        libraries.for_each(|library| this.put(library, Path::new(library)));
        this.note("/etc/passwd", "root:x:0:0::/:\nada:x:1815:1815::/:\n");
        this.note("/srv/of/the/image", "image");
        this.note("/app/note", "image");
        // As images of strangers may have them.
        symlink("/etc/shadow", this.root().join("shadow")).expect("a link");
        symlink("../../../../../../../../../../etc", this.root().join("etc-of-the-machine")).expect("a link");
        for (name, mode) in [("granted", 0o777), ("secret", 0o777)] {
            fs::create_dir(this.path(name)).expect("a folder");
            fs::set_permissions(this.path(name), fs::Permissions::from_mode(mode)).expect("rights");
            fs::write(this.path(name).join("file"), "content").expect("a file");
            fs::set_permissions(this.path(name).join("file"), fs::Permissions::from_mode(0o666)).expect("rights");
        }
        if let Some(user) = user {
            // A store is its user's own.
            own(&this.root(), user);
        }
        Some(this)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn root(&self) -> PathBuf {
        self.path("root")
    }

    fn put(&self, name: &str, from: &Path) {
        let to = self.root().join(name.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        fs::copy(from, to).expect("a copy");
    }

    fn note(&self, name: &str, text: &str) {
        let to = self.root().join(name.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        fs::write(to, text).expect("a file");
    }

    fn spec(&self, attack: &[&str]) -> Spec {
        let mut spec = Spec::new("probe");
        spec.runtime.clear();
        spec.args = attack.iter().map(|arg| (*arg).to_owned()).collect();
        spec.env = vec![("PATH".into(), "/app/bin".into())];
        spec.cwd = Some("/app".into());
        let volumes = vec!["/data".into(), "/srv".into(), "/etc".into(), "/../up".into(), "/".into()];
        spec.image = Some(Image { root: self.root(), volumes, user: Some(1815), engine: self.engine.clone() });
        spec
    }

    fn output(&self, spec: &Spec) -> Output {
        let Launch { program, args, env } = command(&self.path("launcher"), spec).expect("a command");
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(env).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.output().expect("a launcher")
    }

    #[track_caller]
    fn run(&self, spec: &Spec) -> (bool, String) {
        let output = self.output(spec);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.starts_with("stopped: ") || said.starts_with("through: "), "{:?}: {} {said}", spec.args, output.status);
        (said.starts_with("through: "), said)
    }

    #[track_caller]
    fn is_stopped(&self, attack: &[&str]) {
        let (through, said) = self.run(&self.spec(attack));
        assert!(!through, "{attack:?}: {said}");
    }

    #[track_caller]
    fn gets_through(&self, attack: &[&str]) {
        let (through, said) = self.run(&self.spec(attack));
        assert!(through, "{attack:?}: {said}");
    }
}

fn own(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("it is given away");
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).expect("a folder").flatten().for_each(|entry| own(&entry.path(), user));
    }
}

fn skip(why: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {why}"));
}

/// The engines of this machine that can start anything at all here.
fn engines() -> Vec<PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin"];
    let mut found = Vec::new();
    for name in ["runc", "crun"] {
        let Some(engine) = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file()) else {
            skip(&format!("`{name}` is not on this machine"));
            continue;
        };
        let Some(range) = Range::new(None, Some(engine.clone())) else { continue };
        let output = range.output(&range.spec(&["env"]));
        if output.stdout.starts_with(b"through") {
            found.push(engine);
        } else {
            skip(&format!("`{name}` starts nothing here: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
    }
    found
}

/// As this user, as an ordinary one, and by each engine as both.
fn each(test: impl Fn(&Range)) {
    let users = [None, Some(NOBODY)].into_iter().filter(|user| user.is_none() || rustix::process::geteuid().is_root());
    let engines: Vec<Option<PathBuf>> = std::iter::once(None).chain(engines().into_iter().map(Some)).collect();
    for user in users {
        engines.iter().filter_map(|engine| Range::new(user, engine.clone())).for_each(|range| test(&range));
    }
}

#[test]
fn the_machine_is_not_seen_from_an_image() {
    each(|range| {
        for path in
            ["/etc/shadow", "/shadow", "/etc-of-the-machine/shadow", "/usr/bin/env", "/root/.bashrc", "/etc/ssl", "/old", "/proc/kcore"]
        {
            range.is_stopped(&["read", path]);
        }
        range.is_stopped(&["read", &range.text("secret/file")]);
        range.is_stopped(&["read", &range.text("root/app/note")]);
        for path in ["/app/note", "/etc/passwd"] {
            range.gets_through(&["read", path]);
        }
    });
}

#[test]
fn an_image_is_not_written_to_and_has_folders_of_its_own() {
    each(|range| {
        for path in ["/app/note", "/app/new", "/new", "/etc/passwd", "/etc/new", "/app/bin/probe"] {
            range.is_stopped(&["write", path]);
        }
        for path in ["/tmp/new", "/data/new", "/srv/new", "/run/new", "/var/tmp/new", "/home/toolcrib/new", "/dev/shm/new"] {
            range.gets_through(&["write", path]);
        }
        let mut names: Vec<String> =
            fs::read_dir(range.root()).expect("a folder").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.retain(|name| !matches!(name.as_str(), "lib" | "lib64" | "usr"));
        assert_eq!(names, ["app", "etc", "etc-of-the-machine", "shadow", "srv"], "nothing was made in the image itself");
    });
}

#[test]
fn a_grant_is_at_its_own_path_whatever_the_image_has_there() {
    each(|range| {
        let file = range.text("granted/file");
        let mut spec = range.spec(&["read", &file]);
        spec.read = vec![range.path("granted")];
        assert!(range.run(&spec).0);
        spec.args = vec!["write".into(), file];
        assert!(!range.run(&spec).0, "a folder to be read is not written");
        spec.write = std::mem::take(&mut spec.read);
        assert!(range.run(&spec).0, "a folder to be written is");
        let copy = range.text("granted/copy");
        spec.args = ["copy-and-exec", "/app/bin/probe", &copy].map(str::to_owned).into();
        assert!(!range.run(&spec).0, "what was written is not run");
        drop(fs::remove_file(copy));
    });
}

#[test]
fn nothing_is_reached_or_won_from_an_image_that_was_not_granted() {
    each(|range| {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = tcp.local_addr().expect("an address").to_string();
        range.is_stopped(&["connect", &address]);
        range.is_stopped(&["connect", "1.1.1.1:443"]);
        range.is_stopped(&["kill", &std::process::id().to_string()]);
        for attack in ["privilege", "unshare", "mount"] {
            range.is_stopped(&[attack]);
        }
        // An engine starts it as the first process, which may read its own memory.
        if range.engine.is_none() {
            range.is_stopped(&["ptrace"]);
        }
        range.is_stopped(&["sysctl", "kernel/hostname"]);
    });
}

#[test]
fn granted_hosts_are_reached_from_an_image_through_the_proxy() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    each(|range| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let granted = listener.local_addr().expect("an address").to_string();
        let _runtime = runtime.enter();
        let rules = vec![granted.parse().expect("a rule")];
        let egress = Egress::start(range.path("egress"), rules, drop).expect("a proxy");
        fs::set_permissions(egress.socket(), fs::Permissions::from_mode(0o777)).expect("rights");
        let mut spec = range.spec(&["proxy", &granted]);
        spec.net = Net::Proxy(egress.socket().to_owned());
        let (through, said) = range.run(&spec);
        assert!(through, "{said}");
        spec.args = vec!["connect".into(), granted];
        assert!(!range.run(&spec).0, "there is no way but the proxy");
    });
}

#[test]
fn the_environment_of_an_image_is_its_own() {
    each(|range| {
        let mut spec = range.spec(&["env"]);
        spec.env.push(("GRANTED".into(), "yes".into()));
        let said = range.run(&spec).1;
        let mut names: Vec<&str> =
            said.trim_start_matches("through: ").split_whitespace().filter_map(|pair| pair.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["GRANTED", "HOME", "LANG", "PATH", "TMPDIR"]);
    });
}

#[test]
fn what_holds_for_an_image_is_told_and_what_is_no_engine_is_refused() {
    each(|range| {
        if range.user.is_some() {
            return;
        }
        let report = measure(&range.path("launcher"), &range.spec(&[])).expect("a report");
        let by = report.holds(crib_sandbox::Promise::Files).map(ToString::to_string).unwrap_or_default();
        let name = range.engine.as_ref().and_then(|engine| engine.file_name()).and_then(|name| name.to_str()).unwrap_or("Landlock");
        assert!(by.contains(name), "{report}");
    });
    if let Some(range) = Range::new(None, Some("/bin/true".into())) {
        let output = range.output(&range.spec(&["env"]));
        assert_eq!(output.status.code(), Some(126));
        assert!(String::from_utf8_lossy(&output.stderr).contains("not an engine that is known"), "{output:?}");
    }
}
