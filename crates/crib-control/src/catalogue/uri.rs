//! The addresses of the catalogue's pages.

use serde_json::{Value, json};

use crate::percent;

const SERVERS: &str = "toolcrib://servers";
pub(super) const SERVER: &str = "toolcrib://servers/{server}";
const TOOLS: &str = "toolcrib://tools";
pub(super) const TOOL: &str = "toolcrib://tools/{server}/{tool}";

/// What a URI asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    Servers,
    Server(String),
    Tools,
    /// A server and its own name of a tool.
    Tool(String, String),
}

impl Page {
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let path = uri.strip_prefix("toolcrib://")?;
        let mut parts = path.split('/').map(|part| percent::decode(part, percent::Plus::IsPlus));
        let page = match (parts.next()?.as_str(), parts.next(), parts.next()) {
            ("servers", None, None) => Self::Servers,
            ("servers", Some(server), None) => Self::Server(server),
            ("tools", None, None) => Self::Tools,
            ("tools", Some(server), Some(tool)) => Self::Tool(server, tool),
            _ => return None,
        };
        parts.next().is_none().then_some(page)
    }
}

pub(super) fn resources() -> Value {
    let page = |uri, name, title, description| json!({ "uri": uri, "name": name, "title": title, "description": description, "mimeType": "application/json" });
    json!({ "resources": [
        page(SERVERS, "servers", "Servers", "The servers with tools you may use: state, protocol revision, number of tools"),
        page(TOOLS, "tools", "Tools", "The tools you may use: name, server, calls and latency"),
    ]})
}

pub(super) fn templates() -> Value {
    let page = |uri, name, title, description| json!({ "uriTemplate": uri, "name": name, "title": title, "description": description, "mimeType": "application/json" });
    json!({ "resourceTemplates": [
        page(SERVER, "server", "Server", "One server: state, protocol revision, its tools with calls and latency"),
        page(TOOL, "tool", "Tool", "One tool, by the server's own name for it: definition, schema, annotations, calls and latency"),
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_page_or_nothing() {
        assert_eq!(Page::parse(SERVERS), Some(Page::Servers));
        assert_eq!(Page::parse("toolcrib://servers/demo"), Some(Page::Server("demo".to_owned())));
        assert_eq!(Page::parse("toolcrib://tools/demo/a%2Fb+c"), Some(Page::Tool("demo".to_owned(), "a/b+c".to_owned())));
        for wrong in ["toolcrib://", "toolcrib://tools/demo", "toolcrib://servers/a/b", "toolcrib://tools/a/b/c", "demo://servers"] {
            assert_eq!(Page::parse(wrong), None, "{wrong}");
        }
    }
}
