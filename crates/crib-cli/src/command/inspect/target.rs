//! Which server is meant, and how it is reached: a server of the configuration, a package, a URL, a command, or one of
//! the built-in servers behind a gateway of its own in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crib_control::secrets::SecretSource;
use crib_control::{Compiled, CompiledServer, Source};
use crib_inspect::{Confinement, Mask, OpenPipe, Origin, Signature, Target, UrlTransport, Way};
use crib_model::{Code, Gateway, Scope, Slug};
use crib_package::{Locked, Proof};
use crib_registry::pins::Mode;
use crib_sandbox::Egress;
use crib_transport::{CommandLine, Endpoint, StdioOptions, serve_lines};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::Inspect;
use crate::failure::Failure;
use crate::instance::{Instance, package};
use crate::output::Output;
use crate::shop::{self, Believed, Shop};
use crate::{config, pins};

/// Room in the pipe to a built-in server.
const PIPE_BYTES: usize = 256 * 1024;

/// A server, and what has to live as long as it is inspected.
pub(super) struct Found {
    pub(super) target: Target,
    /// What of it is not written to recordings.
    pub(super) mask: Mask,
    /// The files and folders that it is made of, where they are known.
    pub(super) places: Vec<PathBuf>,
    /// The package that was started, where it is one.
    locked: Option<Locked>,
    egress: Option<Egress>,
    here: Option<Here>,
}

struct Here {
    instance: Instance,
    shutdown: CancellationToken,
    tracker: TaskTracker,
}

impl Found {
    fn new(target: Target, secrets: &[(String, String)]) -> Self {
        let mask = secrets.iter().fold(Mask::of(&target), |mask, (name, value)| mask.with(name, value));
        Self { target, mask, places: Vec::new(), locked: None, egress: None, here: None }
    }

    /// Returns whether it is a process that is started here.
    pub(super) fn is_started(&self) -> bool {
        matches!(self.target.way, Way::Command(_))
    }

    /// Adds what helps to a crash that is known, as `run` does.
    pub(super) fn explained(&self, failure: Failure) -> Failure {
        let is_crash = matches!(failure.code(), Some(Code::StartFailed | Code::ServerGone | Code::DeadlineExceeded));
        let locked = self.locked.as_ref().filter(|_| is_crash);
        let slug = Slug::from_name(&self.target.name);
        match locked.and_then(|locked| package::remedy(locked, slug.as_str(), failure.causes())) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Ends what was started for the server.
    pub(super) async fn close(self) {
        if let Some(egress) = self.egress {
            egress.close().await;
        }
        if let Some(Here { instance, shutdown, tracker }) = self.here {
            shutdown.cancel();
            tracker.close();
            tracker.wait().await;
            instance.close().await;
        }
    }
}

/// Finds the server a command line means.
pub(super) async fn find(args: &Inspect, output: &Output) -> Result<Found, Failure> {
    let compiled = wanted(args, output)?;
    let Some(server) = compiled.servers.first().cloned() else { return Err(Failure::usage("there is no server")) };
    let secrets = pins::source();
    let bound = server.bind(&*secrets)?;
    let known = known_secrets(&server, &*secrets)?;
    let name = server.name.clone();
    let plain = |way: Way, confinement: Confinement| {
        Found::new(Target { name: name.clone(), way, origin: Origin { confinement, ..Origin::default() } }, &known)
    };
    match bound.source {
        Source::Command { program, args, env, cwd } => {
            let command = CommandLine { program, args, env, cwd };
            let places = crib_inspect::files_of_command(&command, &std::env::current_dir()?);
            Ok(Found { places, ..plain(Way::Command(command), Confinement::Unconfined) })
        }
        Source::Url { url, headers, transport, allow_link_local } => {
            let url = Endpoint::parse(&url)?;
            let url = if allow_link_local { url } else { url.guarded() };
            let transport = match transport {
                crib_control::config::Transport::Sse => UrlTransport::Sse,
                crib_control::config::Transport::Http => UrlTransport::Streamable,
                crib_control::config::Transport::Auto => args.reach.transport,
            };
            Ok(plain(Way::Url { url, headers, transport }, Confinement::Elsewhere))
        }
        Source::Builtin(_) => here(&compiled, &server, &known),
        Source::Package(package) => {
            let shop = Arc::new(Shop::open(Believed::of(&compiled.packages)?)?);
            let launch = package::launch(&server, &package, &shop).await?;
            let digest = launch.locked.tree.as_ref().map(ToString::to_string);
            let origin = origin(&launch.locked, digest);
            let found = Found::new(Target { name, way: Way::Command(launch.command), origin }, &known);
            let source = package::source(&package)?;
            let places = if let crib_package::Source::Folder(folder) = source { vec![folder] } else { Vec::new() };
            Ok(Found { places, locked: Some(launch.locked), egress: launch.egress, ..found })
        }
    }
}

/// Returns what is known of a package, as far as a grade has to know.
fn origin(locked: &Locked, digest: Option<String>) -> Origin {
    let told = &locked.provenance;
    let signature = match (&told.attestation, &told.signature) {
        (Proof::Verified { by }, _) | (_, Proof::Verified { by }) => Signature::Verified(by.clone()),
        (Proof::Present { note }, _) | (_, Proof::Present { note }) => Signature::Unchecked(note.clone()),
        (Proof::Absent, Proof::Absent) => Signature::Absent,
    };
    // A date is a date, whatever time it is here.
    let released_unix = told.released.as_deref().and_then(|text| crib_market::moment(text, 0));
    Origin {
        package: Some(shop::pinned(locked)),
        digest,
        confinement: Confinement::Sandboxed,
        signature,
        released_unix,
        packages: locked.packages.len(),
    }
}

/// Returns the secrets that are given to a server, with their names.
fn known_secrets(server: &CompiledServer, source: &dyn SecretSource) -> Result<Vec<(String, String)>, Failure> {
    let names = server.secrets().into_keys().collect();
    let values = source.values(&names)?;
    Ok(values.iter().map(|(name, value)| (name.to_string(), value.expose_secret().to_owned())).collect())
}

/// Compiles the configuration of the one server: the user's own, or one made of what was typed.
fn wanted(args: &Inspect, output: &Output) -> Result<Compiled, Failure> {
    let reach = &args.reach;
    let given = match (args.more.split_first(), args.server.as_deref()) {
        (Some((program, rest)), name) => {
            let fallback = crib_package::Source::command(program, rest.to_vec()).suggested_name();
            Some((name.unwrap_or(&fallback).to_owned(), json!({ "command": program, "args": rest, "env": environment(&reach.env) })))
        }
        (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
            let name = crib_package::Source::Url(url.to_owned()).suggested_name();
            Some((name, json!({ "url": url, "headers": headers(&reach.header)? })))
        }
        (None, Some(name)) => return known(args, name, output),
        (None, None) => return Err(Failure::usage("which server? Name one, a URL, or a command after `--`")),
    };
    given.map_or_else(|| Err(Failure::usage("there is no server")), |(name, entry)| typed(&name, &entry))
}

fn known(args: &Inspect, name: &str, output: &Output) -> Result<Compiled, Failure> {
    if !args.reach.header.is_empty() || !args.reach.env.is_empty() {
        return Err(Failure::usage("--header goes with a URL, and --env with a command after `--`"));
    }
    let mut compiled = config::load(&args.reach.config, output)?;
    let is_called = |server: &CompiledServer| server.name == name || server.slug.as_str() == name;
    if compiled.servers.iter().any(is_called) {
        compiled.keep_only(name)?;
        return Ok(compiled);
    }
    if matches!(name, "demo" | "builtin:demo") {
        return typed("demo", &json!({ "builtin": "demo" }));
    }
    let is_package = name.contains([':', '/']) || Path::new(name).exists();
    let source = crib_package::Source::parse(name).ok().filter(|_| is_package);
    match source {
        Some(source) => typed(&source.suggested_name(), &json!({ "run": shop::source(name, &[])?.to_string() })),
        None => Ok(compiled.keep_only(name).map(|()| compiled)?),
    }
}

/// Compiles what was typed.
fn typed(name: &str, entry: &Value) -> Result<Compiled, Failure> {
    let mut compiled = config::made(name, entry)?;
    for server in &mut compiled.servers {
        // What is inspected is seen as it is.
        server.pins.mode = Mode::Off;
    }
    Ok(compiled)
}

fn environment(texts: &[String]) -> Value {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), json!(value)),
        None => (text.clone(), json!(format!("${{env:{text}}}"))),
    };
    Value::Object(texts.iter().map(pair).collect())
}

fn headers(texts: &[String]) -> Result<Value, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| Failure::usage("a header is NAME: VALUE"))?;
        Ok((name.trim().to_owned(), json!(value.trim())))
    };
    texts.iter().map(pair).collect::<Result<serde_json::Map<_, _>, Failure>>().map(Value::Object)
}

/// A gateway in this process, with the one server behind it.
fn here(compiled: &Compiled, server: &CompiledServer, known: &[(String, String)]) -> Result<Found, Failure> {
    let instance = Instance::new(compiled)?;
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let gateway: Arc<dyn Gateway> = Arc::clone(&instance.plane) as Arc<dyn Gateway>;
    let open = pipe(gateway, server.slug.clone(), shutdown.clone(), tracker.clone());
    let origin = Origin { package: Some(format!("builtin:{}", server.name)), ..Origin::default() };
    let target = Target { name: server.name.clone(), way: Way::Here(open), origin };
    Ok(Found { here: Some(Here { instance, shutdown, tracker }), ..Found::new(target, known) })
}

fn pipe(gateway: Arc<dyn Gateway>, slug: Slug, shutdown: CancellationToken, tracker: TaskTracker) -> OpenPipe {
    Arc::new(move || {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let (input, output) = tokio::io::split(theirs);
        let options = StdioOptions::new(Scope::One(slug.clone()));
        tracker.spawn(serve_lines(Arc::clone(&gateway), options, input, output, shutdown.clone()));
        ours
    })
}
