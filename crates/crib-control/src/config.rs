//! The configuration as people write it. Field comments are the reference manual: the JSON schema carries them.

mod cluster;
mod duration;
mod keep;
mod listen;
mod packages;
mod sandbox;

use crib_registry::pins;
use indexmap::IndexMap;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use cluster::Cluster;
pub use duration::Timespan;
pub use keep::KeepAlive;
pub use listen::{Listen, ListenOn, PORT};
pub use packages::{Packages, Verdict};
pub use sandbox::Sandbox;

/// The version of the format this program reads.
pub const VERSION: u32 = 1;

/// Toolcrib's configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Config {
    /// Version of the format: 1.
    pub version: u32,
    /// How clients reach the gateway.
    pub gateway: Gateway,
    /// The servers behind the gateway, by name. A server has one of `run`, `command`, `url` or `builtin`.
    pub servers: IndexMap<String, Server>,
    /// Other files to take servers from: of this format or of any MCP client, unchanged. Paths are relative to this file.
    pub include: Vec<String>,
    /// API keys. With keys, every request needs one (`Authorization: Bearer SECRET`).
    pub keys: Vec<Key>,
    /// Whom to believe about packages, and what is done about what is found.
    pub packages: Packages,
    /// Metrics and traces.
    pub observability: Observability,
    /// Several gateways behind one address. One alone where absent.
    pub cluster: Option<Cluster>,
}

/// How clients reach the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Gateway {
    /// Address or addresses to listen on: `127.0.0.1:8665`, `[::1]:8665`, or a port alone, which means both loopback addresses.
    pub listen: Listen,
    /// A listener for clients that speak MCP over WebSocket, which is no transport of the specification.
    pub web_socket: WebSocket,
    /// Who may call: `none` (loopback only), `keys`, or `auto`: `keys` where there are keys, else `none`.
    pub auth: Auth,
    /// How tools and prompts are named to clients. `{tool}` alone needs a single server.
    pub tool_names: String,
    /// Entries of one page of a list.
    pub page_size: u32,
    /// How long a call may take, where the server does not say otherwise.
    pub call_timeout: Timespan,
    /// How long a server may take to start, where it does not say otherwise.
    pub start_timeout: Timespan,
    /// How long a server that is started here (`run`, `command`) lives without a call, where it does not say otherwise: a span of time, `0` or `forever`. One that was stopped for this is started again by the next call.
    pub keep_alive: KeepAlive,
    /// How long a session of a legacy client lives without a request.
    pub session_idle: Timespan,
    /// How long a client, and the person before it, may take to answer a question of a server; then the call is given up.
    pub input_timeout: Timespan,
    /// How long a server is believed to speak what it was found to speak.
    pub era_ttl: Timespan,
    /// Largest request body, in bytes.
    pub body_bytes_max: u64,
    /// `Host` names served beside the loopback names and the addresses listened on.
    pub allowed_hosts: Vec<String>,
    /// Web origins whose pages may call the gateway, beside those of loopback.
    pub allowed_origins: Vec<String>,
    /// What happens to tools that are not as they were when their server was first used.
    pub pins: Pins,
    /// One JSON line for every call: `off`, `stderr`, or the path of a file to append to.
    pub access_log: String,
}

/// MCP over WebSocket, at the paths of HTTP: subprotocol `mcp`, one message in each text frame.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WebSocket {
    /// Address or addresses to listen on, other than those of `gateway.listen`; nothing listens where this is absent.
    pub listen: Option<Listen>,
}

/// Who may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Auth {
    /// `keys` where there are keys, else `none`.
    #[default]
    Auto,
    /// Everybody who reaches the address, which must be of loopback.
    None,
    /// Whoever shows one of the `keys`.
    Keys,
}

/// One server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Server {
    /// A package to start in a sandbox: `npm:NAME@VERSION`, `pypi:NAME@VERSION`, a `.mcpb` file or a folder.
    pub run: String,
    /// Further requirements of a Python package in `run`, such as `mcp<2`.
    pub with: Vec<String>,
    /// What a package in `run` may have; the grants in the lockfile where absent.
    pub sandbox: Option<Sandbox>,
    /// The program to start; it speaks MCP on standard input and output.
    pub command: String,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// Environment variables of the program, beside PATH, HOME and the like.
    pub env: IndexMap<String, String>,
    /// File with further environment variables of the program, a `NAME=value` in each line. What `env` says wins; a change of the file starts the program anew.
    pub env_file: String,
    /// Working directory of the program.
    pub cwd: String,
    /// Address of a server that runs already.
    pub url: String,
    /// HTTP headers of every request to `url`.
    pub headers: IndexMap<String, String>,
    /// How `url` is spoken to; `auto` finds out.
    pub transport: Transport,
    /// Whether `url` may lead to a link-local address or to a cloud's metadata service, which hands out credentials.
    pub allow_link_local: bool,
    /// A server that is part of this program.
    pub builtin: Option<Builtin>,
    /// Whether the server is served.
    pub enabled: bool,
    /// How long a call may take; the gateway's `callTimeout` where absent.
    pub timeout: Option<Timespan>,
    /// How long the server may take to start; the gateway's `startTimeout` where absent.
    pub start_timeout: Option<Timespan>,
    /// How long the server lives without a call before it is stopped until the next one; the gateway's `keepAlive` where absent. What a server keeps in its process and nowhere else is lost then: give such a server `forever`.
    pub keep_alive: Option<KeepAlive>,
    /// Most processes of the program at once.
    pub processes: u32,
    /// Which of the server's tools are offered.
    pub tools: Tools,
    /// What happens to the server's tools when they change; where absent, what the gateway's `pins` says.
    pub pins: Pins,
    /// What the server is for, in one line; shown in lists.
    pub describe: String,
    /// What a catalogue would have it granted; in no file of ours.
    #[serde(skip)]
    pub wishes: Wishes,
}

/// What a server would have, by the word of a catalogue: nothing of it is granted by that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Hosts, as grants have them.
    pub hosts: Vec<String>,
    /// Files and folders, by their paths on this machine.
    pub read: Vec<String>,
    pub write: Vec<String>,
}

impl Wishes {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.read.is_empty() && self.write.is_empty()
    }
}

/// How a URL is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Transport {
    /// Streamable HTTP, else HTTP+SSE.
    #[default]
    Auto,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// A server that is part of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Builtin {
    /// A little of everything, to try clients with.
    Demo,
    /// What is known of the servers and tools behind the gateway, as resources.
    Catalogue,
}

/// Which tools of a server are offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Tools {
    /// Only these, when there are any. `*` stands for any characters.
    pub include: Vec<String>,
    /// Not these, whatever `include` says.
    pub exclude: Vec<String>,
}

/// What happens to tools that are not as they were when their server was first used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Pins {
    /// `hold`: they are in no list and cannot be called until `toolcrib approve`; `warn`: they are used, and it is said; `off`: nothing is compared. `hold` where absent.
    pub mode: Option<PinMode>,
    /// Tools that a known server did not have before: `hold`, or `accept` as they come. `hold` where absent.
    pub new_tools: Option<NewTools>,
    /// Whether every sign of an attack in a definition holds the tool back, not only the certain ones. `false` where absent.
    pub strict: Option<bool>,
    /// Answers whose text certainly speaks to the model, such as "ignore all previous instructions": `warn`: they go on, and it is logged; `hold`: the caller gets an error in their place; `off`: nobody looks. `warn` where absent, `off` where `mode` is.
    pub results: Option<Results>,
}

/// What happens to definitions that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PinMode {
    /// They wait for approval.
    Hold,
    /// They are used, and it is said.
    Warn,
    /// Nothing is compared.
    Off,
}

/// What happens to tools a known server did not have before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NewTools {
    /// They wait for approval.
    Hold,
    /// They are used as they come.
    Accept,
}

/// What happens to answers whose text speaks to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Results {
    /// They go on, and it is logged.
    Warn,
    /// The caller gets an error in their place.
    Hold,
    /// Nobody looks.
    Off,
}

/// An API key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Key {
    /// Name of the key in logs and metrics.
    pub name: String,
    /// The key itself; better `${env:NAME}` than the text.
    #[schemars(with = "String")]
    pub secret: SecretString,
    /// What may be used: patterns like `files.*` or `*.get_*` over `server.tool`. Everything when absent.
    #[serde(default)]
    pub allow: Vec<String>,
    /// What may not be used, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// Metrics and traces.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Observability {
    /// OTLP/HTTP collector that traces are sent to, like `http://localhost:4318`. No traces where empty.
    pub otlp: String,
    /// Share of traces that are sent, 0 to 1, where the caller has not decided.
    pub sample_ratio: f64,
    /// Path of the Prometheus metrics; `off` for none.
    pub metrics: String,
    /// File that a line for every call is added to, in a chain that shows what was changed afterwards. None where empty.
    pub audit: String,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            version: VERSION,
            gateway: Gateway::default(),
            servers: IndexMap::new(),
            include: Vec::new(),
            keys: Vec::new(),
            packages: Packages::default(),
            observability: Observability::default(),
            cluster: None,
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        use crib_model::limits;
        Self {
            listen: Listen::default(),
            web_socket: WebSocket::default(),
            auth: Auth::Auto,
            tool_names: "{server}__{tool}".to_owned(),
            page_size: u32::try_from(limits::PAGE_SIZE).unwrap_or(u32::MAX),
            call_timeout: Timespan(limits::CALL_TIMEOUT),
            start_timeout: Timespan(limits::START_TIMEOUT),
            keep_alive: KeepAlive::Forever,
            session_idle: Timespan(limits::SESSION_IDLE),
            input_timeout: Timespan(limits::INPUT_TIMEOUT),
            era_ttl: Timespan(limits::ERA_TTL),
            body_bytes_max: limits::REQUEST_BYTES_MAX as u64,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            pins: Pins::default(),
            access_log: "off".to_owned(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            run: String::new(),
            with: Vec::new(),
            sandbox: None,
            command: String::new(),
            args: Vec::new(),
            env: IndexMap::new(),
            env_file: String::new(),
            cwd: String::new(),
            url: String::new(),
            headers: IndexMap::new(),
            transport: Transport::Auto,
            allow_link_local: false,
            builtin: None,
            enabled: true,
            timeout: None,
            start_timeout: None,
            keep_alive: None,
            processes: u32::try_from(crib_model::limits::PROCESSES_MAX).unwrap_or(u32::MAX),
            tools: Tools::default(),
            pins: Pins::default(),
            describe: String::new(),
            wishes: Wishes::default(),
        }
    }
}

impl Pins {
    /// Returns what holds where a server and the gateway both have a say.
    #[must_use]
    pub fn policy(self, gateway: Self) -> pins::Policy {
        let mode = match self.mode.or(gateway.mode).unwrap_or(PinMode::Hold) {
            PinMode::Hold => pins::Mode::Hold,
            PinMode::Warn => pins::Mode::Warn,
            PinMode::Off => pins::Mode::Off,
        };
        let new_tools = match self.new_tools.or(gateway.new_tools).unwrap_or(NewTools::Hold) {
            NewTools::Hold => pins::NewTools::Hold,
            NewTools::Accept => pins::NewTools::Accept,
        };
        let results = match self.results.or(gateway.results) {
            Some(Results::Warn) => pins::Results::Warn,
            Some(Results::Hold) => pins::Results::Hold,
            Some(Results::Off) => pins::Results::Off,
            None if mode == pins::Mode::Off => pins::Results::Off,
            None => pins::Results::Warn,
        };
        pins::Policy { mode, new_tools, is_strict: self.strict.or(gateway.strict).unwrap_or(false), results }
    }
}

impl Default for Observability {
    fn default() -> Self {
        Self { otlp: String::new(), sample_ratio: 1.0, metrics: "/metrics".to_owned(), audit: String::new() }
    }
}
