//! `inspect --watch` from outside: a server that is written while it is watched.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use super::{folder, toolcrib};

/// A server that lists what stands in it; a file that appears in a hidden folder is one more tool, which it tells of.
const SERVER: &str = r#"
import json, os, sys, threading, time
TOOLS = [TOOL]
os.makedirs('.state', exist_ok=True)
open('.state/pid', 'w').write(str(os.getpid()))
def tool(name, about):
    schema = {'type': 'object', 'properties': {'of': {'type': 'string', 'description': 'What is asked for'}}, 'required': ['of']}
    return {'name': name, 'description': about, 'inputSchema': schema}
def say(message):
    sys.stdout.write(json.dumps({'jsonrpc': '2.0', **message}) + '\n')
    sys.stdout.flush()
def look():
    while not os.path.exists('.state/more'):
        time.sleep(0.02)
    TOOLS.append(('more', 'Appeared while the server ran.'))
    say({'method': 'notifications/tools/list_changed'})
threading.Thread(target=look, daemon=True).start()
for line in sys.stdin:
    asked = json.loads(line)
    if 'id' not in asked:
        continue
    if asked['method'] == 'initialize':
        info = {'name': 'written', 'version': '1'}
        say({'id': asked['id'], 'result': {'protocolVersion': '2025-06-18', 'capabilities': {'tools': {'listChanged': True}}, 'serverInfo': info}})
    elif asked['method'] == 'tools/list':
        say({'id': asked['id'], 'result': {'tools': [tool(*one) for one in TOOLS]}})
    else:
        say({'id': asked['id'], 'error': {'code': -32601, 'message': 'no such method'}})
"#;

/// A folder with a server in it, and `inspect --watch` before it.
struct Watched {
    folder: PathBuf,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watched {
    fn start(test: &str, args: &[&str]) -> Self {
        let folder = folder(test);
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(folder.join("node_modules")).expect("a folder");
        write(&folder, "('left', 'Says how much is left.')");
        let mut command = toolcrib(test);
        command.args(["inspect", "--watch"]).args(args).args(["--", "python3", "server.py"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { folder, child, lines }
    }

    /// Returns the next event.
    #[track_caller]
    fn next(&mut self, name: &str) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |member: &str| event.get(member).and_then(Value::as_str);
        assert_eq!((text("schema"), text("event")), (Some("toolcrib/v1/watch"), Some(name)), "{event}");
        event
    }

    /// Reads until it shows this.
    #[track_caller]
    fn shows(&mut self, text: &str) -> String {
        let mut all = String::new();
        while !all.contains(text) {
            let read = self.lines.read_line(&mut all).expect("a line");
            assert!(read > 0, "no `{text}` in {all}");
        }
        all
    }

    fn server(&self) -> PathBuf {
        let pid = std::fs::read_to_string(self.folder.join(".state/pid")).expect("a process");
        Path::new("/proc").join(pid.trim())
    }

    /// Presses Ctrl-C.
    #[track_caller]
    fn interrupted(mut self) {
        let server = self.server();
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("it runs").success());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        assert!(!server.exists(), "the server was left behind");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Nothing is left where a test fails; the server goes with what watches it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes the server anew, as editors do it: beside the old one, and then in its place.
fn write(folder: &Path, tools: &str) {
    std::fs::write(folder.join("server.py.tmp"), SERVER.replace("TOOL]", &format!("{tools}]"))).expect("written");
    std::fs::rename(folder.join("server.py.tmp"), folder.join("server.py")).expect("in its place");
}

fn changed(event: &Value) -> Vec<String> {
    let all = event.pointer("/changes/definitions").and_then(Value::as_array).expect("definitions");
    let text = |change: &Value, member: &str| change.get(member).and_then(Value::as_str).expect("a text").to_owned();
    all.iter().map(|change| ["how", "kind", "name"].map(|member| text(change, member)).join(" ")).collect()
}

#[test]
fn a_server_is_started_again_when_it_is_written_and_what_changed_is_told() {
    let mut watched = Watched::start("watch_events", &["--json"]);
    let ready = watched.next("ready");
    assert_eq!(ready["overview"]["tools"][0]["name"], "left", "{ready}");
    assert_eq!(ready["watched"], serde_json::json!([watched.folder]), "{ready}");
    let first = watched.server();

    // What others made is not looked at.
    std::fs::write(watched.folder.join("node_modules/a.js"), "1").expect("written");
    write(&watched.folder, "('left', 'Says how much of it is left.'), ('right', 'x')");
    let event = watched.next("changed");
    assert_eq!(event["files"], serde_json::json!([watched.folder.join("server.py")]));
    let event = watched.next("restarted");
    assert_eq!(changed(&event), ["changed tool left", "added tool right"], "{event}");
    assert_eq!(event["changes"]["definitions"][0]["parts"], serde_json::json!([{ "member": "description" }]), "{event}");
    assert!(event["changes"]["findings_new"].as_array().is_some_and(|found| found.iter().any(|one| one["about"] == "right")), "{event}");
    assert!(!first.exists() || first == watched.server(), "the first server was left behind");

    write(&watched.folder, "(");
    watched.next("changed");
    let event = watched.next("failed");
    assert_eq!(event["error"]["code"], "start_failed", "{event}");
    assert!(event["error"]["cause"].to_string().contains("SyntaxError"), "{event}");

    write(&watched.folder, "('right', 'x')");
    watched.next("changed");
    let event = watched.next("restarted");
    assert_eq!(changed(&event), ["removed tool left"], "{event}");
    assert!(event["changes"]["findings_gone"].is_array());

    std::fs::write(watched.folder.join(".state/more"), "").expect("written");
    let event = watched.next("listed");
    assert_eq!(changed(&event), ["added tool more"], "{event}");

    std::process::Command::new("kill").arg(watched.server().file_name().expect("a process")).status().expect("it runs");
    watched.next("gone");
    write(&watched.folder, "('right', 'y')");
    watched.next("changed");
    watched.next("restarted");
    watched.interrupted();
}

#[test]
fn people_read_what_changed() {
    let mut watched = Watched::start("watch_told", &[]);
    let shown = watched.shows("tokens (");
    assert!(shown.contains("left(of: string)"), "{shown}");
    write(&watched.folder, "('left', 'Says how much is left.'), ('right', 'Says how much is right.')");
    let shown = watched.shows("+ tool right(of: string)");
    assert!(shown.contains("changed  server.py\nrestarted in "), "{shown}");
    watched.interrupted();
}

#[test]
fn files_that_nobody_knows_are_asked_for() {
    let done = toolcrib("watch_unknown").args(["inspect", "--watch", "--", "true"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(2) && said.contains("which files belong to `true`") && said.contains("--watch=DIR"), "{said}");
    let done = toolcrib("watch_unknown").args(["inspect", "demo", "--watch=gone"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(2) && said.contains("there is no file or folder"), "{said}");
}
