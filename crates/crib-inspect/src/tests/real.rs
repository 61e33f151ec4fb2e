//! Real servers of other people, where they are installed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Abilities, Client, Confinement, Decline, EraChoice, Grade, Lens, Mask, Options, Origin, Overview, Recording, Said, Session, Tap,
    Target, UrlTransport, Way, grade, recorder, replay,
};
use crib_transport::{CommandLine, Endpoint};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::fixture::options;
use super::talk::Alice;

/// The tests are configured by the runner's environment.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

pub(super) fn cache() -> PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout").to_owned();
    variable("TOOLCRIB_CACHE").map_or_else(|| root.join(".cache"), PathBuf::from)
}

pub(super) fn skip(what: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {what} is not installed"));
}

fn node() -> Option<String> {
    let named = variable("TOOLCRIB_NODE").or_else(|| variable("NODE24"));
    named.or_else(|| {
        let path = variable("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join("node")).find(|node| node.is_file()).map(|node| node.display().to_string())
    })
}

fn command(program: String, args: Vec<String>) -> CommandLine {
    let env = vec![("PATH".to_owned(), variable("PATH").unwrap_or_default()), ("HOME".to_owned(), "/nonexistent".to_owned())];
    CommandLine { program, args, env, cwd: None }
}

pub(super) fn of(name: &str, command: CommandLine) -> Target {
    let origin = Origin::default();
    Target { name: name.to_owned(), way: Way::Command(command), origin }
}

pub(super) fn npm(package: &str, args: &[&str]) -> Option<CommandLine> {
    let script = cache().join("npm/node_modules/@modelcontextprotocol").join(package).join("dist/index.js");
    let Some(node) = node().filter(|_| script.is_file()) else {
        skip(package);
        return None;
    };
    let args = std::iter::once(script.display().to_string()).chain(args.iter().map(|&arg| arg.to_owned())).collect();
    Some(command(node, args))
}

fn pypi(name: &str, args: &[&str]) -> Option<CommandLine> {
    let program = cache().join("py/bin").join(name);
    if !program.is_file() {
        skip(name);
        return None;
    }
    Some(command(program.display().to_string(), args.iter().map(|&arg| arg.to_owned()).collect()))
}

fn patient() -> Options {
    Options { timeout: Duration::from_secs(30), start_timeout: Duration::from_secs(60), ..options() }
}

async fn look(target: &Target, options: &Options) -> Overview {
    let client = Client::connect(target, options, &Tap::new(Vec::new()), Arc::new(Decline)).await.expect("it connects");
    let overview = Overview::read(&client).await.expect("an overview");
    client.close().await;
    overview
}

#[tokio::test]
async fn real_everything_is_recorded_and_answers_the_same_again() {
    let Some(command) = npm("server-everything", &["stdio"]) else { return };
    let target = of("everything", command);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("everything.ndjson");
    let tap = Tap::new(vec![recorder(&path, "everything", Some(Mask::of(&target))).expect("a file")]);
    let bare = Options { abilities: Abilities::None, ..patient() };
    let client = Client::connect(&target, &bare, &tap, Arc::new(Decline)).await.expect("it connects");
    let mut session = Session::open(client.clone()).await.expect("a session");
    assert_eq!(session.overview().tools.len(), 13);
    for line in ["call echo message='good morning'", "call get-sum a=88 b=22", "prompt simple-prompt", "send ping", "call get-sum a=x b=1"]
    {
        let said = session.run(line).await.expect("an answer");
        let is_good = matches!(said, Said::Shown { .. });
        assert_eq!(is_good, !line.contains("a=x"), "{line}: {said:?}");
    }
    client.close().await;
    let recording = Recording::read(&path).expect("a recording");
    let report = replay(&target, &bare, &recording, &Lens::default(), &Tap::new(Vec::new())).await.expect("it is sent");
    assert!(report.is_same() && report.sent > 8, "{report}");
}

#[tokio::test]
async fn real_everything_lists_more_to_a_client_that_can_be_asked() {
    let Some(command) = npm("server-everything", &["stdio"]) else { return };
    let overview = look(&of("everything", command), &patient()).await;
    assert_eq!(overview.tools.len(), 19);
    assert_eq!(overview.problems, Vec::<String>::new());
}

#[tokio::test]
async fn real_everything_runs_a_task_to_its_end_and_has_its_questions_answered_as_tasks() {
    let Some(command) = npm("server-everything", &["stdio"]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tasks.ndjson");
    let target = of("everything", command);
    let tap = Tap::new(vec![recorder(&path, "everything", Some(Mask::of(&target))).expect("a file")]);
    let client = Client::connect(&target, &patient(), &tap, Arc::new(Alice)).await.expect("it connects");
    let mut session = Session::open(client.clone()).await.expect("a session");
    let lines = [
        ("call simulate-research-query topic=rain ambiguous=true", "# Research Report: rain"),
        ("call trigger-sampling-request-async prompt=hello", "[COMPLETED]"),
        ("call trigger-elicitation-request-async", "completed"),
        ("start simulate-research-query topic=snow", "working"),
        ("cancel", "cancelled"),
        ("tasks", "cancelled"),
    ];
    for (line, expected) in lines {
        let Said::Shown { text, .. } = session.run(line).await.expect("an answer") else { panic!("{line}") };
        assert!(text.contains(expected), "{line}: {text}");
    }
    assert!(session.run("start echo message=a").await.is_err());
    client.close().await;
    let polls = std::fs::read_to_string(&path).expect("a recording").matches("tasks/get").count();
    assert!(polls > 2, "{polls}");
}

/// A process, and what it writes to standard error.
type Running = (tokio::process::Child, tokio::io::Lines<BufReader<tokio::process::ChildStderr>>);

/// Starts server-everything on a port of its own and waits until it listens.
async fn everything_at(transport: &str) -> Option<(Running, u16)> {
    let line = npm("server-everything", &[transport])?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut child = tokio::process::Command::new(&line.program)
        .args(&line.args)
        .env("PORT", port.to_string())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let listening = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("listening") || line.contains("running") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listening).await.expect("it listens");
    // It writes to standard error as it goes, and ends when nobody reads there.
    Some(((child, lines), port))
}

async fn real_url(transport: &str, path: &str, spoken: &str) {
    let Some((child, port)) = everything_at(transport).await else { return };
    let url = Endpoint::parse(&format!("http://127.0.0.1:{port}{path}")).expect("a URL");
    let origin = Origin { confinement: Confinement::Elsewhere, ..Origin::default() };
    let target = Target { name: transport.to_owned(), way: Way::Url { url, headers: Vec::new(), transport: UrlTransport::Auto }, origin };
    let client = Client::connect(&target, &patient(), &Tap::new(Vec::new()), Arc::new(Decline)).await.expect("it connects");
    assert_eq!((client.hello().transport, client.hello().era()), (spoken, "legacy"));
    let reply = client.request("tools/call", json!({ "name": "get-sum", "arguments": { "a": 88, "b": 22 } })).await.expect("an answer");
    assert!(reply.outcome.expect("a result").to_string().contains("110"));
    client.close().await;
    drop(child);
}

#[tokio::test]
async fn real_streamable_http_is_spoken() {
    real_url("streamableHttp", "/mcp", "http").await;
}

#[tokio::test]
async fn real_http_with_sse_is_spoken_where_nothing_newer_is() {
    real_url("sse", "/sse", "sse").await;
}

#[tokio::test]
async fn real_modern_servers_are_spoken_to_in_both_eras() {
    let Some(command) = pypi("mcp-server-time", &["--local-timezone=UTC"]) else { return };
    let target = of("time", command);
    for (era, spoken) in [(EraChoice::Auto, "modern"), (EraChoice::Legacy(None), "legacy")] {
        let overview = look(&target, &Options { era, ..patient() }).await;
        assert_eq!((overview.era, overview.tools.len(), overview.problems.len()), (spoken, 2, 0));
    }
}

async fn real_grade(target: Target) -> Grade {
    let grade = grade(&target, &patient(), Vec::new(), None).await.expect("a grade");
    let report = grade.to_string();
    // A command comes from no package.
    assert!(grade.parts.iter().all(|part| part.points.is_some() != (part.name == "Origin")), "{report}");
    assert!((40.0..=100.0).contains(&grade.score), "{report}");
    assert!(grade.caps.is_empty(), "{report}");
    grade
}

#[tokio::test]
async fn real_servers_of_npm_get_grades() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    if let Some(command) = npm("server-filesystem", &[&path]) {
        let grade = real_grade(of("filesystem", command)).await;
        let paths = grade.parts.iter().flat_map(|part| &part.lines).find(|line| line.what == "paths").expect("a line");
        assert_eq!(paths.earned, Some(1.0), "{grade}");
    }
    if let Some(mut command) = npm("server-memory", &[]) {
        command.env.push(("MEMORY_FILE_PATH".to_owned(), folder.path().join("memory.json").display().to_string()));
        real_grade(of("memory", command)).await;
    }
}

#[tokio::test]
async fn real_servers_of_pypi_get_grades() {
    let Some(command) = pypi("mcp-server-time", &["--local-timezone=UTC"]) else { return };
    real_grade(of("time", command)).await;
}
