//! Real clients: what `connect` writes is what they read, and a tool call of theirs arrives.
//!
//! `TOOLCRIB_CLIENTS` names a directory in which npm has installed them (`cargo xtask setup`); without it the tests say
//! so and pass. The model is a script on this machine.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test says why it cannot go on")]

#[path = "clients/model.rs"]
mod model;
#[path = "clients/newcomer.rs"]
mod newcomer;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use model::Model;
use serde_json::Value;

/// Longest run of one command: cold starts of Node programs are slow on a loaded machine.
const WAIT: Duration = Duration::from_secs(120);

/// Longest wait for a client that is asked again and again.
const PATIENCE: Duration = Duration::from_secs(240);

/// Whether a client was too slow to be heard: on a loaded machine it is asked again.
fn is_late(check: &str) -> bool {
    check.starts_with("no answer from")
}

/// A home directory, a gateway, and the clients on the path.
struct Desk {
    home: PathBuf,
    path: String,
    gateway: Child,
    url: String,
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.gateway.kill());
        drop(self.gateway.wait());
        drop(fs::remove_dir_all(&self.home));
    }
}

impl Desk {
    /// `None`, and a word about it, where the client is not installed.
    fn of(test: &str, program: &str) -> Option<Self> {
        let Some(installed) = std::env::var_os("TOOLCRIB_CLIENTS").map(PathBuf::from) else {
            eprintln!("skipped: TOOLCRIB_CLIENTS names no directory with installed clients");
            return None;
        };
        let Some(real) = find(&installed, program) else {
            eprintln!("skipped: `{program}` is not installed in {}", installed.display());
            return None;
        };
        Some(Self::new(test, program, &real))
    }

    fn new(test: &str, program: &str, real: &Path) -> Self {
        // Not below `/tmp`: Codex refuses to work there.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(test);
        drop(fs::remove_dir_all(&home));
        let bin = home.join("bin");
        fs::create_dir_all(home.join("work")).expect("a home");
        fs::create_dir_all(&bin).expect("a place for the program");
        // Only this client, whatever else is installed.
        std::os::unix::fs::symlink(real, bin.join(program)).expect("a link");
        let node = std::env::var_os("TOOLCRIB_NODE").map(PathBuf::from).and_then(|node| node.parent().map(Path::to_owned));
        let path: Vec<PathBuf> = [Some(bin), node, Some("/usr/bin".into()), Some("/bin".into())].into_iter().flatten().collect();
        let path = std::env::join_paths(path).expect("plain paths").into_string().expect("plain paths");
        let (gateway, url) = serve(&home, &path);
        Self { home, path, gateway, url }
    }

    fn command(&self, program: &str) -> Command {
        quiet(Command::new(program), &self.home, &self.path)
    }

    /// Runs one of our commands, and fails if it does.
    fn toolcrib(&self, args: &[&str]) -> Value {
        let done = finish(self.command(env!("CARGO_BIN_EXE_toolcrib")).args(args).args(["--json", "--url", &self.url]));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "{args:?}: {}{}", text(&done.stdout), text(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("JSON")
    }

    /// Connects the client, asks it, and gives back what was there.
    fn is_told(&self, client: &str, file: &str, before: &str) -> String {
        let path = self.home.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(&path, before).expect("writable");
        let report = self.toolcrib(&["connect", client, "-y"]);
        assert_eq!(report.pointer("/lines/0/done").and_then(Value::as_str), Some("added"), "{report}");
        // A second look finds it as it was left.
        let begin = Instant::now();
        loop {
            let again = self.toolcrib(&["connect", client, "-y"]);
            assert_eq!(again.pointer("/lines/0/done").and_then(Value::as_str), Some("unchanged"), "{again}");
            let check = again.pointer("/lines/0/check").and_then(Value::as_str).unwrap_or_default();
            if !is_late(check) || begin.elapsed() > PATIENCE {
                return check.to_owned();
            }
        }
    }

    fn gives_back(&self, file: &str, before: &str) {
        self.toolcrib(&["connect", "--restore", "-y"]);
        assert_eq!(fs::read_to_string(self.home.join(file)).expect("it is there"), before);
    }
}

/// A command in a home directory, of programs that neither ask, phone home nor update themselves.
fn quiet(mut command: Command, home: &Path, path: &str) -> Command {
    command.env_clear().env("HOME", home).env("PATH", path).current_dir(home.join("work"));
    let quiet = [
        "DISABLE_TELEMETRY",
        "DISABLE_AUTOUPDATER",
        "OPENCODE_DISABLE_AUTOUPDATE",
        "CI",
        "NO_COLOR",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    ];
    command.envs(quiet.map(|name| (name, "1"))).stdin(Stdio::null());
    command
}

/// Starts a gateway on a port of its own.
fn serve(home: &Path, path: &str) -> (Child, String) {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_toolcrib"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("HOME", home)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the gateway starts");
    let mut line = String::new();
    BufReader::new(gateway.stdout.take().expect("piped")).read_line(&mut line).expect("an announcement");
    let announced: Value = serde_json::from_str(&line).expect("JSON");
    let url = announced.pointer("/endpoints/0").and_then(Value::as_str).expect("an endpoint").to_owned();
    (gateway, url)
}

/// Finds the program of a client; the launchers of opencode and Claude Code only work after an install script, the program itself
/// always.
fn find(installed: &Path, program: &str) -> Option<PathBuf> {
    let modules = installed.join("node_modules");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let direct = modules.join(format!("{program}-linux-{architecture}/bin/{program}"));
    let claude = modules.join(format!("@anthropic-ai/claude-code-linux-{architecture}/{program}"));
    let linked = modules.join(".bin").join(program);
    [direct, claude, linked].into_iter().find_map(|path| path.canonicalize().ok())
}

/// Waits for a command, but not for ever.
fn finish(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let reader = |mut pipe: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(pipe.read_to_end(&mut bytes));
            bytes
        })
    };
    let out = reader(Box::new(child.stdout.take().expect("piped")));
    let err = reader(Box::new(child.stderr.take().expect("piped")));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        if begin.elapsed() > WAIT {
            drop(child.kill());
            break child.wait().expect("it is gone");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    Output { status, stdout: out.join().expect("read"), stderr: err.join().expect("read") }
}

#[test]
fn gemini_cli_says_connected() {
    let Some(desk) = Desk::of("gemini", "gemini") else { return };
    let before = "{\n  // folders are not asked about here\n  \"security\": { \"folderTrust\": { \"enabled\": false } }\n}\n";
    assert_eq!(desk.is_told("gemini-cli", ".gemini/settings.json", before), "connected");
    desk.gives_back(".gemini/settings.json", before);
}

#[test]
fn opencode_says_connected() {
    let Some(desk) = Desk::of("opencode", "opencode") else { return };
    let before = "{\n\t\"$schema\": \"https://opencode.ai/config.json\",\n\t\"autoupdate\": false, // never\n}\n";
    assert_eq!(desk.is_told("opencode", ".config/opencode/opencode.json", before), "connected");
    desk.gives_back(".config/opencode/opencode.json", before);
}

#[test]
fn qwen_code_says_connected() {
    let Some(desk) = Desk::of("qwen", "qwen") else { return };
    let before = "{\n  \"security\": { \"folderTrust\": { \"enabled\": false } },\n  \"$version\": 4\n}\n";
    assert_eq!(desk.is_told("qwen-code", ".qwen/settings.json", before), "connected");
}

/// Claude Code is nobody's to install but the user's: it is asked where it is there.
#[test]
fn claude_code_says_connected() {
    let Some(desk) = Desk::of("claude", "claude") else { return };
    let before = "{\n  \"numStartups\": 3,\n  \"projects\": {}\n}";
    assert_eq!(desk.is_told("claude-code", ".claude.json", before), "connected");
    // It has written to its file meanwhile, so that only our entry can be taken out.
    desk.toolcrib(&["connect", "claude-code", "--remove", "-y"]);
    let after = fs::read_to_string(desk.home.join(".claude.json")).expect("it is there");
    assert!(!after.contains("toolcrib") && after.contains("\"numStartups\": 3"), "{after}");
}

#[test]
fn codex_calls_a_tool_through_the_gateway() {
    let Some(desk) = Desk::of("codex", "codex") else { return };
    let model = Model::start("mcp__toolcrib", "demo__add", r#"{"a":88,"b":22}"#);
    let before = format!(
        "# mine\nmodel = \"script\"\nmodel_provider = \"script\" # not a real one\n\n[model_providers.script]\nname = \"script\"\nbase_url = \"{}/v1\"\nwire_api = \"responses\"\nenv_key = \"SCRIPT_KEY\"\n",
        model.url()
    );
    assert_eq!(desk.is_told("codex", ".codex/config.toml", &before), "read");
    let mut command = desk.command("codex");
    command.env("SCRIPT_KEY", "none").args(["exec", "--skip-git-repo-check", "--json"]);
    command.args(["-c", "mcp_servers.toolcrib.default_tools_approval_mode=\"approve\"", "add 88 and 22"]);
    // The program is looked for on the path of the desk, not on ours.
    let done = finish(command.env("PATH", &desk.path));
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let heard = model.heard();
    assert!(heard.iter().any(|body| body.contains("function_call_output") && body.contains("110")), "{text}\n{heard:#?}");
    assert!(done.status.success() && text.contains("it is done"), "{text}");
    desk.gives_back(".codex/config.toml", &before);
}
