//! From files of settings to what the data plane runs: a pure function.

mod check;
mod draft;
mod env_file;
mod package;
mod server;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crib_model::{Code, Fault, Slug};
use crib_registry::pins::{Policies, Policy};
use secrecy::SecretString;

pub use package::{Package, SandboxGrants};
pub use server::{CompiledServer, Missing, Source};

use crate::config::{Cluster, Config, Gateway, Listen, Observability, Packages, Tools, Wishes};
use crate::inputs::Asked;
use crate::problem::{Place, Problem};
use crate::world::World;

/// A configuration that holds together.
#[derive(Debug)]
pub struct Compiled {
    pub servers: Vec<CompiledServer>,
    pub listen: Vec<SocketAddr>,
    /// Where the file says so, if it does.
    pub listen_at: Option<Place>,
    /// Where WebSockets are listened for; empty for nowhere.
    pub web_socket: Vec<SocketAddr>,
    /// Whether every request needs a key.
    pub needs_key: bool,
    pub keys: Vec<CompiledKey>,
    pub names: ToolNames,
    pub limits: Limits,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub access_log: AccessLog,
    /// File of the audit log, where one is wanted.
    pub audit: Option<PathBuf>,
    pub traces: Option<Traces>,
    /// Path of the metrics, where they are wanted.
    pub metrics: Option<String>,
    /// Whom to believe about packages; the path is absolute.
    pub packages: Packages,
    /// The other replicas, where there are any.
    pub cluster: Option<Cluster>,
    /// Oddities that do not stand in the way.
    pub warnings: Vec<Problem>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
    /// What servers of VS Code's files want to be told.
    pub inputs: Vec<Asked>,
}

/// An API key and what it opens.
#[derive(Clone, Debug)]
pub struct CompiledKey {
    pub name: String,
    pub secret: SecretString,
    /// Patterns over `server.tool`; empty means everything.
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

/// How tools and prompts are named to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolNames {
    /// As the server names them.
    Plain,
    /// By a template with `{server}` and `{tool}`.
    Template(String),
}

/// Limits a configuration sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub page_size: usize,
    pub call_timeout: Duration,
    pub start_timeout: Duration,
    pub session_idle: Duration,
    pub input_timeout: Duration,
    pub era_ttl: Duration,
    pub body_bytes_max: usize,
}

/// Where the access log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    #[default]
    Off,
    Stderr,
    File(PathBuf),
}

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    pub endpoint: String,
    pub ratio: f64,
}

/// Compiles files of settings; later ones win over earlier ones.
///
/// # Errors
/// Everything that is wrong, in the order of the files.
pub fn compile(paths: &[PathBuf], world: &dyn World) -> Result<Compiled, Vec<Problem>> {
    compile_only(&[], paths, world)
}

/// Compiles files of settings and takes these servers alone; all of them where none is named, but for catalogues, of
/// which nothing is taken then.
///
/// # Errors
/// Everything that is wrong, in the order of the files.
pub fn compile_only(only: &[String], paths: &[PathBuf], world: &dyn World) -> Result<Compiled, Vec<Problem>> {
    let mut draft = draft::Draft::new(world, only);
    for path in paths {
        draft.load(&world.absolute(path), path);
    }
    draft.finish()
}

/// Returns what runs when there is no configuration: the built-in server `demo` on loopback.
#[must_use]
pub fn default_config() -> Compiled {
    let mut compiled = Compiled::of(Config::default());
    compiled.servers = vec![CompiledServer {
        slug: Slug::from_name("demo"),
        name: "demo".to_owned(),
        file: None,
        source: Source::Builtin(crate::config::Builtin::Demo),
        timeout: compiled.limits.call_timeout,
        start_timeout: compiled.limits.start_timeout,
        input_timeout: compiled.limits.input_timeout,
        era_ttl: compiled.limits.era_ttl,
        keep_alive: None,
        processes: 1,
        tools: Tools::default(),
        pins: Policy::off(),
        describe: "A little of everything, to try clients with".to_owned(),
        missing: None,
        inputs: Vec::new(),
        wishes: Wishes::default(),
    }];
    compiled
}

// === impl Compiled ===

impl Compiled {
    /// Takes what needs no further check.
    fn of(config: Config) -> Self {
        let Config { gateway, keys, packages, observability, cluster, .. } = config;
        let keys = keys.into_iter().map(|key| CompiledKey { name: key.name, secret: key.secret, allow: key.allow, deny: key.deny });
        let Gateway { listen, web_socket, allowed_hosts, allowed_origins, .. } = &gateway;
        Self {
            servers: Vec::new(),
            listen: listen.addresses(),
            listen_at: None,
            web_socket: web_socket.listen.as_ref().map(Listen::addresses).unwrap_or_default(),
            needs_key: false,
            keys: keys.collect(),
            names: ToolNames::of(&gateway.tool_names),
            limits: Limits::of(&gateway),
            allowed_hosts: allowed_hosts.iter().cloned().chain(cluster.as_ref().and_then(Cluster::host)).collect(),
            allowed_origins: allowed_origins.clone(),
            access_log: AccessLog::of(&gateway.access_log),
            audit: (!observability.audit.is_empty()).then(|| PathBuf::from(&observability.audit)),
            traces: Traces::of(&observability),
            metrics: (observability.metrics != "off").then_some(observability.metrics),
            packages,
            cluster,
            warnings: Vec::new(),
            files: Vec::new(),
            inputs: Vec::new(),
        }
    }

    /// Refuses to listen beyond loopback where nobody has to show a key.
    ///
    /// # Errors
    /// Names the address.
    pub fn check_bind(&self) -> Result<(), Fault> {
        let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
        if let (Some(address), false) = (self.web_socket.iter().find(is_open), self.needs_key) {
            let message = format!("refusing to listen on {address} for WebSockets: anyone who reaches it could call every tool");
            let hint = "add `keys` to the configuration, or listen on loopback only: `gateway.webSocket.listen: 127.0.0.1:8666`";
            return Err(Fault::new(Code::BindNeedsKeys, message).hint(hint));
        }
        let open = self.listen.iter().find(is_open);
        match open {
            Some(address) if !self.needs_key => {
                let message = format!("refusing to listen on {address}: anyone who reaches it could call every tool");
                let hint = "add `keys` to the configuration, or listen on loopback only: --listen 127.0.0.1:8665";
                let fault = Fault::new(Code::BindNeedsKeys, message).hint(hint);
                Err(match &self.listen_at {
                    Some(place) => fault.because(format!("{}: {}", place.position(), place.label())),
                    None => fault,
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns how the tools of each server are judged.
    #[must_use]
    pub fn pin_policies(&self) -> Policies {
        let servers = self.servers.iter().map(|server| (server.slug.clone(), (server.pins, server.source.origin())));
        Policies { default: Policy::default(), servers: servers.collect() }
    }

    /// Keeps one server only.
    ///
    /// # Errors
    /// There is no server of that name.
    pub fn keep_only(&mut self, name: &str) -> Result<(), Fault> {
        if !self.servers.iter().any(|server| server.is_called(name)) {
            let names = self.servers.iter().map(|server| server.slug.as_str());
            let fault = Fault::new(Code::UnknownTarget, format!("there is no server `{name}`"));
            return Err(match crate::nearest(name, names.clone()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(format!("servers: {}", names.collect::<Vec<_>>().join(", "))),
            });
        }
        self.servers.retain(|server| server.is_called(name));
        let is_kept = |asked: &Asked| self.servers.iter().any(|server| server.name == asked.server);
        self.inputs.retain(is_kept);
        Ok(())
    }
}

impl CompiledServer {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.slug.as_str().eq_ignore_ascii_case(name)
    }
}

// === impl ToolNames, Limits, AccessLog, Traces ===

impl ToolNames {
    fn of(template: &str) -> Self {
        if template == "{tool}" { Self::Plain } else { Self::Template(template.to_owned()) }
    }
}

impl Limits {
    fn of(gateway: &Gateway) -> Self {
        Self {
            page_size: usize::try_from(gateway.page_size).unwrap_or(usize::MAX),
            call_timeout: gateway.call_timeout.0,
            start_timeout: gateway.start_timeout.0,
            session_idle: gateway.session_idle.0,
            input_timeout: gateway.input_timeout.0,
            era_ttl: gateway.era_ttl.0,
            body_bytes_max: usize::try_from(gateway.body_bytes_max).unwrap_or(usize::MAX),
        }
    }
}

impl AccessLog {
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "off" | "" => Self::Off,
            "stderr" | "-" => Self::Stderr,
            path => Self::File(Path::new(path).to_owned()),
        }
    }
}

/// As a file has it.
impl fmt::Display for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Traces {
    fn of(observability: &Observability) -> Option<Self> {
        let Observability { otlp, sample_ratio, .. } = observability;
        (!otlp.is_empty()).then(|| Self { endpoint: otlp.clone(), ratio: *sample_ratio })
    }
}
