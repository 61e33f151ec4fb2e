//! A running gateway: its plain HTTP interface, its signals, its reload.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{folder, toolcrib, with_file};

const KEY: &str = "tcb-9f8e7d6c5b4a3210";

pub(crate) struct Gateway {
    child: Child,
    address: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Gateway {
    pub(crate) fn start(test: &str, config: &str) -> Self {
        with_file(test, "a.yaml", config);
        let mut command = toolcrib(test);
        command.args(["serve", "--json", "-c", "a.yaml", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("an announcement");
        let announced: Value = serde_json::from_str(&line).expect("JSON");
        let endpoint = announced.pointer("/endpoints/0").and_then(Value::as_str).expect("an endpoint");
        let address = endpoint.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
        Self { child, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks and returns the status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let key = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        let (host, length) = (&self.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{key}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.ask(method, path, None, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("there is kill").success());
    }

    /// Asks again until the answer is as it should be.
    pub(crate) fn eventually(&self, path: &str, fits: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        loop {
            let (_, body) = self.ask("GET", path, None, "");
            if fits(&body) {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{path} stays {body}");
            std::thread::yield_now();
        }
    }
}

const DEMO: &str = "servers:\n  demo: { builtin: demo }\n";

#[test]
fn tools_can_be_listed_searched_shown_and_called_over_plain_http() {
    let gateway = Gateway::start("rest", DEMO);
    let (status, found) = gateway.json("GET", "/v1/tools?q=sum&limit=1", "");
    assert_eq!((status, &found["tools"][0]["name"]), (200, &json!("demo__add")));
    let (status, shown) = gateway.json("GET", "/v1/tools/demo.add", "");
    assert_eq!((status, &shown["serverTool"], &shown["server"]), (200, &json!("add"), &json!("demo")));
    let (status, result) = gateway.json("POST", "/v1/tools/demo__add", "{\"a\":88,\"b\":22}");
    assert_eq!((status, &result["content"][0]["text"]), (200, &json!("110")));
    let (status, page) = gateway.json("GET", "/v1/tools?server=demo&limit=2&offset=1", "");
    assert_eq!((status, page["tools"].as_array().map(Vec::len), &page["nextOffset"]), (200, Some(2), &json!(3)));
}

#[test]
fn statuses_are_honest() {
    let gateway = Gateway::start("statuses", "servers:\n  demo: { builtin: demo }\n  broken: { command: /nonexistent/server }\n");
    let asked = [
        ("POST", "/v1/tools/demo__add", "{\"a\":1}", 422, ""),
        ("POST", "/v1/tools/demo__add", "[1]", 400, "TC0311"),
        ("POST", "/v1/tools/demo__add", "{", 400, "TC0311"),
        ("POST", "/v1/tools/demo__nothing", "{}", 404, "TC0310"),
        ("POST", "/v1/tools/broken.x", "{}", 502, "TC0202"),
        ("POST", "/v1/tools/demo__ask_name", "{}", 409, "TC0211"),
        ("GET", "/v1/tools?server=gone", "", 404, "TC0310"),
        ("GET", "/v1/tools?server=broken", "", 502, "TC0202"),
        ("PUT", "/v1/tools/demo__add", "{}", 405, "method_not_allowed"),
        ("GET", "/nowhere", "", 404, "not_found"),
        ("GET", "/healthz", "", 200, ""),
        ("GET", "/openapi.json", "", 200, ""),
    ];
    for (method, path, body, status, code) in asked {
        let (found, answer) = gateway.json(method, path, body);
        let named = answer["error"]["code"].as_str().unwrap_or_default();
        assert_eq!((found, named), (status, code), "{method} {path}: {answer}");
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_has_not_answered_has_no_empty_list() {
    let config =
        "version: 1\ngateway: { callTimeout: 1s }\nservers:\n  demo: { builtin: demo }\n  slow: { command: sleep, args: [\"100\"] }\n";
    let gateway = Gateway::start("slow", config);
    for (method, path) in [("GET", "/v1/tools?server=slow"), ("POST", "/v1/tools/slow.x")] {
        let (_, answer) = gateway.json(method, path, "{}");
        assert_eq!(answer["error"]["code"], "TC0205", "{path}: {answer}");
    }
    let (status, page) = gateway.json("GET", "/v1/tools?server=demo", "");
    assert_eq!((status, page["tools"].as_array().is_some_and(|tools| !tools.is_empty())), (200, true));
}

#[test]
fn the_drop_in_routes_speak_mcprouter() {
    let gateway = Gateway::start("mcprouter", DEMO);
    let (status, answer) = gateway.json("POST", "/v1/call-tool", "{\"server\":\"demo\",\"name\":\"add\",\"arguments\":{\"a\":1,\"b\":2}}");
    assert_eq!((status, &answer["code"], &answer["data"]["content"][0]["text"]), (200, &json!(0), &json!("3")));
    let (status, answer) = gateway.json("POST", "/v1/list-tools", "{\"server\":\"demo\"}");
    assert_eq!((status, &answer["data"]["tools"][0]["name"]), (200, &json!("add")));
    let (status, answer) = gateway.json("POST", "/v1/call-tool", "{\"server\":\"demo\",\"name\":\"gone\"}");
    assert_eq!((status, &answer["code"]), (404, &json!(-1)));
}

#[test]
fn a_key_opens_what_it_may_and_nothing_tells_of_the_rest() {
    let config = format!("{DEMO}keys:\n  - {{ name: me, secret: {KEY}, allow: [\"demo.add\"] }}\n");
    let gateway = Gateway::start("keys", &config);
    for path in ["/v1/tools", "/v1/servers", "/metrics", "/v1/tools/demo__add"] {
        assert_eq!(gateway.ask("GET", path, None, "").0, 401, "{path}");
        assert_eq!(gateway.ask("GET", path, Some("wrong-0123456789abcdef"), "").0, 401, "{path}");
        assert_eq!(gateway.ask("GET", path, Some(KEY), "").0, 200, "{path}");
    }
    let (status, answer) = gateway.ask("POST", "/v1/call-tool", None, "{\"name\":\"demo__add\"}");
    assert_eq!((status, answer.contains("\"code\":-2")), (401, true));
    assert_eq!(gateway.ask("POST", "/v1/tools/demo__echo", Some(KEY), "{\"message\":\"x\"}").0, 404);
    let (status, ready) = gateway.ask("GET", "/readyz", None, "");
    assert_eq!((status, ready.as_str()), (200, "{\"status\":\"ready\"}"));
    let (_, listed) = gateway.ask("GET", "/v1/tools", Some(KEY), "");
    assert!(listed.contains("demo__add") && !listed.contains("demo__echo"));
}

#[test]
fn readiness_says_which_server_failed_and_why() {
    let gateway = Gateway::start("ready", "servers:\n  broken: { command: /nonexistent/server }\n");
    gateway.eventually("/readyz", |body| body.contains("TC0202"));
    let (status, ready) = gateway.json("GET", "/readyz", "");
    assert_eq!((status, &ready["status"], &ready["servers"][0]["state"]), (503, &json!("not ready"), &json!("failed")));
}

#[test]
fn metrics_count_what_was_called() {
    let gateway = Gateway::start("metrics", DEMO);
    gateway.json("POST", "/v1/tools/demo__add", "{\"a\":1,\"b\":2}");
    let (status, text) = gateway.ask("GET", "/metrics", None, "");
    let line = "toolcrib_calls_total{method=\"tools/call\",server=\"demo\",tool=\"add\",outcome=\"ok\",code=\"\",side=\"\"} 1";
    assert!(status == 200 && text.contains(line), "{text}");
    let total = "toolcrib_call_duration_seconds_bucket{le=\"+Inf\",method=\"tools/call\",server=\"demo\",tool=\"add\"} 1";
    assert!(text.contains(total), "{text}");
}

#[test]
fn a_hangup_reads_the_configuration_again_and_a_bad_one_changes_nothing() {
    let gateway = Gateway::start("reload", DEMO);
    with_file("reload", "a.yaml", "servers:\n  other: { builtin: demo }\n");
    gateway.signal("-HUP");
    gateway.eventually("/v1/servers", |body| body.contains("other") && !body.contains("\"demo\""));
    with_file("reload", "a.yaml", "servers:\n  third: { bultin: demo }\n");
    gateway.signal("-HUP");
    let (status, answer) = gateway.json("POST", "/v1/tools/other.add", "{\"a\":1,\"b\":2}");
    assert_eq!((status, &answer["content"][0]["text"]), (200, &json!("3")));
}

#[test]
fn the_access_log_has_a_line_for_every_call() {
    let path = folder("access").join("access.jsonl");
    drop(std::fs::remove_file(&path));
    let mut gateway = Gateway::start("access", &format!("version: 1\ngateway: {{ accessLog: {} }}\n{DEMO}", path.display()));
    gateway.json("POST", "/v1/tools/demo__add", "{\"a\":1,\"b\":2}");
    gateway.signal("-TERM");
    assert_eq!(gateway.child.wait().expect("it ends").code(), Some(0));
    let text = std::fs::read_to_string(&path).expect("a log");
    let calls: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let call = calls.iter().find(|call| call["method"] == "tools/call").expect("the call");
    assert_eq!((&call["target"], &call["outcome"], &call["principal"]), (&json!("add"), &json!("ok"), &json!("anonymous")));
}

#[test]
fn the_audit_log_is_one_chain_over_rotation_and_restart() {
    let (path, old) = (folder("audit").join("audit.jsonl"), folder("audit").join("audit.1"));
    [&path, &old].into_iter().for_each(|path| drop(std::fs::remove_file(path)));
    let config = format!("observability: {{ audit: {} }}\n{DEMO}", path.display());
    let verify = |path, after| {
        let log = BufReader::new(std::fs::File::open(path).expect("a log"));
        crib_control::audit::verify(log, after).expect("it holds together")
    };
    let mut gateway = Gateway::start("audit", &config);
    gateway.json("POST", "/v1/tools/demo__add", "{\"a\":1,\"b\":2}");
    gateway.eventually("/metrics", |body| body.contains("toolcrib_audit_lines_total 2"));
    std::fs::rename(&path, &old).expect("it can be moved");
    gateway.signal("-HUP");
    gateway.json("POST", "/v1/tools/demo__nothing", "{}");
    gateway.signal("-TERM");
    assert_eq!(gateway.child.wait().expect("it ends").code(), Some(0));
    let before = verify(&old, Some(crib_control::audit::Mark::START));
    let after = verify(&path, Some(before.last));
    assert_eq!((before.calls, after.calls, after.lost), (1, 1, 0));
    drop(Gateway::start("audit", &config));
    assert!(verify(&path, Some(before.last)).lines > after.lines);
}

#[test]
fn an_audit_log_that_cannot_be_written_stops_the_start() {
    with_file("audit-foreign", "a.yaml", &format!("observability: {{ audit: notes.txt }}\n{DEMO}"));
    with_file("audit-foreign", "notes.txt", "not a log\n");
    let done = toolcrib("audit-foreign").args(["serve", "-c", "a.yaml", "--listen", "127.0.0.1:0"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("error[TC0601]: notes.txt does not end in a line of an audit log"), "{said}");
}

#[test]
fn the_catalogue_shows_a_caller_what_the_caller_may_use() {
    let config = format!(
        "keys:\n  - {{ name: all, secret: {KEY} }}\n  - {{ name: few, secret: {KEY}-few, allow: [demo.add, toolcrib.*] }}\n\
         servers:\n  demo: {{ builtin: demo }}\n  toolcrib: {{ builtin: catalogue }}\n"
    );
    let gateway = Gateway::start("catalogue", &config);
    gateway.ask("POST", "/v1/tools/demo__add", Some(KEY), "{\"a\":1,\"b\":2}");
    let read = |key: &str, uri: &str| -> Value {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "tester", "version": "1" },
        });
        let params = json!({ "uri": format!("toolcrib+{uri}"), "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params }).to_string();
        let key = format!(
            "{key}\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: resources/read\r\nmcp-name: toolcrib+{uri}"
        );
        let (_, answer) = gateway.ask("POST", "/mcp", Some(&key), &body);
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"))
    };
    let page = |answer: &Value| -> Value {
        let text = answer.pointer("/result/contents/0/text").and_then(Value::as_str).unwrap_or_else(|| panic!("{answer}"));
        serde_json::from_str(text).expect("JSON")
    };
    let add = page(&read(KEY, "toolcrib://tools/demo/add"));
    assert_eq!(
        (&add["name"], &add["measured"]["calls"], &add["definition"]["name"]),
        (&json!("demo__add"), &json!(1), &json!("demo__add"))
    );
    let few = format!("{KEY}-few");
    assert_eq!(page(&read(&few, "toolcrib://servers"))["servers"][0]["toolCount"], json!(1));
    // What the caller may not use is answered as what is not there.
    let refused = |tool: &str| read(&few, &format!("toolcrib://tools/demo/{tool}"))["error"].to_string().replace(tool, "X");
    assert!(refused("subtract").contains("-32602"));
    assert_eq!(refused("subtract"), refused("nothing"));
}

#[test]
fn a_reload_keeps_the_keys_of_a_gateway_that_others_reach() {
    let path = folder("open").join("a.yaml");
    std::fs::write(&path, format!("keys: [{{ name: a, secret: {KEY} }}]\ngateway: {{ listen: \"0.0.0.0:0\" }}\n{DEMO}")).expect("writable");
    let mut command = toolcrib("open");
    command.args(["serve", "--json", "-c", "a.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("an announcement");
    std::fs::write(&path, format!("version: 1\n{DEMO}")).expect("writable");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().expect("a signal");
    let mut complaint = String::new();
    while !complaint.contains("stays as it was") {
        complaint.clear();
        assert_ne!(said.read_line(&mut complaint).expect("it says something"), 0);
    }
    drop(child.kill());
    drop(child.wait());
    assert!(complaint.contains("refusing to listen"), "{complaint}");
}

#[test]
fn an_interrupt_ends_it_with_the_status_of_one() {
    let mut gateway = Gateway::start("interrupt", DEMO);
    gateway.signal("-INT");
    assert_eq!(gateway.child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn commands_use_the_running_gateway() {
    let gateway = Gateway::start("running", DEMO);
    let url = format!("http://{}", gateway.address);
    let done = toolcrib("running").args(["call", "demo.add", "a=1", "b=2", "--url", &url]).output().expect("it runs");
    assert_eq!((done.status.code(), done.stdout.as_slice(), done.stderr.as_slice()), (Some(0), b"3\n".as_slice(), b"".as_slice()));
}

#[test]
fn spans_reach_the_collector() {
    let collector = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = collector.local_addr().expect("an address");
    let config = format!("{DEMO}observability: {{ otlp: \"http://{address}\" }}\n");
    let gateway = Gateway::start("spans", &config);
    gateway.json("POST", "/v1/tools/demo__add", "{\"a\":1,\"b\":2}");
    // Ending it sends what is waiting.
    gateway.signal("-TERM");
    let (mut stream, _) = collector.accept().expect("the exporter comes");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut got = Vec::new();
    let mut part = [0; 4096];
    while !got.windows(14).any(|text| text == b"tools/call:add") {
        let read = stream.read(&mut part).expect("the exporter sends");
        assert!(read > 0, "the span never came: {}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&part[..read]);
    }
    assert!(got.starts_with(b"POST /v1/traces HTTP/1.1"));
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
}

#[test]
fn a_web_page_of_elsewhere_may_not_call() {
    let gateway = Gateway::start("origin", DEMO);
    let body = "{\"a\":1,\"b\":2}";
    for header in ["origin: https://evil.example", "host: evil.example"] {
        let mut stream = TcpStream::connect(&gateway.address).expect("it listens");
        let host = if header.starts_with("host") { String::new() } else { format!("host: {}\r\n", gateway.address) };
        let length = body.len();
        let request =
            format!("POST /v1/tools/demo__add HTTP/1.1\r\n{host}{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("TC0314"), "{header}: {answer}");
    }
}

#[test]
fn a_command_without_the_key_is_told_how_to_give_it() {
    let gateway = Gateway::start("nokey", &format!("{DEMO}keys: [{{ name: me, secret: {KEY} }}]\n"));
    let url = format!("http://{}", gateway.address);
    let done = toolcrib("nokey").args(["list", "--url", &url]).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("error[TC0301]") && said.contains("TOOLCRIB_KEY"), "{said}");
    let done = toolcrib("nokey").env("TOOLCRIB_KEY", KEY).args(["list", "--url", &url]).output().expect("it runs");
    assert!(done.status.success());
}

#[test]
fn a_client_without_a_key_reads_what_it_may_not_use() {
    let gateway = Gateway::start("resource", &format!("{DEMO}keys: [{{ name: me, secret: {KEY} }}]\n"));
    let host = &gateway.address;
    for (path, of) in [("", ""), ("/mcp", "/mcp"), ("/mcp/demo", "/mcp/demo")] {
        let (status, metadata) = gateway.json("GET", &format!("/.well-known/oauth-protected-resource{path}"), "");
        assert_eq!((status, &metadata["resource"]), (200, &json!(format!("http://{host}{of}"))), "{path}");
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
    for path in ["oauth-protected-resource/v1", "oauth-protected-resource/mcp/a%2Fb", "oauth-authorization-server", "openid-configuration"]
    {
        assert_eq!(gateway.ask("GET", &format!("/.well-known/{path}"), None, "").0, 404, "{path}");
    }
}

#[test]
fn tools_are_counted_as_the_caller_sees_them() {
    let config = format!(
        "servers:\n  demo: {{ builtin: demo, tools: {{ include: [\"a*\", echo], exclude: [ask_name] }} }}\nkeys:\n  - {{ name: all, secret: {KEY} }}\n  - {{ name: one, secret: {KEY}2, allow: [\"demo.add\"] }}\n"
    );
    let gateway = Gateway::start("counts", &config);
    for key in [KEY.to_owned(), format!("{KEY}2")] {
        let (_, listed) = gateway.ask("GET", "/v1/tools", Some(&key), "");
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        let (_, servers) = gateway.ask("GET", "/v1/servers", Some(&key), "");
        let servers: Value = serde_json::from_str(&servers).expect("JSON");
        assert!(listed["total"].as_u64().is_some_and(|total| (1..4).contains(&total)), "{listed}");
        assert_eq!(servers["servers"][0]["tools"], listed["total"], "{servers}");
    }
}

#[test]
fn only_a_key_for_everything_stops_servers() {
    let config = format!("{DEMO}keys:\n  - {{ name: all, secret: {KEY} }}\n  - {{ name: one, secret: {KEY}2, allow: [\"demo.add\"] }}\n");
    let gateway = Gateway::start("power", &config);
    let post = |path: &str, key: Option<&str>| gateway.ask("POST", path, key, "");
    assert_eq!(post("/v1/servers/demo/stop", None).0, 401);
    let narrow = format!("{KEY}2");
    assert_eq!(post("/v1/servers/demo/stop", Some(&narrow)).0, 403);
    assert_eq!(gateway.ask("GET", "/v1/servers/demo/stop", Some(KEY), "").0, 405);
    let (status, body) = post("/v1/servers/dmo/stop", Some(KEY));
    assert!(status == 404 && body.contains("did you mean `demo`?"), "{status} {body}");
    let (status, body) = post("/v1/servers/demo/stop", Some(KEY));
    assert!(status == 200 && body.contains("\"state\":\"stopped\""), "{status} {body}");
    let call = || gateway.ask("POST", "/v1/tools/demo.add", Some(KEY), "{\"a\":1,\"b\":2}");
    assert!(call().0 == 409 && call().1.contains("TC0212"), "{:?}", call());
    assert_eq!(gateway.ask("GET", "/readyz", None, "").0, 200, "what somebody stopped has not failed");
    assert_eq!(post("/v1/servers/demo/start", Some(KEY)).0, 200);
    assert_eq!(call().0, 200);
    let (status, body) = gateway.ask("GET", "/v1/calls", Some(KEY), "");
    assert!(status == 200 && body.contains("\"kept\":false"), "{status} {body}");
}

#[test]
fn who_needs_a_key_is_told_where_it_goes() {
    with_file("hint", "a.yaml", &format!("{DEMO}keys: [{{ name: me, secret: {KEY} }}]\n"));
    let mut command = toolcrib("hint");
    command.args(["serve", "-c", "a.yaml", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let hint = lines.map_while(Result::ok).find(|line| line.starts_with("connect"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(
        hint.as_ref().is_some_and(|hint| hint.contains("  toolcrib connect --url http://") && hint.ends_with(" --key-env TOOLCRIB_KEY")),
        "{hint:?}"
    );
}
