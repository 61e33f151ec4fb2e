//! Install scripts that somebody wants to be run: in a sandbox, where each changes the folder of its own package alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use crib_sandbox::Spec;

use super::tree::{Resolution, Script};
use super::{Npm, failed};
use crate::pull::Job;
use crate::store::Bench;
use crate::tool::args;
use crate::{Build, Entry, Finding, FindingKind, Runtime, confined, local};

/// Asks npm where it is; a shim knows no better.
const WHERE: &str = r#"{ "private": true, "scripts": { "where": "node -p process.env.npm_execpath" } }"#;

/// Says of every install script whether it is run.
pub(super) fn findings(resolution: &Resolution, build: &Build) -> Vec<Finding> {
    let finding = |script: &Script| {
        let label = &script.label;
        if build.packages.contains(&script.name) {
            let net = confined::net(&build.net);
            return Finding::new(FindingKind::Built, format!("the install script of `{label}` is run, in a sandbox {net}"));
        }
        Finding::new(FindingKind::InstallScript, format!("`{label}` has an install script, which is not run"))
    };
    resolution.scripts.iter().map(finding).collect()
}

/// Refuses to go on where nothing could be run of what was wanted just now.
pub(super) fn check(job: &Job<'_>, resolution: &Resolution, shown: &str) -> Result<(), Fault> {
    let has = |name: &&String| resolution.scripts.iter().any(|script| script.name == **name);
    let Some(odd) = job.built.packages.iter().find(|name| !has(name)) else { return Ok(()) };
    let names: Vec<&str> = resolution.scripts.iter().map(|script| script.name.as_str()).collect();
    let fault = Fault::new(Code::SourceInvalid, format!("`{odd}` is no package with an install script"));
    let what = if names.is_empty() { "there is none".to_owned() } else { format!("there are: {}", names.join(", ")) };
    Err(fault.because(format!("of what `{shown}` installs, {what}")))
}

/// Runs the install scripts of the packages that are named.
pub(super) async fn run(npm: &Npm<'_>, bench: &Bench, (found, build): (&Resolution, &Build), shown: &str) -> Result<(), Fault> {
    let mut places: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for script in found.scripts.iter().filter(|script| build.packages.contains(&script.name)) {
        places.entry(&script.name).or_default().push(bench.tree().join(&script.place));
    }
    if places.is_empty() {
        return Ok(());
    }
    let tools = Tools::find(npm, bench).await?;
    for (name, places) in places {
        let said = confined::run(npm.job, shown, tools.spec(name, &places, bench), &build.net).await?;
        if !said.is_success {
            let fault = said.explain(Fault::new(Code::PullFailed, format!("the install script of `{name}` failed")));
            return Err(
                fault.hint("in its sandbox it has a compiler where the machine has one, and reaches what is granted: --build-net HOST")
            );
        }
        for place in &places {
            tidy(place).map_err(failed)?;
        }
    }
    // Npm keeps a list of what it did.
    drop(fs::remove_file(bench.tree().join("node_modules/.package-lock.json")));
    Ok(())
}

/// The interpreter, and npm as one of its scripts.
struct Tools {
    node: Runtime,
    npm: PathBuf,
}

impl Tools {
    async fn find(npm: &Npm<'_>, bench: &Bench) -> Result<Self, Fault> {
        let surroundings = npm.job.surroundings;
        let node = local::runtime(surroundings, &Entry::Node { script: PathBuf::new() }).await?;
        let node = node.ok_or_else(|| failed("there is no node"))?;
        let folder = bench.beside("where");
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("package.json"), WHERE)).map_err(failed)?;
        let said = surroundings.run(&npm.npm, &args!["run", "--silent", "--ignore-scripts=false", "where"], &folder, "").await?;
        let script = said.stdout.lines().next_back().map(|line| PathBuf::from(line.trim())).and_then(|path| path.canonicalize().ok());
        let script = script.filter(|path| path.is_file()).ok_or_else(|| said.explain(failed("npm does not say where it is")))?;
        Ok(Self { node, npm: script })
    }

    fn spec(&self, name: &str, places: &[PathBuf], bench: &Bench) -> Spec {
        let mut spec = Spec::new(&self.node.path);
        let quiet =
            ["--foreground-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts=false", "--loglevel=error"];
        spec.args = vec![self.npm.display().to_string(), "rebuild".to_owned(), name.to_owned()];
        spec.args.extend(quiet.map(str::to_owned));
        let bin = self.node.path.parent().unwrap_or_else(|| Path::new("/usr/bin"));
        spec.env = vec![("PATH".to_owned(), format!("{}:/usr/bin:/bin", bin.display()))];
        // The headers of this interpreter, so that nobody looks for them elsewhere.
        let root = bin.parent().unwrap_or_else(|| Path::new("/usr"));
        if root.join("include/node/node.h").is_file() {
            let names = ["npm_config_nodedir", "npm_package_config_node_gyp_nodedir"];
            spec.env.extend(names.map(|name| (name.to_owned(), root.display().to_string())));
            spec.runtime.push(root.join("include"));
        }
        spec.cwd = Some(bench.tree());
        let package = self.npm.ancestors().nth(2).unwrap_or(&self.npm).to_owned();
        spec.runtime.extend([self.node.home.clone(), package, bench.tree()]);
        spec.runtime.retain(|path| !path.starts_with("/usr") || *path == self.node.path);
        spec.write = places.to_vec();
        spec.limits = confined::limits();
        spec
    }
}

/// Removes links that lead out of the package: tools of the build, which the package does not need.
fn tidy(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            tidy(&path)?;
        } else if meta.is_symlink() && fs::read_link(&path)?.is_absolute() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
