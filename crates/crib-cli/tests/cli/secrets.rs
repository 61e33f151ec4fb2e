//! Secrets go where they are named, and nowhere else.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{folder, out, toolcrib, with_file};
use crate::run::Home;

const CANARY: &str = "canary-5f3a9c-secret";

/// A server that says what is in its environment: its own, on standard error and in a result.
const SERVER: &str = r#"
echo "starting with $TOKEN" >&2
[ -n "$DIES" ] && exit 3
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}\n' "$id" ;;
    *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"env","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
    *'"tools/call"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"token has %s bytes, other has %s"}]}}\n' "$id" "${#TOKEN}" "${#OTHER}" ;;
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
  esac
done
"#;

const CONFIG: &str = "servers:\n  gh: { command: /bin/sh, args: [server.sh], env: { TOKEN: \"${secret:GH_TOKEN}\" } }\n";

fn fresh(test: &str, config: &str) {
    drop(fs::remove_dir_all(folder(test).join("home")));
    with_file(test, "server.sh", SERVER);
    with_file(test, "a.yaml", config);
}

fn cli(test: &str, line: &str) -> String {
    out(test, &line.split(' ').collect::<Vec<_>>(), "")
}

#[test]
fn a_secret_reaches_the_server_that_names_it_and_no_output_at_all() {
    let test = "a_secret_reaches_the_server";
    let dies = "  dies: { command: /bin/sh, args: [server.sh], env: { TOKEN: \"x${secret:GH_TOKEN}\", DIES: \"1\" } }\n";
    fresh(test, &format!("{CONFIG}{dies}keys: [{{ name: me, secret: \"${{secret:GH_TOKEN}}\" }}]\n"));
    let set = out(test, &["secret", "set", "GH_TOKEN"], &format!("{CANARY}\n"));
    assert!(set.starts_with("exit 0"), "{set}");
    let called = cli(test, "call gh.env -c a.yaml");
    assert!(called.contains(&format!("token has {} bytes, other has 0", CANARY.len())), "{called}");
    let mut outputs = vec![set, called];
    for line in [
        "secret ls",
        "secret ls -c a.yaml --json",
        "serve -c a.yaml --check --json",
        "list -c a.yaml",
        "list -c a.yaml --json",
        "show gh -c a.yaml --json",
        "call gh.env -c a.yaml --json",
        "call dies.env -c a.yaml",
        "call dies.env -c a.yaml --json",
        "secret set GH_TOKEN also-a-value",
        "secret set no/name",
    ] {
        outputs.push(cli(test, line));
    }
    assert!(outputs.iter().any(|text| text.contains("GH_TOKEN  file   gh.TOKEN, dies.TOKEN, key me") || text.contains("gh.TOKEN")));
    for text in outputs {
        assert!(!text.contains(CANARY) && !text.contains("also-a-value"), "{text}");
    }
    for entry in walk(&folder(test).join("home")) {
        let bytes = fs::read(&entry).expect("readable");
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{}", entry.display());
    }
}

fn walk(path: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_a_server_writes_is_shown_without_its_secrets() {
    let home = Home::new("quiet_logs");
    let script = home.write("work/server.sh", SERVER);
    let env = "env: { TOKEN: \"x${secret:GH_TOKEN}\" }";
    home.write(".config/toolcrib/config.yaml", &format!("servers:\n  gh: {{ command: /bin/sh, args: [{}], {env} }}\n", script.display()));
    let mut set = home.command(&["secret", "set", "GH_TOKEN"]);
    let mut child = set.stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(CANARY.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    home.good(&["run", "gh"]);
    for asked in [&["logs", "gh"][..], &["logs", "gh", "--json"]] {
        let told = home.good(asked).stdout;
        assert!(told.contains("starting with x[secret]") && !told.contains(CANARY), "{told}");
    }
}

#[test]
fn a_secret_is_in_no_command_line() {
    let test = "a_secret_is_in_no_command_line";
    fresh(test, CONFIG);
    out(test, &["secret", "set", "GH_TOKEN"], CANARY);
    let mut command = toolcrib(test);
    command.args(["serve", "--stdio", "-c", "a.yaml"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"gh__env","arguments":{}}}"#;
    writeln!(stdin, "{initialize}\n{call}").expect("it reads");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("token has")), "it was called");
    let listed = Command::new("ps").args(["-eo", "args"]).output().expect("there is ps");
    assert!(!String::from_utf8_lossy(&listed.stdout).contains(CANARY));
    drop(stdin);
    child.wait().expect("it ends");
}

#[test]
fn a_missing_secret_stops_its_server_only_and_says_what_to_do() {
    let test = "a_missing_secret";
    fresh(test, &format!("{CONFIG}  demo: {{ builtin: demo }}\n"));
    let called = cli(test, "call gh.env -c a.yaml");
    assert!(called.starts_with("exit 3") && called.contains("error[TC0302]: `gh` needs the secret GH_TOKEN"), "{called}");
    assert!(called.contains("hint: toolcrib secret set GH_TOKEN"), "{called}");
    assert!(cli(test, "call demo.add a=1 b=2 -c a.yaml").starts_with("exit 0"));
    let listed = cli(test, "list -c a.yaml");
    assert!(listed.contains("TC0302 `gh` needs the secret GH_TOKEN"), "{listed}");
    assert!(cli(test, "serve -c a.yaml --check").starts_with("exit 0"), "names are enough to check");
    assert!(cli(test, "secret ls -c a.yaml").contains("GH_TOKEN  missing  gh.TOKEN"));
}

#[test]
fn secrets_are_listed_by_name_and_forgotten() {
    let test = "secrets_are_listed";
    fresh(test, CONFIG);
    out(test, &["secret", "set", "A", "--store", "file"], "1");
    out(test, &["admin", "secret", "set", "B"], "2");
    assert!(cli(test, "secret ls").contains("A     file"));
    assert!(cli(test, "secret rm A B").starts_with("exit 0"));
    let gone = cli(test, "secret rm A");
    assert!(gone.starts_with("exit 3") && gone.contains("there is no secret A"), "{gone}");
    assert!(cli(test, "secret ls").contains("no secrets"));
}

#[test]
fn a_passphrase_locks_the_file() {
    let test = "a_passphrase_locks";
    fresh(test, CONFIG);
    let with = |passphrase: &str, args: &[&str]| {
        let mut command = toolcrib(test);
        command.env("TOOLCRIB_PASSPHRASE", passphrase).args(args).stdin(Stdio::null());
        command.output().expect("it runs")
    };
    let mut command = toolcrib(test);
    command.env("TOOLCRIB_PASSPHRASE", "right").args(["secret", "set", "GH_TOKEN"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(CANARY.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    assert!(!folder(test).join("home/data/secrets.key").exists());
    assert!(with("right", &["call", "gh.env", "-c", "a.yaml"]).status.success());
    let refused = with("wrong", &["call", "gh.env", "-c", "a.yaml"]);
    assert!(refused.status.code() == Some(3) && String::from_utf8_lossy(&refused.stderr).contains("TC0304"));
    assert!(cli(test, "call gh.env -c a.yaml").contains("hint: set the variable TOOLCRIB_PASSPHRASE"));
}
