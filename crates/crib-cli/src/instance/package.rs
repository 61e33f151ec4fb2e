//! A server from a package: its bytes are checked before every start, and it is started in a sandbox.

pub(crate) mod apart;
mod named;
mod socket;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crib_connect::{Shared, Source as Way};
use crib_control::{CompiledServer, Package};
use crib_model::{BoxFuture, Code, Fault, Forward, Health, Redaction, Reply, Upstream};
use crib_package::{Grants, Locked, NetGrant, Owner, Progress, RemedyKind, Start, recognise};
use crib_sandbox::Egress;
use crib_transport::CommandLine;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub(crate) use named::{misnamed, source};
use socket::socket;

use super::setup;
use crate::command::SETTING;
use crate::shop::{self, Shop};
use crate::{logs, unconfined, world};

/// Lines of standard error that are looked through for known crashes.
const LAST_WORDS: usize = 60;

/// An upstream that is started from a package.
pub(super) struct Confined(Arc<Inner>);

struct Inner {
    server: CompiledServer,
    package: Package,
    secrets: Redaction,
    shop: Arc<Shop>,
    shared: Arc<Shared>,
    /// Only one looks at the package at a time.
    turn: Semaphore,
    running: Mutex<Option<Running>>,
    fault: Mutex<Option<Fault>>,
}

/// The connector of what was verified last.
struct Running {
    locked: Locked,
    start: Start,
    upstream: Arc<dyn Upstream>,
    egress: Option<Egress>,
}

impl Confined {
    pub(super) fn new(server: &CompiledServer, (package, secrets): (&Package, &Redaction), shop: &Arc<Shop>, shared: &Arc<Shared>) -> Self {
        Self(Arc::new(Inner {
            server: server.clone(),
            package: package.clone(),
            secrets: secrets.clone(),
            shop: Arc::clone(shop),
            shared: Arc::clone(shared),
            turn: Semaphore::new(1),
            running: Mutex::default(),
            fault: Mutex::default(),
        }))
    }
}

impl Upstream for Confined {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let result = match inner.ready().await {
                Ok(upstream) => upstream.call(forward).await.map_err(|fault| inner.explain(fault)),
                Err(fault) => Err(fault),
            };
            *inner.fault.lock() = result.as_ref().err().cloned();
            result
        })
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.0.server.timeout)
    }

    fn health(&self) -> Health {
        let upstream = self.0.running.lock().as_ref().map(|running| Arc::clone(&running.upstream));
        let fault = self.0.fault.lock().clone();
        match upstream {
            Some(upstream) => {
                let health = upstream.health();
                let fault = health.fault.clone().map(|own| fault.unwrap_or(own));
                Health { fault, ..health }
            }
            None => Health { state: if fault.is_some() { "failed" } else { "idle" }, fault, ..Health::default() },
        }
    }

    fn pids(&self) -> Vec<u32> {
        let upstream = self.0.running.lock().as_ref().map(|running| Arc::clone(&running.upstream));
        upstream.map(|upstream| upstream.pids()).unwrap_or_default()
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        let upstream = self.0.running.lock().as_ref().map(|running| Arc::clone(&running.upstream));
        upstream.map_or_else(|| Box::pin(std::future::ready(())) as BoxFuture<'static, ()>, |upstream| upstream.woken())
    }

    fn rest(&self) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        let ending = self.0.shared.tracker.spawn(async move {
            // Whoever looks at the package would start it behind our back.
            let _turn = inner.turn.acquire().await;
            let running = inner.running.lock().take();
            end(running).await;
        });
        // What was begun goes on when nobody waits for it.
        Box::pin(async move { drop(ending.await) })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let running = inner.running.lock().take();
            end(running).await;
        })
    }
}

async fn end(running: Option<Running>) {
    if let Some(Running { upstream, egress, .. }) = running {
        upstream.close().await;
        if let Some(egress) = egress {
            let folder = egress.socket().parent().map(std::path::Path::to_owned);
            egress.close().await;
            // It stays where another server has its socket in it.
            folder.into_iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
    }
}

impl Inner {
    /// Returns the connector of a running server, or of one whose bytes have just been checked.
    async fn ready(self: &Arc<Self>) -> Result<Arc<dyn Upstream>, Fault> {
        let up = || {
            let upstream = self.running.lock().as_ref().map(|running| Arc::clone(&running.upstream));
            upstream.filter(|upstream| upstream.health().processes > 0)
        };
        if let Some(upstream) = up() {
            return Ok(upstream);
        }
        let closed = || Fault::new(Code::ServerGone, format!("`{}` is being stopped", self.server.slug));
        let turn = self.turn.acquire().await.map_err(|_closed| closed())?;
        if let Some(upstream) = up() {
            return Ok(upstream);
        }
        let (locked, start) = ready(&self.server, &self.package, &self.shop).await?;
        let known = {
            let running = self.running.lock();
            running.as_ref().filter(|known| known.locked == locked && known.start == start).map(|known| Arc::clone(&known.upstream))
        };
        if let Some(upstream) = known {
            return Ok(upstream);
        }
        let old = self.running.lock().take();
        end(old).await;
        let running = self.build(locked, start)?;
        let upstream = Arc::clone(&running.upstream);
        *self.running.lock() = Some(running);
        drop(turn);
        Ok(upstream)
    }

    fn build(&self, locked: Locked, start: Start) -> Result<Running, Fault> {
        let (command, egress) = command(&self.server, &self.package, &self.shop, (&locked, &start))?;
        let options = setup::options(&self.server, Way::Stdio(command), &self.secrets);
        let upstream = crib_connect::connect(options, Arc::clone(&self.shared));
        Ok(Running { locked, start, upstream, egress })
    }

    /// Adds what helps to a crash that is known.
    fn explain(&self, fault: Fault) -> Fault {
        if !matches!(fault.code(), Code::StartFailed | Code::ServerGone | Code::DeadlineExceeded) {
            return fault;
        }
        let Some(locked) = self.running.lock().as_ref().map(|running| running.locked.clone()) else { return fault };
        let slug = self.server.slug.as_str();
        let words: Vec<String> = logs::kept().last(slug, LAST_WORDS, 0).into_iter().map(|line| line.text).collect();
        let fault = remedied(fault, &locked, slug, &words);
        match hidden(&self.package, &locked, &[&words, fault.causes()].concat()) {
            Some(path) if fault.remedy().is_none() => {
                let path = path.display();
                fault.hint(format!("the sandbox hides {path}: toolcrib run {slug} --allow-read {path}   (or --allow-write)"))
            }
            Some(_) | None => fault,
        }
    }
}

/// Finds a file or folder of the arguments that was not granted, and that the server has spoken of last.
fn hidden(package: &Package, locked: &Locked, words: &[String]) -> Option<PathBuf> {
    let grants = grants(package, locked).ok()?;
    let is_granted = |path: &PathBuf| grants.read.iter().chain(&grants.write).any(|granted| path.starts_with(granted));
    let is_said = |path: &PathBuf| words.iter().any(|line| line.contains(&*path.to_string_lossy()));
    let mut places = package.args.iter().map(PathBuf::from).filter(|path| path.is_absolute() && path.exists());
    places.find(|path| !is_granted(path) && is_said(path))
}

/// Adds what helps to a crash that is known, by the last words of the server.
pub(crate) fn remedied(fault: Fault, locked: &Locked, slug: &str, words: &[String]) -> Fault {
    match remedy(locked, slug, &[words, fault.causes()].concat()) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Tells what a registry has from what is run where it is.
pub(crate) fn is_package(locked: &Locked) -> bool {
    ["npm:", "pypi:"].iter().any(|kind| locked.source.starts_with(kind))
}

/// Says what helps against a crash that is known by its last words.
pub(crate) fn remedy(locked: &Locked, slug: &str, words: &[String]) -> Option<String> {
    let remedy = recognise(locked, words)?;
    let command = match &remedy.kind {
        RemedyKind::With(_) if !is_package(locked) => "install it for the Python that runs the folder".to_owned(),
        RemedyKind::With(with) => {
            format!("toolcrib run {slug}{}", with.iter().map(|one| format!(" --with '{one}'")).collect::<String>())
        }
        RemedyKind::Build(packages) if packages.is_empty() => "toolcrib doctor --fix".to_owned(),
        RemedyKind::Build(packages) => {
            format!("toolcrib pull {slug}{}", packages.iter().map(|one| format!(" --build {one}")).collect::<String>())
        }
        RemedyKind::PullAgain => format!("toolcrib pull {slug}"),
        RemedyKind::Grant("net") => format!("toolcrib run {slug} --allow-net HOST"),
        RemedyKind::Grant(_) => format!("toolcrib run {slug} --allow-read DIR   (or --allow-write DIR)"),
        RemedyKind::SetVariable(name) => format!("toolcrib run {slug} --env {name}=VALUE"),
        RemedyKind::Install(_) | RemedyKind::Report => remedy.advice.clone(),
    };
    Some(format!("{}.\n{command}", remedy.cause))
}

/// A package that is ready to be started by somebody else than the data plane.
pub(crate) struct Launch {
    pub(crate) command: CommandLine,
    pub(crate) locked: Locked,
    /// Must live as long as the server does.
    pub(crate) egress: Option<Egress>,
}

/// Gets and checks the bytes of a server, and says how it is started in its sandbox.
pub(crate) async fn launch(server: &CompiledServer, package: &Package, shop: &Arc<Shop>) -> Result<Launch, Fault> {
    let locked = locked(server, package, shop).await?;
    launch_locked(server, package, shop, locked).await
}

/// Does the same with one version of it, which must be here.
pub(crate) async fn launch_locked(
    server: &CompiledServer,
    package: &Package,
    shop: &Arc<Shop>,
    mut locked: Locked,
) -> Result<Launch, Fault> {
    locked.grants = grants(package, &locked)?;
    let start = checked(server, package, shop, &locked).await?;
    let (command, egress) = command(server, package, shop, (&locked, &start))?;
    Ok(Launch { command, locked, egress })
}

/// Finds what is locked, and checks its bytes.
async fn ready(server: &CompiledServer, package: &Package, shop: &Arc<Shop>) -> Result<(Locked, Start), Fault> {
    let locked = locked(server, package, shop).await?;
    let start = checked(server, package, shop, &locked).await?;
    Ok((locked, start))
}

async fn checked(server: &CompiledServer, package: &Package, shop: &Arc<Shop>, locked: &Locked) -> Result<Start, Fault> {
    let (shop, of, told) = (Arc::clone(shop), locked.clone(), settings(package));
    let name = server.name.clone();
    let ended = |_ended| Fault::new(Code::ServerGone, format!("`{}` is being stopped", server.slug));
    tokio::task::spawn_blocking(move || {
        unconfined::check(&of.grants, &name)?;
        verified(&shop, &of, told)
    })
    .await
    .map_err(ended)?
}

/// Finds what is locked for this server, and gets it where nothing is.
async fn locked(server: &CompiledServer, package: &Package, shop: &Shop) -> Result<Locked, Fault> {
    let (name, source) = (server.name.as_str(), source(package)?);
    let owner = shop::owner(server);
    let mut locked = match shop.locked(&owner, name, &source)? {
        Some(locked) if locked.tree.as_ref().is_none_or(|_| shop.packages.folder(&locked).is_some_and(|folder| folder.is_dir())) => locked,
        Some(_) | None => {
            tracing::info!(server = name, package = %source, "is pulled");
            let pulled = shop.pull_for(&owner, (name, &source), None, &Progress::silent()).await?;
            for finding in &pulled.findings {
                tracing::warn!(server = name, finding = %finding.kind, "{}", finding.message);
            }
            pulled.locked
        }
    };
    if let Owner::File(file) = &owner
        && let Some(own) = shop.own(name, &source)?
    {
        locked.grants.unconfined |= own.grants.unconfined;
        if apart::are(package, &own.grants, &locked.grants) {
            tracing::warn!(server = name, "{}", apart::told(file));
        }
    }
    locked.grants = grants(package, &locked)?;
    Ok(locked)
}

/// Puts a checked package into its sandbox, with the proxy for the hosts it was granted.
fn command(
    server: &CompiledServer,
    package: &Package,
    shop: &Shop,
    (locked, start): (&Locked, &Start),
) -> Result<(CommandLine, Option<Egress>), Fault> {
    let slug = &server.slug;
    let failed = |error: std::io::Error| Fault::new(Code::SandboxFailed, format!("`{slug}` cannot be confined")).because(error);
    let egress = match &locked.grants.net {
        NetGrant::Hosts(rules) => {
            let socket = socket(shop, slug).map_err(failed)?;
            let name = slug.to_string();
            let tell = move |refused: crib_sandbox::Refused| {
                let (host, port, why) = (&refused.host, refused.port, refused.why);
                tracing::warn!(server = name, host, port, "refused by the sandbox: {why}");
                logs::kept().push(&name, format!("sandbox: {host}:{port} refused: {why}"));
            };
            Some(Egress::start(socket, rules.clone(), tell)?)
        }
        NetGrant::None | NetGrant::All => None,
    };
    let full = start.clone().with_args(&package.args);
    let mut env = package.env.clone();
    env.retain(|(name, _)| !name.starts_with(SETTING));
    for name in &locked.grants.env {
        if !env.iter().any(|(known, _)| known == name) {
            env.extend(world::variable(name).map(|value| (name.clone(), value)));
        }
    }
    if let NetGrant::Hosts(rules) = &locked.grants.net
        && rules.iter().any(crib_sandbox::HostRule::is_loopback)
    {
        // The machine's loopback is behind the proxy, and the server's own is not what was granted.
        env.extend(["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), String::new())));
    }
    let spec = full.confine(locked, env, egress.as_ref().map(Egress::socket))?;
    let launch = crib_sandbox::command(&std::env::current_exe().map_err(failed)?, &spec)?;
    let command = CommandLine { program: launch.program, args: launch.args, env: launch.env, cwd: None };
    Ok((command, egress))
}

/// Returns what a server may have: the configuration's word, else the lockfile's.
pub(crate) fn grants(package: &Package, locked: &Locked) -> Result<Grants, Fault> {
    let Some(own) = &package.sandbox else {
        shop::keep_apart(&locked.grants)?;
        return Ok(locked.grants.clone());
    };
    let net = NetGrant::try_from(own.net.clone()).map_err(|why| {
        Fault::new(Code::ConfigInvalid, format!("`{}` may not be reached by what stands there", package.run)).because(why)
    })?;
    let Grants { engine, unconfined, .. } = locked.grants;
    let (read, write, env) = (own.read.clone(), own.write.clone(), own.env.clone());
    let grants = Grants { read, write, net, env, engine, unconfined, declined: Vec::new() };
    shop::keep_apart(&grants)?;
    Ok(grants)
}

/// Returns what a bundle was told. Several values are one text in a configuration.
fn settings(package: &Package) -> BTreeMap<String, Vec<String>> {
    let told = package.env.iter().filter_map(|(name, value)| Some((name.strip_prefix(SETTING)?.to_owned(), value)));
    told.map(|(name, value)| (name, serde_json::from_str(value).unwrap_or_else(|_plain| vec![value.clone()]))).collect()
}

/// Checks the bytes, and fills in what a bundle was told or takes for granted.
fn verified(shop: &Shop, locked: &Locked, mut told: BTreeMap<String, Vec<String>>) -> Result<Start, Fault> {
    let mut start = shop.start(locked)?;
    let settings = shop.packages.settings(locked);
    if !settings.is_empty() {
        for setting in settings.into_iter().filter(|setting| !setting.is_required || !setting.default.is_empty()) {
            told.entry(setting.name).or_insert(setting.default);
        }
        start.fill(&told)?;
    }
    Ok(start)
}
