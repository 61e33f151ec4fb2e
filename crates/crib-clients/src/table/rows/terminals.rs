//! Agents in the terminal.

use super::BLANK;
use crate::edit::Place;
use crate::shape::Variables;
use crate::table::{Checker, Client, Paths, Signs, shapes};
use crate::tree::Language;

pub(super) const CLIENTS: &[Client] = &[
    Client {
        id: "claude-code",
        name: "Claude Code",
        aliases: &["claude"],
        user: Paths::everywhere(&["{CLAUDE_CONFIG_DIR|~}/.claude.json"]),
        project: &[".mcp.json"],
        signs: Signs { directories: &["{CLAUDE_CONFIG_DIR|~/.claude}"], programs: &["claude"] },
        by_directory: Some(("projects", "mcpServers")),
        shape: shapes::TYPED,
        variables: Variables::Braces,
        checker: Some(Checker { program: "claude", args: &["mcp", "list"], connects: true }),
        note: "new sessions use it; a project entry is approved once, in /mcp",
        ..BLANK
    },
    Client {
        id: "copilot-cli",
        name: "GitHub Copilot CLI",
        aliases: &["copilot"],
        user: Paths::everywhere(&["{COPILOT_HOME|~/.copilot}/mcp-config.json"]),
        project: &[".mcp.json", ".github/mcp.json"],
        signs: Signs { directories: &["{COPILOT_HOME|~/.copilot}"], programs: &["copilot"] },
        shape: shapes::COPILOT,
        variables: Variables::Braces,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "codex",
        name: "Codex",
        language: Language::Toml,
        place: Place::Map(&["mcp_servers"]),
        user: Paths::everywhere(&["{CODEX_HOME|~/.codex}/config.toml"]),
        project: &[".codex/config.toml"],
        signs: Signs { directories: &["{CODEX_HOME|~/.codex}"], programs: &["codex"] },
        variables: Variables::Named,
        checker: Some(Checker { program: "codex", args: &["mcp", "list", "--json"], connects: false }),
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "gemini-cli",
        name: "Gemini CLI",
        aliases: &["gemini"],
        user: Paths::everywhere(&["~/.gemini/settings.json"]),
        project: &[".gemini/settings.json"],
        signs: Signs { directories: &["~/.gemini"], programs: &["gemini"] },
        shape: shapes::TYPED_URL,
        variables: Variables::Shell,
        checker: Some(Checker { program: "gemini", args: &["mcp", "list"], connects: true }),
        note: "in folders it does not trust, Gemini CLI uses no servers",
        ..BLANK
    },
    Client {
        id: "qwen-code",
        name: "Qwen Code",
        aliases: &["qwen"],
        user: Paths::everywhere(&["~/.qwen/settings.json"]),
        project: &[".qwen/settings.json"],
        signs: Signs { directories: &["~/.qwen"], programs: &["qwen"] },
        shape: shapes::HTTP_URL,
        variables: Variables::Shell,
        checker: Some(Checker { program: "qwen", args: &["mcp", "list"], connects: true }),
        note: "in folders it does not trust, Qwen Code uses no servers",
        ..BLANK
    },
    Client {
        id: "cline-cli",
        name: "Cline CLI",
        user: Paths::everywhere(&["{CLINE_DIR|~/.cline}/data/settings/cline_mcp_settings.json"]),
        signs: Signs { directories: &["{CLINE_DIR|~/.cline}"], programs: &["cline"] },
        shape: shapes::CLINE,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "kilo-code",
        name: "Kilo Code",
        aliases: &["kilo"],
        place: Place::Map(&["mcp"]),
        user: Paths::everywhere(&["{config}/kilo/kilo.json", "{config}/kilo/kilo.jsonc"]),
        project: &["kilo.json", "kilo.jsonc", ".kilo/kilo.json", ".kilo/kilo.jsonc", ".kilocode/kilo.json", ".kilocode/kilo.jsonc"],
        signs: Signs { directories: &["{config}/kilo"], programs: &["kilo"] },
        shape: shapes::OPENCODE,
        variables: Variables::BareEnv,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "opencode",
        name: "opencode",
        place: Place::Map(&["mcp"]),
        other_place: Some(Place::Map(&["mcp", "servers"])),
        user: Paths {
            linux: &["{config}/opencode/opencode.json", "{config}/opencode/opencode.jsonc"],
            mac: &["~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"],
            windows: &["~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"],
        },
        project: &["opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"],
        signs: Signs { directories: &[], programs: &["opencode"] },
        own_signs: Paths { linux: &["{config}/opencode"], mac: &["~/.config/opencode"], windows: &["~/.config/opencode"] },
        shape: shapes::OPENCODE,
        variables: Variables::BareEnv,
        checker: Some(Checker { program: "opencode", args: &["mcp", "list"], connects: true }),
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "goose",
        name: "Goose",
        language: Language::Yaml,
        place: Place::Map(&["extensions"]),
        user: Paths {
            linux: &["{config}/goose/config.yaml"],
            mac: &["~/.config/goose/config.yaml"],
            windows: &["{app}/Block/goose/config/config.yaml"],
        },
        project: &[".goose/config.yaml"],
        signs: Signs { directories: &[], programs: &["goose"] },
        own_signs: Paths { linux: &["{config}/goose"], mac: &["~/.config/goose"], windows: &["{app}/Block/goose"] },
        shape: shapes::GOOSE,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "amp",
        name: "Amp",
        place: Place::Map(&["amp.mcpServers"]),
        user: Paths { linux: &["{config}/amp/settings.json"], mac: &["{config}/amp/settings.json"], windows: &["{app}/amp/settings.json"] },
        signs: Signs { directories: &[], programs: &["amp"] },
        own_signs: Paths { linux: &["{config}/amp"], mac: &["{config}/amp"], windows: &["{app}/amp"] },
        variables: Variables::Braces,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "crush",
        name: "Crush",
        place: Place::Map(&["mcp"]),
        user: Paths { linux: &["{config}/crush/crush.json"], mac: &["{config}/crush/crush.json"], windows: &["{local}/crush/crush.json"] },
        project: &[".crush.json"],
        signs: Signs { directories: &["{config}/crush"], programs: &["crush"] },
        own_signs: Paths { windows: &["{local}/crush"], ..Paths::NONE },
        shape: shapes::TYPED,
        variables: Variables::Shell,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "kimi-code",
        name: "Kimi Code",
        aliases: &["kimi"],
        user: Paths::everywhere(&["{KIMI_CODE_HOME|~/.kimi-code}/mcp.json", "~/.kimi/mcp.json"]),
        project: &[".kimi-code/mcp.json"],
        signs: Signs { directories: &["{KIMI_CODE_HOME|~/.kimi-code}", "~/.kimi"], programs: &["kimi"] },
        shape: shapes::KIMI,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "factory",
        name: "Factory Droid",
        aliases: &["droid"],
        user: Paths::everywhere(&["~/.factory/mcp.json"]),
        project: &[".factory/mcp.json"],
        signs: Signs { directories: &["~/.factory"], programs: &["droid"] },
        shape: shapes::TYPED_URL,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "grok-build",
        name: "Grok Build",
        aliases: &["grok"],
        language: Language::Toml,
        place: Place::Map(&["mcp_servers"]),
        user: Paths::everywhere(&["{GROK_HOME|~/.grok}/config.toml"]),
        project: &[".grok/config.toml"],
        signs: Signs { directories: &["{GROK_HOME|~/.grok}"], programs: &["grok"] },
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "mistral-vibe",
        name: "Mistral Vibe",
        aliases: &["vibe"],
        language: Language::Toml,
        place: Place::List(&["mcp_servers"]),
        user: Paths::everywhere(&["~/.vibe/config.toml"]),
        signs: Signs { directories: &["~/.vibe"], programs: &["vibe"] },
        shape: shapes::VIBE,
        note: "new sessions use it",
        ..BLANK
    },
    Client {
        id: "mcporter",
        name: "mcporter",
        user: Paths::everywhere(&["~/.mcporter/mcporter.json", "~/.mcporter/mcporter.jsonc"]),
        project: &["config/mcporter.json"],
        signs: Signs { directories: &["~/.mcporter"], programs: &["mcporter"] },
        shape: shapes::BASE_URL,
        variables: Variables::Braces,
        ..BLANK
    },
];
