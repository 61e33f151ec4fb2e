//! The keys of `_meta` that the protocol reserves (2026-07-28 "`_meta`").

pub const PREFIX: &str = "io.modelcontextprotocol/";
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// Where 2025-11-25 notes which task a message belongs to.
pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
pub const PROGRESS_TOKEN: &str = "progressToken";
pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";
pub const BAGGAGE: &str = "baggage";

/// Identifiers of the official extensions.
pub mod extension {
    pub const TASKS: &str = "io.modelcontextprotocol/tasks";
    pub const UI: &str = "io.modelcontextprotocol/ui";
    pub const SKILLS: &str = "io.modelcontextprotocol/skills";
}
