//! Profiles, read as text: no Mac is needed to see what is granted.

use std::path::{Path, PathBuf};

use super::{Reach, Rules, profile};
use crate::{Net, Spec};

/// Follows the links that every Mac has.
fn resolve(path: &Path) -> PathBuf {
    let of_private = ["/tmp", "/var", "/etc"].iter().any(|link| path.starts_with(link));
    if of_private { Path::new("/private").join(path.strip_prefix("/").expect("an absolute path")) } else { path.to_owned() }
}

fn written(spec: &Spec, port: Option<u16>) -> String {
    let scratch = [Path::new("/var/folders/x/T/toolcrib-7/home"), Path::new("/var/folders/x/T/toolcrib-7/tmp")];
    profile(&Rules::of(spec, &scratch, Reach::of(spec, port), resolve))
}

/// Returns the lines that one profile has and the other has not.
fn added(more: &str, less: &str) -> Vec<String> {
    let known: Vec<&str> = less.lines().collect();
    more.lines().filter(|line| !known.contains(line)).map(|line| line.trim().to_owned()).collect()
}

fn server() -> Spec {
    let mut spec = Spec::new("/opt/homebrew/Cellar/node/24.1.0/bin/node");
    spec.runtime = vec!["/Users/ada/Library/Application Support/toolcrib/store/ab".into()];
    spec
}

#[test]
fn a_profile_grants_what_the_spec_grants() {
    let mut spec = server();
    spec.read = vec!["/tmp/books".into(), r#"/Users/ada/"quoted" \ (allow default)"#.into()];
    spec.write = vec!["/Users/ada/notes".into()];
    spec.net = Net::Proxy("/Users/ada/run/1.sock".into());
    insta::assert_snapshot!(written(&spec, Some(50123)));
}

#[test]
fn nothing_granted_is_no_network_and_no_file_but_its_own() {
    let text = written(&server(), None);
    // Of sockets only those in its own folders.
    let networks: Vec<&str> = text.lines().filter(|line| line.contains("network")).collect();
    assert_eq!(networks, ["(allow file-read* file-write* file-map-executable process-exec network*"]);
    assert!(!text.contains("/Users/ada/notes") && text.starts_with("(version 1)\n(deny default)\n"), "{text}");
    // No rule is for everything but those of processes.
    let whole: Vec<&str> = text.lines().filter(|line| line.ends_with(')') && line.starts_with('(')).collect();
    let known = [
        "(version 1)",
        "(deny default)",
        "(allow process-fork)",
        "(allow ipc-posix-sem)",
        "(allow system-socket)",
        "(deny file-write-setugid)",
    ];
    assert_eq!(whole, known);
}

#[test]
fn granted_hosts_are_one_port_and_no_service() {
    let (nothing, mut spec) = (written(&server(), None), server());
    spec.net = Net::Proxy("/run/1.sock".into());
    assert_eq!(added(&written(&spec, Some(50123)), &nothing), ["(allow network-outbound", "(remote ip \"localhost:50123\"))"]);
    // Without a port there is no way to the proxy, and no other.
    assert_eq!(added(&written(&spec, None), &nothing), Vec::<String>::new());
}

#[test]
fn every_network_is_no_socket_of_the_machine() {
    let mut spec = server();
    spec.net = Net::All;
    let more = added(&written(&spec, None), &written(&server(), None));
    assert!(more.contains(&"(remote ip))".to_owned()), "{more:?}");
    let sockets: Vec<&String> = more.iter().filter(|line| line.contains("unix-socket")).collect();
    assert_eq!(sockets, ["(remote unix-socket (path-literal \"/private/var/run/mDNSResponder\")))"]);
}

#[test]
fn a_link_can_be_seen_and_its_target_be_read() {
    let mut spec = server();
    spec.read = vec!["/tmp/books".into()];
    let more = added(&written(&spec, None), &written(&server(), None));
    // `/private` and `/tmp` are known to everyone.
    assert_eq!(
        more,
        ["(literal \"/private/tmp\")", "(literal \"/private/tmp/books\")", "(literal \"/tmp/books\")", "(subpath \"/private/tmp/books\"))"]
    );
}

#[test]
fn what_can_be_written_cannot_be_run_unless_it_is_the_server() {
    let mut spec = server();
    spec.write = vec!["/Users/ada/work".into()];
    spec.runtime.push("/Users/ada/work/server".into());
    let text = written(&spec, None);
    // Of two rules that fit, the later one counts.
    let (_, later) = text.split_once("(deny file-map-executable process-exec\n  (subpath \"/Users/ada/work\"))").expect("a rule");
    let (_, run) = later.split_once("(allow file-read* file-map-executable process-exec\n").expect("a rule");
    assert!(run.contains("(subpath \"/Users/ada/work/server\")"), "{text}");
}
