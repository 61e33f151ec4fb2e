//! `run` and its neighbours, in a home directory of their own, each with a gateway of its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use crib_test::lacks;
use crib_test::npm::{Package, Published, Registry};

use super::folder;

/// A server of the fewest lines that lists one tool, which reads a file.
pub(crate) const SERVER: &str = r#"#!/usr/bin/env node
const fs = require('fs');
process.stderr.write('the server is up\n');
const tool = { name: 'read', description: 'Reads a file', inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] } };
const read = path => { try { return fs.readFileSync(path, 'utf8'); } catch (e) { return 'refused ' + e.code; } };
const answer = ({ method, params }) => {
  if (method === 'initialize') return { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'reader', version: '1' } };
  if (method === 'tools/list') return { tools: [tool] };
  if (method === 'tools/call') return { content: [{ type: 'text', text: read(params.arguments.path) }] };
};
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const message = JSON.parse(line);
  if (message.id === undefined) return;
  const result = answer(message);
  const body = result ? { result } : { error: { code: -32601, message: 'unknown' } };
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...body }) + '\n');
});
"#;

/// Stands for the registries of the world, which no test asks.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";

/// A home directory whose gateway ends with the test.
pub(crate) struct Home(pub(crate) PathBuf);

/// What came out of a command.
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new(test: &str) -> Self {
        let path = folder("run").join(test);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("work")).expect("a home");
        Self(path.canonicalize().expect("it is there"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolcrib"));
        command
            .env("HOME", &self.0)
            .env("TOOLCRIB_LISTEN", "127.0.0.1:0")
            .env("TOOLCRIB_REGISTRY", NOWHERE)
            .current_dir(self.0.join("work"))
            .args(args);
        for name in ["TOOLCRIB_URL", "TOOLCRIB_HOME", "TOOLCRIB_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    #[track_caller]
    pub(crate) fn good(&self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.status, 0, "{args:?}\n{}\n{}", said.stdout, said.stderr);
        said
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(&path, text).expect("writable");
        path
    }

    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.0.join(".config/toolcrib/config.yaml")).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.command(&["stop", "--gateway"]).output());
    }
}

pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { status: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn the_first_minute_of_a_new_user_leaves_nothing_behind() {
    let home = Home::new("first_minute");
    let original = "{\n  // mine\n  \"mcpServers\": {}\n}\n";
    let file = home.write(".cursor/mcp.json", original);
    let first = home.good(&["run", "demo"]);
    assert!(first.stdout.starts_with("started  demo · 13 tools · MCP 2026-07-28\n"), "{}", first.stdout);
    assert!(first.stdout.contains("  add(a: number, b: number)\n"), "{}", first.stdout);
    assert!(first.stderr.contains("try      toolcrib call demo.add"), "{}", first.stderr);
    assert!(first.stderr.contains("(found: Cursor"), "{}", first.stderr);
    assert!(first.stderr.contains("in the background"), "{}", first.stderr);
    assert_eq!(home.good(&["call", "demo.add", "a=88", "b=22"]).stdout.trim(), "110");
    assert_eq!(home.good(&["run", "demo", "add", "a=1", "b=2"]).stdout.trim(), "3");
    home.good(&["connect", "cursor", "--yes", "--no-check"]);
    let connected = fs::read_to_string(&file).expect("a file");
    assert!(connected.contains("\"toolcrib\"") && connected.contains("// mine"), "{connected}");
    home.good(&["connect", "--restore", "--yes"]);
    assert_eq!(fs::read_to_string(&file).expect("a file"), original);
    let stopped = home.good(&["stop"]);
    assert!(stopped.stderr.starts_with("stopped  the gateway at http://127.0.0.1:"), "{}", stopped.stderr);
    assert!(!home.0.join(".local/share/toolcrib/gateway.json").exists());
    assert!(home.good(&["stop"]).stderr.contains("no gateway runs"));
}

#[test]
fn a_server_reads_what_it_was_granted_and_nothing_else() {
    if lacks("node") {
        return;
    }
    let home = Home::new("granted");
    home.write("work/reader/package.json", r#"{"name":"reader","version":"1.0.0","bin":"index.js"}"#);
    home.write("work/reader/index.js", SERVER);
    let secret = home.write("notes/secret.txt", "the secret").display().to_string();
    let notes = home.0.join("notes").display().to_string();
    home.write(".config/toolcrib/config.yaml", "# kept\nservers:\n  demo: { builtin: demo } # and this\n");

    let started = home.good(&["run", "./reader"]);
    assert!(started.stdout.contains("started  reader · 1 tool · MCP 2025-06-18 · pid "), "{}", started.stdout);
    assert!(started.stderr.contains("sandbox  network  none"), "{}", started.stderr);
    let config = home.config();
    assert!(config.starts_with("# kept\nservers:\n") && config.contains("  demo: { builtin: demo } # and this\n"), "{config}");
    let read = ["call", "reader.read", &format!("path={secret}")].map(str::to_owned);
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    assert!(home.good(&read).stdout.starts_with("refused E"), "it was not granted");

    home.good(&["run", "reader", "--allow-read", &notes]);
    assert_eq!(home.good(&read).stdout.trim(), "the secret");
    let shown = home.good(&["show", "reader"]).stdout;
    assert!(shown.contains(&format!("sandbox  read     {notes}\n         network  none\n")), "{shown}");
    assert!(shown.contains("promises hold"), "{shown}");
    assert!(home.good(&["logs", "reader"]).stdout.contains("  the server is up\n"));
    let unknown = home.run(&["run", "reader", "--revoke", "example.com"]);
    assert!(unknown.status == 2 && unknown.stderr.contains(&format!("granted: {notes}")), "{}", unknown.stderr);
    home.good(&["run", "reader", "--revoke", &notes]);
    assert!(home.good(&read).stdout.starts_with("refused E"), "it was taken back");
    let kind = home.run(&["run", "reader", "--kind", "npm"]);
    assert!(kind.status == 2 && kind.stderr.contains("`reader` is here already"), "{}", kind.stderr);
    assert_eq!(home.run(&["run", "reader", "--kind", "foo"]).status, 2);
    let listed = home.good(&["ps"]).stdout;
    assert!(listed.starts_with("NAME    STATE    ERA         TOOLS  CALLS  P95 ") && listed.contains("reader\n"), "{listed}");

    home.good(&["rm", "reader"]);
    assert_eq!(home.config(), "# kept\nservers:\n  demo: { builtin: demo } # and this\n");
    assert_eq!(home.run(&read).status, 5, "it is gone");
    assert_eq!(home.run(&["rm", "reader"]).status, 2);
}

#[test]
fn a_crash_that_is_known_names_its_remedy() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("crash");
    home.write("work/old/server.py", "import nowhere.to.be_found\n");
    let crashed = home.run(&["run", "./old"]);
    assert_eq!(crashed.status, 4, "{}{}", crashed.stdout, crashed.stderr);
    assert!(crashed.stderr.contains("error[TC0203]: `old` stopped"), "{}", crashed.stderr);
    assert!(crashed.stderr.contains("hint: it needs the Python module `nowhere"), "{}", crashed.stderr);
    assert!(crashed.stderr.contains("install it for the Python that runs the folder"), "{}", crashed.stderr);
}

#[test]
fn what_does_not_go_together_is_refused_before_anything_is_written() {
    let home = Home::new("refused");
    home.write(".config/toolcrib/config.yaml", "servers:\n  time: { command: my-clock }\n");
    let before = home.config();
    for (args, word) in [
        (&["run", "pypi:mcp-server-time"][..], "another server called `time`"),
        (&["run", "no-such-name"][..], "toolcrib run npm:no-such-name"),
        (&["run", "npm:../x"][..], "is not a server"),
        (&["run", "demo", "--allow-net", "*"][..], "goes with a package"),
        (&["run", "https://example.com/mcp", "--with", "mcp<2"][..], "goes with a package"),
        (&["run", "--allow-net", "*", "--", "my-server"][..], "is not confined"),
        (&["pull", "time", "--allow", "everything"][..], "is no finding"),
        (&["run"][..], "required"),
    ] {
        let said = home.run(args);
        assert!(said.status == 2 || said.status == 4, "{args:?} {}", said.status);
        assert!(said.stderr.contains(word), "{args:?}\n{}", said.stderr);
    }
    assert_eq!(home.config(), before);
    assert!(!home.0.join(".local/share/toolcrib/gateway.json").exists());
}

/// A registry of npm on loopback.
pub(crate) fn registry() -> (String, Registry) {
    let registry = Registry::new();
    (registry.site.base.clone(), registry)
}

/// Publishes a version of the reader as the latest.
pub(crate) fn publish(registry: &Registry, name: &str, version: &str) -> Published {
    publish_server(registry, (name, version), SERVER)
}

/// Publishes a version of a server as the latest.
pub(crate) fn publish_server(registry: &Registry, (name, version): (&str, &str), server: &str) -> Published {
    let listed = format!("io.github.owner/{name}");
    registry.publish(&Package { server: Some(&listed), ..Package::new(name, version, server) })
}

pub(crate) fn of_registry(home: &Home, base: &str, args: &[&str]) -> Said {
    said(&mut command_of_registry(home, base, args))
}

pub(crate) fn command_of_registry(home: &Home, base: &str, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.env("npm_config_registry", base).env("npm_config_cache", home.0.join("cache")).env("npm_config_fetch_retries", "0");
    command.env("npm_config_userconfig", "/dev/null");
    command
}

#[test]
fn a_package_is_pulled_updated_and_run_without_its_registry() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("registry");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let pulled = of_registry(&home, &base, &["pull", "npm:reader-server"]);
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    assert!(pulled.stderr.contains("pulled   npm:reader-server 1.0.0"), "{}", pulled.stderr);
    assert!(pulled.stderr.contains("(unsigned)"), "{}", pulled.stderr);
    publish(&pages, "reader-server", "1.1.0");
    let updated = of_registry(&home, &base, &["pull", "reader"]);
    assert!(updated.stderr.contains("version     1.0.0 -> 1.1.0"), "{}", updated.stderr);
    publish(&pages, "reader-server", "1.0.0");
    let back = of_registry(&home, &base, &["pull", "reader", "--json"]);
    assert_eq!(back.status, 6, "{}", back.stderr);
    assert!(back.stderr.contains("\"code\":\"package_refused\""), "{}", back.stderr);
    // The registry is gone; what was pulled is here.
    pages.site.clear();
    let ran = of_registry(&home, &base, &["run", "npm:reader-server", "--json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("\"schema\":\"toolcrib/v1/run\"") && ran.stdout.contains("npm:reader-server@1.1.0"), "{}", ran.stdout);
    assert!(home.config().contains("run: npm:reader-server@1.1.0"), "{}", home.config());
    publish(&pages, "reader-server", "1.2.0");
    let next = of_registry(&home, &base, &["pull", "reader"]);
    assert_eq!(next.status, 0, "{}", next.stderr);
    assert!(home.config().contains("run: npm:reader-server@1.2.0"), "{}", home.config());
    assert!(home.good(&["list"]).stdout.contains("npm:reader-server@1.2.0"));
    assert!(home.good(&["call", "reader.read", "path=/nowhere"]).stdout.starts_with("refused"));
}

#[test]
fn bytes_that_were_changed_are_not_started() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("changed");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    assert_eq!(of_registry(&home, &base, &["run", "npm:reader-server"]).status, 0);
    home.good(&["stop"]);
    let script = said(Command::new("find").args([".local/share/toolcrib/store", "-name", "index.js"]).current_dir(&home.0)).stdout;
    let script = home.0.join(script.trim());
    let mut text = fs::read_to_string(&script).expect("a script");
    text.push_str("// more\n");
    write_anyway(&script, &text);
    let refused = home.run(&["call", "reader.read", "path=x"]);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("TC0505") || refused.stderr.contains("TC0310"), "{}", refused.stderr);
    let why = home.run(&["list"]).stdout;
    assert!(why.contains("TC0505"), "{why}");
    // Fetched again, it starts at the next call.
    assert_eq!(of_registry(&home, &base, &["pull", "reader"]).status, 0);
    assert_eq!(home.good(&["call", "reader.read", "path=/gone"]).stdout.trim(), "refused ENOENT");
    home.good(&["stop"]);
    write_anyway(&script, &text);
    let mended = of_registry(&home, &base, &["run", "reader"]);
    assert!(mended.status == 0 && mended.stderr.contains("the files of `reader` were changed since they were locked"), "{}", mended.stderr);
}

/// Writes a file that is read-only.
pub(crate) fn write_anyway(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("ours");
    fs::write(path, text).expect("writable");
}

#[test]
fn a_command_does_not_take_the_place_of_another() {
    let home = Home::new("taken_by_command");
    let before = "version: 1\nservers:\n  mine: { command: python3, args: [/tmp/none.py], env: { KEEP: me }, timeout: 9s }\n";
    home.write(".config/toolcrib/config.yaml", before);
    let other = home.run(&["run", "--name", "mine", "--", "python3", "/tmp/other.py"]);
    assert_eq!(other.status, 2, "{}", other.stderr);
    assert!(other.stderr.contains("there is another server called `mine`: python3 /tmp/none.py"), "{}", other.stderr);
    assert_eq!(home.config(), before);
    // The same one again, with more: what was there stays. It cannot start, which is not the question.
    home.run(&["run", "--name", "mine", "-e", "MORE=x", "--", "python3", "/tmp/none.py"]);
    let after = home.config();
    assert!(["KEEP: me", "MORE: x", "timeout:"].iter().all(|kept| after.contains(kept)), "{after}");
}

#[test]
fn our_own_folders_are_granted_to_nobody() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("own_folders");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let own = home.0.join(".local/share/toolcrib");
    for place in [home.0.clone(), own.clone(), own.join("store")] {
        fs::create_dir_all(&place).expect("writable");
        let place = place.display().to_string();
        for flag in ["--allow-read", "--allow-write"] {
            let refused = of_registry(&home, &base, &["run", "npm:reader-server", flag, &place]);
            assert_ne!(refused.status, 0);
            assert!(refused.stderr.contains(&format!("`{place}` cannot be granted")), "{}", refused.stderr);
        }
    }
    // Nor by the configuration.
    let everything =
        format!("version: 1\nservers:\n  reader: {{ run: npm:reader-server@1.0.0, sandbox: {{ read: [\"{}\"] }} }}\n", home.0.display());
    home.write(".config/toolcrib/config.yaml", &everything);
    let refused = home.run(&["call", "reader.read", "path=/x"]);
    assert!(refused.status != 0 && refused.stderr.contains("cannot be granted"), "{}", refused.stderr);
}

#[test]
fn no_server_may_write_where_the_configuration_is() {
    if lacks("node") {
        return;
    }
    let home = Home::new("guarded");
    home.write("work/reader/package.json", r#"{"name":"reader","version":"1.0.0","bin":"index.js"}"#);
    home.write("work/reader/index.js", SERVER);
    let text = home.write("project/notes/a.txt", "a note").display().to_string();
    let project = home.0.join("project");
    let serve = |grants: &str| {
        let reader = home.0.join("work/reader").display().to_string();
        home.write("project/toolcrib.yaml", &format!("servers:\n  reader: {{ run: \"{reader}\", sandbox: {{ {grants} }} }}\n"));
        home.run(&["call", "reader.read", &format!("path={text}"), "-c", "../project/toolcrib.yaml"])
    };
    for place in [project.clone(), project.join("toolcrib.yaml")] {
        let refused = serve(&format!("write: [\"{}\"]", place.display()));
        assert_ne!(refused.status, 0);
        let why = format!("`{}` cannot be granted for writing: `{}` is in it", place.display(), project.join("toolcrib.yaml").display());
        assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    }
    for grants in [format!("read: [\"{}\"]", project.display()), format!("write: [\"{}/notes\"]", project.display())] {
        assert_eq!(serve(&grants).stdout.trim(), "a note", "{grants}");
    }
}

#[test]
fn two_servers_that_are_added_at_once_are_both_there() {
    let home = Home::new("two_at_once");
    home.good(&["run", "demo"]);
    let add = |name: &str| {
        home.command(&["run", "builtin:demo", "--name", name]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    let children: Vec<_> = ["one", "two", "three", "four"].map(add).into_iter().collect();
    for child in children {
        let done = child.wait_with_output().expect("it ends");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let config = home.config();
    assert!(["one:", "two:", "three:", "four:"].iter().all(|name| config.contains(name)), "{config}");
}

#[test]
fn a_real_server_tells_the_time() {
    if lacks("uv") {
        return;
    }
    let home = Home::new("time");
    let ran = home.run(&["run", "time"]);
    if ran.status != 0 && (ran.stderr.contains("TC0504") || ran.stderr.contains("TC0503")) {
        drop(writeln!(std::io::stderr(), "skipped: mcp-server-time cannot be fetched here"));
        return;
    }
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("started  time · 2 tools · MCP 2026-07-28 · pid "), "{}", ran.stdout);
    let time = home.good(&["call", "time.get_current_time", "timezone=UTC"]);
    assert!(time.stdout.contains("\"timezone\": \"UTC\""), "{}", time.stdout);
}
