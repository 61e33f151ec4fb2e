//! What the catalogue's pages say.

use std::collections::HashMap;

use crib_mcp::Revision;
use crib_model::Slug;
use crib_proxy::{ServerInfo, ToolInfo};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Visible;
use super::uri::Page;
use crate::figures::{Figure, Figures};

#[derive(Serialize)]
struct Servers<'a> {
    servers: Vec<ServerPage<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerPage<'a> {
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    era: Option<&'static str>,
    /// Tools the caller may use.
    tool_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ToolPage<'a>>>,
}

#[derive(Serialize)]
struct Tools<'a> {
    tools: Vec<ToolPage<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolPage<'a> {
    /// The name to call it by.
    name: &'a str,
    server: &'a str,
    server_tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    era: Option<&'static str>,
    /// The `Tool` object of the protocol. What it says of itself (`annotations`) is the server's claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<&'a RawValue>,
    /// Absent before the first call.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Figure>,
}

/// Writes a page for a caller; `None` where there is none for this caller.
pub(super) fn write(page: &Page, visible: &Visible, figures: &dyn Figures) -> Option<String> {
    let servers = visible.plane.servers();
    let text = match page {
        Page::Servers => {
            let mut counts: HashMap<&Slug, usize> = HashMap::new();
            for tool in &visible.tools {
                *counts.entry(&tool.server).or_default() += 1;
            }
            let shown = servers.iter().filter_map(|server| Some(server_page(server, *counts.get(&server.slug)?)));
            serde_json::to_string(&Servers { servers: shown.collect() })
        }
        Page::Server(name) => {
            let server = servers.iter().find(|server| server.slug.as_str() == name)?;
            let own = visible.tools.iter().filter(|tool| tool.server == server.slug);
            let tools: Vec<_> = own.map(|tool| brief(tool, figures)).collect();
            if tools.is_empty() {
                return None;
            }
            let page = server_page(server, tools.len());
            serde_json::to_string(&ServerPage { tools: Some(tools), ..page })
        }
        Page::Tools => serde_json::to_string(&Tools { tools: visible.tools.iter().map(|tool| brief(tool, figures)).collect() }),
        Page::Tool(server, name) => {
            let tool = visible.tools.iter().find(|tool| tool.server.as_str() == server && *tool.own_name == **name)?;
            let server = servers.iter().find(|server| server.slug == tool.server)?;
            let definition = tool.definition.to_string();
            let definition: &RawValue = serde_json::from_str(&definition).ok()?;
            let (revision, era) = spoken(server);
            serde_json::to_string(&ToolPage { definition: Some(definition), revision, era, ..brief(tool, figures) })
        }
    };
    text.ok()
}

fn server_page(server: &ServerInfo, tool_count: usize) -> ServerPage<'_> {
    let (revision, era) = spoken(server);
    ServerPage { name: server.slug.as_str(), state: server.health.state, revision, era, tool_count, tools: None }
}

fn spoken(server: &ServerInfo) -> (Option<&'static str>, Option<&'static str>) {
    let revision = server.health.revision;
    (revision.map(Revision::as_str), revision.map(|revision| if revision.is_modern() { "modern" } else { "legacy" }))
}

fn brief<'a>(tool: &'a ToolInfo, figures: &dyn Figures) -> ToolPage<'a> {
    let measured = figures.of(&tool.server, &tool.own_name);
    ToolPage {
        name: &tool.name,
        server: tool.server.as_str(),
        server_tool: &tool.own_name,
        revision: None,
        era: None,
        definition: None,
        measured,
    }
}
