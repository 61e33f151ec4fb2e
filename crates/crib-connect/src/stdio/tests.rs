use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Json, Method, Revision};
use crib_model::limits::ERA_TTL;
use crib_model::{Code, Forward, Outcome, Reply, Slug, Step, Upstream};
use crib_transport::CommandLine;
use futures_util::StreamExt;
use serde_json::json;

use crate::connect;
use crate::options::{ConnectorOptions, Shared, Source};
use crate::testing::{ELICIT, TestClock, asked, done, forward, principal, retry, shared, text_of, tool};

/// What the servers below are made of: a shell, and answers by method.
const PRELUDE: &str = r#"
id() { rest=${line#*\"id\":}; id=${rest%%,*}; }
result() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"no"}}\n' "$id" "$1"; }
text() { result "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
hello() { result '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"sh","version":"1"}}'; }
next() { read -r line || exit 0; id; }
"#;

/// A legacy server that tells its process id, asks, dies or prints nonsense.
const LEGACY: &str = r#"
while next; do case "$line" in
*server/discover*) refuse -32602 ;;
*'"initialize"'*) hello ;;
*'"name":"pid"'*) text $$ ;;
*'"name":"die"'*) echo "out of luck" >&2; exit 3 ;;
*'"name":"hang"'*) ;;
*'"name":"grow"'*) printf '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'; text $$ ;;
*'"name":"noise"'*) echo "Server listening"; text fine ;;
*'"name":"ask"'*)
  call=$id
  printf '{"jsonrpc":"2.0","id":"e","method":"elicitation/create","params":{"message":"%s?","requestedSchema":{"type":"object","properties":{}}}}\n' "$$"
  next; answer=$line; id=$call
  case "$answer" in *accept*) text "accepted by $$" ;; *) text "not accepted" ;; esac ;;
esac; done
"#;

const MODERN: &str = r#"
while next; do case "$line" in
*'"initialize"'*) exit 9 ;;
*server/discover*) result '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}' ;;
*subscriptions/listen*)
  printf '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s},"notifications":{}}}\n' "$id" ;;
*notifications/cancelled*) touch "$MARK" ;;
*'"name":"wait"'*) ;;
*'"name":"ask"'*) case "$line" in
  *inputResponses*'"requestState":"s"'*|*'"requestState":"s"'*inputResponses*) text answered ;;
  *) result '{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{}}},"requestState":"s"}' ;; esac ;;
*tools/call*) text $$ ;;
esac; done
"#;

fn command(script: &str, env: &[(&str, &str)]) -> CommandLine {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    CommandLine {
        program: "/bin/sh".to_owned(),
        args: vec!["-c".to_owned(), format!("{PRELUDE}{script}")],
        env: env.chain([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]).collect(),
        cwd: None,
    }
}

struct Bench {
    upstream: Arc<dyn Upstream>,
    clock: Arc<TestClock>,
    _shared: Arc<Shared>,
}

impl Bench {
    fn new(script: &str, env: &[(&str, &str)]) -> Self {
        Self::with(script, env, |options| ConnectorOptions { processes_max: 2, ..options })
    }

    fn with(script: &str, env: &[(&str, &str)], change: impl FnOnce(ConnectorOptions) -> ConnectorOptions) -> Self {
        let (shared, clock) = shared();
        let options = ConnectorOptions::new(Slug::from_name("sh"), Source::Stdio(command(script, env)));
        Self { upstream: connect(change(options), Arc::clone(&shared)), clock, _shared: shared }
    }

    async fn call(&self, forward: Forward) -> Outcome {
        done(self.upstream.call(Arc::new(forward)).await)
    }
}

/// A file that a server touches; gone with the test.
struct Mark(std::path::PathBuf);

impl Mark {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("crib-connect-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_file(&path).is_err();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    async fn appears(&self) -> bool {
        for _ in 0..200 {
            if self.0.exists() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _absent = std::fs::remove_file(&self.0).is_err();
    }
}

#[tokio::test]
async fn a_legacy_server_is_recognised_and_one_process_serves_all_that_cannot_be_asked() {
    let bench = Bench::new(LEGACY, &[]);
    assert_eq!(bench.upstream.health().state, "idle");
    let calls = (0..8).map(|n| bench.call(Forward { principal: principal(&format!("p{n}")), ..tool("pid", "{}") }));
    let pids: Vec<String> = futures_util::future::join_all(calls).await.iter().map(text_of).collect();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let health = bench.upstream.health();
    assert_eq!((health.state, health.processes, health.revision), ("running", 1, Some(Revision::V2025_06_18)));
    assert_eq!(health.pid.unwrap().to_string(), pids[0]);
    bench.upstream.close().await;
    assert_eq!(bench.upstream.health().processes, 0);
}

#[tokio::test]
async fn a_modern_server_gets_no_handshake_and_serves_everyone() {
    let mark = Mark::new("modern");
    let bench = Bench::new(MODERN, &[("MARK", mark.path())]);
    let first = text_of(&bench.call(tool("pid", "{}")).await);
    assert_eq!(text_of(&bench.call(tool("pid", ELICIT)).await), first);
    let (keys, state) = asked(bench.call(tool("ask", ELICIT)).await);
    assert_eq!(keys, [("k".to_owned(), "elicitation/create".to_owned())]);
    assert_eq!(text_of(&bench.call(retry(tool("ask", ELICIT), &[("k", json!({ "action": "accept" }))], state)).await), "answered");

    let Reply::Stream(mut steps) =
        bench.upstream.call(Arc::new(forward(Method::Listen, &json!({ "notifications": {} }), "{}"))).await.unwrap()
    else {
        panic!("not a stream")
    };
    assert!(matches!(steps.next().await, Some(Step::Event(event)) if event.0.method == Method::Acknowledged));
    assert!(!mark.0.exists());
    drop(steps);
    assert!(mark.appears().await, "the server was told that the listener is gone");
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_at_a_modern_server() {
    let mark = Mark::new("cancel");
    let bench = Bench::new(MODERN, &[("MARK", mark.path())]);
    bench.call(tool("pid", "{}")).await;
    let waiting = tokio::time::timeout(Duration::from_millis(50), bench.upstream.call(Arc::new(tool("wait", "{}")))).await;
    assert!(waiting.is_err());
    assert!(mark.appears().await);
}

#[tokio::test]
async fn a_server_that_exits_at_the_probe_is_started_again_without_it() {
    let mark = Mark::new("probe");
    let script = r#"
        next; case "$line" in *'"initialize"'*) hello ;; *) echo probed >>"$MARK"; exit 1 ;; esac
        while next; do case "$line" in *'"name":"die"'*) exit 1 ;; *tools/call*) text $$ ;; esac; done"#;
    let bench = Bench::new(script, &[("MARK", mark.path())]);
    let first = text_of(&bench.call(tool("pid", "{}")).await);
    assert_eq!(bench.upstream.call(Arc::new(tool("die", "{}"))).await.unwrap_err().code(), Code::ServerGone);
    assert_ne!(text_of(&bench.call(tool("pid", "{}")).await), first);
    assert_eq!(std::fs::read_to_string(&mark.0).unwrap().lines().count(), 1);
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_server_that_is_silent_at_the_probe_is_legacy() {
    let script = r#"while next; do case "$line" in *'"initialize"'*) hello ;; *tools/call*) text ok ;; esac; done"#;
    let bench = Bench::new(script, &[]);
    assert_eq!(text_of(&bench.call(tool("x", "{}")).await), "ok");
    bench.upstream.close().await;
}

#[tokio::test]
async fn an_upgraded_server_is_noticed_when_the_verdict_has_expired() {
    let mark = Mark::new("upgrade");
    let bench = Bench::new(&format!("if [ -e \"$MARK\" ]; then {MODERN} else {LEGACY} fi"), &[("MARK", mark.path())]);
    bench.call(tool("pid", "{}")).await;
    assert_eq!(bench.upstream.health().revision, Some(Revision::V2025_06_18));
    std::fs::write(&mark.0, "").unwrap();
    // The old process runs on and is not asked again.
    bench.clock.advance(ERA_TTL + Duration::from_secs(1));
    bench.call(tool("pid", "{}")).await;
    assert_eq!(bench.upstream.health().revision, Some(Revision::V2025_06_18));
    assert!(bench.upstream.call(Arc::new(tool("die", "{}"))).await.is_err());
    bench.call(tool("pid", "{}")).await;
    assert_eq!(bench.upstream.health().revision, Some(Revision::V2026_07_28));
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_dead_child_answers_its_calls_at_once_and_says_why() {
    let bench = Bench::new(LEGACY, &[]);
    bench.call(tool("pid", "{}")).await;
    let started = Instant::now();
    let fault = bench.upstream.call(Arc::new(tool("die", "{}"))).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    assert_eq!(fault.code(), Code::ServerGone);
    assert!(fault.causes().iter().any(|cause| cause.contains("out of luck")), "{fault:?}");
    assert!(fault.causes().iter().any(|cause| cause.contains("exit status: 3")), "{fault:?}");
    // The next call starts it again.
    bench.call(tool("pid", "{}")).await;
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why_and_is_left_in_peace_for_a_while() {
    let mark = Mark::new("start");
    let script = r#"echo start >>"$MARK"
        echo "Traceback (most recent call last):" >&2
        echo "AttributeError: 'Server' object has no attribute 'list_resources'" >&2; exit 1"#;
    let bench = Bench::new(script, &[("MARK", mark.path())]);
    let fault = bench.upstream.call(Arc::new(tool("x", "{}"))).await.unwrap_err();
    assert_eq!(fault.code(), Code::StartFailed);
    assert!(fault.message().starts_with("`sh` stopped 0."), "{fault}");
    assert!(fault.causes().iter().any(|cause| cause.contains("AttributeError")), "{fault:?}");
    assert!(fault.remedy().unwrap().contains("mcp<2"));
    assert_eq!(bench.upstream.health().state, "failed");
    for _ in 0..5 {
        assert_eq!(bench.upstream.call(Arc::new(tool("x", "{}"))).await.unwrap_err().code(), Code::StartFailed);
    }
    // Each of the first two starts tried with and without a probe at most; the rest was refused at once.
    assert!(std::fs::read_to_string(&mark.0).unwrap().lines().count() <= 4);

    let missing = CommandLine { program: "/no/such/program".to_owned(), ..command("", &[]) };
    let (shared, _) = shared();
    let upstream = connect(ConnectorOptions::new(Slug::from_name("sh"), Source::Stdio(missing)), shared);
    assert_eq!(upstream.call(Arc::new(tool("x", "{}"))).await.unwrap_err().code(), Code::SpawnFailed);
}

#[tokio::test]
async fn each_caller_that_can_be_asked_is_asked_only_about_its_own_call() {
    let bench = Bench::new(LEGACY, &[]);
    let ask = |who: &str| Forward { principal: principal(who), ..tool("ask", ELICIT) };
    let (ada, eve) = futures_util::future::join(bench.call(ask("ada")), bench.call(ask("eve"))).await;
    let ((keys, ada_state), (_, eve_state)) = (asked(ada), asked(eve));
    let key = keys[0].0.as_str();
    // Both processes wait for a person: a third call waits until one is free.
    let third = tokio::time::timeout(Duration::from_millis(100), bench.upstream.call(Arc::new(ask("bob")))).await;
    assert!(third.is_err());
    let impatient = Forward { deadline: Instant::now() + Duration::from_millis(50), ..ask("bob") };
    assert_eq!(bench.upstream.call(Arc::new(impatient)).await.unwrap_err().code(), Code::TooBusy);

    let answer = |who: &str, action: &str, state| Forward {
        principal: principal(who),
        ..retry(tool("ask", ELICIT), &[(key, json!({ "action": action }))], state)
    };
    let stolen = bench.upstream.call(Arc::new(answer("eve", "accept", ada_state.clone()))).await;
    assert_eq!(stolen.unwrap_err().code(), Code::InputLost);
    let declined = bench.call(answer("eve", "decline", eve_state)).await;
    let accepted = bench.call(answer("ada", "accept", ada_state)).await;
    assert_eq!(text_of(&declined), "not accepted");
    assert!(text_of(&accepted).starts_with("accepted by"));
    // Now there is room; bob gets a process of his own.
    asked(bench.call(ask("bob")).await);
    bench.upstream.close().await;
    assert_eq!(bench.upstream.health().parked, 0);
}

#[tokio::test]
async fn nonsense_on_the_output_disturbs_nobody() {
    let bench = Bench::new(LEGACY, &[]);
    let mut call = tool("noise", "{}");
    call.progress_token = Some(Json::from_static("1"));
    assert_eq!(text_of(&bench.call(call).await), "fine");
    bench.upstream.close().await;
}

#[tokio::test]
async fn many_calls_of_two_callers_over_one_server_are_never_mixed_up() {
    // Every second call asks; the question and the answer carry the caller's name.
    let script = r#"
        n=0
        while next; do case "$line" in
        *server/discover*) refuse -32601 ;;
        *'"initialize"'*) hello ;;
        *tools/call*)
          who=${line#*\"who\":\"}; who=${who%%\"*}; n=$((n+1))
          if [ $((n % 2)) = 0 ]; then text "$who"; continue; fi
          call=$id
          printf '{"jsonrpc":"2.0","id":"e%s","method":"elicitation/create","params":{"message":"%s","requestedSchema":{"type":"object","properties":{}}}}\n' "$n" "$who"
          next; answer=$line; id=$call
          case "$answer" in *"for-$who"*) text "$who" ;; *) text "stolen from $who" ;; esac ;;
        esac; done"#;
    let bench = Bench::new(script, &[]);
    let one = async |who: &'static str| {
        let call = || {
            let params = json!({ "name": "ask", "arguments": { "who": who } });
            Forward { principal: principal(who), ..forward(Method::ToolsCall, &params, ELICIT) }
        };
        let mut outcome = bench.call(call()).await;
        while let Outcome::InputRequired { requests, state, .. } = outcome {
            let (key, request) = requests.object.members().next().unwrap();
            assert!(request.as_str().contains(&format!("\"message\":\"{who}\"")), "{who} was asked {request}");
            let answer = json!({ "action": "accept", "content": { "x": format!("for-{who}") } });
            outcome = bench.call(retry(call(), &[(&key, answer)], state)).await;
        }
        assert_eq!(text_of(&outcome), who);
    };
    let calls = (0..60).map(|n| one(if n % 2 == 0 { "ada" } else { "eve" }));
    futures_util::future::join_all(calls).await;
    assert!(bench.upstream.health().processes <= 2);
    bench.upstream.close().await;
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_change_of_lists_in_the_process_of_one_client_is_heard_by_who_listens_in_another() {
    let bench = Bench::new(LEGACY, &[]);
    let shared = text_of(&bench.call(tool("pid", "{}")).await);
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let listening = bench.upstream.call(Arc::new(forward(Method::Listen, &filter, ELICIT))).await.unwrap();
    let Reply::Stream(mut steps) = listening else { panic!("no stream") };
    assert!(matches!(steps.next().await, Some(Step::Event(_))), "acknowledged");
    assert_ne!(text_of(&bench.call(tool("grow", ELICIT)).await), shared, "it has a process of its own");
    let heard = tokio::time::timeout(Duration::from_secs(5), steps.next()).await.unwrap();
    assert!(matches!(heard, Some(Step::Event(event)) if event.0.method == Method::ToolsChanged));
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_process_of_a_client_that_can_be_asked_is_stopped_when_it_is_not_used_and_started_again() {
    let quick = |options| ConnectorOptions { process_idle: Duration::from_millis(150), ..options };
    let bench = Bench::with(LEGACY, &[], quick);
    let first = text_of(&bench.call(tool("pid", ELICIT)).await);
    let common = text_of(&bench.call(tool("pid", "{}")).await);
    assert_ne!(first, common);
    until("only the common process is left", || bench.upstream.health().processes == 1).await;
    assert_ne!(text_of(&bench.call(tool("pid", ELICIT)).await), first);
    assert_eq!(text_of(&bench.call(tool("pid", "{}")).await), common);
    // A call that waits for a person is a use.
    let (_, state) = asked(bench.call(tool("ask", ELICIT)).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answered = bench.call(retry(tool("ask", ELICIT), &[("e", json!({ "action": "accept" }))], state)).await;
    assert!(text_of(&answered).starts_with("accepted by"));
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_server_that_may_have_one_process_keeps_it_with_its_state() {
    let lone = |options| ConnectorOptions { process_idle: Duration::from_millis(50), processes_max: 1, ..options };
    let bench = Bench::with(LEGACY, &[], lone);
    let first = text_of(&bench.call(tool("pid", ELICIT)).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(text_of(&bench.call(tool("pid", ELICIT)).await), first);
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_process_of_its_own_in_which_a_call_ran_out_of_time_is_replaced() {
    let bench = Bench::with(LEGACY, &[], |options| ConnectorOptions { processes_max: 1, ..options });
    let first = text_of(&bench.call(tool("pid", ELICIT)).await);
    let hung = Forward { deadline: Instant::now() + Duration::from_millis(100), ..tool("hang", ELICIT) };
    assert_eq!(bench.upstream.call(Arc::new(hung)).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_ne!(text_of(&bench.call(tool("pid", ELICIT)).await), first);
    until("the hung process is gone", || !std::path::Path::new(&format!("/proc/{first}")).exists()).await;
    bench.upstream.close().await;
}

#[tokio::test]
async fn a_call_waits_for_a_person_as_long_as_it_was_told_to() {
    let hasty = |options| ConnectorOptions { input_timeout: Duration::from_millis(100), ..options };
    let bench = Bench::with(LEGACY, &[], hasty);
    let (_, state) = asked(bench.call(tool("ask", ELICIT)).await);
    assert_eq!(bench.upstream.health().parked, 1);
    until("the call was given up", || bench.upstream.health().parked == 0).await;
    let late = bench.upstream.call(Arc::new(retry(tool("ask", ELICIT), &[("e", json!({ "action": "accept" }))], state))).await;
    assert_eq!(late.unwrap_err().code(), Code::InputLost);
    bench.upstream.close().await;
}

fn keeping(keep_alive: Duration) -> impl FnOnce(ConnectorOptions) -> ConnectorOptions {
    move |options| ConnectorOptions { keep_alive: Some(keep_alive), processes_max: 2, ..options }
}

async fn sleeps(bench: &Bench) {
    until("the server sleeps", || bench.upstream.health().state == "sleeping").await;
    assert_eq!((bench.upstream.health().processes, bench.upstream.pids()), (0, Vec::new()));
}

#[tokio::test]
async fn a_server_that_nobody_uses_sleeps_and_the_next_call_wakes_it() {
    for script in [LEGACY, MODERN] {
        let bench = Bench::with(script, &[("MARK", "/dev/null")], keeping(Duration::ZERO));
        let first = text_of(&bench.call(tool("pid", "{}")).await);
        assert_eq!((bench.upstream.health().state, bench.upstream.pids().len()), ("running", 1));
        sleeps(&bench).await;
        until("its process is gone", || !std::path::Path::new(&format!("/proc/{first}/status")).exists()).await;
        let woken = bench.upstream.woken();
        assert!(tokio::time::timeout(Duration::from_millis(20), woken).await.is_err());
        assert_ne!(text_of(&bench.call(tool("pid", "{}")).await), first);
        bench.upstream.woken().await;
        assert_eq!(bench.upstream.health().state, "running");
        sleeps(&bench).await;
        bench.upstream.close().await;
    }
}

#[tokio::test]
async fn calls_in_hand_and_those_that_wait_for_a_person_keep_a_server_awake() {
    let bench = Bench::with(LEGACY, &[], keeping(Duration::ZERO));
    let hanging = bench.upstream.call(Arc::new(tool("hang", "{}")));
    let hanging = tokio::time::timeout(Duration::from_millis(1600), hanging);
    assert!(hanging.await.is_err(), "it went on as long as somebody waited");
    assert_eq!(bench.upstream.health().state, "running");
    asked(bench.call(tool("ask", ELICIT)).await);
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!((bench.upstream.health().state, bench.upstream.health().parked), ("running", 1));
    bench.upstream.close().await;
}

#[tokio::test]
async fn to_hear_of_changed_lists_keeps_no_server_awake_and_to_watch_a_resource_does() {
    let bench = Bench::with(MODERN, &[("MARK", "/dev/null")], keeping(Duration::ZERO));
    let listen =
        |filter: serde_json::Value| bench.upstream.call(Arc::new(forward(Method::Listen, &json!({ "notifications": filter }), "{}")));
    let Ok(Reply::Stream(mut watching)) = listen(json!({ "resourceSubscriptions": ["a:b"] })).await else { panic!("not a stream") };
    assert!(matches!(watching.next().await, Some(Step::Event(_))));
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(bench.upstream.health().state, "running");
    drop(watching);
    let Ok(Reply::Stream(mut hearing)) = listen(json!({ "toolsListChanged": true })).await else { panic!("not a stream") };
    assert!(matches!(hearing.next().await, Some(Step::Event(_))));
    sleeps(&bench).await;
    assert!(matches!(hearing.next().await, Some(Step::Done(Err(_)))));
    bench.upstream.close().await;
}

#[tokio::test]
async fn calls_never_meet_a_server_that_is_being_put_to_sleep() {
    for script in [LEGACY, MODERN] {
        let bench = Bench::with(script, &[("MARK", "/dev/null")], keeping(Duration::from_millis(1)));
        for pause in [995, 1005] {
            assert!(!text_of(&bench.call(tool("pid", "{}")).await).is_empty());
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        bench.upstream.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_put_to_rest_ends_with_its_calls_and_starts_again() {
    for script in [LEGACY, MODERN] {
        let bench = Bench::new(script, &[("MARK", "/dev/null")]);
        let first = text_of(&bench.call(tool("pid", "{}")).await);
        let hanging = bench.upstream.call(Arc::new(tool(if script == LEGACY { "hang" } else { "wait" }, "{}")));
        let (ended, ()) = tokio::join!(hanging, async {
            tokio::task::yield_now().await;
            bench.upstream.rest().await;
        });
        assert_eq!(ended.unwrap_err().code(), Code::ServerGone);
        assert_eq!((bench.upstream.health().state, bench.upstream.health().processes), ("idle", 0));
        assert_ne!(text_of(&bench.call(tool("pid", "{}")).await), first);
        bench.upstream.close().await;
    }
}
