//! The words of entries that several clients share.

use crate::shape::{Fixed, Shape, StartWords, UrlWords};

const HEADERS: &[&str] = &["headers"];
const COMMAND: StartWords = StartWords { command: "command", args: Some("args"), kind: None };
const URL: UrlWords = UrlWords { url: "url", kind: None, headers: HEADERS };

/// `{url}` or `{command, args}` and nothing else: Cursor and most others.
pub(super) const PLAIN: Shape = Shape { always: &[], url: Some(URL), start: COMMAND };

/// `{command, args}` alone.
pub(super) const STARTED: Shape = Shape { always: &[], url: None, start: COMMAND };

/// `type` tells one from the other: Claude Code, VS Code, Crush.
pub(super) const TYPED: Shape = typed("stdio", "http");

/// `type` for URLs only: Gemini CLI, Qoder, Factory.
pub(super) const TYPED_URL: Shape =
    Shape { always: &[], url: Some(UrlWords { url: "url", kind: Some(("type", "http")), headers: HEADERS }), start: COMMAND };

pub(super) const COPILOT: Shape = Shape { always: &[("tools", Fixed::Only("*"))], ..typed("local", "http") };

pub(super) const CLINE: Shape = Shape { start: COMMAND, ..typed("stdio", "streamableHttp") };

pub(super) const HYPHENED: Shape = typed("stdio", "streamable-http");

pub(super) const SERVER_URL: Shape = Shape { url: Some(UrlWords { url: "serverUrl", kind: None, headers: HEADERS }), ..PLAIN };

pub(super) const HTTP_URL: Shape = Shape { url: Some(UrlWords { url: "httpUrl", kind: None, headers: HEADERS }), ..PLAIN };

pub(super) const BASE_URL: Shape = Shape { url: Some(UrlWords { url: "baseUrl", kind: None, headers: HEADERS }), ..PLAIN };

pub(super) const ZED: Shape = Shape { always: &[("source", Fixed::Text("custom")), ("enabled", Fixed::True)], ..PLAIN };

pub(super) const OPENCODE: Shape = Shape {
    always: &[("enabled", Fixed::True)],
    url: Some(UrlWords { url: "url", kind: Some(("type", "remote")), headers: HEADERS }),
    start: StartWords { command: "command", args: None, kind: Some(("type", "local")) },
};

pub(super) const KIMI: Shape = Shape {
    always: &[],
    url: Some(UrlWords { url: "url", kind: Some(("transport", "http")), headers: HEADERS }),
    start: StartWords { kind: Some(("transport", "stdio")), ..COMMAND },
};

pub(super) const VIBE: Shape = Shape {
    always: &[],
    url: Some(UrlWords { url: "url", kind: Some(("transport", "streamable-http")), headers: HEADERS }),
    start: StartWords { kind: Some(("transport", "stdio")), ..COMMAND },
};

pub(super) const GOOSE: Shape = Shape {
    always: &[
        ("name", Fixed::Name),
        ("description", Fixed::Text("All MCP servers behind Toolcrib")),
        ("enabled", Fixed::True),
        ("timeout", Fixed::Number(300)),
    ],
    url: Some(UrlWords { url: "uri", kind: Some(("type", "streamable_http")), headers: HEADERS }),
    start: StartWords { command: "cmd", args: Some("args"), kind: Some(("type", "stdio")) },
};

pub(super) const CONTINUE: Shape = Shape {
    always: &[],
    url: Some(UrlWords { url: "url", kind: Some(("type", "streamable-http")), headers: &["requestOptions", "headers"] }),
    start: StartWords { kind: Some(("type", "stdio")), ..COMMAND },
};

pub(super) const FIVE_IRE: Shape = Shape { always: &[("key", Fixed::Name), ("isActive", Fixed::True)], ..typed("local", "remote") };

const fn typed(start: &'static str, url: &'static str) -> Shape {
    Shape {
        always: &[],
        url: Some(UrlWords { url: "url", kind: Some(("type", url)), headers: HEADERS }),
        start: StartWords { kind: Some(("type", start)), ..COMMAND },
    }
}
