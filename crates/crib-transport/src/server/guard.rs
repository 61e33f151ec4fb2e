//! Which `Host` and `Origin` are served: what keeps a web page from reaching a gateway through DNS rebinding.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderValue, header};

/// The names a server answers to.
#[derive(Debug)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Which field was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Host,
    Origin,
}

impl Refused {
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Origin => "Origin",
        }
    }
}

impl Guard {
    pub(crate) fn new(hosts: Vec<String>, origins: &[String]) -> Self {
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        Self { hosts, origins }
    }

    /// Checks one request that came in on the address `local`.
    pub(crate) fn check(&self, head: &Parts, local: IpAddr) -> Result<(), Refused> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refused::Host) };
        let is_served = |authority: &str| self.serves(authority, local);
        if !host.to_str().is_ok_and(is_served) || !head.uri.authority().is_none_or(|a| is_served(a.as_str())) {
            return Err(Refused::Host);
        }
        let mut origins = head.headers.get_all(header::ORIGIN).iter();
        let all_fit = origins.all(|origin| origin.to_str().is_ok_and(|text| self.trusts(text, local)));
        if all_fit { Ok(()) } else { Err(Refused::Origin) }
    }

    fn serves(&self, authority: &str, local: IpAddr) -> bool {
        let Some((name, port)) = split_port(authority) else { return false };
        if local.is_loopback() && is_loopback_name(name) {
            return true;
        }
        // A literal address is not a name that could be bound again to another address.
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|ip| ip.to_canonical() == local.to_canonical()) {
            return true;
        }
        self.hosts.iter().any(|allowed| match split_port(allowed) {
            Some((allowed, None)) => allowed.eq_ignore_ascii_case(name),
            Some((allowed, wanted)) => allowed.eq_ignore_ascii_case(name) && wanted == port,
            None => false,
        })
    }

    fn trusts(&self, origin: &str, local: IpAddr) -> bool {
        let loopback = || {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.and_then(split_port).is_some_and(|(name, _)| is_loopback_name(name))
        };
        (local.is_loopback() && loopback()) || self.is_listed(origin)
    }

    fn is_listed(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Returns the origin if it may read answers in a browser. Loopback origins may call but not read.
    pub(crate) fn reader<'a>(&self, head: &'a http::HeaderMap) -> Option<&'a HeaderValue> {
        if self.origins.is_empty() {
            return None;
        }
        head.get(header::ORIGIN).filter(|origin| origin.to_str().is_ok_and(|text| self.is_listed(text)))
    }
}

/// Splits `name:port`; the port must be a number, the name must not be empty.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, _)) if name.starts_with('[') && !name.ends_with(']') => (authority, None),
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    if name.is_empty() || name.contains(['/', '@', '?', '#']) || (name.contains(':') && !(name.starts_with('[') && name.ends_with(']'))) {
        return None;
    }
    match port {
        None => Some((name, None)),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some((name, Some(port.parse().ok()?))),
        Some(_) => None,
    }
}

fn is_loopback_name(name: &str) -> bool {
    name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost") || name == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1";

    #[track_caller]
    fn check(local: &str, headers: &[(&str, &str)], expected: Result<(), Refused>) {
        let guard = Guard::new(
            vec!["tools.example.com".to_owned(), "pinned.example.com:8443".to_owned()],
            &["https://app.example.com/".to_owned()],
        );
        let mut request = http::Request::builder().uri("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(guard.check(&head, local.parse().unwrap()), expected, "{headers:?}");
    }

    #[test]
    fn loopback_names_are_served_on_loopback_only() {
        for host in ["127.0.0.1:8665", "localhost", "LOCALHOST:1", "[::1]:8665", "[::1]"] {
            check(LOOPBACK, &[("host", host)], Ok(()));
            check("192.0.2.7", &[("host", host)], Err(Refused::Host));
        }
    }

    #[test]
    fn the_literal_address_of_the_listener_is_served() {
        check("192.0.2.7", &[("host", "192.0.2.7:8665")], Ok(()));
        check("192.0.2.7", &[("host", "192.0.2.8:8665")], Err(Refused::Host));
        check("2001:db8::1", &[("host", "[2001:db8::1]:8665")], Ok(()));
    }

    #[test]
    fn other_names_must_be_configured() {
        check(LOOPBACK, &[("host", "tools.example.com:1")], Ok(()));
        check(LOOPBACK, &[("host", "pinned.example.com:8443")], Ok(()));
        check(LOOPBACK, &[("host", "pinned.example.com:1")], Err(Refused::Host));
        let foreign = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8665", "", "localhost:x", "a@localhost", "::1"];
        for host in foreign {
            check(LOOPBACK, &[("host", host)], Err(Refused::Host));
        }
    }

    #[test]
    fn exactly_one_host_is_wanted() {
        check(LOOPBACK, &[], Err(Refused::Host));
        check(LOOPBACK, &[("host", "localhost"), ("host", "localhost")], Err(Refused::Host));
    }

    #[test]
    fn an_origin_is_checked_where_there_is_one() {
        let with = |origin: &'static str| [("host", "localhost"), ("origin", origin)];
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1", "https://app.example.com", "https://APP.example.com"]
        {
            check(LOOPBACK, &with(origin), Ok(()));
        }
        let foreign =
            ["null", "https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "ftp://localhost", ""];
        for origin in foreign {
            check(LOOPBACK, &with(origin), Err(Refused::Origin));
        }
        check("192.0.2.7", &[("host", "192.0.2.7"), ("origin", "http://localhost")], Err(Refused::Origin));
    }
}
