//! What the data plane is told of a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use crib_cluster::ClusterSecret;
use crib_connect::{ConnectorOptions, Shared, Source as Way};
use crib_control::config::{Builtin, Cluster, Transport};
use crib_control::secrets::{Bound, Unready, filled_text};
use crib_control::{Catalogue, Compiled, CompiledServer, Limits, Source, Switches, ToolNames, screen, switch};
use crib_model::{Code, Fault, Redaction, Slug, Upstream};
use crib_package::Lock;
use crib_policy::{ExposeSecret as _, KeySecret, KeySpec, Keys, RuleSpec, Rules};
use crib_proxy::{Server, Setup};
use crib_registry::{NameStyle, Template};
use crib_transport::{CommandLine, Endpoint};

use super::Running;
use super::package::Confined;
use crate::pins;
use crate::shop::{self, Shop};

/// What connectors are made with.
pub(super) struct Parts<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) catalogue: &'a Catalogue,
    pub(super) switches: &'a Arc<Switches>,
    /// Where there is a server from a package.
    pub(super) shop: Option<Arc<Shop>>,
    pub(super) lock: Lock,
}

/// Makes a connector for every server that has none yet.
pub(super) fn servers(wanted: &[CompiledServer], running: &mut HashMap<Slug, Running>, parts: &Parts<'_>) -> Result<Vec<Server>, Fault> {
    let mut servers = Vec::with_capacity(wanted.len());
    let values = pins::source();
    for server in wanted {
        let bound = server.bind(&*values);
        let secrets = bound.as_ref().map(|bound| bound.mark).unwrap_or_default();
        let upstream = match running.get(&server.slug).filter(|known| bound.is_ok() && known.secrets == secrets) {
            Some(known) => Arc::clone(&known.upstream),
            None => {
                let upstream = match bound {
                    Ok(Bound { source, values, .. }) => {
                        let upstream = Bound::guard(&values, upstream(server, source, &values, parts)?);
                        screen(server, &parts.shared.tracker, upstream)
                    }
                    Err(fault) => Arc::new(Unready(fault)) as Arc<dyn Upstream>,
                };
                let upstream = switch(&server.slug, upstream, parts.switches);
                let locked = parts.lock.get(&shop::owner(server), &server.name).cloned();
                running.insert(server.slug.clone(), Running { server: server.clone(), secrets, locked, upstream: Arc::clone(&upstream) });
                upstream
            }
        };
        servers.push(Server { slug: server.slug.clone(), upstream });
    }
    Ok(servers)
}

fn upstream(server: &CompiledServer, source: Source, secrets: &Redaction, parts: &Parts<'_>) -> Result<Arc<dyn Upstream>, Fault> {
    let way = match source {
        Source::Builtin(Builtin::Demo) => return Ok(crib_connect::demo()),
        Source::Builtin(Builtin::Catalogue) => return Ok(Arc::new(parts.catalogue.clone())),
        Source::Package(package) => {
            let missing = || Fault::new(Code::Internal, "a package without a store");
            let shop = parts.shop.as_ref().ok_or_else(missing)?;
            return Ok(Arc::new(Confined::new(server, (&package, secrets), shop, parts.shared)));
        }
        Source::Command { program, args, env, cwd } => Way::Stdio(CommandLine { program, args, env, cwd }),
        Source::Url { url, headers, transport, allow_link_local } => {
            let url = Endpoint::parse(&url)?;
            let url = if allow_link_local { url } else { url.guarded() };
            match transport {
                Transport::Sse => Way::Sse { url, headers },
                Transport::Auto | Transport::Http => Way::Http { url, headers },
            }
        }
    };
    Ok(crib_connect::connect(options(server, way, secrets), Arc::clone(parts.shared)))
}

/// Describes a server as its connector takes it.
pub(super) fn options(server: &CompiledServer, way: Way, secrets: &Redaction) -> ConnectorOptions {
    ConnectorOptions {
        secrets: secrets.clone(),
        timeout: server.timeout,
        start_timeout: server.start_timeout,
        input_timeout: server.input_timeout,
        era_ttl: server.era_ttl,
        keep_alive: server.keep_alive,
        processes_max: server.processes,
        ..ConnectorOptions::new(server.slug.clone(), way)
    }
}

pub(super) fn setup(compiled: &Compiled, servers: Vec<Server>) -> Result<Setup, Fault> {
    let pins = pins::open(compiled)?;
    let names = match &compiled.names {
        ToolNames::Plain => NameStyle::Plain,
        ToolNames::Template(text) => {
            let template =
                Template::parse(text).map_err(|error| Fault::new(Code::ConfigInvalid, format!("`{text}` is no template: {error}")))?;
            NameStyle::Prefixed(template)
        }
    };
    let own: Vec<(&str, RuleSpec)> =
        compiled.keys.iter().map(|key| (key.name.as_str(), RuleSpec { allow: key.allow.clone(), deny: key.deny.clone() })).collect();
    let rules = Rules::build(&offered(&compiled.servers), own.iter().map(|(name, spec)| (*name, spec)))?;
    // A server's own `timeout` is the connector's; the plane's is the longest of all.
    let call_timeout = compiled.servers.iter().map(|server| server.timeout).max().unwrap_or(compiled.limits.call_timeout);
    let Limits { page_size, session_idle, input_timeout, .. } = compiled.limits;
    Ok(Setup { servers, names, keys: keys(compiled)?, rules, call_timeout, page_size, session_idle, input_timeout, pins })
}

fn keys(compiled: &Compiled) -> Result<Keys, Fault> {
    if !compiled.needs_key {
        return Ok(Keys::none());
    }
    let values = pins::source();
    let spec = |key: &crib_control::CompiledKey| {
        let secret = filled_text(&key.secret, &format!("the key `{}`", key.name), &*values)?;
        let text = secret.expose_secret();
        let secret = if text.starts_with("blake3:") { KeySecret::Digest(text.to_owned()) } else { KeySecret::Plain(secret) };
        Ok(KeySpec { name: key.name.clone(), secret })
    };
    Keys::build(&compiled.keys.iter().map(spec).collect::<Result<Vec<_>, Fault>>()?)
}

/// The tools that servers offer at all, as rules for everybody.
fn offered(servers: &[CompiledServer]) -> RuleSpec {
    let mut spec = RuleSpec::default();
    let has_include = servers.iter().any(|server| !server.tools.include.is_empty());
    for CompiledServer { slug, tools, .. } in servers {
        spec.deny.extend(tools.exclude.iter().map(|pattern| format!("{slug}.{pattern}")));
        if tools.include.is_empty() {
            // Once anything is allowed by name, everything else must be too.
            spec.allow.extend(has_include.then(|| format!("{slug}.*")));
        } else {
            spec.allow.extend(tools.include.iter().map(|pattern| format!("{slug}.{pattern}")));
            spec.allow.extend(["prompt", "resource"].map(|kind| format!("{kind}:{slug}.*")));
        }
    }
    spec
}

/// What this replica is told of the others.
pub(super) fn cluster(cluster: &Cluster) -> Result<crib_cluster::Options, Fault> {
    let secret = filled_text(&cluster.secret, "`cluster.secret`", &*pins::source())?;
    Ok(crib_cluster::Options { redis: cluster.redis.clone(), url: cluster.url.clone(), secret: ClusterSecret::new(secret) })
}
