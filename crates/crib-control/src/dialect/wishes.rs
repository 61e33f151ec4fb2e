//! What catalogues would have their servers granted, in the words of grants. Nothing of it is granted by that.

use super::listing::{elements, scalar, text};
use crate::config::Wishes;
use crate::tree::Node;

/// Most wishes of one kind: nobody reads more before saying yes.
const WISHES_MAX: usize = 50;

/// What Docker's catalogue says: `allowHosts: ["api.example.com:443"]`, and `volumes`, whose settings are filled in.
pub(super) fn of_docker(node: &Node, volumes: impl Iterator<Item = String>) -> Wishes {
    let mut wishes = Wishes::default();
    if node.get("disableNetwork").and_then(Node::as_bool) != Some(true) {
        elements(node, "allowHosts").filter_map(scalar).for_each(|host| add(&mut wishes.hosts, host_of(&host)));
    }
    for volume in volumes {
        let (path, is_read_only) = place(&volume);
        add(if is_read_only { &mut wishes.read } else { &mut wishes.write }, path);
    }
    wishes
}

/// What ToolHive's registry says under `permissions`.
pub(super) fn of_toolhive(node: &Node) -> Wishes {
    let mut wishes = Wishes::default();
    let Some(permissions) = node.get("permissions") else { return wishes };
    if let Some(outbound) = permissions.get("network").and_then(|network| network.get("outbound")) {
        let ports: Vec<String> = elements(outbound, "allow_port").filter_map(scalar).collect();
        for host in elements(outbound, "allow_host").filter_map(scalar) {
            let host = host_of(&host);
            if ports.is_empty() || has_port(&host) {
                add(&mut wishes.hosts, host);
            } else {
                ports.iter().for_each(|port| add(&mut wishes.hosts, with_port(&host, port)));
            }
        }
        if outbound.get("insecure_allow_all").and_then(Node::as_bool) == Some(true) {
            wishes.hosts = vec!["*".to_owned()];
        }
    }
    for (name, list) in [("read", &mut wishes.read), ("write", &mut wishes.write)] {
        elements(permissions, name).filter_map(scalar).for_each(|path| add(list, place(&path).0));
    }
    if text(permissions, "profile") == Some("network") && wishes.hosts.is_empty() {
        wishes.hosts.push("*".to_owned());
    }
    wishes
}

fn add(list: &mut Vec<String>, one: String) {
    if !one.is_empty() && list.len() < WISHES_MAX && !list.contains(&one) {
        list.push(one);
    }
}

/// `.example.com` is every name below it. A grant without a port is for the web's own.
fn host_of(written: &str) -> String {
    let host = match written.strip_prefix('.') {
        Some(rest) => format!("*.{rest}"),
        None => written.to_owned(),
    };
    host.strip_suffix(":443").map(str::to_owned).unwrap_or(host).to_ascii_lowercase()
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn with_port(host: &str, port: &str) -> String {
    if matches!(port, "80" | "443") { host.to_owned() } else { format!("{host}:{port}") }
}

/// The path on this machine of `HOST:CONTAINER[:ro]`, and whether it is for reading; nothing for a volume of an engine's
/// own, which is no path.
fn place(written: &str) -> (String, bool) {
    let mut parts: Vec<&str> = written.split(':').collect();
    let is_read_only = parts.last() == Some(&"ro") && parts.pop().is_some();
    let path = parts.first().copied().unwrap_or_default();
    let is_path = path.starts_with('/') || path.starts_with("~/");
    (if is_path { path.to_owned() } else { String::new() }, is_read_only)
}
