//! A place to keep packages, and the registries they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crib_model::{Code, Fault};
use crib_package::{FindingKind, Locked, Packages, PackagesOptions, Policy, Progress, Pulled, Source, Trust};
pub(crate) use crib_test::lacks;
use crib_test::{Site, find};
use crib_transport::{ClientOptions, HttpClient};

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) site: Site,
    runtime: tokio::runtime::Runtime,
    pub(crate) trust: Trust,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Site::new())
    }

    pub(crate) fn of(site: Site) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Self { folder: tempfile::tempdir().expect("a folder"), site, runtime, trust: Trust::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The packages of this world; `tools` are the programs that may be used.
    pub(crate) fn packages(&self, policy: Policy, tools: &[&str]) -> Packages {
        self.open(policy, self.trust.clone(), tools)
    }

    pub(crate) fn trusting(&self, trust: Trust, tools: &[&str]) -> Packages {
        self.open(Policy::default(), trust, tools)
    }

    fn open(&self, policy: Policy, trust: Trust, tools: &[&str]) -> Packages {
        let bin = self.path("bin");
        fs::create_dir_all(&bin).expect("a folder");
        for tool in tools {
            if let Some(real) = find(tool) {
                // A program may look for its own files beside itself.
                let script = format!("#!/bin/sh\nexec {} \"$@\"\n", real.display());
                fs::write(bin.join(tool), script).expect("a script");
                fs::set_permissions(bin.join(tool), fs::Permissions::from_mode(0o755)).expect("rights");
            }
        }
        let index = format!("{}/simple", self.site.base);
        let (cache, home) = (self.path("cache").display().to_string(), self.path("").display().to_string());
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let env = [
            ("PATH", path.as_str()),
            ("HOME", &home),
            ("npm_config_registry", &self.site.base),
            ("npm_config_cache", &cache),
            ("npm_config_fetch_retries", "0"),
            ("npm_config_userconfig", "/dev/null"),
            ("UV_DEFAULT_INDEX", &index),
            ("UV_CACHE_DIR", &cache),
            ("PIP_INDEX_URL", &index),
            ("PIP_CACHE_DIR", &cache),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ];
        let mut env: Vec<(std::ffi::OsString, std::ffi::OsString)> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        // Where `cargo` is a shim, it has to find what it stands for.
        let rustup = std::env::var_os("RUSTUP_HOME").or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".rustup").into()));
        env.extend(rustup.map(|path| ("RUSTUP_HOME".into(), path)));
        let http = HttpClient::new(ClientOptions::default()).expect("a client");
        Packages::new(PackagesOptions {
            data: self.path("data"),
            env,
            http,
            policy,
            trust,
            build: crib_package::Build::default(),
            launcher: None,
        })
        .expect("a store")
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn pull(&self, packages: &Packages, source: &str, before: Option<&Locked>) -> Result<Pulled, Fault> {
        let source = Source::parse(source)?;
        let pulled = self.runtime.block_on(packages.pull(&source, before, &Progress::silent()));
        packages.forget_refused(|| Ok(crib_package::Lock::default()))?;
        pulled
    }
}

/// Starts what was locked, without a sandbox, and returns what it prints.
pub(crate) fn run(packages: &Packages, locked: &Locked) -> String {
    let start = packages.start(locked).expect("it is what was locked");
    let output = Command::new(&start.program).args(&start.args).env_clear().envs(start.env).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[track_caller]
pub(crate) fn refused(result: Result<Pulled, Fault>, code: Code, word: &str) {
    let fault = result.expect_err("it is refused");
    assert_eq!(fault.code(), code, "{fault}");
    assert!(fault.to_string().contains(word), "{fault}");
}

pub(crate) fn kinds(pulled: &Pulled) -> Vec<FindingKind> {
    pulled.findings.iter().map(|finding| finding.kind).collect()
}

/// Nothing half-made is left, and nothing was stored.
pub(crate) fn is_empty(data: &Path) -> bool {
    fs::read_dir(data.join("store")).is_ok_and(|mut entries| entries.next().is_none())
}
