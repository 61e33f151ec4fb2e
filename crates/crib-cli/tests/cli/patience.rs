//! `stop` waits for calls under way, and says so.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::run::{Home, lacks};

/// A server whose tool says that it was called, and answers when it is told to.
const SLOW: &str = r#"
import json, os, sys, time
place = sys.argv[1]
tool = {'name': 'wait', 'inputSchema': {'type': 'object'}}
for line in sys.stdin:
    message = json.loads(line)
    if 'id' not in message:
        continue
    method = message.get('method')
    answer = {'result': {}}
    if method == 'initialize':
        answer = {'result': {'protocolVersion': '2025-06-18', 'capabilities': {'tools': {}}, 'serverInfo': {'name': 'slow', 'version': '1'}}}
    elif method == 'tools/list':
        answer = {'result': {'tools': [tool]}}
    elif method == 'tools/call':
        open(os.path.join(place, 'called'), 'w').close()
        while not os.path.exists(os.path.join(place, 'go')):
            time.sleep(0.01)
        answer = {'result': {'content': [{'type': 'text', 'text': 'it was worth it'}]}}
    elif method != 'ping':
        answer = {'error': {'code': -32601, 'message': 'unknown'}}
    print(json.dumps({'jsonrpc': '2.0', 'id': message['id'], **answer}), flush=True)
"#;

/// Starts a command whose output is read here.
fn start(home: &Home, args: &[&str], language: &str) -> Child {
    let mut command = home.command(args);
    command.env("TOOLCRIB_LANG", language).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Waits until a file is there, or the command that would make it has ended.
fn is_made(path: &Path, command: &mut Child) -> bool {
    while !path.exists() {
        if command.try_wait().expect("it is ours").is_some() {
            return path.exists();
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn a_gateway_that_is_stopped_ends_its_calls_first_and_says_what_it_waits_for() {
    if lacks("python3") {
        return;
    }
    for (language, waiting, stopped) in [("en", "waiting  for calls under way", "stopped  the gateway"), ("zh-CN", "等待", "已停止")] {
        let home = Home::new(&format!("patience_{language}"));
        let script = home.write("slow.py", SLOW).display().to_string();
        let place = home.0.display().to_string();
        home.good(&["run", "--name", "slow", "--", "python3", &script, &place]);
        let mut call = start(&home, &["call", "slow.wait"], "en");
        assert!(is_made(&home.0.join("called"), &mut call), "the tool is called");
        let mut stop = start(&home, &["stop"], language);
        let mut said = String::new();
        let mut lines = BufReader::new(stop.stderr.take().expect("piped"));
        while !said.contains(waiting) && lines.read_line(&mut said).expect("it is text") > 0 {}
        home.write("go", "");
        lines.read_to_string(&mut said).expect("it is text");
        let status = stop.wait().expect("it ends");
        let called = call.wait_with_output().expect("it ends");
        assert!(status.success() && said.contains(stopped), "{said}");
        assert!(!said.contains("killing") && !said.contains("强制"), "{said}");
        // A call has some seconds; on a machine that gave this test none of them, it was cut off.
        let answer = String::from_utf8_lossy(&called.stdout);
        assert!(said.contains(waiting) && answer.trim() == "it was worth it" || !called.status.success(), "{said}{answer}");
    }
}
