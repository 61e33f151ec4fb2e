//! Which scenarios say something of any server, and of which.

use crib_mcp::Revision;

use crate::client::Hello;

use Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};

/// A scenario that needs no tools made for it.
pub(super) struct Row {
    pub(super) name: &'static str,
    revisions: &'static [Revision],
    /// The capability it is about.
    needs: Option<&'static str>,
    over: Over,
}

/// What a server must be reached by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Any,
    /// Streamable HTTP of its own.
    Http,
    /// The same without TLS, and with no query: the suite asks for nothing else there.
    Clear,
    /// The same on the loopback, in the clear and for everybody: what a web page could reach.
    Loopback,
}

const LEGACY: &[Revision] = &[V2025_06_18, V2025_11_25];
const MODERN: &[Revision] = &[V2026_07_28];
const BOTH: &[Revision] = &[V2025_06_18, V2025_11_25, V2026_07_28];
const LAST: &[Revision] = &[V2025_11_25, V2026_07_28];

pub(super) const ROWS: &[Row] = &[
    row("server-initialize", LEGACY, None, Over::Any),
    row("server-stateless", MODERN, None, Over::Any),
    row("ping", LEGACY, None, Over::Any),
    row("logging-set-level", LEGACY, Some("logging"), Over::Any),
    row("tools-list", BOTH, Some("tools"), Over::Any),
    row("resources-list", BOTH, Some("resources"), Over::Any),
    row("sep-2164-resource-not-found", MODERN, Some("resources"), Over::Any),
    row("prompts-list", BOTH, Some("prompts"), Over::Any),
    row("caching", MODERN, None, Over::Any),
    row("server-session-lifecycle", &[V2025_03_26, V2025_06_18, V2025_11_25], None, Over::Http),
    row("http-header-validation", MODERN, None, Over::Clear),
    row("server-sse-multiple-streams", LAST, Some("tools"), Over::Http),
    row("dns-rebinding-protection", LAST, None, Over::Loopback),
];

/// Checks of a status or a header of HTTP, which is the bridge's where there is one; and whether a greeting of the older
/// era is unknown, to which a process that was greeted in the newer one may answer otherwise.
const OF_HTTP: &[&str] = &[
    "sep-2575-http-server-method-not-found-404-initialize",
    "sep-2575-http-server-meta-invalid-400",
    "sep-2575-http-server-unsupported-version-400",
    "sep-2575-http-server-header-mismatch-400",
    "sep-2575-missing-capability-http-400",
    "server-session-id-visible-ascii",
];

/// Checks for which a tool of the suite's own fixture has to change something.
const OF_FIXTURE: &[&str] =
    &["sep-2575-server-sends-prompts-list-changed-on-subscription", "sep-2575-server-sends-tools-list-changed-on-subscription"];

/// Checks that are about one capability, in scenarios that are about several.
const OF_CAPABILITIES: &[(&str, &str)] =
    &[("sep-2549-tools-", "tools"), ("sep-2549-prompts-", "prompts"), ("sep-2549-resources-", "resources")];

/// What is known of a server in one era.
pub(super) struct Setting {
    pub(super) revision: Revision,
    offered: Vec<&'static str>,
    by: By,
}

/// How a server is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Lines,
    Sse,
    Http,
    /// By HTTP, without TLS and a query.
    Clear,
    /// The same on the loopback, without a word of who asks.
    Loopback,
}

const fn row(name: &'static str, revisions: &'static [Revision], needs: Option<&'static str>, over: Over) -> Row {
    Row { name, revisions, needs, over }
}

// === impl Row ===

impl Row {
    pub(super) fn is_of(&self, revision: Revision) -> bool {
        self.revisions.contains(&revision)
    }

    /// Returns why it says nothing of this server.
    pub(super) fn idle(&self, setting: &Setting) -> Option<String> {
        match (self.over, setting.by) {
            (_, By::Sse) => return Some("the server speaks HTTP+SSE, and the suite does not".to_owned()),
            (Over::Http | Over::Clear | Over::Loopback, By::Lines) => {
                return Some("it is about HTTP, which this server does not speak".to_owned());
            }
            (Over::Clear, By::Http) => return Some("the suite asks for it without TLS and without a query alone".to_owned()),
            (Over::Loopback, By::Http | By::Clear) => {
                return Some("it is about servers that everybody on this machine may call".to_owned());
            }
            (Over::Any | Over::Http, _) | (Over::Clear, By::Clear | By::Loopback) | (Over::Loopback, By::Loopback) => {}
        }
        let missing = self.needs.filter(|needed| !setting.offers(needed));
        missing.map(|missing| format!("the server does not declare {missing}"))
    }
}

// === impl Setting ===

impl Setting {
    pub(super) fn of_lines(hello: &Hello) -> Self {
        let offered = ["tools", "resources", "prompts", "logging"].into_iter().filter(|name| hello.offers(name)).collect();
        Self { revision: hello.revision, offered, by: By::Lines }
    }

    pub(super) fn of_url(url: &str, headers: &[(String, String)], hello: &Hello) -> Self {
        let names = ["localhost", "127.0.0.1", "[::1]"];
        let host = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?']).next());
        let is_own = host.is_some_and(|host| names.iter().any(|name| host == *name || host.starts_with(&format!("{name}:"))));
        let is_clear = host.is_some() && !url.contains('?');
        let by = match hello.transport {
            "sse" => By::Sse,
            _ if is_clear && is_own && headers.is_empty() => By::Loopback,
            _ if is_clear => By::Clear,
            _ => By::Http,
        };
        Self { by, ..Self::of_lines(hello) }
    }

    fn offers(&self, capability: &str) -> bool {
        self.offered.contains(&capability)
    }

    /// Tells whether a check says anything of this server.
    pub(super) fn has(&self, check: &str) -> bool {
        if OF_FIXTURE.contains(&check) {
            return false;
        }
        let of = OF_CAPABILITIES.iter().find(|(prefix, _)| check.starts_with(prefix));
        (self.by != By::Lines || !OF_HTTP.contains(&check)) && of.is_none_or(|(_, capability)| self.offers(capability))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn hello(transport: &'static str) -> Hello {
        let result = json!({ "capabilities": { "tools": {} } });
        Hello { revision: V2026_07_28, transport, result, after: Duration::ZERO }
    }

    fn asked(setting: &Setting) -> Vec<&'static str> {
        let rows = ROWS.iter().filter(|row| row.over != Over::Any && row.is_of(setting.revision));
        rows.filter(|row| row.idle(setting).is_none()).map(|row| row.name).collect()
    }

    #[test]
    fn what_is_asked_of_http_depends_on_how_the_server_is_reached() {
        let of = |url: &str, headers: &[(String, String)]| asked(&Setting::of_url(url, headers, &hello("http")));
        let (headers, streams, own) = ("http-header-validation", "server-sse-multiple-streams", "dns-rebinding-protection");
        assert_eq!(of("http://127.0.0.1:8080/mcp", &[]), [headers, streams, own]);
        assert_eq!(of("http://[::1]:8080/mcp", &[]), [headers, streams, own]);
        assert_eq!(of("http://localhost/mcp", &[("x-key".to_owned(), "1".to_owned())]), [headers, streams], "not everybody may call it");
        assert_eq!(of("http://mcp.example.com/mcp", &[]), [headers, streams]);
        assert_eq!(of("http://localhost.example.com/mcp", &[]), [headers, streams]);
        assert_eq!(of("https://mcp.example.com/mcp", &[]), [streams]);
        assert_eq!(of("http://127.0.0.1/mcp?key=1", &[]), [streams]);
        assert!(asked(&Setting::of_lines(&hello("stdio"))).is_empty());
        assert!(asked(&Setting::of_url("http://127.0.0.1/sse", &[], &hello("sse"))).is_empty());
    }
}
