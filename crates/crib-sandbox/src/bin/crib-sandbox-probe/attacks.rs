//! The attacks, each on one promise.

use std::fmt::Debug;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::process::{Pid, Signal, kill_process};

use crate::Came;

/// More than any limit of the tests.
const MANY: usize = 20_000;
const MEGABYTE: usize = 1024 * 1024;

pub(crate) fn run(args: &[String]) -> Came {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["read", path] => came(fs::read(path), |bytes| format!("{} bytes", bytes.len())),
        ["write", path] => came(fs::write(path, "was here"), |()| format!("wrote {path}")),
        ["list", path] => came(fs::read_dir(path), |entries| format!("{} entries", entries.count())),
        ["exec", path] => came(Command::new(path).stdout(Stdio::null()).status(), |status| format!("ran: {status}")),
        ["copy-and-exec", from, to] => came(fs::copy(from, to).and_then(|_| Command::new(to).status()), |status| status.to_string()),
        ["connect", address] => {
            came(TcpStream::connect_timeout(&address.parse().unwrap_or_else(|_| fallback()), WAIT), |_| "connected".into())
        }
        ["udp", address] => came(send_datagram(address), |sent| format!("sent {sent}")),
        ["listen"] => came(TcpListener::bind("0.0.0.0:0"), |_| "listening".into()),
        ["unix", path] => came(UnixStream::connect(path), |_| "connected".into()),
        ["abstract", name] => came(connect_abstract(name), |()| "connected".into()),
        ["proxy", target] => through_proxy(target),
        ["resolve", name] => came(std::net::ToSocketAddrs::to_socket_addrs(&(*name, 443)), |all| format!("{} addresses", all.count())),
        ["env"] => {
            came(Ok::<_, String>(()), |()| std::env::vars().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
        }
        ["descriptors"] => came(fs::read_dir("/proc/self/fd"), |open| {
            open.flatten()
                .filter_map(|entry| fs::read_link(entry.path()).ok())
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(" ")
        }),
        ["environ", pid] => came(fs::read(format!("/proc/{pid}/environ")), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ["kill", pid] => kill(pid),
        ["processes"] => came(Ok::<_, String>(()), |()| processes()),
        ["ptrace"] => ptrace(),
        ["unshare"] => came(unshare(CloneFlags::CLONE_NEWUSER), |()| "a user namespace".into()),
        ["mount"] => came(mount(), |()| "mounted".into()),
        ["privilege"] => privilege(),
        ["sysctl", name] => came(fs::write(format!("/proc/sys/{name}"), "1"), |()| format!("set {name}")),
        ["fork-bomb"] => fork_bomb(),
        ["memory", megabytes] => memory(megabytes.parse().unwrap_or(0)),
        ["disk", path, megabytes] => disk(path, megabytes.parse().unwrap_or(0)),
        ["open-files"] => open_files(),
        ["outlive", path] => outlive(path),
        other => Came::Through(format!("unknown attack {other:?}")),
    }
}

const WAIT: Duration = Duration::from_secs(2);

fn fallback() -> std::net::SocketAddr {
    std::net::SocketAddr::from(([127, 0, 0, 1], 1))
}

fn came<T, E: Debug>(result: Result<T, E>, won: impl FnOnce(T) -> String) -> Came {
    match result {
        Ok(value) => Came::Through(won(value)),
        Err(error) => Came::Stopped(format!("{error:?}")),
    }
}

fn send_datagram(address: &str) -> std::io::Result<usize> {
    UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", address)
}

fn connect_abstract(name: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    UnixStream::connect_addr(&address).map(drop)
}

/// Asks the proxy of the environment for a tunnel.
fn through_proxy(target: &str) -> Came {
    let ask = || -> std::io::Result<String> {
        let proxy = std::env::vars().find(|(name, _)| name == "HTTPS_PROXY").map(|(_, url)| url).unwrap_or_default();
        let mut stream = TcpStream::connect(proxy.trim_start_matches("http://"))?;
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut answer = [0_u8; 1024];
        let read = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned())
    };
    match ask() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") => Came::Through("a tunnel".into()),
        Ok(answer) => Came::Stopped(answer.lines().next().unwrap_or_default().to_owned()),
        Err(error) => Came::Stopped(error.to_string()),
    }
}

fn kill(pid: &str) -> Came {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.map_or_else(|| Came::Through("no pid".into()), |pid| came(kill_process(pid, Signal::KILL), |()| "killed".into()))
}

fn processes() -> String {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    numbers.filter(|name| name.parse::<u32>().is_ok()).collect::<Vec<_>>().join(" ")
}

/// Tries `/proc/1/mem`, and to be traced by way of a debugger if there is one.
fn ptrace() -> Came {
    let memory = fs::OpenOptions::new().read(true).write(true).open("/proc/1/mem");
    if memory.is_ok() {
        return Came::Through("the memory of process 1".into());
    }
    match Command::new("/usr/bin/strace").args(["-o", "/dev/null", "/bin/true"]).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Came::Through("traced a child".into()),
        Ok(status) => Came::Stopped(status.to_string()),
        Err(error) => Came::Stopped(error.to_string()),
    }
}

fn mount() -> rustix::io::Result<()> {
    rustix::mount::mount("tmpfs", "/tmp", "tmpfs", rustix::mount::MountFlags::empty(), None::<&std::ffi::CStr>)
}

fn privilege() -> Came {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    let has = ["CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:"].map(field);
    let is_empty = has.iter().all(|set| set.bytes().all(|digit| digit == b'0'));
    let (no_new, filter) = (field("NoNewPrivs:"), field("Seccomp:"));
    let said = format!("caps {has:?} no_new_privs {no_new} seccomp {filter}");
    if is_empty && no_new == "1" && filter == "2" { Came::Stopped(said) } else { Came::Through(said) }
}

fn fork_bomb() -> Came {
    let mut children = Vec::new();
    for _ in 0..MANY {
        match Command::new("/bin/sleep").arg("30").spawn() {
            Ok(child) => children.push(child),
            Err(error) => {
                let count = children.len();
                for mut child in children {
                    drop(child.kill());
                    drop(child.wait());
                }
                return Came::Stopped(format!("{error} after {count}"));
            }
        }
    }
    Came::Through(format!("{MANY} processes"))
}

fn memory(megabytes: usize) -> Came {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for count in 0..megabytes {
        let mut piece: Vec<u8> = Vec::new();
        if piece.try_reserve_exact(MEGABYTE).is_err() {
            return Came::Stopped(format!("after {count} MiB"));
        }
        piece.resize(MEGABYTE, 1);
        held.push(piece);
    }
    Came::Through(format!("{} MiB", held.len()))
}

fn disk(path: &str, megabytes: usize) -> Came {
    let piece = vec![1_u8; MEGABYTE];
    let mut file = match fs::File::create(path) {
        Ok(file) => file,
        Err(error) => return Came::Stopped(error.to_string()),
    };
    for count in 0..megabytes {
        if let Err(error) = file.write_all(&piece) {
            return Came::Stopped(format!("{error} after {count} MiB"));
        }
    }
    Came::Through(format!("{megabytes} MiB"))
}

fn open_files() -> Came {
    let mut held = Vec::new();
    for count in 0..MANY {
        match fs::File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => return Came::Stopped(format!("{error} after {count}")),
        }
    }
    Came::Through(format!("{} files", held.len()))
}

/// Leaves a process in a session of its own that writes to a file for as long as it lives, and ends itself.
fn outlive(path: &str) -> Came {
    let script = format!("while :; do echo . >> {path}; sleep 0.05; done");
    let spawned = Command::new("/usr/bin/setsid")
        .args(["/bin/sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    std::thread::park_timeout(Duration::from_millis(300));
    came(spawned, |child| format!("left {}", child.id()))
}
