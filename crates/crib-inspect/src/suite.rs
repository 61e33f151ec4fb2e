//! The official conformance suite, run against one server: what it says of any server, whatever tools that has.
//!
//! A URL is tested as it is. What speaks lines stands behind a bridge on the loopback that carries messages and says
//! nothing itself, so that it is the server that is judged. How the suite is started is the caller's business.

mod bridge;
mod judge;
mod play;
mod session;
mod table;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::Revision;
use crib_model::Fault;
use crib_transport::CommandLine;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Decline, Hello};
use crate::tap::Tap;
use crate::target::{EraChoice, Options, Target, UrlTransport, Way};
use bridge::Bridge;
use table::Setting;

/// Longest time for all scenarios together; what is left then is not run.
const TIME_MAX: Duration = Duration::from_secs(600);

/// The suite, and how it is started.
#[derive(Clone)]
pub struct Suite {
    /// The package: `@modelcontextprotocol/conformance`.
    pub name: String,
    pub version: String,
    pub starter: Arc<dyn Starter>,
}

/// Says how the suite is started for one errand.
pub trait Starter: Send + Sync {
    /// # Errors
    /// It cannot be started at all.
    fn start(&self, errand: &Errand<'_>) -> Result<Begun, Fault>;
}

/// One scenario against one URL.
#[derive(Clone, Copy)]
pub struct Errand<'a> {
    pub url: &'a str,
    /// What goes with every request.
    pub headers: &'a [(String, String)],
    pub scenario: &'a str,
    pub revision: Revision,
}

/// What is run for an errand. The command prints what the suite prints.
pub struct Begun {
    pub command: CommandLine,
    /// What must live as long as the command.
    pub keep: Box<dyn Any + Send>,
}

/// What the suite says of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub name: String,
    pub version: String,
    /// In the order in which they were run.
    pub scenarios: Vec<Scenario>,
}

/// One scenario at one revision of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    pub revision: String,
    pub outcome: Outcome,
    /// Why it does not apply, or has no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many of its checks passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// The first of those that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Check>,
    /// The first of those that passed with a remark: what a server should do, and need not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Check>,
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    NotApplicable,
    /// The suite itself came to no result.
    Unknown,
}

/// One check, in the words of the suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub id: String,
    pub message: String,
}

/// Runs the suite in every era that the server speaks; `hello` is how it greeted in one of them.
pub(crate) async fn run(suite: &Suite, target: &Target, options: &Options, hello: &Hello) -> Result<Report, Fault> {
    let until = Instant::now() + TIME_MAX;
    let mut scenarios = Vec::new();
    for hello in spoken(target, options, hello).await {
        let found = match &target.way {
            Way::Url { url, headers, .. } => {
                let setting = Setting::of_url(url.as_str(), headers, &hello);
                play::all(suite, (url.as_str(), headers), &setting, until).await?
            }
            Way::Command(_) | Way::Here(_) => {
                let bridge = Bridge::open(target, options, hello.revision).await?;
                let found = play::all(suite, (bridge.url(), &[]), &Setting::of_lines(&hello), until).await;
                bridge.close().await;
                found?
            }
        };
        scenarios.extend(found);
    }
    Ok(Report { name: suite.name.clone(), version: suite.version.clone(), scenarios })
}

/// Opens the bridge alone.
#[cfg(test)]
pub(crate) async fn bridge(target: &Target, options: &Options, revision: Revision) -> Bridge {
    Bridge::open(target, options, revision).await.expect("a free port")
}

/// Finds out whether the server speaks the older era as well as the newer one.
async fn spoken(target: &Target, options: &Options, hello: &Hello) -> Vec<Hello> {
    let mut all = vec![hello.clone()];
    let is_sse = matches!(target.way, Way::Url { transport: UrlTransport::Sse, .. });
    if options.era != EraChoice::Auto || !hello.revision.is_modern() || is_sse {
        return all;
    }
    let legacy = Options { era: EraChoice::Legacy(None), ..options.clone() };
    // A server that refuses the question does not speak it.
    if let Ok(client) = Client::connect(target, &legacy, &Tap::new(Vec::new()), Arc::new(Decline)).await {
        let other = client.hello().clone();
        client.close().await;
        all.extend((!other.revision.is_modern()).then_some(other));
    }
    all
}

// === impl Suite ===

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

// === impl Errand ===

impl fmt::Debug for Errand<'_> {
    /// Leaves out the URL and the headers: they may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").field("scenario", &self.scenario).field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Errand<'_> {
    /// Returns the arguments of the suite.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        let words = ["server", "--url", self.url, "--scenario", self.scenario, "--spec-version", self.revision.as_str(), "--verbose"];
        words.map(str::to_owned).into()
    }
}

// === impl Begun ===

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("command", &self.command).finish_non_exhaustive()
    }
}
