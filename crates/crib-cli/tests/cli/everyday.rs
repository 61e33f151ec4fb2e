//! The everyday commands: servers that sleep, are stopped and looked at, and their calls.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::run::{Home, SERVER, lacks, said};

/// How long a server with nothing to do may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

fn row(home: &Home, name: &str) -> Value {
    let said = home.good(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&said.stdout).expect("one document");
    let rows = listed.get("servers").and_then(Value::as_array).expect("servers");
    rows.iter().find(|row| row["name"] == name).expect("it is listed").clone()
}

/// A home with a server of the fewest lines.
fn home(test: &str, flags: &[&str]) -> Option<Home> {
    if lacks("node") {
        return None;
    }
    let home = Home::new(test);
    let script = home.write("work/reader.js", SERVER);
    let mut args = vec!["run", "--name", "reader"];
    args.extend(flags);
    let path = script.display().to_string();
    args.extend(["--", "node", &path]);
    home.good(&args);
    Some(home)
}

/// Has the server read a text.
fn read(home: &Home, text: &str) -> String {
    let path = home.write("work/a.txt", text);
    home.good(&["call", "reader.read", &format!("path={}", path.display())]).stdout.trim().to_owned()
}

#[test]
fn a_server_that_nobody_uses_sleeps_is_still_listed_and_wakes_for_a_call() {
    let Some(home) = home("sleeps", &["--keep-alive", "0"]) else { return };
    assert!(home.config().contains("keepAlive: \"0\""), "{}", home.config());
    let until = Instant::now() + PATIENCE;
    while row(&home, "reader")["state"] != "sleeping" {
        assert!(Instant::now() < until, "{}", row(&home, "reader"));
    }
    let asleep = row(&home, "reader");
    assert_eq!((&asleep["tools"], &asleep["processes"], asleep.get("memoryBytes")), (&Value::from(1), &Value::from(0), None));
    assert!(home.good(&["show", "reader"]).stdout.starts_with("read(path: string)"));
    assert_eq!(row(&home, "reader")["state"], "sleeping", "lists wake nobody");
    assert_eq!(read(&home, "awake"), "awake");
    let awake = row(&home, "reader");
    assert_eq!((&awake["state"], &awake["calls"]), (&Value::from("running"), &Value::from(1)));
    assert!(awake["p95Ms"].as_f64().is_some_and(|ms| ms > 0.0) && awake["idleSeconds"].as_u64().is_some_and(|idle| idle < 60), "{awake}");
    if cfg!(target_os = "linux") {
        assert!(awake["memoryBytes"].as_u64().is_some_and(|bytes| bytes > 1024 * 1024), "{awake}");
    }
}

#[test]
fn a_server_that_was_stopped_stays_so_until_it_is_run() {
    let Some(home) = home("stopped", &[]) else { return };
    assert!(home.config().contains("keepAlive: \"5m\""), "{}", home.config());
    assert_eq!(home.good(&["stop", "reader"]).stderr, "stopped  reader   (toolcrib run reader)\n");
    let stopped = row(&home, "reader");
    assert_eq!((&stopped["state"], &stopped["processes"]), (&Value::from("stopped"), &Value::from(0)));
    let refused = home.run(&["call", "reader.read", "path=a.txt"]);
    assert_eq!(refused.status, 4);
    assert!(
        refused.stderr.contains("error[TC0212]: `reader` was stopped") && refused.stderr.contains("toolcrib run reader"),
        "{}",
        refused.stderr
    );
    home.good(&["run", "demo"]);
    let still = row(&home, "reader");
    let facts = ["state", "tools", "revision"].map(|fact| still.get(fact).cloned().unwrap_or_default());
    assert_eq!(facts, [Value::from("stopped"), Value::from(1), Value::from("2025-06-18")], "a reload neither starts it nor forgets it");
    let unknown = home.run(&["stop", "raeder"]);
    assert_eq!(unknown.status, 5);
    assert!(
        unknown.stderr.contains("there is no server `raeder`") && unknown.stderr.contains("did you mean `reader`?"),
        "{}",
        unknown.stderr
    );
    let partly = home.run(&["stop", "reader", "other"]);
    assert_eq!(partly.status, 7, "{}", partly.stderr);
    let started = home.good(&["run", "reader"]);
    assert!(started.stdout.starts_with("started  reader · 1 tool · MCP 2025-06-18 · pid "), "{}", started.stdout);
    assert_eq!(read(&home, "up"), "up");
    home.good(&["stop", "--all"]);
    assert_eq!(row(&home, "reader")["state"], "stopped");
}

#[test]
fn what_does_not_run_is_not_in_ps() {
    let home = Home::new("ps");
    home.write(".config/toolcrib/config.yaml", "servers:\n  demo: { builtin: demo }\n  second: { builtin: demo }\n");
    let none = home.good(&["ps"]);
    assert!(none.stdout.lines().count() == 1 && none.stderr.contains("no gateway is running, and so no server"), "{}", none.stderr);
    home.good(&["run", "demo"]);
    home.good(&["run", "second"]);
    let names = |args: &[&str]| -> Vec<String> {
        let listed: Value = serde_json::from_str(&home.good(&[args, &["--json"]].concat()).stdout).expect("one document");
        let rows = listed["servers"].as_array().expect("servers");
        rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&["ps"]), ["demo", "second"]);
    home.good(&["stop", "second"]);
    assert_eq!(names(&["ps"]), ["demo"]);
    assert_eq!([names(&["ps", "--all"]), names(&["list"]), names(&["ls"])], [["demo", "second"]; 3]);
    let shown = said(home.command(&["ps"]).env("TOOLCRIB_LANG", "zh-CN"));
    assert!(!shown.stdout.contains("second") && shown.stderr.contains("另有 1 个没有运行"), "{}", shown.stderr);
}

#[test]
fn what_was_stopped_stays_so_in_the_next_gateway() {
    let home = Home::new("stopped_for_good");
    home.good(&["run", "demo"]);
    home.good(&["stop", "demo"]);
    home.good(&["stop"]);
    // Without a gateway, too.
    let refused = home.run(&["call", "demo.add", "a=1", "b=2"]);
    assert!(refused.status == 4 && refused.stderr.contains("error[TC0212]: `demo` was stopped"), "{}", refused.stderr);
    home.write(".config/toolcrib/config.yaml", "servers:\n  demo: { builtin: demo }\n  second: { builtin: demo }\n");
    home.good(&["run", "second"]);
    assert_eq!([row(&home, "demo"), row(&home, "second")].map(|row| row["state"].clone()), ["stopped", "running"]);
    let refused = home.run(&["call", "demo.add", "a=1", "b=2"]);
    assert!(refused.status == 4 && refused.stderr.contains("toolcrib run demo"), "{}", refused.stderr);
    home.good(&["run", "demo"]);
    home.good(&["stop"]);
    assert_eq!(home.good(&["call", "demo.add", "a=1", "b=2"]).stdout.trim(), "3");
    // What was removed and comes again was stopped by nobody.
    home.good(&["run", "second"]);
    home.good(&["stop", "second"]);
    home.good(&["rm", "second"]);
    home.good(&["stop"]);
    home.write(".config/toolcrib/config.yaml", "servers:\n  demo: { builtin: demo }\n  second: { builtin: demo }\n");
    home.good(&["run", "demo"]);
    assert_eq!(row(&home, "second")["state"], "running");
}

#[test]
fn calls_are_listed_with_who_made_them_and_how_they_ended() {
    let home = Home::new("calls");
    home.good(&["run", "demo"]);
    home.good(&["call", "demo.add", "a=88", "b=22"]);
    home.run(&["call", "demo.add", "a=x"]);
    let text = home.good(&["logs", "--calls"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains(concat!("toolcrib/", env!("CARGO_PKG_VERSION"))) && lines[0].contains("demo.add"), "{text}");
    assert!(lines[0].contains("  ok  ") && lines[0].contains("  trace "), "{text}");
    assert!(lines[1].contains("  TC0311  ") && lines[1].contains("the arguments do not fit"), "{text}");
    let chinese = said(home.command(&["logs", "--calls"]).env("TOOLCRIB_LANG", "zh-CN")).stdout;
    assert!(chinese.contains("  TC0311  ") && chinese.contains("参数不符合工具的 schema"), "{chinese}");
    let document: Value = serde_json::from_str(&home.good(&["logs", "--calls", "demo", "--json"]).stdout).expect("one document");
    assert_eq!(document["schema"], "toolcrib/v1/calls");
    let calls = document["calls"].as_array().expect("calls");
    let id = calls[0]["traceId"].as_str().expect("every call has a trace");
    assert_eq!((calls[0]["outcome"].as_str(), id.len()), (Some("ok"), 32));
    assert_eq!(home.good(&["logs", "--trace", id.get(..8).expect("it is long")]).stdout.lines().count(), 1);
    assert_eq!(home.good(&["logs", "--calls", "--since", "1ms"]).stderr, "nothing was called\n");
    let grave = home.good(&["logs", "--calls", "--level", "warning"]).stdout;
    assert!(grave.lines().count() == 1 && grave.contains("  TC0311  "), "{grave}");
    assert_eq!(home.good(&["logs", "--calls", "demo", "--level", "error", "--since", "1ms"]).stderr, "nothing is that grave\n");
    let unknown = home.run(&["logs", "--calls", "dmeo"]);
    assert!(unknown.status == 5 && unknown.stderr.contains("demo"), "{}", unknown.stderr);
}

#[test]
fn calls_outlive_the_gateway() {
    let home = Home::new("calls_kept");
    home.good(&["run", "demo"]);
    assert_eq!(home.run(&["logs", "--calls"]).stderr, "nothing was called\n");
    home.good(&["call", "demo.add", "a=88", "b=22"]);
    home.good(&["stop"]);
    let alone = home.good(&["logs", "--calls"]);
    assert_eq!(alone.stderr, "no gateway is running; these are the calls of the last one\n");
    assert!(alone.stdout.lines().count() == 1 && alone.stdout.contains("demo.add"), "{}", alone.stdout);
    home.good(&["run", "demo"]);
    home.run(&["call", "demo.add", "a=x"]);
    let both = home.good(&["logs", "--calls"]).stdout;
    let lines: Vec<&str> = both.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("  ok  ") && lines[1].contains("  TC0311  "), "{both}");
    home.good(&["stop"]);
    let unknown = home.run(&["logs", "--calls", "dmeo"]);
    assert!(unknown.status == 5 && unknown.stderr.contains("did you mean `demo`?"), "{}", unknown.stderr);
    assert_eq!(home.run(&["logs", "--calls", "-f"]).status, 4, "nobody adds to it");
}

#[test]
fn tools_are_called_at_a_prompt_or_from_standard_input() {
    let home = Home::new("prompt");
    let mut command = home.command(&["run", "-i", "demo"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let input = "# a comment\nadd a=88 b=22\n/tools\nadd a=1 b:=\n/bye\nadd a=1 b=1\n";
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(stdout.contains("\n110\n") && stdout.matches("subtract(").count() == 2 && !stdout.contains("\n2\n"), "{stdout}\n{stderr}");
    assert!(done.status.code() == Some(2) && stderr.contains("is not JSON"), "{:?} {stderr}", done.status);
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let home = Home::new("empty_variable");
    let said = said(home.command(&["list"]).env("TOOLCRIB_URL", "").env("TOOLCRIB_KEY", ""));
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("NAME"), "{}", said.stdout);
}

/// A server that says how grave its lines are.
const TALKER: &str = r#"
process.stderr.write('INFO: the server is up\n[warn] the disk is slow\n  since this morning\ndebug: nothing\nTypeError: [error] no such thing\n');
const answers = {
  initialize: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'talker', version: '1' } },
  'tools/list': { tools: [] },
};
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const { id, method } = JSON.parse(line);
  if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: answers[method] || {} }) + '\n');
});
"#;

#[test]
fn lines_of_a_server_are_chosen_by_how_grave_they_are() {
    if lacks("node") {
        return;
    }
    let home = Home::new("levels");
    let script = home.write("work/talker.js", TALKER).display().to_string();
    home.good(&["run", "--name", "talker", "--", "node", &script]);
    let lines = |args: &[&str]| -> Vec<String> {
        let text = home.good(&[&["logs", "talker"], args].concat()).stdout;
        text.lines().map(|line| line.split_once("  ").map_or(line, |(_, line)| line).to_owned()).collect()
    };
    let until = Instant::now() + PATIENCE;
    while lines(&[]).len() < 5 {
        assert!(Instant::now() < until, "{:?}", lines(&[]));
    }
    assert_eq!(lines(&["--level", "warn"]), ["[warn] the disk is slow", "  since this morning", "TypeError: [error] no such thing"]);
    assert_eq!(lines(&["--level", "error"]), ["TypeError: [error] no such thing"]);
    // The last lines are the last of those that are shown.
    assert_eq!(lines(&["--level", "warn", "--tail", "1"]), ["TypeError: [error] no such thing"]);
    assert_eq!(home.run(&["logs", "talker", "--level", "loud"]).status, 2);
}

#[test]
fn what_programs_follow_says_what_it_is_line_by_line() {
    let home = Home::new("follow_json");
    home.good(&["run", "demo", "add", "a=1", "b=2"]);
    let mut child = home.command(&["logs", "--calls", "-f", "--json"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().expect("piped")), &mut line).expect("a line");
    child.kill().expect("ours");
    child.wait().expect("ours");
    let document: Value = serde_json::from_str(&line).expect("a document");
    assert_eq!((&document["schema"], &document["target"]), (&Value::from("toolcrib/v1/call"), &Value::from("add")));
}

#[test]
fn a_gateway_of_other_files_says_where_its_servers_come_from() {
    let home = Home::new("sources");
    home.write("work/a.yaml", "servers:\n  demo: { builtin: demo }\n  gone: { command: /nonexistent/server, args: [x] }\n");
    let mut gateway = home.command(&["serve", "-c", "a.yaml"]);
    let mut gateway = gateway.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut told = std::io::BufReader::new(gateway.stderr.take().expect("piped"));
    let mut line = String::new();
    let url = loop {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut told, &mut line).expect("text") > 0, "it says where it is");
        if let Some(at) = line.find("http://") {
            break line.get(at..).expect("found").split_whitespace().next().expect("a word").trim_end_matches("/mcp").to_owned();
        }
    };
    let listed = home.good(&["list", "--url", &url, "--json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("one document");
    let sources: Vec<&str> = listed["servers"].as_array().expect("servers").iter().filter_map(|row| row["source"].as_str()).collect();
    gateway.kill().expect("ours");
    gateway.wait().expect("ours");
    assert_eq!(sources, ["built in", "/nonexistent/server x"]);
}
