//! Conversations: eras, commands, questions, the log.

use std::sync::Arc;

use crate::{Asker, Client, Decline, EraChoice, Options, Overview, Said, Session, Tap, Verdict, Way};
use crib_model::{BoxFuture, Code};
use crib_transport::CommandLine;
use serde_json::{Value, json};

use super::fixture::{self, good_tool, legacy, not_found, options, target};

async fn connect(answer: fixture::Answer) -> Client {
    Client::connect(&target(answer), &options(), &Tap::new(Vec::new()), Arc::new(Decline)).await.expect("it connects")
}

fn modern() -> fixture::Answer {
    let seal = json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private" });
    let with = move |mut result: Value| {
        result.as_object_mut().expect("an object").extend(seal.as_object().expect("an object").clone());
        Some(Ok(result))
    };
    Arc::new(move |method, params| match method {
        "server/discover" => with(json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } })),
        "tools/list" => with(json!({ "tools": [good_tool("left")] })),
        "tools/call" if params.get("inputResponses").is_none() => Some(Ok(json!({
            "resultType": "input_required",
            "requestState": "sealed",
            "inputRequests": { "who": { "method": "elicitation/create", "params": { "message": "Who?", "requestedSchema": {} } } },
        }))),
        "tools/call" => with(json!({ "content": [{ "type": "text", "text": params["inputResponses"]["who"]["content"]["name"] }] })),
        _ => Some(not_found()),
    })
}

#[tokio::test]
async fn a_legacy_server_is_found_out_and_looked_at() {
    let client = connect(legacy(json!([good_tool("left")]))).await;
    let overview = Overview::read(&client).await.expect("an overview");
    insta::assert_snapshot!(overview.to_string());
    client.close().await;
}

#[tokio::test]
async fn a_modern_server_is_spoken_to_in_its_own_way() {
    let client = connect(modern()).await;
    assert_eq!(client.hello().era(), "modern");
    let overview = Overview::read(&client).await.expect("an overview");
    assert_eq!((overview.tools.len(), overview.problems.len()), (1, 0));
    client.close().await;
}

#[tokio::test]
async fn an_era_that_is_not_there_is_said() {
    let options = Options { era: EraChoice::Modern, ..options() };
    let refused = Client::connect(&target(legacy(json!([]))), &options, &Tap::new(Vec::new()), Arc::new(Decline)).await;
    assert_eq!(refused.expect_err("it is legacy").code(), Code::ProtocolBroken);
}

pub(super) struct Alice;

impl Asker for Alice {
    fn answer(&self, method: &str, _: &Value) -> BoxFuture<'static, Option<Value>> {
        let answer = match method {
            "elicitation/create" => Some(json!({ "action": "accept", "content": { "name": "Alice" } })),
            "sampling/createMessage" => Some(json!({ "role": "assistant", "content": { "type": "text", "text": "hi" }, "model": "alice" })),
            _ => None,
        };
        Box::pin(async { answer })
    }
}

#[tokio::test]
async fn what_a_modern_server_asks_is_answered_and_the_call_goes_on() {
    let client = Client::connect(&target(modern()), &options(), &Tap::new(Vec::new()), Arc::new(Alice)).await.expect("it connects");
    let mut session = Session::open(client.clone()).await.expect("a session");
    let Ok(Said::Shown { text, .. }) = session.run("call left of=tea").await else { panic!("it is answered") };
    assert_eq!(text, "Alice\n");
    let asked = client.tap().last(100).iter().filter(|seen| seen.verdict == Verdict::InputRequired).count();
    assert_eq!(asked, 1);
    client.close().await;
}

#[tokio::test]
async fn commands_are_understood_and_mistakes_explained() {
    let client = connect(legacy(json!([good_tool("left")]))).await;
    let mut session = Session::open(client.clone()).await.expect("a session");
    let mut said = String::new();
    for line in ["tools", "call left of=tea", "era", "read a:b", "send ping", "call", "frobnicate", "call left of", "prompts", "call 'left"]
    {
        let text = match session.run(line).await {
            Ok(Said::Shown { text, .. }) => text,
            Ok(Said::Failed { text, .. }) => format!("failed: {text}"),
            Ok(Said::Quit) => "quit".to_owned(),
            Err(mistake) => format!("mistake: {mistake}\n"),
        };
        said.extend(["> ", line, "\n", &text]);
    }
    assert!(matches!(session.run("quit").await, Ok(Said::Quit)));
    insta::assert_snapshot!(said);
    client.close().await;
}

#[tokio::test]
async fn every_message_is_in_the_log_with_its_latency() {
    let client = connect(legacy(json!([good_tool("left")]))).await;
    client.request("tools/call", json!({ "name": "left", "arguments": {} })).await.expect("an answer");
    client.request("nobody/knows", json!({})).await.expect("an answer");
    let seen = client.tap().last(100);
    // Times and latencies are other ones every time.
    let mask = |line: String| line.split_once('s').map_or_else(|| line.clone(), |(_, rest)| rest.to_owned());
    let lines: Vec<String> = seen.iter().map(|seen| mask(crate::line(seen))).collect();
    let lines: Vec<String> =
        lines.iter().map(|line| line.split("  ").filter(|part| !part.ends_with(" ms")).collect::<Vec<_>>().join("  ")).collect();
    insta::assert_snapshot!(lines.join("\n").replace(env!("CARGO_PKG_VERSION"), "[VERSION]"));
    assert!(seen.iter().filter(|seen| seen.verdict == Verdict::Ok).all(|seen| seen.latency.is_some()));
    client.close().await;
}

#[tokio::test]
async fn a_command_that_does_not_speak_the_protocol_says_why() {
    let line = CommandLine {
        program: "/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), "echo no such thing >&2; exit 3".to_owned()],
        env: Vec::new(),
        cwd: None,
    };
    let mut target = target(legacy(json!([])));
    target.way = Way::Command(line);
    let fault = Client::connect(&target, &options(), &Tap::new(Vec::new()), Arc::new(Decline)).await.expect_err("it ends");
    assert_eq!(fault.code(), Code::StartFailed, "{fault}");
    assert!(fault.to_string().contains("no such thing"), "{fault}");
}

#[tokio::test]
async fn a_slow_modern_server_is_not_taken_for_a_legacy_one() {
    // Slower than this client waits before it asks in the other way.
    let script = r#"read a; sleep 3.3
        echo '{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}'; read b
        echo '{"jsonrpc":"2.0","id":2,"error":{"code":-32022,"message":"this conversation is modern"}}'; cat > /dev/null"#;
    let line = CommandLine {
        program: "/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        cwd: None,
    };
    let mut target = target(legacy(json!([])));
    target.way = Way::Command(line);
    let client = Client::connect(&target, &options(), &Tap::new(Vec::new()), Arc::new(Decline)).await.expect("it connects");
    assert_eq!(client.hello().era(), "modern");
    client.close().await;
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_without_end() {
    let options = Options { start_timeout: std::time::Duration::from_millis(300), ..options() };
    let silent: fixture::Answer = Arc::new(|_, _| None);
    let fault = Client::connect(&target(silent), &options, &Tap::new(Vec::new()), Arc::new(Decline)).await.expect_err("it is silent");
    assert_eq!(fault.code(), Code::StartFailed);
}

/// A modern server whose tool is a task: it works, asks for a name, works, and says it.
fn tasking() -> fixture::Answer {
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let base = modern();
    let task = |status: &str, more: Value| {
        let mut task = json!({ "resultType": "complete", "taskId": "t/1", "status": status, "createdAt": "2026-07-28T00:00:00Z",
            "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": null, "pollIntervalMs": 10 });
        task.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Some(Ok(task))
    };
    let name = parking_lot::Mutex::new(None);
    let is_cancelled = std::sync::atomic::AtomicBool::new(false);
    Arc::new(move |method, params| {
        use std::sync::atomic::Ordering::Relaxed;
        let has_tasks =
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object();
        match method {
            "server/discover" => Some(Ok(json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "supportedVersions": ["2026-07-28"],
                "capabilities": { "tools": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } } }))),
            "tools/call" if has_tasks => task("working", json!({ "resultType": "task" })),
            "tools/call" => Some(Ok(json!({ "resultType": "complete", "content": [{ "type": "text", "text": "at once" }] }))),
            "tasks/update" => {
                *name.lock() = params["inputResponses"]["who"]["content"]["name"].as_str().map(str::to_owned);
                Some(Ok(json!({ "resultType": "complete" })))
            }
            "tasks/cancel" => {
                is_cancelled.store(true, Relaxed);
                Some(Ok(json!({ "resultType": "complete" })))
            }
            "tasks/get" if is_cancelled.load(Relaxed) => task("cancelled", json!({})),
            "tasks/get" if looks.fetch_add(1, Relaxed) < 2 => task("working", json!({})),
            "tasks/get" => match name.lock().clone() {
                Some(name) => task("completed", json!({ "result": { "content": [{ "type": "text", "text": name }] } })),
                None => task(
                    "input_required",
                    json!({ "inputRequests": {
                    "who": { "method": "elicitation/create", "params": { "message": "Who?", "requestedSchema": {} } } } }),
                ),
            },
            _ => base(method, params),
        }
    })
}

#[tokio::test]
async fn a_modern_task_is_driven_to_its_end_its_questions_answered() {
    let client = Client::connect(&target(tasking()), &options(), &Tap::new(Vec::new()), Arc::new(Alice)).await.expect("it connects");
    let mut session = Session::open(client.clone()).await.expect("a session");
    let Ok(Said::Shown { text, .. }) = session.run("call left of=tea").await else { panic!("it ends well") };
    assert_eq!(text, "Alice\n");
    let asked: Vec<String> = client.tap().last(100).iter().filter_map(|seen| Some(seen.method.as_deref()?.to_owned())).collect();
    assert_eq!(asked.iter().filter(|method| *method == "tasks/update").count(), 2, "one question, one answer: {asked:?}");
    let mut said = String::new();
    for line in ["wait nobody/knows", "tasks", "start left of=tea", "cancel", "tasks", "wait"] {
        let Ok(Said::Shown { text, .. } | Said::Failed { text, .. }) = session.run(line).await else { panic!("{line}") };
        said.extend(["> ", line, "\n", &text]);
    }
    insta::assert_snapshot!(said);
    client.close().await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_cancelled_and_one_that_is_left_too() {
    let lazy = || -> fixture::Answer {
        let base = tasking();
        Arc::new(move |method, params| match method {
            "tasks/get" => base("tools/call", params),
            _ => base(method, params),
        })
    };
    let cancels =
        |client: &Client| client.tap().last(1000).iter().filter(|seen| seen.method.as_deref() == Some("tasks/cancel")).count() / 2;
    let options = Options { timeout: std::time::Duration::from_millis(300), ..options() };
    let client = Client::connect(&target(lazy()), &options, &Tap::new(Vec::new()), Arc::new(Alice)).await.expect("it connects");
    let mut session = Session::bare(client.clone());
    let mistake = session.run("call left of=tea").await.expect_err("it takes too long").to_string();
    assert!(mistake.contains("`t/1`") && mistake.contains("cancelled"), "{mistake}");
    assert_eq!(cancels(&client), 1);
    client.close().await;
    let client = Client::connect(&target(lazy()), &fixture::options(), &Tap::new(Vec::new()), Arc::new(Alice)).await.expect("it connects");
    let mut session = Session::bare(client.clone());
    let left = tokio::time::timeout(std::time::Duration::from_millis(200), session.run("call left of=tea")).await;
    assert!(left.is_err());
    client.close().await;
    assert_eq!(cancels(&client), 1);
}

#[tokio::test]
async fn values_are_asked_of_a_server_that_completes_and_of_no_other() {
    let base = legacy(json!([good_tool("left")]));
    let completes: fixture::Answer = Arc::new(move |method, params| match method {
        "initialize" => Some(Ok(json!({ "protocolVersion": "2025-06-18", "capabilities": { "completions": {}, "prompts": {} } }))),
        "prompts/list" => Some(Ok(json!({ "prompts": [{ "name": "greet", "arguments": [{ "name": "who" }, { "name": "how" }] }] }))),
        "completion/complete" if params["argument"]["name"] == "who" => {
            Some(Ok(json!({ "completion": { "values": [format!("{}da", params["argument"]["value"].as_str().unwrap_or_default())] } })))
        }
        // Nobody waits long for one that does not answer.
        "completion/complete" => None,
        _ => base(method, params),
    });
    let session = Session::open(connect(completes).await).await.expect("it opens");
    let (words, suggest) = (session.words(), session.suggest().expect("it completes"));
    let ask = |line: &str| {
        let (wish, suggest) = (words.wish(line).expect("a question"), Arc::clone(&suggest));
        tokio::task::spawn_blocking(move || wish.filled(&suggest(&wish.params)).1)
    };
    assert_eq!(ask("prompt greet who=A").await.expect("an answer"), ["who=Ada"]);
    assert!(ask("prompt greet how=k").await.expect("an answer").is_empty());
    session.client().close().await;
    let other = Session::open(connect(legacy(json!([]))).await).await.expect("it opens");
    assert!(other.suggest().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn a_conversation_that_is_given_up_before_it_begins_leaves_no_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("pid");
    let line = CommandLine {
        program: "/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), "echo $$ > a; /bin/mv a pid; exec /bin/sleep 600".to_owned()],
        env: Vec::new(),
        cwd: Some(folder.path().to_owned()),
    };
    let mut target = target(legacy(json!([])));
    target.way = Way::Command(line);
    let appears = async {
        while !told.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let (options, tap) = (options(), Tap::new(Vec::new()));
    tokio::select! {
        connected = Client::connect(&target, &options, &tap, Arc::new(Decline)) => panic!("{connected:?}"),
        () = appears => {}
    }
    let pid = std::fs::read_to_string(&told).expect("a process");
    let process = std::path::Path::new("/proc").join(pid.trim());
    while process.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
