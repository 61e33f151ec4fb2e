//! A new user's first minute in a clean home directory, from the installation to every byte given back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::model::Model;
use crate::{PATIENCE, find, finish, is_late, quiet};

/// The programs of this user, each with its file and what is in it; Codex is told of its model.
const CLIENTS: [(&str, &str, &str); 3] = [
    ("codex", ".codex/config.toml", ""),
    (
        "gemini",
        ".gemini/settings.json",
        "{\r\n\t// every folder is trusted\r\n\t\"security\": { \"folderTrust\": { \"enabled\": false } }\r\n}\r\n",
    ),
    (
        "opencode",
        ".config/opencode/opencode.json",
        "\u{feff}{ \"$schema\": \"https://opencode.ai/config.json\", \"autoupdate\": false /* never */ }",
    ),
];

/// A home directory with the program, the clients and their files, and nothing of ours.
struct Newcomer {
    home: PathBuf,
    path: String,
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        drop(self.toolcrib(&["stop", "--gateway"]).output());
        drop(fs::remove_dir_all(&self.home));
    }
}

impl Newcomer {
    /// `None`, and a word about it, where a client is not installed.
    fn new() -> Option<Self> {
        let Some(installed) = std::env::var_os("TOOLCRIB_CLIENTS").map(PathBuf::from) else {
            eprintln!("skipped: TOOLCRIB_CLIENTS names no directory with installed clients");
            return None;
        };
        // Not below `/tmp`: Codex refuses to work there.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(format!("newcomer-{}", std::process::id()));
        drop(fs::remove_dir_all(&home));
        let bin = home.join("bin");
        fs::create_dir_all(home.join("work")).expect("a home");
        fs::create_dir_all(&bin).expect("a place for programs");
        for (program, ..) in CLIENTS {
            let Some(real) = find(&installed, program) else {
                eprintln!("skipped: `{program}` is not installed in {}", installed.display());
                return None;
            };
            std::os::unix::fs::symlink(real, bin.join(program)).expect("a link");
        }
        let node = std::env::var_os("TOOLCRIB_NODE").map(PathBuf::from).and_then(|node| node.parent().map(Path::to_owned));
        let path: Vec<PathBuf> = [Some(bin), node, Some("/usr/bin".into()), Some("/bin".into())].into_iter().flatten().collect();
        let path = std::env::join_paths(path).expect("plain paths").into_string().expect("plain paths");
        Some(Self { home, path })
    }

    /// The installation is one file.
    fn install(&self) {
        let program = self.home.join("bin/toolcrib");
        if fs::hard_link(env!("CARGO_BIN_EXE_toolcrib"), &program).is_err() {
            fs::copy(env!("CARGO_BIN_EXE_toolcrib"), &program).expect("room for the program");
        }
    }

    fn toolcrib(&self, args: &[&str]) -> Command {
        let mut command = quiet(Command::new(self.home.join("bin/toolcrib")), &self.home, &self.path);
        // The usual port may be somebody else's on the machine of a test.
        command.env("TOOLCRIB_LISTEN", "127.0.0.1:0").args(args);
        command
    }

    /// Runs one of our commands, and fails if it does; returns what it printed.
    fn says(&self, args: &[&str]) -> String {
        let done = finish(&mut self.toolcrib(args));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "toolcrib {args:?}: {}{}", text(&done.stdout), text(&done.stderr));
        text(&done.stdout)
    }

    fn document(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[args, &["--json"]].concat())).expect("one document")
    }

    /// Returns the bytes and the permissions of a file.
    fn file(&self, file: &str) -> (Vec<u8>, u32) {
        let path = self.home.join(file);
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        (fs::read(path).expect("it can be read"), mode)
    }

    /// Asks Codex for the time, and returns what was sent to the model.
    fn asks_codex_for_the_time(&self, model: &Model) -> Vec<String> {
        let mut command = quiet(Command::new("codex"), &self.home, &self.path);
        command.env("SCRIPT_KEY", "none").args(["exec", "--skip-git-repo-check", "--json"]);
        command.args(["-c", "mcp_servers.toolcrib.default_tools_approval_mode=\"approve\"", "what time is it?"]);
        let done = finish(command.env("PATH", &self.path));
        let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && text.contains("it is done"), "{text}");
        model.heard()
    }
}

/// Returns what a report says of each client.
fn told<'r>(report: &'r Value, what: &str) -> Vec<(&'r str, &'r str)> {
    let word = |value: &'r Value| value.as_str().unwrap_or("-");
    report["lines"].as_array().expect("lines").iter().map(|line| (word(&line["client"]), word(&line[what]))).collect()
}

#[test]
fn a_new_user_installs_runs_calls_connects_asks_for_the_time_and_takes_it_all_back() {
    let Some(user) = Newcomer::new() else { return };
    let model = Model::start("mcp__toolcrib", "demo__now", "{}");
    for (program, file, text) in CLIENTS {
        let script = format!(
            "# mine\nmodel = \"script\"\nmodel_provider = \"script\"\n\n[model_providers.script]\nname = \"script\"\nbase_url = \"{}/v1\"\nwire_api = \"responses\"\nenv_key = \"SCRIPT_KEY\"\n",
            model.url()
        );
        let path = user.home.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(&path, if program == "codex" { &script } else { text }).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
    }
    let before = CLIENTS.map(|(_, file, _)| user.file(file));

    user.install();
    let started = user.says(&["run", "demo"]);
    assert!(started.starts_with("started  demo · "), "{started}");
    assert_eq!(user.says(&["call", "demo.add", "a=2", "b=40"]).trim(), "42");

    let report = user.document(&["connect", "-y"]);
    assert_eq!(told(&report, "done"), [("codex", "added"), ("gemini-cli", "added"), ("opencode", "added")], "{report}");
    let begin = Instant::now();
    let mut report = report;
    while told(&report, "check").iter().any(|(_, check)| is_late(check)) && begin.elapsed() < PATIENCE {
        report = user.document(&["connect", "-y"]);
    }
    assert_eq!(told(&report, "check"), [("codex", "read"), ("gemini-cli", "connected"), ("opencode", "connected")], "{report}");

    let heard = user.asks_codex_for_the_time(&model);
    let day = user.says(&["call", "demo.now"]);
    let today = day.trim().get(..8).expect("a date").to_owned();
    assert!(heard.iter().any(|body| body.contains("function_call_output") && body.contains(&today)), "{today}: {heard:#?}");
    let calls = user.says(&["logs", "--calls", "demo"]);
    assert!(calls.lines().any(|line| line.contains("codex") && line.contains("demo.now") && line.contains("  ok  ")), "{calls}");

    for (program, file, _) in CLIENTS {
        assert!(String::from_utf8_lossy(&user.file(file).0).contains("toolcrib"), "{program}");
    }
    user.says(&["connect", "--restore", "-y"]);
    assert_eq!(CLIENTS.map(|(_, file, _)| user.file(file)), before);

    let begin = Instant::now();
    while !finish(&mut user.toolcrib(&["stop"])).status.success() {
        assert!(begin.elapsed() < PATIENCE, "the gateway does not end");
    }
    let gateway = user.home.join(".local/share/toolcrib/gateway.json");
    assert!(!gateway.exists(), "{}", gateway.display());
    assert!(finish(&mut user.toolcrib(&["logs", "-f", "--calls"])).status.code() == Some(4), "no gateway is left");
}
