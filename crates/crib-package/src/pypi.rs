//! Packages of PyPI: resolved and installed by `uv`, or by `pip` where there is no `uv`, from wheels only and with
//! every hash required, so that nothing of them is built or run.

mod build;
mod index;
mod made;
mod resolve;
mod scripts;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::pull::Job;
use crate::remedy::UNBUILT;
use crate::store::{Bench, Half};
use crate::tool::{Said, args};
use crate::{Event, Finding, Locked, More, Provenance, Runtime};

use build::Built;
use resolve::Pin;

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) more: &'a More,
}

pub(crate) async fn pull(job: &Job<'_>, wanted: &Wanted<'_>) -> Result<(Locked, Vec<Finding>), Fault> {
    let shown = format!("pypi:{}", wanted.name);
    let python = Python::find(job, wanted.more.python.as_deref()).await?;
    let bench = job.store.bench()?;
    job.progress.tell(Event::Resolving { source: shown.clone() });
    let build = job.build(&shown);
    let mut findings = Vec::new();
    let built = build::run(&python, &bench, wanted, &build, &mut findings).await?;
    let mut pins = python.resolve(&bench, wanted, built.as_ref()).await?;
    let package = wanted.name.split('[').next().unwrap_or(wanted.name);
    if let Some(sum) = &job.file_sha256 {
        match built.as_ref().and_then(|built| built.source(package)) {
            Some(source) if source == sum => {}
            Some(_) | None => demand(&mut pins, package, &sum.to_string())?,
        }
    }
    let this = pins.iter().find(|pin| pin.is(package)).ok_or_else(|| failed("the package itself was not resolved"))?;
    job.progress.tell(Event::Resolved { source: shown.clone(), version: this.version.clone(), packages: pins.len() });
    let needed = pins.iter().map(|pin| (format!("{}=={}", pin.name, pin.version), Vec::new())).collect();
    findings.extend(crate::names::look_at_needed(&shown, &needed));
    job.progress.tell(Event::Verifying);
    let provenance = python.verify(this, &mut findings).await?;
    job.judge(&findings)?;
    job.progress.tell(Event::Installing { packages: pins.len() });
    python.install(&bench, &pins, (&shown, built.as_ref())).await?;
    let entry = scripts::entry(&bench.tree(), package, wanted.more.program.as_deref())?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let folder = bench.beside("made");
    python.make(&folder, &job.store.part(&tree, Half::Tree)).await?;
    let made = job.store.take_made(&tree, &folder)?;
    let locked = Locked {
        source: shown,
        version: this.version.clone(),
        with: wanted.more.with.clone(),
        program: wanted.more.program.clone(),
        python: wanted.more.python.clone(),
        platform: Some(format!("{} cpython-{}", crate::pull::platform(), python.series)),
        tree: Some(tree),
        made: Some(made),
        runtime: Some(python.runtime.clone()),
        entry,
        args: Vec::new(),
        env: std::collections::BTreeMap::default(),
        grants: crate::Grants::default(),
        build,
        provenance,
        listed: None,
        packages: pins.into_iter().map(|pin| listed(pin, built.as_ref())).collect(),
    };
    Ok((locked, findings))
}

pub(crate) use resolve::normal;

/// Returns the folder in which a package that is installed describes itself.
pub(crate) fn info(tree: &Path, package: &str) -> Option<PathBuf> {
    let is_it = |name: &str| {
        let name = name.strip_suffix(".dist-info").and_then(|rest| rest.split_once('-'));
        name.is_some_and(|(name, _)| normal(name) == normal(package))
    };
    let mut entries = std::fs::read_dir(tree).ok()?.flatten();
    entries.find(|entry| entry.file_name().to_str().is_some_and(is_it)).map(|entry| entry.path())
}

/// What was built here has other bytes each time; what it was built from has not.
fn listed(pin: Pin, built: Option<&Built>) -> (String, Vec<String>) {
    let label = format!("{}=={}", pin.name, pin.version);
    match built.and_then(|built| built.source(&pin.name)) {
        Some(source) => (label, vec![source.to_string()]),
        None => (label, pin.hashes),
    }
}

/// Lets only the file with this digest be the package.
fn demand(pins: &mut [Pin], package: &str, sum: &str) -> Result<(), Fault> {
    let Some(pin) = pins.iter_mut().find(|pin| pin.is(package)) else { return Ok(()) };
    if !pin.hashes.iter().any(|hash| hash == sum) {
        let message = format!("no file of `pypi:{package}` {} is the one that is listed", pin.version);
        return Err(Fault::new(Code::PackageUnverified, message).because(format!("its digest should be {sum}")));
    }
    pin.hashes = vec![sum.to_owned()];
    Ok(())
}

/// The interpreter and the installer of this machine.
struct Python<'a> {
    job: &'a Job<'a>,
    runtime: Runtime,
    /// `3.11`.
    series: String,
    uv: Option<PathBuf>,
}

impl<'a> Python<'a> {
    async fn find(job: &'a Job<'a>, wanted: Option<&str>) -> Result<Self, Fault> {
        let missing = || match wanted {
            Some(wanted) => Fault::new(Code::RuntimeMissing, format!("there is no Python {wanted} on this machine"))
                .hint(format!("install it: uv python install {wanted}")),
            None => Fault::new(Code::RuntimeMissing, "there is no Python on this machine")
                .hint("install uv (https://docs.astral.sh/uv), or Python 3.10 or newer with pip: `apt install python3-pip`"),
        };
        let uv = job.surroundings.find("uv");
        let mut named = match wanted {
            Some(wanted) => job.surroundings.find(&format!("python{}", series(wanted))),
            None => job.surroundings.find("python3").or_else(|| job.surroundings.find("python")),
        };
        if let (None, Some(uv)) = (&named, &uv) {
            let arguments =
                [&args!["python", "find", "--no-python-downloads"][..], &wanted.map(OsStr::new).into_iter().collect::<Vec<_>>()];
            let said = job.surroundings.run(uv, &arguments.concat(), Path::new("/"), "").await?;
            named = Some(PathBuf::from(said.stdout.trim())).filter(|path| path.is_file());
        }
        let program = named.ok_or_else(missing)?;
        let said = job.surroundings.run(&program, &args!["-I", "-c", crate::local::PYTHON], Path::new("/"), "").await?;
        let mut lines = said.stdout.lines();
        let (Some(version), Some(path), Some(home)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(said.explain(missing()));
        };
        let is_it = |wanted: &str| format!("{version}.").starts_with(&format!("{wanted}."));
        if wanted.is_some_and(|wanted| !is_it(wanted)) {
            return Err(missing().because(format!("`{}` is Python {version}", program.display())));
        }
        let series = series(version);
        let runtime = Runtime { name: "python".to_owned(), version: version.to_owned(), path: path.into(), home: home.into() };
        Ok(Self { job, runtime, series, uv })
    }

    async fn run(&self, program: &Path, args: &[&OsStr], bench: &Bench, input: &str) -> Result<Said, Fault> {
        self.job.surroundings.run(program, args, &bench.beside(""), input).await
    }

    /// Finds the exact versions and their hashes.
    async fn resolve(&self, bench: &Bench, wanted: &Wanted<'_>, built: Option<&Built>) -> Result<Vec<Pin>, Fault> {
        let version = wanted.version.map_or_else(String::new, |version| format!("=={version}"));
        let mut asked = vec![format!("{}{version}", wanted.name)];
        asked.extend(wanted.more.with.iter().cloned());
        self.pins(bench, &asked, built).await
    }

    /// Finds the exact versions of these requirements, and their hashes; from wheels only, some of which are here.
    async fn pins(&self, bench: &Bench, asked: &[String], built: Option<&Built>) -> Result<Vec<Pin>, Fault> {
        let here = built.map(|built| args!["--find-links", built.wheels.as_os_str()]);
        let here: &[&OsStr] = here.as_ref().map_or(&[], |here| here);
        let said = match &self.uv {
            Some(uv) => {
                let python = self.runtime.path.as_os_str();
                let arguments = args!["pip", "compile", "-", "--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-annotate"];
                let rest = args!["--quiet", "--no-emit-index-url", "--no-emit-find-links", "--python", python];
                self.run(uv, &[&arguments[..], &rest[..], here].concat(), bench, &asked.join("\n")).await?
            }
            None => {
                let arguments =
                    args!["-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--only-binary", ":all:", "--report", "-"];
                let asked: Vec<&OsStr> = asked.iter().map(OsStr::new).collect();
                self.run(&self.runtime.path, &[&arguments[..], here, &asked].concat(), bench, "").await?
            }
        };
        if !said.is_success {
            return Err(refused(&said, &format!("pypi:{}", asked.join(" "))));
        }
        if self.uv.is_some() { resolve::of_requirements(&said.stdout) } else { resolve::of_report(&said.stdout) }
    }

    /// Returns the address of the index.
    fn index(&self) -> &str {
        let configured =
            ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"].iter().find_map(|name| self.job.surroundings.var(name)?.to_str());
        configured.unwrap_or(index::PYPI)
    }

    fn series_number(&self) -> (u32, u32) {
        let mut parts = self.series.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    async fn verify(&self, pin: &Pin, findings: &mut Vec<Finding>) -> Result<Provenance, Fault> {
        index::look(self.job, self.index(), pin, findings).await
    }

    /// Downloads, checks and unpacks what was resolved.
    async fn install(&self, bench: &Bench, pins: &[Pin], of: (&str, Option<&Built>)) -> Result<(), Fault> {
        self.install_to(bench, &bench.tree(), pins, of).await?;
        made::strip(&bench.tree()).map_err(failed)
    }

    async fn install_to(&self, bench: &Bench, target: &Path, pins: &[Pin], (shown, built): (&str, Option<&Built>)) -> Result<(), Fault> {
        let list = bench.beside("requirements.txt");
        std::fs::write(&list, resolve::requirements(pins)).map_err(failed)?;
        let (target, list) = (target.as_os_str(), list.as_os_str());
        let here = built.map(|built| args!["--find-links", built.wheels.as_os_str()]);
        let here: &[&OsStr] = here.as_ref().map_or(&[], |here| here);
        let how = args!["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", target, "-r", list];
        let said = match &self.uv {
            Some(uv) => {
                let python = self.runtime.path.as_os_str();
                // A copy: what is linked to a cache changes with it.
                let first = args!["pip", "install", "--link-mode", "copy", "--python", python];
                self.run(uv, &[&first[..], &how[..], here].concat(), bench, "").await?
            }
            None => {
                let first = args!["-m", "pip", "install", "--no-compile", "--no-warn-script-location"];
                self.run(&self.runtime.path, &[&first[..], &how[..], here].concat(), bench, "").await?
            }
        };
        if !said.is_success {
            return Err(refused(&said, shown));
        }
        Ok(())
    }

    /// Makes what ties the files to the interpreter of this machine.
    async fn make(&self, folder: &Path, tree: &Path) -> Result<(), Fault> {
        made::link(folder, &self.runtime, &self.series).map_err(failed)?;
        let cache = format!("pycache_prefix={}", folder.join("cache").display());
        let arguments =
            args!["-I", "-B", "-X", &cache, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", tree.as_os_str()];
        // Files that do not compile are for other versions; they are told at their import, if ever.
        self.job.surroundings.run(&self.runtime.path, &arguments, folder, "").await.map(drop)
    }
}

/// Has `uv` install a Python into the folder of runtimes; returns its version.
pub(crate) async fn install_python(job: &Job<'_>, runtimes: &Path) -> Result<String, Fault> {
    let missing = || {
        Fault::new(Code::RuntimeMissing, "there is no Python on this machine")
            .hint("install uv, which brings one: curl -LsSf https://astral.sh/uv/install.sh | sh; or `apt install python3-pip`")
    };
    let uv = job.surroundings.find("uv").ok_or_else(missing)?;
    let mut surroundings = job.surroundings.clone();
    surroundings.set("UV_PYTHON_INSTALL_DIR", runtimes.join("python").into_os_string());
    let said = surroundings.run(&uv, &args!["python", "install", "--no-bin", "--color", "never"], Path::new("/"), "").await?;
    if !said.is_success {
        return Err(said.explain(Fault::new(Code::RuntimeMissing, "uv cannot install a Python")).hint("install one: apt install python3"));
    }
    let word = said.stderr.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    Ok(word.unwrap_or("3").to_owned())
}

/// Returns the first two numbers of a version.
fn series(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PullFailed, "the Python package cannot be installed").because(error)
}

/// Finds out from what uv and pip say what went wrong.
fn refused(said: &Said, shown: &str) -> Fault {
    if said.complains_of(&["Hash mismatch", "DO NOT MATCH THE HASHES", "hash mismatch"]) {
        let fault = Fault::new(Code::PackageUnverified, format!("`{shown}` or a package it needs is not what the index promised"));
        return said.explain(fault).hint("the bytes were changed after they were published, or on their way; nothing was installed");
    }
    if said.complains_of(&["no usable wheels", "has no wheels", "only-binary", "no wheels with a matching"])
        && !said.complains_of(&["was not found"])
    {
        return said
            .explain(Fault::new(Code::PullFailed, format!("`{shown}` {UNBUILT}")))
            .hint("there is no wheel of it, or of something it needs, for this machine; have that built in a sandbox: --build PACKAGE");
    }
    if said.complains_of(&[
        "No matching distribution",
        "was not found in the package registry",
        "No solution found",
        "Could not find a version",
    ]) {
        return said.explain(Fault::new(Code::PackageMissing, format!("`{shown}` is not in the index, or not for this Python")));
    }
    said.explain(Fault::new(Code::PullFailed, format!("`{shown}` cannot be installed")))
}
