//! Crates: built on this machine by `cargo`, and refused unless somebody wants that.
//!
//! Cargo checks every crate against the checksum of its index. The crate itself is fetched, hashed and compared with
//! what is listed before anything of it is built.

use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::pull::Job;
use crate::tool::{Said, args};
use crate::{Digest, Entry, Event, Finding, FindingKind, Locked, Provenance};

/// The index, or what the user's own settings put in its place.
const INDEX: &str = "crates-io";
/// Files in which cargo keeps what it installed.
const TRACKED: &[&str] = &[".crates.toml", ".crates2.json"];

pub(crate) async fn pull(job: &Job<'_>, name: &str, version: Option<&str>) -> Result<(Locked, Vec<Finding>), Fault> {
    let shown = format!("cargo:{name}");
    let missing = || Fault::new(Code::RuntimeMissing, "`cargo` is not on this machine").hint("install Rust: https://rustup.rs");
    let cargo = job.surroundings.find("cargo").ok_or_else(missing)?;
    let findings = vec![Finding::new(FindingKind::Built, format!("`{shown}` is built on this machine, and its build runs unconfined"))];
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
    let digest = of_archive(job, name, &version)?;
    if let Some(listed) = job.file_sha256.as_ref().filter(|listed| **listed != digest) {
        return Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not the file that is listed"))
            .because(format!("its digest is {digest}, and not {listed}")));
    }
    job.progress.tell(Event::Installing { packages: 1 });
    let (root, target, exact) = (bench.tree(), bench.beside("target"), format!("={version}"));
    let install = args![
        "install",
        "--locked",
        "--registry",
        INDEX,
        "--quiet",
        "--color",
        "never",
        "--root",
        root.as_os_str(),
        "--target-dir",
        target.as_os_str(),
        "--version",
        &exact,
        name,
    ];
    let said = job.surroundings.run(&cargo, &install, &folder, "").await?;
    if !said.is_success {
        return Err(refused(&said, &shown));
    }
    // They name the folder they were made in.
    TRACKED.iter().for_each(|file| drop(std::fs::remove_file(root.join(file))));
    let program = program(&root, name)?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let locked = Locked {
        source: shown,
        version: version.clone(),
        with: Vec::new(),
        platform: Some(crate::pull::platform()),
        tree: Some(tree),
        made: None,
        runtime: None,
        entry: Entry::Binary { program },
        args: Vec::new(),
        env: std::collections::BTreeMap::default(),
        grants: crate::Grants::default(),
        provenance: Provenance { integrity: Some(digest.to_string()), ..Provenance::default() },
        listed: None,
        packages: std::collections::BTreeMap::from([(format!("{name}@{version}"), vec![digest.to_string()])]),
    };
    Ok((locked, findings))
}

/// Hashes the archive that cargo fetched, and checked against its index.
fn of_archive(job: &Job<'_>, name: &str, version: &str) -> Result<Digest, Fault> {
    let missing = |why: String| {
        Fault::new(Code::PackageUnverified, format!("the archive of `cargo:{name}` is not where cargo keeps it")).because(why)
    };
    let home = job.surroundings.var("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(job.surroundings.var("HOME")?).join(".cargo")));
    let cache = home.ok_or_else(|| missing("there is no home directory".to_owned()))?.join("registry/cache");
    let file = format!("{name}-{version}.crate");
    let folders = std::fs::read_dir(&cache).map_err(|error| missing(error.to_string()))?.flatten();
    let digests: Result<Vec<Digest>, _> =
        folders.map(|folder| folder.path().join(&file)).filter(|path| path.is_file()).map(|path| Digest::of_file(&path)).collect();
    let mut digests = digests.map_err(|error| missing(error.to_string()))?;
    digests.dedup();
    match (digests.pop(), digests.is_empty()) {
        (Some(digest), true) => Ok(digest),
        (Some(_), false) => Err(missing("several registries have one of this name and version".to_owned())),
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
