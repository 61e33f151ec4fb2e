//! Crates: fetched by `cargo`, and built in a sandbox.
//!
//! Cargo checks every crate against the checksum of its index. The crate itself is fetched, hashed and compared with
//! what is listed; then it and all that it needs lie in one folder, and only after that something of them runs: the
//! build, in a sandbox without a network, see `yard.rs`.

mod yard;

use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::pull::Job;
use crate::tool::{Said, args};
use crate::{Digest, Entry, Event, Finding, FindingKind, Locked, Provenance, changes};

use yard::Yard;

/// The index, or what the user's own settings put in its place.
const INDEX: &str = "crates-io";

pub(crate) async fn pull(job: &Job<'_>, name: &str, version: Option<&str>) -> Result<(Locked, Vec<Finding>), Fault> {
    let shown = format!("cargo:{name}");
    let missing = || Fault::new(Code::RuntimeMissing, "`cargo` is not on this machine").hint("install Rust: https://rustup.rs");
    let cargo = job.surroundings.find("cargo").ok_or_else(missing)?;
    let message = format!("`{shown}` is built on this machine, in a sandbox without a network");
    let mut findings = vec![Finding::new(FindingKind::Built, message)];
    job.judge(&findings)?;
    let bench = job.store.bench()?;
    job.progress.tell(Event::Resolving { source: shown.clone() });
    let wanted = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
    let folder = bench.beside("");
    let said = job.surroundings.run(&cargo, &args!["info", "--color", "never", "--registry", INDEX, &wanted], &folder, "").await?;
    let version = said.stdout.lines().find_map(|line| line.strip_prefix("version: ")?.split_whitespace().next().map(str::to_owned));
    let Some(version) = version.filter(|_| said.is_success) else { return Err(refused(&said, &shown)) };
    job.progress.tell(Event::Resolved { source: shown.clone(), version: version.clone(), packages: 1 });
    job.progress.tell(Event::Verifying);
    let archive = bench.beside("archive");
    let digest = take_archive(job, (name, &version), &archive)?;
    if let Some(listed) = job.file_sha256.as_ref().filter(|listed| **listed != digest) {
        return Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not the file that is listed"))
            .because(format!("its digest is {digest}, and not {listed}")));
    }
    job.progress.tell(Event::Installing { packages: 1 });
    let yard = Yard::find(job, &bench, cargo, shown.clone()).await?;
    let source = yard.unpack(&archive, &format!("{name}-{version}")).await?;
    let crates = yard.fetch(&source).await?;
    findings.extend(crate::names::look_at_needed(&shown, &crates));
    job.judge(&findings)?;
    let reach = yard.read(&source).await;
    yard.build(&source).await?;
    let program = program(&bench.tree(), name)?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    if let Some(Err(error)) = reach.map(|reach| reach.save(&changes::kept(job.store, &tree))) {
        tracing::debug!("what `{shown}` mentions is not kept: {error}");
    }
    let mut packages = crates;
    packages.insert(format!("{name}@{version}"), vec![digest.to_string()]);
    let locked = Locked {
        source: shown,
        version,
        with: Vec::new(),
        program: None,
        python: None,
        platform: Some(crate::pull::platform()),
        tree: Some(tree),
        made: None,
        runtime: None,
        entry: Entry::Binary { program },
        args: Vec::new(),
        env: std::collections::BTreeMap::default(),
        grants: crate::Grants::default(),
        build: crate::Build::default(),
        provenance: Provenance { integrity: Some(digest.to_string()), ..Provenance::default() },
        listed: None,
        packages,
    };
    Ok((locked, findings))
}

/// Copies the archive that cargo fetched, and checked against its index; returns the digest of the copy.
fn take_archive(job: &Job<'_>, (name, version): (&str, &str), to: &Path) -> Result<Digest, Fault> {
    let missing = |why: String| {
        Fault::new(Code::PackageUnverified, format!("the archive of `cargo:{name}` is not where cargo keeps it")).because(why)
    };
    let home = job.surroundings.var("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(job.surroundings.var("HOME")?).join(".cargo")));
    let cache = home.ok_or_else(|| missing("there is no home directory".to_owned()))?.join("registry/cache");
    let file = format!("{name}-{version}.crate");
    let folders = std::fs::read_dir(&cache).map_err(|error| missing(error.to_string()))?.flatten();
    let files: Vec<PathBuf> = folders.map(|folder| folder.path().join(&file)).filter(|path| path.is_file()).collect();
    let mut digests: Vec<Digest> =
        files.iter().map(|path| Digest::of_file(path)).collect::<Result<_, _>>().map_err(|error| missing(error.to_string()))?;
    digests.dedup();
    match (files.first(), digests.len()) {
        (Some(file), 1) => std::fs::copy(file, to).and_then(|_| Digest::of_file(to)).map_err(|error| missing(error.to_string())),
        (Some(_), _) => Err(missing("several registries have one of this name and version".to_owned())),
        (None, _) => Err(missing(format!("{file} is not in {}", cache.display()))),
    }
}

/// Returns the program that was built: the one of its name, or the only one.
fn program(root: &Path, name: &str) -> Result<PathBuf, Fault> {
    let bad = |why: &str| Fault::new(Code::PullFailed, format!("`cargo:{name}` cannot be started")).because(why);
    let entries = std::fs::read_dir(root.join("bin")).map_err(|_none| bad("it has no program"))?;
    let names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let plain = |text: &str| text.replace('_', "-");
    let named = names.iter().find(|known| plain(known) == plain(name));
    let one = named.or_else(|| names.first().filter(|_| names.len() == 1)).ok_or_else(|| bad("it has several programs"))?;
    Ok(Path::new("bin").join(one))
}

fn refused(said: &Said, shown: &str) -> Fault {
    if said.complains_of(&["failed to verify the checksum", "checksum for"]) {
        let fault = Fault::new(Code::PackageUnverified, format!("`{shown}` or a crate it needs is not what the index promised"));
        return said.explain(fault).hint("the bytes were changed after they were published, or on their way; nothing was installed");
    }
    if said.complains_of(&["could not find", "did not match any version"]) {
        return said.explain(Fault::new(Code::PackageMissing, format!("`{shown}` is not in the index")));
    }
    said.explain(Fault::new(Code::PullFailed, format!("`{shown}` cannot be built")))
}
