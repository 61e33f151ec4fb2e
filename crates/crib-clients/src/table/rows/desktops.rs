//! Applications to chat in.

use super::BLANK;
use crate::shape::Variables;
use crate::table::{Client, Paths, Signs, shapes};
use crate::tree::Language;

pub(super) const CLIENTS: &[Client] = &[
    Client {
        id: "claude-desktop",
        name: "Claude Desktop",
        user: Paths {
            linux: &["{app}/Claude/claude_desktop_config.json", "{app}/claude/claude_desktop_config.json"],
            mac: &["{app}/Claude/claude_desktop_config.json"],
            windows: &["{app}/Claude/claude_desktop_config.json"],
        },
        signs: Signs { directories: &["{app}/Claude", "{app}/claude"], programs: &[] },
        shape: shapes::STARTED,
        note: "start Claude Desktop again",
        ..BLANK
    },
    Client {
        id: "lm-studio",
        name: "LM Studio",
        aliases: &["lmstudio"],
        user: Paths::everywhere(&["~/.lmstudio/mcp.json", "~/.cache/lm-studio/mcp.json"]),
        signs: Signs { directories: &["~/.lmstudio", "~/.cache/lm-studio"], programs: &["lms"] },
        note: "switch it on in LM Studio",
        ..BLANK
    },
    Client {
        id: "librechat",
        name: "LibreChat",
        language: Language::Yaml,
        user: Paths::NONE,
        project: &["librechat.yaml"],
        signs: Signs { directories: &[], programs: &[] },
        shape: shapes::HYPHENED,
        variables: Variables::Braces,
        note: "restart LibreChat",
        ..BLANK
    },
    Client {
        id: "5ire",
        name: "5ire",
        aliases: &["fiveire"],
        user: Paths::everywhere(&["{app}/5ire/mcp.json"]),
        signs: Signs { directories: &["{app}/5ire"], programs: &[] },
        shape: shapes::FIVE_IRE,
        note: "restart 5ire",
        ..BLANK
    },
];
