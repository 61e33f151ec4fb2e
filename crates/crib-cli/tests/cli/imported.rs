//! Servers of clients that come from packages: `connect --import` has them run in the sandbox.

use std::fs;

use super::run::{Home, NOWHERE, command_of_registry, lacks, of_registry, publish, registry};
use super::terminal::Terminal;

/// A client with a server of a package that is told of a folder and of a host.
fn client(home: &Home) -> (String, String) {
    let note = home.write("notes/a.txt", "a note").display().to_string();
    let notes = home.0.join("notes").display().to_string();
    let entry = format!(
        r#"{{"mcpServers": {{"reader": {{"command": "npx", "args": ["-y", "reader-server", "{notes}"], "env": {{"API": "https://api.example.com/v1", "KEEP": "me"}}}}}}}}"#
    );
    home.write(".cursor/mcp.json", &entry);
    (notes, note)
}

#[test]
fn servers_of_npx_come_in_as_packages_with_what_their_arguments_name() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("imported");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let (notes, note) = client(&home);
    let came = of_registry(&home, &base, &["connect", "--import", "-y"]);
    assert_eq!(came.status, 0, "{}", came.stderr);
    assert!(came.stdout.contains("reader  confined  cursor  npm:reader-server@1.0.0\n"), "{}", came.stdout);
    for line in [&format!("sandbox  write    {notes}"), "sandbox  network  api.example.com\n", "toolcrib connect --import --no-confine"] {
        assert!(came.stderr.contains(line), "{line}: {}", came.stderr);
    }
    let config = home.config();
    assert!(config.contains("run: npm:reader-server@1.0.0") && config.contains("KEEP: me") && !config.contains("command"), "{config}");
    assert_eq!(home.good(&["run", "reader", "read", &format!("path={note}")]).stdout.trim(), "a note");
    let other = home.write("other/b.txt", "another").display().to_string();
    assert!(home.good(&["call", "reader.read", &format!("path={other}")]).stdout.starts_with("refused"));
    // It is the same server when it is brought in again, and the same as a command is not.
    let again = of_registry(&home, &base, &["connect", "--import", "-y"]);
    assert!(again.stdout.contains("same") && home.config() == config, "{}", again.stdout);
    assert!(of_registry(&home, &base, &["connect", "--restore", "-y"]).status == 0 && home.config().is_empty());
    let plain = of_registry(&home, &base, &["connect", "--import", "-y", "--no-confine"]);
    assert!(plain.stdout.contains("reader  imported  cursor  npx  unconfined"), "{}", plain.stdout);
    assert!(plain.stderr.contains("toolcrib connect --import --confine"), "{}", plain.stderr);
    assert!(home.config().contains("command: npx"), "{}", home.config());
}

#[test]
fn what_is_refused_stays_out_and_what_cannot_be_fetched_now_is_fetched_later() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("imported_not");
    home.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {
            "near": {"command": "npx", "args": ["@modelcontextprotocol/server-memoryy"]},
            "far": {"command": "npx.cmd", "args": ["-y", "--package=reader-server@1", "reader-server", "-v"], "disabled": true},
            "git": {"command": "uvx", "args": ["--from", "git+https://example.com/r", "x"]}
        }}"#,
    );
    let came = of_registry(&home, NOWHERE, &["connect", "--import", "-y"]);
    assert_eq!(came.status, 0, "{}", came.stderr);
    for line in
        ["near  skipped ", "is one letter away", "far   confined", "is fetched when it is first called", "git   imported", "unconfined: "]
    {
        assert!(came.stdout.contains(line), "{line}: {}", came.stdout);
    }
    let config = home.config();
    assert!(config.contains("run: npm:reader-server@1\n    args: [\"-v\"]\n    enabled: false\n"), "{config}");
    assert!(!config.contains("memoryy") && config.contains("command: uvx"), "{config}");
}

#[test]
fn a_terminal_is_asked_how_packages_come_in_and_what_they_may() {
    if lacks("npm") || lacks("node") || lacks("python3") {
        return;
    }
    let home = Home::new("imported_asked");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let (notes, _) = client(&home);
    let ask = || {
        let mut terminal = Terminal::of(command_of_registry(&home, &base, &["connect", "--import"]).env("NO_COLOR", "1"));
        terminal.shows("Go on? [y/N] ");
        terminal.types("y\n");
        terminal.shows("reader come from packages. Run them in the sandbox");
        terminal
    };
    let mut no = ask();
    no.types("n\n");
    let (status, shown) = no.end();
    assert!(status == 0 && shown.contains("unconfined"), "{shown}");
    assert!(home.config().contains("command: npx"), "{}", home.config());
    assert_eq!(home.run(&["connect", "--restore", "-y"]).status, 0);
    let mut yes = ask();
    yes.types("\n");
    yes.shows(&format!("`reader` is told of {notes}. May it read and write there? [w = read and write, r = read only, N] "));
    yes.types("r\n");
    yes.shows("`reader` is told of api.example.com. May it reach that over the network? [y/N] ");
    yes.types("\n");
    let (status, shown) = yes.end();
    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains(&format!("sandbox  read     {notes}")) && shown.contains("network  none"), "{shown}");
    let lock = fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).expect("a lockfile");
    assert!(lock.contains(&format!("read = [\"{notes}\"]\nwrite = []\nnet = []")), "{lock}");
}

#[test]
fn the_servers_of_one_file_are_taken_in_wherever_it_lies() {
    let home = Home::new("imported_from");
    home.write(".cursor/mcp.json", r#"{"mcpServers": {"other": {"command": "/bin/false"}}}"#);
    home.write(
        "got/servers.json",
        r#"{ // from a colleague
          "mcpServers": {"near": {"command": "/bin/true", "env": {"T": "${env:T}"}}, "far": {"serverUrl": "https://far.example.com/mcp"}, "odd": {"note": 1}} }"#,
    );
    let from = |file: &str, more: &[&str]| home.run(&[&["connect", "--import", "--from", file], more].concat());
    let shown = from("../got/servers.json", &["--dry-run"]);
    assert!(shown.status == 0 && shown.stdout.contains("+  near:") && home.config().is_empty(), "{}{}", shown.stdout, shown.stderr);
    let asked = from("../got/servers.json", &["--no-input"]);
    assert!(asked.status == 3 && home.config().is_empty(), "{}", asked.stderr);
    let came = from("../got/servers.json", &["-y"]);
    assert_eq!(came.status, 0, "{}", came.stderr);
    for line in ["near  imported  file  /bin/true\n", "far   imported  file  https://far.example.com/mcp\n", "odd   skipped   file"] {
        assert!(came.stdout.contains(line), "{line}: {}", came.stdout);
    }
    let config = home.config();
    assert!(config.contains("T: \"${env:T}\"") && !config.contains("other") && !config.contains("odd"), "{config}");
    assert!(from("../got/servers.json", &["-y"]).stdout.contains("same") && home.config() == config);
    assert!(home.run(&["connect", "--restore", "-y"]).status == 0 && home.config().is_empty());

    // A file whose place says whose it is, is read in that client's words, and its servers run in its folder.
    home.write("project/.codex/config.toml", "[mcp_servers.coded]\ncommand = \"/bin/true\"\nenv_vars = [\"TOKEN\"]\n");
    let came = from("../project/.codex/config.toml", &["-y"]);
    assert!(came.stdout.contains("coded  imported  codex  /bin/true"), "{}{}", came.stdout, came.stderr);
    let config = home.config();
    assert!(config.contains("TOKEN: \"${env:TOKEN}\"") && config.contains("project\n"), "{config}");
    // Files of YAML, and names alone.
    home.write("got/goose.yaml", "extensions:\n  cooked: { type: stdio, cmd: /bin/true, enabled: true }\n");
    assert!(from("../got/goose.yaml", &["-y"]).stdout.contains("cooked  imported  file  /bin/true"));
    home.write("got/bare.json", r#"{"plain": {"command": "/bin/true"}}"#);
    assert!(from("../got/bare.json", &["-y"]).stdout.contains("plain  imported  file  /bin/true"));
}

#[test]
fn a_file_that_has_no_servers_to_take_in_is_told_and_changes_nothing() {
    let home = Home::new("imported_from_not");
    home.write("got/broken.json", "{\n  \"mcpServers\": {\n");
    home.write("got/none.json", r#"{"theme": "dark"}"#);
    home.write("got/ours.yaml", "servers:\n  demo: { builtin: demo }\n");
    home.write("got/registry.json", r#"{"servers": {"fetch": {"image": "example.com/fetch:1"}, "time": {"image": "example.com/time:1"}}}"#);
    for (file, status, words) in [
        ("gone.json", 2, "cannot read ~/got/gone.json"),
        ("broken.json", 2, "broken.json:2:17"),
        ("none.json", 2, "no MCP servers in ~/got/none.json"),
        ("ours.yaml", 2, "toolcrib serve -c FILE"),
        ("registry.json", 2, "toolcrib serve -c ~/got/registry.json --only NAME"),
    ] {
        let said = home.run(&["connect", "--import", "--from", &format!("../got/{file}"), "-y"]);
        assert!(said.status == status && said.stderr.contains(words), "{file}: {} {}", said.status, said.stderr);
    }
    assert!(home.config().is_empty());
    for args in [&["connect", "--from", "x.json"][..], &["connect", "--import", "cursor", "--from", "x.json"]] {
        assert_eq!(home.run(args).status, 2, "{args:?}");
    }
}
