//! What fails on this machine: files, clients, projects, logs.

use std::os::unix::fs::symlink;

use super::Scene;

const DEMO: &str = "servers:\n  demo: { builtin: demo }\n";

#[test]
fn configurations() {
    let scene = Scene::new("configurations");
    scene.write("wrong.yaml", "servers:\n  a: { comand: x }\n").write("a.yaml", DEMO);
    scene.fails("TC0101", &["serve", "-c", "wrong.yaml", "--check"]);
    scene.fails("TC0102", &["serve", "-c", "gone.yaml"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    scene.fails("TC0103", &["serve", "-c", "a.yaml", "--listen", &address]);
    scene.fails("TC0104", &["serve", "-c", "a.yaml", "--listen", "0.0.0.0:0"]);
}

#[test]
fn files_of_clients() {
    let scene = Scene::new("clients");
    scene
        .write("user/.codex/config.toml", "[mcp_servers.x\n")
        .write("user/.cursor/mcp.json", "{}\n")
        .write("elsewhere/settings.json", "{}");
    scene.fails("TC0110", &["connect", "codex", "-y", "--no-check"]);
    symlink(scene.path("elsewhere"), scene.path("user/.gemini")).expect("a link");
    scene.fails("TC0111", &["connect", "gemini-cli", "-y", "--no-check"]);
    scene.fails("TC0113", &["connect", "zed", "-y"]);
    scene.fails("TC0114", &["connect", "cursor", "--no-input"]);
    scene.good(&["connect", "cursor", "-y", "--no-check"]);
    scene.write("user/.cursor/mcp.json", "{ \"mine\": 1 }\n");
    scene.fails("TC0112", &["connect", "--restore", "-y"]);
}

#[test]
fn projects() {
    let scene = Scene::new("projects");
    scene.write("taken/file", "");
    scene.fails("TC0480", &["new", "My Weather", "--lang", "rust"]);
    scene.fails("TC0481", &["new", "weather", "--lang", "rust", "--dir", "taken"]);
    scene.fails("TC0482", &["new", "weather", "--lang", "rust", "--dir", &super::LONG]);
}

#[test]
fn inspections() {
    let mut scene = Scene::new("inspections");
    scene.write("a.yaml", "not a recording\n").write("lint.sh", super::remote::SERVER);
    scene.fails("TC0460", &["inspect", "demo", "--replay", "gone.ndjson"]);
    scene.fails("TC0461", &["inspect", "demo", "--replay", "a.yaml"]);
    scene.good(&[
        "inspect",
        "demo",
        "-q",
        "--record",
        "other.ndjson",
        "--method",
        "tools/call",
        "--params",
        r#"{"name":"add","arguments":{"a":88,"b":22}}"#,
    ]);
    let text = std::fs::read_to_string(scene.path("other.ndjson")).expect("a recording");
    scene.write("other.ndjson", text.replace("\\\"110\\\"", "\\\"111\\\"").replace("\"110\"", "\"111\""));
    scene.fails("TC0462", &["inspect", "demo", "--replay", "other.ndjson"]);
    scene.fails("TC0463", &["inspect", "--lint", "--", "/bin/sh", "lint.sh", "faulty"]);
    scene.fails("TC0464", &["inspect", "demo", "--load", "61s"]);
    // The folder for what is tried out cannot be made.
    scene.set("TMPDIR", scene.path("a.yaml").display().to_string());
    scene.fails("TC0465", &["inspect", "demo", "--grade"]);
}

#[test]
fn logs_pins_and_secrets() {
    let mut scene = Scene::new("kept");
    let config = "servers:\n  sh: { command: /bin/sh, args: [server.sh, poison] }\n";
    scene.write("server.sh", super::remote::SERVER).write("a.yaml", config).write("notes.txt", "not a log\n");
    scene.write("audit.yaml", format!("{DEMO}observability: {{ audit: notes.txt }}\n"));
    scene.fails("TC0601", &["serve", "-c", "audit.yaml", "--listen", "127.0.0.1:0"]);
    scene.write("log.yaml", format!("{DEMO}observability: {{ audit: audit.jsonl }}\n"));
    scene.good(&["call", "demo.add", "a=1", "b=2", "-c", "log.yaml"]);
    let log = std::fs::read_to_string(scene.path("audit.jsonl")).expect("a log");
    scene.write("audit.jsonl", log.replacen("\"add\"", "\"sub\"", 1));
    scene.fails("TC0604", &["admin", "audit", "verify", "audit.jsonl"]);

    scene.write("key.yaml", "servers:\n  sh: { command: x, env: { T: \"${secret:NO_SUCH}\" } }\n");
    scene.fails("TC0302", &["call", "sh.x", "-c", "key.yaml"]);
    scene.write("hold.yaml", format!("gateway: {{ pins: {{ results: hold }} }}\n{config}"));
    scene.fails("TC0605", &["call", "sh.x", "-c", "hold.yaml"]);
    scene.write("server.sh", super::remote::SERVER.replace("Does nothing", "Does everything"));
    scene.fails("TC0602", &["call", "sh.x", "-c", "a.yaml"]);
    let pins = scene.path("home/data/pins.json");
    let text = std::fs::read_to_string(&pins).expect("pins");
    std::fs::write(&pins, text.replacen("Does", "Dose", 1)).expect("writable");
    scene.fails("TC0603", &["list", "-c", "a.yaml"]);

    scene.write("home/data/secrets.json", "not a store");
    scene.set("TOOLCRIB_PASSPHRASE", "wrong");
    scene.fails("TC0304", &["secret", "ls"]);
}
