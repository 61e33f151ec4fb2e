//! Names that look like those of popular packages.

use crate::{Finding, FindingKind, Source};

/// What people install, and what is therefore worth imitating.
const POPULAR: &[&str] = &[
    "@azure/mcp",
    "@browsermcp/mcp",
    "@context7/mcp",
    "@modelcontextprotocol/inspector",
    "@modelcontextprotocol/sdk",
    "@modelcontextprotocol/server-brave-search",
    "@modelcontextprotocol/server-everything",
    "@modelcontextprotocol/server-filesystem",
    "@modelcontextprotocol/server-github",
    "@modelcontextprotocol/server-gitlab",
    "@modelcontextprotocol/server-google-maps",
    "@modelcontextprotocol/server-memory",
    "@modelcontextprotocol/server-postgres",
    "@modelcontextprotocol/server-puppeteer",
    "@modelcontextprotocol/server-sequential-thinking",
    "@modelcontextprotocol/server-slack",
    "@notionhq/notion-mcp-server",
    "@playwright/mcp",
    "@sentry/mcp-server",
    "@supabase/mcp-server-supabase",
    "@upstash/context7-mcp",
    "awslabs.aws-documentation-mcp-server",
    "chrome-devtools-mcp",
    "excel-mcp-server",
    "fastmcp",
    "figma-developer-mcp",
    "firecrawl-mcp",
    "mcp-atlassian",
    "mcp-remote",
    "mcp-server-calculator",
    "mcp-server-fetch",
    "mcp-server-git",
    "mcp-server-sentry",
    "mcp-server-sqlite",
    "mcp-server-time",
    "mcp-use",
    "postgres-mcp",
    "tavily-mcp",
];
/// Below this length everything is one letter away from something.
const LENGTH_MIN: usize = 6;

/// Notices a name that is one slip of a finger away from a popular one.
pub(crate) fn look(source: &Source) -> Option<Finding> {
    let (Source::Npm { name, .. } | Source::Pypi { name, .. }) = source else { return None };
    let plain = normal(name);
    if POPULAR.iter().any(|popular| normal(popular) == plain) {
        return None;
    }
    let near = POPULAR.iter().find(|popular| is_near(&plain, &normal(popular)))?;
    Some(Finding::new(FindingKind::Typosquat, format!("`{name}` is one letter away from `{near}`, which is what many people install")))
}

fn is_near(name: &str, popular: &str) -> bool {
    name.len() >= LENGTH_MIN && name.len().abs_diff(popular.len()) <= 1 && strsim::osa_distance(name, popular) == 1
}

/// PyPI takes `-`, `_` and `.` for the same; so do eyes.
fn normal(name: &str) -> String {
    let bare = name.split('[').next().unwrap_or(name);
    bare.to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_one_letter_away_is_noticed_and_the_popular_one_is_not() {
        for text in [
            "pypi:mcp-server-tine",
            "npm:@modelcontextprotocol/server-filesytem",
            "npm:@modelcontextprotocl/server-memory",
            "pypi:mcp-sevrer-git",
        ] {
            assert!(look(&Source::parse(text).expect("a source")).is_some(), "{text}");
        }
        for text in ["pypi:mcp-server-time", "pypi:mcp_server_time", "npm:my-own-server", "npm:@playwright/mcp"] {
            assert!(look(&Source::parse(text).expect("a source")).is_none(), "{text}");
        }
    }
}
