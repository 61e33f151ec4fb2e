//! The names of images: `[REGISTRY/]NAME[:TAG][@DIGEST]`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crib_model::{Code, Fault};

use crate::Digest;

/// The registry of a name that names none.
const HUB: &str = "docker.io";
/// Where its interface is.
const HUB_HOST: &str = "registry-1.docker.io";
/// What a name on it has in front where it has nothing.
const HUB_SPACE: &str = "library/";
const LATEST: &str = "latest";
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// The name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a name as people write it.
    ///
    /// # Errors
    /// TC0502 for what cannot be one.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let bare = text.strip_prefix("docker://").or_else(|| text.strip_prefix("oci://")).unwrap_or(text);
        read(bare).map_err(|why| {
            Fault::new(Code::SourceInvalid, format!("`{}` is not the name of an image", text.escape_debug()))
                .because(why)
                .hint("write it as in: ghcr.io/owner/server:1.2   or   owner/server@sha256:…")
        })
    }

    /// Returns the registry, as `ghcr.io` or `127.0.0.1:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the name inside the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns registry and name, without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns what it is known by there: its tag, else its digest, else `latest`.
    #[must_use]
    pub fn version(&self) -> String {
        let digest = self.digest.as_ref().map(ToString::to_string);
        self.tag.clone().or(digest).unwrap_or_else(|| LATEST.to_owned())
    }

    /// Returns the name of exactly these bytes.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self.clone() }
    }

    /// Returns the host that is asked.
    pub(crate) fn host(&self) -> &str {
        if self.registry == HUB { HUB_HOST } else { &self.registry }
    }

    /// Returns what is asked for: the digest, where there is one.
    pub(crate) fn wanted(&self) -> &str {
        self.digest.as_ref().map(Digest::as_str).or(self.tag.as_deref()).unwrap_or(LATEST)
    }

    /// Tells whether the registry is on this machine, and so may do without TLS.
    pub(crate) fn is_local(&self) -> bool {
        is_loopback(&self.registry)
    }
}

/// Tells whether `HOST[:PORT]` is this machine's loopback.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn read(text: &str) -> Result<Reference, &'static str> {
    let (text, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse().map_err(|_odd| "its digest is not sha256:… with 64 digits")?)),
        None => (text, None),
    };
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if is_host(first) => (first.to_ascii_lowercase(), rest),
        Some(_) | None => (HUB.to_owned(), text),
    };
    // A port is in front of the first slash, so what comes after is a tag.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) => (name, Some(tag.to_owned())),
        None => (rest, None),
    };
    let registry = if registry == "index.docker.io" { HUB.to_owned() } else { registry };
    let repository = if registry == HUB && !name.contains('/') { format!("{HUB_SPACE}{name}") } else { name.to_owned() };
    if !is_authority(&registry) {
        return Err("its registry is not a host");
    }
    if registry.len() + repository.len() >= NAME_BYTES_MAX || !repository.split('/').all(is_part) {
        return Err("its name has to be small letters, digits, and `.`, `_`, `-` or `/` between them");
    }
    if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
        return Err("its tag has to be letters, digits, `.`, `_` and `-`");
    }
    Ok(Reference { registry, repository, tag, digest })
}

/// Tells a host from the first part of a name, as all tools do.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|letter| letter.is_ascii_uppercase())
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => ("v6", port.strip_prefix(':')),
        Some(_) => return false,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Small letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_part(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut mark = String::new();
    let mut is_first = true;
    for byte in part.bytes() {
        if is_letter(byte) {
            let is_known = matches!(mark.as_str(), "" | "." | "_" | "__") || mark.bytes().all(|byte| byte == b'-');
            if !is_known || (is_first && !mark.is_empty()) {
                return false;
            }
            mark.clear();
            is_first = false;
        } else if matches!(byte, b'.' | b'_' | b'-') {
            mark.push(char::from(byte));
        } else {
            return false;
        }
    }
    !is_first && mark.is_empty()
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, whole: &str) {
        assert_eq!(Reference::parse(text).map(|reference| reference.to_string()).map_err(|fault| fault.to_string()), Ok(whole.to_owned()));
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let sum = format!("sha256:{}", "a".repeat(64));
        check("alpine", "docker.io/library/alpine");
        check("mcp/time:1.2", "docker.io/mcp/time:1.2");
        check("index.docker.io/mcp/time", "docker.io/mcp/time");
        check("docker://ghcr.io/a/b:1", "ghcr.io/a/b:1");
        check("127.0.0.1:5000/demo:1", "127.0.0.1:5000/demo:1");
        check("[::1]:5000/demo", "[::1]:5000/demo");
        check("localhost/demo", "localhost/demo");
        check("GHCR.io/a/b__c-d.e", "ghcr.io/a/b__c-d.e");
        check(&format!("ghcr.io/a/b:1@{sum}"), &format!("ghcr.io/a/b:1@{sum}"));
        let pinned = Reference::parse(&format!("a/b@{sum}")).unwrap();
        assert_eq!((pinned.wanted(), pinned.version()), (sum.as_str(), sum.clone()));
        assert_eq!((pinned.host(), Reference::parse("a/b").unwrap().wanted()), (HUB_HOST, "latest"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            ":",
            "a:",
            "a/",
            "/a",
            "a//b",
            "A",
            "a/B",
            "a/../b",
            "a/b:../c",
            "a b",
            "ghcr.io/a/b@sha256:12",
            "ghcr.io/a/b@md5:aa",
            "ghcr.io:0/a",
            "ghcr.io:99999/a",
            "-x.io/a",
            "[::1/a",
            "a/b?c",
            "a/b#c",
            "user@host.io/a",
            "a.-b",
            "a___b",
            "_a",
            "a_",
        ] {
            assert_eq!(Reference::parse(text).unwrap_err().code(), Code::SourceInvalid, "{text:?}");
        }
        assert!(Reference::parse(&"a".repeat(300)).is_err());
        assert!(Reference::parse(&format!("a:{}", "b".repeat(129))).is_err());
    }

    #[test]
    fn only_this_machine_does_without_tls() {
        for local in ["localhost", "localhost:5000", "127.0.0.1", "127.8.8.8:5000", "[::1]:5000"] {
            assert!(is_loopback(local), "{local}");
        }
        for other in ["localhost.example.com", "127.0.0.1.nip.io:5000", "10.0.0.1:5000", "[fe80::1]", "0.0.0.0"] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
