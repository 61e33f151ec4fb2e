//! Clients whose servers can be read, or that have no file: the entry is printed.

use super::BLANK;
use crate::edit::Place;
use crate::table::{Client, Paths, Signs, Support, shapes};

pub(super) const CLIENTS: &[Client] = &[
    Client {
        id: "jetbrains-ai",
        name: "JetBrains AI Assistant",
        aliases: &["jetbrains"],
        support: Support::Print,
        user: Paths::NONE,
        signs: Signs { directories: &[], programs: &[] },
        note: "paste it in Settings, Tools, AI Assistant, Model Context Protocol",
        ..BLANK
    },
    Client {
        id: "air",
        name: "JetBrains Air",
        support: Support::Import,
        user: Paths::everywhere(&["~/.air/mcp.json"]),
        project: &[".air/mcp.json"],
        signs: Signs { directories: &["~/.air"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "roo-code",
        name: "Roo Code",
        aliases: &["roo"],
        support: Support::Import,
        user: Paths::everywhere(&["{app}/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"]),
        project: &[".roo/mcp.json"],
        signs: Signs { directories: &["{app}/Code/User/globalStorage/rooveterinaryinc.roo-cline"], programs: &[] },
        shape: shapes::HYPHENED,
        ..BLANK
    },
    Client {
        id: "amazon-q",
        name: "Amazon Q",
        support: Support::Import,
        user: Paths::everywhere(&["~/.aws/amazonq/mcp.json"]),
        signs: Signs { directories: &["~/.aws/amazonq"], programs: &[] },
        shape: shapes::STARTED,
        ..BLANK
    },
    Client {
        id: "boltai",
        name: "BoltAI",
        support: Support::Import,
        user: Paths::everywhere(&["~/.boltai/mcp.json"]),
        signs: Signs { directories: &["~/.boltai"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "witsy",
        name: "Witsy",
        support: Support::Import,
        user: Paths::everywhere(&["{app}/Witsy/settings.json"]),
        signs: Signs { directories: &["{app}/Witsy"], programs: &[] },
        shape: shapes::STARTED,
        ..BLANK
    },
    Client {
        id: "enconvo",
        name: "Enconvo",
        support: Support::Import,
        user: Paths::everywhere(&["~/.config/enconvo/mcp_config.json"]),
        signs: Signs { directories: &["~/.config/enconvo"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "tome",
        name: "Tome",
        support: Support::Import,
        user: Paths::everywhere(&["~/.tome/mcp_config.json"]),
        signs: Signs { directories: &["~/.tome"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "pi",
        name: "Pi",
        support: Support::Import,
        user: Paths::everywhere(&["~/.pi/agent/mcp.json"]),
        signs: Signs { directories: &["~/.pi/agent"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "mastra",
        name: "Mastra Code",
        support: Support::Import,
        user: Paths::everywhere(&["~/.mastracode/mcp.json"]),
        signs: Signs { directories: &["~/.mastracode"], programs: &[] },
        ..BLANK
    },
    Client {
        id: "fx",
        name: "fx",
        support: Support::Import,
        place: Place::Map(&["mcp"]),
        user: Paths::everywhere(&["~/.fx/mcp.json"]),
        signs: Signs { directories: &["~/.fx"], programs: &["fx"] },
        ..BLANK
    },
    Client {
        id: "warp",
        name: "Warp",
        support: Support::Print,
        user: Paths::NONE,
        signs: Signs { directories: &[], programs: &[] },
        note: "paste it in Settings, AI, Manage MCP servers",
        ..BLANK
    },
    Client {
        id: "cherry-studio",
        name: "Cherry Studio",
        support: Support::Print,
        user: Paths::NONE,
        signs: Signs { directories: &[], programs: &[] },
        note: "paste it in Settings, MCP servers, Import from JSON",
        ..BLANK
    },
    Client {
        id: "chatgpt",
        name: "ChatGPT",
        support: Support::Print,
        user: Paths::NONE,
        signs: Signs { directories: &[], programs: &[] },
        note: "add its address in Settings, Connectors; the internet must reach it",
        ..BLANK
    },
    Client {
        id: "sema4",
        name: "Sema4 Studio",
        support: Support::Print,
        user: Paths::NONE,
        signs: Signs { directories: &[], programs: &[] },
        note: "paste it in its MCP settings",
        ..BLANK
    },
];
