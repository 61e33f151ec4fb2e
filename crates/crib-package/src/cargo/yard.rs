//! Where a crate is built: what it needs is fetched first, with the network and without running any of it; the build
//! then runs in a sandbox that has no network, no home and no file but the toolchain and these crates.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use crib_sandbox::Spec;

use super::refused;
use crate::pull::Job;
use crate::reach::Crates;
use crate::store::Bench;
use crate::tool::{Said, args};
use crate::{NetGrant, Reach, confined};

/// The folder for what is built is known inside only.
const SCRIPT: &str = r#"exec "$0" "$@" --target-dir "$TMPDIR/target""#;

/// The tools, and the bench they work at.
pub(super) struct Yard<'a> {
    job: &'a Job<'a>,
    bench: &'a Bench,
    /// Cargo as the user calls it: it knows their registries and passwords.
    cargo: PathBuf,
    /// The folder of the toolchain.
    toolchain: PathBuf,
    shown: String,
}

impl<'a> Yard<'a> {
    pub(super) async fn find(job: &'a Job<'a>, bench: &'a Bench, cargo: PathBuf, shown: String) -> Result<Self, Fault> {
        let missing = || Fault::new(Code::RuntimeMissing, "`rustc` is not on this machine").hint("install Rust: https://rustup.rs");
        let rustc = job.surroundings.find("rustc").ok_or_else(missing)?;
        let said = job.surroundings.run(&rustc, &args!["--print", "sysroot"], &bench.beside(""), "").await?;
        let toolchain = PathBuf::from(said.stdout.trim());
        if !said.is_success || !toolchain.is_dir() {
            return Err(said.explain(missing()));
        }
        Ok(Self { job, bench, cargo, toolchain, shown })
    }

    /// Unpacks the archive of the crate, which is a stranger's like everything in it.
    pub(super) async fn unpack(&self, archive: &Path, name: &str) -> Result<PathBuf, Fault> {
        let folder = self.bench.beside("source");
        confined::unpack(self.job, &self.shown, archive, &folder).await?;
        let source = folder.join(name);
        let manifest = source.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).map_err(|error| self.failed(error))?;
        if !text.lines().any(|line| line.trim_start().starts_with("[workspace")) {
            // Or a project that the store happens to lie in would be taken for its own.
            std::fs::write(&manifest, format!("{text}\n[workspace]\n")).map_err(|error| self.failed(error))?;
        }
        Ok(source)
    }

    /// Fetches all that the crate needs, checked by cargo against the index; returns the crates and their digests.
    pub(super) async fn fetch(&self, source: &Path) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        let (manifest, folder) = (source.join("Cargo.toml"), self.bench.beside(""));
        let manifest = manifest.as_os_str();
        if !source.join("Cargo.lock").is_file() {
            let said = self.ask(&args!["generate-lockfile", "--color", "never", "--manifest-path", manifest], &folder).await?;
            if !said.is_success {
                return Err(refused(&said, &self.shown));
            }
        }
        let vendor = self.vendor();
        std::fs::create_dir_all(&vendor).map_err(|error| self.failed(error))?;
        let all = args!["vendor", "--quiet", "--color", "never", "--locked", "--respect-source-config", "--manifest-path", manifest];
        let said = self.ask(&[&all[..], &args![vendor.as_os_str()]].concat(), &folder).await?;
        if !said.is_success {
            return Err(refused(&said, &self.shown));
        }
        let text = std::fs::read_to_string(source.join("Cargo.lock")).map_err(|error| self.failed(error))?;
        Ok(locked(&text))
    }

    /// Builds the crate from what was fetched, and installs its programs.
    pub(super) async fn build(&self, source: &Path) -> Result<(), Fault> {
        let bin = self.toolchain.join("bin");
        let cargo = Some(bin.join("cargo")).filter(|path| path.is_file()).unwrap_or_else(|| self.cargo.clone());
        let text = |path: &Path| path.display().to_string();
        let mut spec = Spec::new("/bin/sh");
        let vendored = format!("source.vendored.directory={:?}", text(&self.vendor()));
        spec.args = ["-c", SCRIPT].map(str::to_owned).to_vec();
        spec.args.push(text(&cargo));
        spec.args.extend(["install", "--offline", "--locked", "--no-track", "--quiet", "--color", "never"].map(str::to_owned));
        spec.args.extend(["--config".to_owned(), "source.crates-io.replace-with=\"vendored\"".to_owned(), "--config".to_owned(), vendored]);
        spec.args.extend(["--root".to_owned(), text(&self.bench.tree()), "--path".to_owned(), text(source)]);
        spec.env = vec![("PATH".to_owned(), format!("{}:/usr/bin:/bin", bin.display()))];
        spec.runtime.push(cargo);
        spec.runtime.extend((!self.toolchain.starts_with("/usr")).then(|| self.toolchain.clone()));
        // Scripts of libraries in C are run from where they are.
        spec.runtime.extend([source.to_owned(), self.vendor()]);
        spec.write = vec![self.bench.tree()];
        spec.limits = confined::limits();
        let said = self.confined(spec).await?;
        if said.is_success {
            return Ok(());
        }
        Err(refused(&said, &self.shown)
            .hint("its build has no network and sees no file of yours; a crate that needs either cannot be built here"))
    }

    /// Reads what the crate and all that it needs mention.
    pub(super) async fn read(&self, source: &Path) -> Option<Reach> {
        let (own, needed) = (source.to_owned(), self.vendor());
        // Much is read, which would hold up calls where a gateway pulls.
        let read = move || Reach::of_crates(&Crates { own: &own, needed: &needed });
        tokio::task::spawn_blocking(read).await.ok()
    }

    fn vendor(&self) -> PathBuf {
        self.bench.beside("vendor")
    }

    /// Runs cargo as the user does, to fetch. It runs nothing of what it fetches.
    async fn ask(&self, args: &[&OsStr], folder: &Path) -> Result<Said, Fault> {
        self.job.surroundings.run(&self.cargo, args, folder, "").await
    }

    /// Runs a program in a sandbox that must hold.
    async fn confined(&self, spec: Spec) -> Result<Said, Fault> {
        confined::run(self.job, &self.shown, spec, &NetGrant::None).await
    }

    fn failed(&self, why: impl std::fmt::Display) -> Fault {
        Fault::new(Code::PullFailed, format!("`{}` cannot be built", self.shown)).because(why)
    }
}

/// Reads the crates of a `Cargo.lock` that come from a registry.
fn locked(text: &str) -> BTreeMap<String, Vec<String>> {
    let lock: toml::Table = text.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let package = |entry: &toml::Value| {
        let field = |name: &str| entry.get(name).and_then(toml::Value::as_str);
        Some((format!("{}@{}", field("name")?, field("version")?), vec![format!("sha256:{}", field("checksum")?)]))
    };
    packages.filter_map(package).collect()
}
