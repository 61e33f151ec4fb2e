//! Which hosts are granted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One grant: `api.example.com`, `*.example.com`, `example.com:8443`, `127.0.0.1:5432`; without a port, 80 and 443.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostRule {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
    /// Every name below this one.
    Below(String),
}

/// What is not a grant of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host: write `api.example.com`, `*.example.com`, `example.com:8443` or an address")]
pub struct NotAHost(String);

impl FromStr for HostRule {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let wrong = || NotAHost(text.to_owned());
        let (host, port) = split(text).ok_or_else(wrong)?;
        if let Ok(address) = host.parse() {
            return Ok(Self { host: Host::Address(address), port });
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let (is_below, name) = name.strip_prefix("*.").map_or((false, name.as_str()), |rest| (true, rest));
        let is_label = |label: &str| {
            !label.is_empty() && label.len() < 64 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(is_label) || is_below && !name.contains('.') {
            return Err(wrong());
        }
        let host = if is_below { Host::Below(name.to_owned()) } else { Host::Name(name.to_owned()) };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = NotAHost;

    fn try_from(text: String) -> Result<Self, NotAHost> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
            Host::Below(name) => write!(f, "*.{name}"),
        }?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl HostRule {
    /// Returns whether this grants something on the machine itself, to which programs do not take a proxy by default.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost",
            Host::Below(_) => false,
        }
    }

    /// Returns whether a host and port as a program names them are granted.
    #[cfg(any(unix, test))]
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.');
        let is_host = match &self.host {
            Host::Address(address) => host.parse() == Ok(*address),
            Host::Name(name) => host.eq_ignore_ascii_case(name),
            Host::Below(name) => {
                let host = host.to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        };
        is_host && self.port.map_or(matches!(port, 80 | 443), |granted| granted == port)
    }

    /// Returns whether the grant is of this very machine or network, not of a name that might point there.
    #[cfg(unix)]
    pub(super) fn is_of_address(&self) -> bool {
        match &self.host {
            Host::Address(_) => true,
            Host::Name(name) => name == "localhost",
            Host::Below(_) => false,
        }
    }
}

/// Splits `host:port`, `[v6]:port` and what has no port.
pub(super) fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?.parse().ok()?) };
        return Some((host, port));
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}
