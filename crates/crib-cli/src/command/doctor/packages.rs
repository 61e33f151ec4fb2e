//! The packages of the configured servers: whether they are as they were installed, and whether they start.

use std::sync::Arc;
use std::time::Duration;

use crib_control::{Compiled, CompiledServer, Package, Source};
use crib_inspect::Abilities;
use crib_model::{Code, Fault};
use crib_package::{Lock, Locked, RemedyKind, recognise};
use futures_util::future::join_all;

use super::mend::{Again, Mend};
use super::{Finding, Health, count};
use crate::failure::Failure;
use crate::gateway::Running;
use crate::instance::package;
use crate::output::Output;
use crate::shop::{self, Believed, Shop};
use crate::trial::Trial;
use crate::{pins, runtime};

/// Longest wait for one server.
const WAIT: Duration = Duration::from_secs(20);
/// How many are started at a time.
const AT_ONCE: usize = 4;

/// What was found out about one server.
struct Case<'a> {
    server: &'a CompiledServer,
    locked: Locked,
}

/// Looks at every package; starts those that no gateway has running, where that is wanted.
pub(super) fn look(compiled: &Compiled, running: Option<&Running>, is_starting: bool, output: &Output) -> Result<Vec<Finding>, Failure> {
    let packages = compiled.servers.iter().filter_map(|server| match &server.source {
        Source::Package(package) => Some((server, package)),
        Source::Command { .. } | Source::Url { .. } | Source::Builtin(_) => None,
    });
    let packages: Vec<(&CompiledServer, &Package)> = packages.collect();
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let lock = match shop::lock(&shop::data()?) {
        Ok(lock) => lock,
        Err(fault) => {
            let finding = Finding::new("packages", Health::Bad, one_line(&fault));
            return Ok(vec![finding.fix("mend the file, or move it away and pull the servers again")]);
        }
    };
    let shop = Arc::new(Shop::open(Believed::of(&compiled.packages)?)?);
    let (cases, mut findings) = sort(&shop, &packages, &lock)?;
    let is_up = |server: &CompiledServer| {
        let mut rows = running.and_then(|running| running.servers.as_deref()).into_iter().flatten();
        rows.any(|row| row.name == server.slug.as_str() && row.processes > 0 && row.error.is_none())
    };
    let tried = cases.iter().filter(|case| is_starting && !is_up(case.server)).count();
    if tried > 0 {
        output.say(&format!("starting  {} to see whether they do (--no-start leaves it out)", count(tried, "package")));
    }
    let looked = runtime::on_all_cores(async {
        let mut looked = Vec::new();
        for some in cases.chunks(AT_ONCE) {
            looked.extend(join_all(some.iter().map(|case| case.look(&shop, is_starting && !is_up(case.server)))).await);
        }
        Ok::<_, Failure>(looked)
    })?;
    let good = looked.iter().filter(|finding| finding.is_none()).count();
    findings.extend(looked.into_iter().flatten());
    if good > 0 {
        let does = match (is_starting, good) {
            (true, 1) => "which starts",
            (true, _) => "which start",
            (false, 1) => "as it was installed",
            (false, _) => "as they were installed",
        };
        findings.insert(0, Finding::new("packages", Health::Good, format!("{}, {does}", count(good, "package"))));
    }
    Ok(findings)
}

/// Tells what is locked from what is not, or not as the configuration wants it.
fn sort<'a>(shop: &Shop, packages: &[(&'a CompiledServer, &'a Package)], lock: &Lock) -> Result<(Vec<Case<'a>>, Vec<Finding>), Failure> {
    let (mut cases, mut findings) = (Vec::new(), Vec::new());
    for (server, package) in packages {
        let source = package::source(package)?;
        let again = || Again { name: server.name.clone(), source: package.run.clone(), with: package.with.clone() };
        let Some(locked) = lock.get(&shop::owner(server), &server.name) else {
            // What was never pulled is pulled at the first call, where it can be.
            findings.extend(shop.packages.lacks(&source).map(|runtime| {
                let finding = Finding::new("packages", Health::Bad, format!("{}: `{runtime}` is not on this machine", server.name));
                finding.fix("toolcrib doctor --fix").mended_by(Mend::Runtime { runtime, again: again() })
            }));
            continue;
        };
        if shop::is_of(locked, &source) {
            cases.push(Case { server, locked: locked.clone() });
            continue;
        }
        let words = format!("{}: the configuration wants {}, and {} is locked", server.name, package.run, shop::pinned(locked));
        let finding = Finding::new("packages", Health::Bad, words).fix(format!("toolcrib pull {}", package.run));
        findings.push(finding.mended_by(Mend::Pull(again())));
    }
    Ok((cases, findings))
}

impl Case<'_> {
    /// Returns what is wrong.
    async fn look(&self, shop: &Arc<Shop>, is_starting: bool) -> Option<Finding> {
        let name = &self.server.name;
        if let Err(fault) = self.check(shop).await {
            let finding = Finding::new("packages", Health::Bad, format!("{name}: {}", one_line(&fault)));
            let runtime =
                self.locked.runtime.as_ref().map(|runtime| runtime.name.as_str()).filter(|_| fault.code() == Code::RuntimeMissing);
            if let Some(runtime) = runtime.and_then(known_runtime).filter(|_| self.lacks(shop)) {
                return Some(finding.fix("toolcrib doctor --fix").mended_by(self.with_runtime(runtime)));
            }
            return Some(finding.fix(format!("toolcrib pull {name}")).mended_by(self.pull(&[])));
        }
        if !is_starting {
            return None;
        }
        let bound = pins::source();
        let package = match self.server.bind(&*bound) {
            Ok(bound) => bound.source,
            Err(fault) => return Some(self.failed(shop, &fault)),
        };
        let Source::Package(package) = &package else { return None };
        let trial = Trial { shop, server: self.server, package, abilities: Abilities::None, wait: WAIT };
        match Box::pin(trial.list(&self.locked)).await {
            Ok(_) => None,
            Err(fault) => Some(self.failed(shop, &fault)),
        }
    }

    /// Checks the bytes. Reading files would hold up others.
    async fn check(&self, shop: &Arc<Shop>) -> Result<(), Fault> {
        let (shop, locked) = (Arc::clone(shop), self.locked.clone());
        let checked = tokio::task::spawn_blocking(move || shop.start(&locked).map(drop)).await;
        checked.unwrap_or_else(|ended| Err(Fault::new(Code::Internal, "it could not be looked at").because(ended)))
    }

    /// Says that it does not start, and what helps.
    fn failed(&self, shop: &Shop, fault: &Fault) -> Finding {
        let name = &self.server.name;
        let remedy = recognise(&self.locked, fault.causes());
        let told = package::remedied(fault.clone(), &self.locked, self.server.slug.as_str(), &[]);
        let fix = told.remedy().and_then(|hint| hint.lines().last()).map_or_else(|| format!("toolcrib run {name}"), str::to_owned);
        let Some(remedy) = remedy else {
            return Finding::new("packages", Health::Bad, format!("{name}: {}", one_line(fault))).fix(fix);
        };
        let finding = Finding::new("packages", Health::Bad, format!("{name} does not start: {}", remedy.cause)).fix(fix);
        match &remedy.kind {
            RemedyKind::With(with) if package::is_package(&self.locked) => finding.mended_by(self.pull(with)),
            RemedyKind::PullAgain => finding.mended_by(self.pull(&[])),
            RemedyKind::Build(named) => self.built(shop, finding, named),
            RemedyKind::Install(program) if program == "node" => finding.mended_by(self.with_runtime("node")),
            RemedyKind::With(_) | RemedyKind::Install(_) | RemedyKind::Grant(_) | RemedyKind::SetVariable(_) | RemedyKind::Report => {
                finding
            }
        }
    }

    /// Says which install scripts would make what is missing.
    fn built(&self, shop: &Shop, finding: Finding, named: &[String]) -> Finding {
        let all = shop.packages.install_scripts(&self.locked);
        let is_meant = |name: &String| if named.is_empty() { !self.locked.build.packages.contains(name) } else { named.contains(name) };
        let scripts: Vec<(String, String)> = all.into_iter().filter(|(name, _)| is_meant(name)).collect();
        if scripts.is_empty() {
            return finding.fix("use the version of Node.js it was published for, or ask its author for prebuilt modules");
        }
        let flags: String = scripts.iter().map(|(name, _)| format!(" --build {name}")).collect();
        let fix = format!("toolcrib doctor --fix{flags}");
        finding.fix(fix).mended_by(Mend::Build { again: self.again(&[]), scripts })
    }

    fn pull(&self, more: &[String]) -> Mend {
        Mend::Pull(self.again(more))
    }

    /// Whether no other interpreter is there in the place of the one that is gone.
    fn lacks(&self, shop: &Shop) -> bool {
        crib_package::Source::parse(&self.locked.source).is_ok_and(|source| shop.packages.lacks(&source).is_some())
    }

    fn with_runtime(&self, runtime: &'static str) -> Mend {
        Mend::Runtime { runtime, again: self.again(&[]) }
    }

    fn again(&self, more: &[String]) -> Again {
        let with = [&self.locked.with[..], more].concat();
        Again { name: self.server.name.clone(), source: shop::pinned(&self.locked), with }
    }
}

/// Runtimes that can be installed here.
fn known_runtime(name: &str) -> Option<&'static str> {
    ["node", "python"].into_iter().find(|known| *known == name)
}

fn one_line(fault: &Fault) -> String {
    Failure::from(fault.clone()).one_line()
}
