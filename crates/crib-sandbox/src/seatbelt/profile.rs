//! Writing a profile.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Reach, Rules, SYSTEM, quote};

/// What programs look up: libraries, certificates, zones, which shell and tools are meant; no accounts, hosts or keys.
const LOOKED_UP: &[&str] = &[
    "/private/etc/localtime",
    "/private/etc/protocols",
    "/private/etc/services",
    "/private/etc/ssl",
    "/private/var/db/dyld",
    "/private/var/db/timezone",
    "/private/var/db/xcode_select_link",
    "/private/var/select",
    "/opt/homebrew/etc/ca-certificates",
    "/opt/homebrew/etc/openssl@3",
    "/usr/local/etc/ca-certificates",
    "/usr/local/etc/openssl@3",
];
/// How names are resolved.
const NAMES: &[&str] = &["/private/etc/hosts", "/private/etc/resolv.conf", "/private/var/run/resolv.conf"];
/// Folders and links on the way to what every program needs.
const WAY: &[&str] = &["/dev", "/etc", "/private", "/private/etc", "/private/var", "/private/var/db", "/tmp", "/usr", "/usr/local", "/var"];
const DEVICES: &[&str] = &["/dev/dtracehelper", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// What is told of the machine. `kern.procargs2` is not among it: it shows the environment of every process.
const FACTS: &[&str] = &[
    "kern.argmax",
    "kern.boottime",
    "kern.hostname",
    "kern.maxfilesperproc",
    "kern.maxproc",
    "kern.ngroups",
    "kern.secure_kernel",
    "kern.usrstack64",
    "kern.version",
    "security.mac.lockdown_mode_state",
    "sysctl.proc_cputype",
    "vm.loadavg",
    "vm.swapusage",
];
const KINDS_OF_FACTS: &[&str] = &["hw.", "kern.os", "machdep.cpu."];

/// Services that every program asks: who a user is, what has changed, and where a line of the log goes.
const SERVICES: &[&str] =
    &["com.apple.logd", "com.apple.system.logger", "com.apple.system.notification_center", "com.apple.system.opendirectoryd.libinfo"];
/// Services of those that may reach every host. Whoever checks certificates for others fetches what these name, so that a
/// server with fewer hosts shall not ask.
const SERVICES_OF_NETWORKS: &[&str] = &[
    "com.apple.SystemConfiguration.DNSConfiguration",
    "com.apple.SystemConfiguration.configd",
    "com.apple.networkd",
    "com.apple.trustd",
    "com.apple.trustd.agent",
];

/// Returns the profile of these rules.
pub(crate) fn profile(rules: &Rules) -> String {
    let mut text = String::from("(version 1)\n(deny default)\n");
    processes(&mut text);
    machine(&mut text);
    granted(&mut text, rules);
    networks(&mut text, rules);
    text
}

fn processes(text: &mut String) {
    whole(text, "allow process-fork");
    rule(text, "allow process-info* signal", ["(target same-sandbox)".to_owned()]);
    // Python's locks between processes.
    whole(text, "allow ipc-posix-sem");
    rule(text, "allow ipc-posix-shm-read*", [named("ipc-posix-name", "apple.shm.notification_center")]);
    // What a socket reaches is ruled below.
    whole(text, "allow system-socket");
    let kinds = KINDS_OF_FACTS.iter().map(|name| named("sysctl-name-prefix", name));
    rule(text, "allow sysctl-read", kinds.chain(FACTS.iter().map(|name| named("sysctl-name", name))));
    rule(text, "allow mach-lookup", SERVICES.iter().map(|name| named("global-name", name)));
}

fn machine(text: &mut String) {
    // The loader of programs reads it.
    rule(text, "allow file-read*", [named("literal", "/")]);
    rule(text, "allow file-read-metadata", WAY.iter().map(|path| named("literal", path)));
    rule(text, "allow file-read* file-map-executable process-exec", SYSTEM.iter().map(|path| named("subpath", path)));
    rule(text, "allow file-read*", LOOKED_UP.iter().map(|path| named("subpath", path)));
    let devices = DEVICES.iter().map(|path| named("literal", path)).chain([named("subpath", "/dev/fd")]);
    rule(text, "allow file-read* file-write-data file-ioctl", devices);
}

fn granted(text: &mut String, rules: &Rules) {
    rule(text, "allow file-read-metadata", each("literal", &rules.way));
    rule(text, "allow file-read*", each("subpath", &rules.read));
    rule(text, "allow file-read* file-write*", each("subpath", &rules.write));
    rule(text, "deny file-map-executable process-exec", each("subpath", &rules.write));
    // A folder for writing may hold the server itself, which runs.
    rule(text, "allow file-read* file-map-executable process-exec", each("subpath", &rules.run));
    rule(text, "allow file-read* file-write* file-map-executable process-exec network*", each("subpath", &rules.scratch));
    whole(text, "deny file-write-setugid");
}

fn networks(text: &mut String, rules: &Rules) {
    match rules.net {
        Reach::Nothing => {}
        // A name or number of a host cannot stand here, only this word.
        Reach::Port(port) => rule(text, "allow network-outbound", [format!("(remote ip \"localhost:{port}\")")]),
        Reach::Everything => {
            rule(text, "allow network*", ["(local ip)".to_owned(), "(remote ip)".to_owned()]);
            rule(text, "allow network-outbound", ["(remote unix-socket (path-literal \"/private/var/run/mDNSResponder\"))".to_owned()]);
            rule(text, "allow file-read*", NAMES.iter().map(|path| named("literal", path)));
            rule(text, "allow file-read-metadata", [named("literal", "/private/var/run")]);
            rule(text, "allow mach-lookup", SERVICES_OF_NETWORKS.iter().map(|name| named("global-name", name)));
        }
    }
}

fn named(filter: &str, name: &str) -> String {
    format!("({filter} {})", quote::text(name))
}

fn each(filter: &'static str, paths: &BTreeSet<PathBuf>) -> impl Iterator<Item = String> {
    paths.iter().map(move |path| format!("({filter} {})", quote::path(path)))
}

/// Writes a rule for what fits one of the filters; nothing where there is none, as a rule without filters is for everything.
fn rule(text: &mut String, head: &str, filters: impl IntoIterator<Item = String>) {
    let filters: String = filters.into_iter().map(|filter| format!("\n  {filter}")).collect();
    if !filters.is_empty() {
        text.extend(["(", head, &filters, ")\n"]);
    }
}

/// Writes a rule for everything of a kind.
fn whole(text: &mut String, head: &str) {
    text.extend(["(", head, ")\n"]);
}
