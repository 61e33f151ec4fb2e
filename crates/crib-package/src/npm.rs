//! Packages of npm: resolved and installed by `npm` itself, told to run nothing of them.
//!
//! Npm keeps the integrity of each package it resolved and refuses other bytes; which of its entries are acceptable
//! (from a registry, with a strong hash) is decided here, between its resolving and its installing.

mod build;
mod node;
mod registry;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use serde_json::{Value, json};

use crate::pull::Job;
use crate::source::beside_npm;
use crate::store::{Bench, Half};
use crate::tool::{Said, args};
use crate::{Entry, Event, Finding, Locked, More, Provenance, local};

pub(crate) use node::install as install_node;
use tree::Resolution;

const LOCK: &str = "package-lock.json";
/// What is the same for every command: nothing is run, asked or reported.
const QUIET: [&str; 5] = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"];

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) more: &'a More,
}

pub(crate) async fn pull(job: &Job<'_>, wanted: &Wanted<'_>) -> Result<(Locked, Vec<Finding>), Fault> {
    let name = wanted.name;
    let shown = format!("npm:{name}");
    let npm = Npm::find(job)?;
    let bench = job.store.bench()?;
    job.progress.tell(Event::Resolving { source: shown.clone() });
    let resolution = npm.resolve(&bench, wanted).await?;
    let (version, count) = (resolution.version.clone(), resolution.packages.len());
    job.progress.tell(Event::Resolved { source: shown.clone(), version: version.clone(), packages: count });
    let build = job.build(&shown);
    build::check(job, &resolution, &shown)?;
    let mut findings = resolution.findings.clone();
    findings.extend(crate::names::look_at_needed(&shown, &resolution.packages));
    findings.extend(build::findings(&resolution, &build));
    job.progress.tell(Event::Verifying);
    let provenance = npm.verify(&bench, name, &resolution, &mut findings).await?;
    job.judge(&findings)?;
    job.progress.tell(Event::Installing { packages: count });
    npm.install(&bench, &shown).await?;
    build::run(&npm, &bench, (&resolution, &build), &shown).await?;
    let entry = tree::entry(&bench.tree(), name, wanted.more.program.as_deref())?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let entry = within(entry, &job.store.part(&tree, Half::Tree));
    let locked = Locked {
        source: shown,
        version,
        with: wanted.more.with.clone(),
        program: wanted.more.program.clone(),
        python: None,
        platform: Some(crate::pull::platform()),
        tree: Some(tree),
        made: None,
        runtime: local::runtime(job.surroundings, &Entry::Node { script: PathBuf::new() }).await?,
        entry,
        args: Vec::new(),
        env: BTreeMap::default(),
        grants: crate::Grants::default(),
        build,
        provenance,
        listed: None,
        packages: resolution.packages,
    };
    Ok((locked, findings))
}

/// Links lead to the script itself, which then has its modules beside it.
fn within(entry: PathBuf, tree: &Path) -> Entry {
    let real = tree.join(&entry).canonicalize().ok();
    let root = tree.canonicalize().ok();
    let inside = real.zip(root).and_then(|(real, root)| real.strip_prefix(root).ok().map(Path::to_owned));
    Entry::Node { script: inside.unwrap_or(entry) }
}

/// Reads what the installed packages would have run at their installation.
pub(crate) fn scripts(tree: &Path, locked: &Locked) -> Vec<(String, String)> {
    let names = locked.packages.keys().filter_map(|label| label.rsplit_once('@')).map(|(name, _)| name.to_owned());
    names.filter_map(|name| script(tree, &name).map(|script| (name, script))).collect()
}

fn script(tree: &Path, name: &str) -> Option<String> {
    let folder = tree.join("node_modules").join(name);
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("package.json")).ok()?).ok()?;
    let named = ["preinstall", "install", "postinstall"].iter().filter_map(|stage| manifest.get("scripts")?.get(stage)?.as_str());
    let all: Vec<&str> = named.collect();
    let is_implied = all.is_empty() && folder.join("binding.gyp").is_file();
    if is_implied { Some("node-gyp rebuild".to_owned()) } else { Some(all.join("; ")).filter(|text| !text.is_empty()) }
}

/// The programs on this machine.
struct Npm<'a> {
    job: &'a Job<'a>,
    npm: PathBuf,
}

impl<'a> Npm<'a> {
    fn find(job: &'a Job<'a>) -> Result<Self, Fault> {
        let missing = |name: &str| {
            Fault::new(Code::RuntimeMissing, format!("`{name}` is not on this machine"))
                .hint("install Node.js, which comes with npm: https://nodejs.org, or `apt install npm`")
        };
        let find = |name: &str| job.surroundings.find(name).ok_or_else(|| missing(name));
        find("node")?;
        Ok(Self { job, npm: find("npm")? })
    }

    async fn run(&self, first: &[&OsStr], folder: &Path) -> Result<Said, Fault> {
        let quiet = QUIET.map(OsStr::new);
        self.job.surroundings.run(&self.npm, &[first, &quiet].concat(), folder, "").await
    }

    /// Finds the whole tree of packages without downloading any.
    async fn resolve(&self, bench: &Bench, &Wanted { name, version, more }: &Wanted<'_>) -> Result<Resolution, Fault> {
        let folder = bench.tree();
        let wanted = version.unwrap_or("latest");
        let mut needed: BTreeMap<String, String> = more.with.iter().map(|text| beside_npm(text)).collect::<Result<_, _>>()?;
        needed.insert(name.to_owned(), wanted.to_owned());
        let manifest = json!({ "name": "toolcrib-package", "version": "0.0.0", "private": true, "dependencies": needed });
        std::fs::write(folder.join("package.json"), manifest.to_string()).map_err(failed)?;
        let arguments = args!["install", "--package-lock-only", "--omit-lockfile-registry-resolved=false"];
        let said = self.run(&arguments, &folder).await?;
        if !said.is_success {
            return Err(refused(&said, &format!("npm:{name}@{wanted}")));
        }
        let text = std::fs::read(folder.join(LOCK)).map_err(failed)?;
        let lock: Value = serde_json::from_slice(&text).map_err(failed)?;
        Resolution::read(&lock, name)
    }

    /// Looks at what the registry says of the package itself.
    async fn verify(&self, bench: &Bench, name: &str, resolution: &Resolution, findings: &mut Vec<Finding>) -> Result<Provenance, Fault> {
        let scope = name.split_once('/').map(|(scope, _)| format!("{scope}:registry"));
        let mut base = String::new();
        for key in scope.iter().map(String::as_str).chain(["registry"]) {
            let said = self.job.surroundings.run(&self.npm, &args!["config", "get", key, "--loglevel=error"], Path::new("/"), "").await?;
            let value = said.stdout.trim();
            if said.is_success && value.starts_with("http") {
                value.trim_end_matches('/').clone_into(&mut base);
                break;
            }
        }
        if let Some(sum) = &self.job.file_sha256 {
            let archive = bench.beside("archive");
            registry::download(self.job, &base, name, &resolution.version, &archive).await?;
            registry::check_file(name, resolution, &archive, sum)?;
        }
        registry::look(self.job, &base, name, resolution, findings).await
    }

    /// Downloads, checks and unpacks what was resolved.
    async fn install(&self, bench: &Bench, shown: &str) -> Result<(), Fault> {
        let folder = bench.tree();
        let said = self.run(&args!["ci"], &folder).await?;
        if !said.is_success {
            return Err(refused(&said, shown));
        }
        bench.check_room()?;
        // Both name the addresses of a mirror, and would make the digest depend on it.
        for file in [folder.join(LOCK), folder.join("node_modules/.package-lock.json")] {
            std::fs::remove_file(file).map_err(|error| failed(format!("npm left it unfinished: {error}")))?;
        }
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PullFailed, "the npm package cannot be installed").because(error)
}

/// Finds out from npm's own codes what went wrong.
fn refused(said: &Said, shown: &str) -> Fault {
    if said.complains_of(&["EINTEGRITY", "sha512 integrity checksum failed"]) {
        let fault = Fault::new(Code::PackageUnverified, format!("`{shown}` or a package it needs is not what the registry promised"));
        return said.explain(fault).hint("the bytes were changed after they were published, or on their way; nothing was installed");
    }
    if said.complains_of(&["E404", "ETARGET", "ENOVERSIONS"]) {
        return said.explain(Fault::new(Code::PackageMissing, format!("`{shown}` is not in the registry")));
    }
    if said.complains_of(&["EBADPLATFORM", "EBADENGINE"]) {
        return said.explain(Fault::new(Code::RuntimeMissing, format!("`{shown}` does not run on this machine")));
    }
    said.explain(Fault::new(Code::PullFailed, format!("`{shown}` cannot be installed")))
}
