//! Editors and what runs inside them.

use super::BLANK;
use crate::edit::Place;
use crate::shape::Variables;
use crate::table::{Client, Paths, Signs, shapes};
use crate::tree::Language;

pub(super) const CLIENTS: &[Client] = &[
    Client {
        id: "cursor",
        name: "Cursor",
        user: Paths::everywhere(&["~/.cursor/mcp.json"]),
        project: &[".cursor/mcp.json"],
        signs: Signs { directories: &["~/.cursor"], programs: &["cursor"] },
        variables: Variables::Env,
        note: "reload Cursor",
        ..BLANK
    },
    Client {
        id: "vscode",
        name: "VS Code",
        aliases: &["code", "vs-code", "visual-studio-code"],
        place: Place::Map(&["servers"]),
        user: Paths::everywhere(&["{app}/Code/User/mcp.json"]),
        project: &[".vscode/mcp.json"],
        signs: Signs { directories: &["{app}/Code"], programs: &["code"] },
        shape: shapes::TYPED,
        variables: Variables::Env,
        note: "trust it once when VS Code asks",
        ..BLANK
    },
    Client {
        id: "vscode-insiders",
        name: "VS Code Insiders",
        aliases: &["code-insiders"],
        place: Place::Map(&["servers"]),
        user: Paths::everywhere(&["{app}/Code - Insiders/User/mcp.json"]),
        signs: Signs { directories: &["{app}/Code - Insiders"], programs: &["code-insiders"] },
        shape: shapes::TYPED,
        variables: Variables::Env,
        note: "trust it once when VS Code asks",
        ..BLANK
    },
    Client {
        id: "vscodium",
        name: "VSCodium",
        aliases: &["codium"],
        place: Place::Map(&["servers"]),
        user: Paths::everywhere(&["{app}/VSCodium/User/mcp.json"]),
        signs: Signs { directories: &["{app}/VSCodium"], programs: &["codium"] },
        shape: shapes::TYPED,
        variables: Variables::Env,
        note: "trust it once when VSCodium asks",
        ..BLANK
    },
    Client {
        id: "vscode-server",
        name: "VS Code Server",
        place: Place::Map(&["servers"]),
        user: Paths::everywhere(&["~/.vscode-server/data/User/mcp.json"]),
        signs: Signs { directories: &["~/.vscode-server"], programs: &[] },
        shape: shapes::TYPED,
        variables: Variables::Env,
        note: "trust it once when VS Code asks",
        ..BLANK
    },
    Client {
        id: "jetbrains-copilot",
        name: "Copilot for JetBrains",
        aliases: &["intellij-copilot"],
        place: Place::Map(&["servers"]),
        user: Paths {
            linux: &["{config}/github-copilot/intellij/mcp.json"],
            mac: &["{config}/github-copilot/intellij/mcp.json"],
            windows: &["{local}/github-copilot/intellij/mcp.json"],
        },
        signs: Signs { directories: &[], programs: &[] },
        own_signs: Paths {
            linux: &["{config}/github-copilot/intellij"],
            mac: &["{config}/github-copilot/intellij"],
            windows: &["{local}/github-copilot/intellij"],
        },
        shape: shapes::TYPED,
        variables: Variables::Env,
        note: "restart the IDE",
        ..BLANK
    },
    Client {
        id: "junie",
        name: "Junie",
        user: Paths::everywhere(&["~/.junie/mcp/mcp.json"]),
        project: &[".junie/mcp/mcp.json"],
        signs: Signs { directories: &["~/.junie"], programs: &[] },
        shape: shapes::STARTED,
        note: "restart the IDE",
        ..BLANK
    },
    Client {
        id: "windsurf",
        name: "Windsurf",
        user: Paths::everywhere(&["~/.codeium/windsurf/mcp_config.json"]),
        signs: Signs { directories: &["~/.codeium/windsurf"], programs: &["windsurf"] },
        shape: shapes::SERVER_URL,
        variables: Variables::Env,
        note: "press Refresh in Windsurf",
        ..BLANK
    },
    Client {
        id: "windsurf-jetbrains",
        name: "Windsurf for JetBrains",
        user: Paths::everywhere(&["~/.codeium/mcp_config.json"]),
        signs: Signs { directories: &["~/.codeium/jetbrains"], programs: &[] },
        shape: shapes::SERVER_URL,
        variables: Variables::Env,
        note: "restart the IDE",
        ..BLANK
    },
    Client {
        id: "zed",
        name: "Zed",
        place: Place::Map(&["context_servers"]),
        user: Paths {
            linux: &["{config}/zed/settings.json"],
            mac: &["~/.config/zed/settings.json"],
            windows: &["{app}/Zed/settings.json"],
        },
        project: &[".zed/settings.json"],
        signs: Signs { directories: &[], programs: &["zed", "zeditor"] },
        own_signs: Paths { linux: &["{config}/zed"], mac: &["~/.config/zed"], windows: &["{app}/Zed"] },
        shape: shapes::ZED,
        note: "Zed takes it up at once",
        ..BLANK
    },
    Client {
        id: "antigravity",
        name: "Antigravity",
        user: Paths::everywhere(&["~/.gemini/config/mcp_config.json", "~/.gemini/antigravity/mcp_config.json"]),
        project: &[".agents/mcp_config.json"],
        signs: Signs { directories: &["~/.gemini/config", "~/.gemini/antigravity"], programs: &["antigravity"] },
        shape: shapes::SERVER_URL,
        note: "press Refresh in its MCP settings",
        ..BLANK
    },
    Client {
        id: "cline",
        name: "Cline",
        user: Paths::everywhere(&[
            "{app}/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            "{app}/Cursor/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ]),
        signs: Signs {
            directories: &[
                "{app}/Code/User/globalStorage/saoudrizwan.claude-dev",
                "{app}/Cursor/User/globalStorage/saoudrizwan.claude-dev",
            ],
            programs: &[],
        },
        shape: shapes::CLINE,
        note: "Cline takes it up at once",
        ..BLANK
    },
    Client {
        id: "cody",
        name: "Cody",
        aliases: &["sourcegraph-cody", "sourcegraph"],
        place: Place::Map(&["cody.mcpServers"]),
        user: Paths::everywhere(&["{app}/Code/User/settings.json"]),
        signs: Signs { directories: &["{app}/Code/User/globalStorage/sourcegraph.cody-ai"], programs: &[] },
        // The settings of VS Code are there without Cody.
        is_guest: true,
        shape: shapes::STARTED,
        note: "reload VS Code; your Sourcegraph must allow MCP in agentic context",
        ..BLANK
    },
    Client {
        id: "continue",
        name: "Continue",
        language: Language::Yaml,
        place: Place::List(&["mcpServers"]),
        user: Paths::everywhere(&["~/.continue/config.yaml"]),
        project: &[".continue/mcpServers/toolcrib.yaml"],
        signs: Signs { directories: &["~/.continue"], programs: &["cn"] },
        shape: shapes::CONTINUE,
        variables: Variables::Secrets,
        note: "Continue takes it up at once, in agent mode",
        ..BLANK
    },
    Client {
        id: "kiro",
        name: "Kiro",
        user: Paths::everywhere(&["~/.kiro/settings/mcp.json"]),
        project: &[".kiro/settings/mcp.json"],
        signs: Signs { directories: &["~/.kiro"], programs: &["kiro"] },
        variables: Variables::Braces,
        note: "Kiro takes it up at once",
        ..BLANK
    },
    Client {
        id: "trae",
        name: "Trae",
        user: Paths::everywhere(&["{app}/Trae/User/mcp.json"]),
        signs: Signs { directories: &["{app}/Trae"], programs: &["trae"] },
        note: "restart Trae",
        ..BLANK
    },
    Client {
        id: "qoder",
        name: "Qoder",
        user: Paths { linux: &["~/.qoder/mcp.json"], mac: &["~/.qoder/mcp.json"], windows: &["{app}/Qoder/SharedClientCache/mcp.json"] },
        signs: Signs { directories: &["~/.qoder"], programs: &["qoder"] },
        own_signs: Paths { windows: &["{app}/Qoder"], ..Paths::NONE },
        shape: shapes::TYPED_URL,
        note: "restart Qoder",
        ..BLANK
    },
];
