//! What files of VS Code have a person asked for, catalogues, and bundles: by `serve` and `connect --import`.

use super::run::{Home, lacks};
use super::terminal::Terminal;

const PROJECT: &str = r#"{
  "inputs": [
    { "type": "promptString", "id": "key", "description": "Key of the search", "password": true },
    { "type": "pickString", "id": "region", "description": "Where", "options": ["eu", { "label": "America", "value": "us" }] }
  ],
  "servers": {
    "search": { "command": "sh", "args": ["-c", "echo ${input:region} $KEY $MORE >&2; exit 3"], "env": { "KEY": "${input:key}" }, "envFile": ".env" }
  }
}"#;

fn project(test: &str) -> Home {
    let home = Home::new(test);
    home.write("work/.vscode/mcp.json", PROJECT);
    home.write("work/.env", "MORE='out of a file'\n");
    home
}

#[test]
fn inputs_are_asked_for_once_at_a_terminal() {
    if lacks("python3") {
        return;
    }
    let home = project("inputs_asked");
    let serve = || Terminal::of(home.command(&["serve", "-c", ".vscode/mcp.json", "--listen", "127.0.0.1:0"]).env("NO_COLOR", "1"));
    let mut terminal = serve();
    terminal.shows("`search` asks for `region` (Where):");
    terminal.shows("1 to 2: ");
    terminal.types("3\n");
    terminal.shows("1 to 2: ");
    terminal.types("America\n");
    terminal.shows("`search` asks for `key` (Key of the search): ");
    terminal.types("hidden-key\n");
    let shown = terminal.shows("serving");
    assert!(!shown.contains("hidden-key") && shown.contains("kept     input.key."), "{shown}");
    terminal.leave();
    // It is known from then on, by those too who have no terminal.
    let mut terminal = serve();
    let shown = terminal.shows("serving");
    terminal.leave();
    assert!(!shown.contains("asks for"), "{shown}");
    let called = home.run(&["call", "-c", ".vscode/mcp.json", "search.x"]);
    assert!(called.stderr.contains("us [secret] out of a file"), "{}", called.stderr);
}

#[test]
fn without_a_terminal_a_server_says_which_input_it_needs() {
    let home = project("inputs_alone");
    let checked = home.run(&["serve", "-c", ".vscode/mcp.json", "--check"]);
    for words in ["`search` needs the input `key` (Key of the search): toolcrib secret set input.key.", "TOOLCRIB_INPUT_REGION"] {
        assert!(checked.status == 0 && checked.stderr.contains(words), "{words}: {}", checked.stderr);
    }
    let called = home.run(&["call", "-c", ".vscode/mcp.json", "search.x"]);
    assert!(called.status == 3 && called.stderr.contains("error[TC0302]"), "{}", called.stderr);
}

#[test]
fn inputs_come_in_as_secrets_or_not_at_all() {
    if lacks("python3") {
        return;
    }
    let home = project("inputs_imported");
    let import = ["connect", "--import", "--scope", "project", "vscode"];
    let refused = home.run(&[&import[..], &["-y"]].concat());
    assert_eq!(refused.status, 7, "{}", refused.stderr);
    assert!(
        refused.stdout.contains("skipped") && refused.stderr.contains("`search` needs the input `region` (Where)"),
        "{}",
        refused.stderr
    );
    assert!(home.config().is_empty(), "{}", home.config());
    let mut terminal = Terminal::of(home.command(&import).env("NO_COLOR", "1"));
    terminal.shows("Go on? [y/N] ");
    terminal.types("y\n");
    terminal.shows("1 to 2: ");
    terminal.types("1\n");
    terminal.shows("`key` (Key of the search): ");
    terminal.types("hidden-key\n");
    assert_eq!(terminal.end().0, 0);
    let config = home.config();
    for words in ["echo eu $KEY", "KEY: \"${secret:input.key.", "envFile: "] {
        assert!(config.contains(words), "{words}: {config}");
    }
    assert!(!config.contains("hidden-key") && !config.contains("out of a file"), "{config}");
    let again = home.good(&[&import[..], &["-y"]].concat());
    assert!(again.stdout.contains("same") && home.config() == config, "{}", again.stdout);
}

#[test]
fn of_a_catalogue_only_what_is_named_is_served() {
    let home = Home::new("inputs_catalogue");
    home.write(
        "work/catalog.yaml",
        "registry:\n  near: { type: server, image: mcp/near }\n  far: { type: remote, remote: { url: \"http://127.0.0.1:9/mcp\" } }\n",
    );
    let none = home.run(&["serve", "-c", "catalog.yaml", "--check"]);
    assert!(none.status == 8 && none.stderr.contains("a catalogue of 2 servers, and none of them is chosen"), "{}", none.stderr);
    assert!(none.stderr.contains("--only near"), "{}", none.stderr);
    let one = home.good(&["serve", "-c", "catalog.yaml", "--check", "--only", "far", "--json"]);
    assert!(one.stdout.contains("\"servers\":[\"far\"]"), "{}", one.stdout);
    let unknown = home.run(&["serve", "-c", "catalog.yaml", "--check", "--only", "fra"]);
    assert!(unknown.status == 8 && unknown.stderr.contains("did you mean `far`?"), "{}", unknown.stderr);
}

#[test]
fn what_is_chosen_of_a_file_is_chosen_alike_by_every_command() {
    let home = Home::new("inputs_chosen");
    home.write(
        "work/catalog.yaml",
        "registry:\n  near: { type: server, image: mcp/near, secrets: [{ name: near.key, env: KEY }] }\n  far: { type: remote, remote: { url: \"http://127.0.0.1:9/mcp\" } }\n",
    );
    home.write("work/ours.yaml", "servers:\n  demo: { builtin: demo }\n  gone: { command: /nonexistent/server }\n");
    let listed = home.good(&["list", "-c", "ours.yaml", "--only", "demo", "--json"]);
    assert!(listed.stdout.contains("\"name\":\"demo\"") && !listed.stdout.contains("gone"), "{}", listed.stdout);
    assert_eq!(home.good(&["call", "demo.add", "a=1", "b=2", "-c", "ours.yaml", "--only", "demo,gone"]).stdout.trim(), "3");
    let other = home.run(&["call", "demo.add", "a=1", "b=2", "-c", "ours.yaml", "--only", "gone"]);
    assert!(other.status == 5 && other.stderr.contains("TC0310"), "{}", other.stderr);
    let listed = home.good(&["list", "-c", "catalog.yaml", "--only", "far", "--json"]);
    assert!(listed.stdout.contains("\"name\":\"far\"") && !listed.stdout.contains("near"), "{}", listed.stdout);
    for args in [&["list", "-c", "catalog.yaml"][..], &["show", "far", "-c", "catalog.yaml"], &["call", "far.x", "-c", "catalog.yaml"]] {
        let none = home.run(args);
        assert!(none.status == 2 && none.stderr.contains("none of them is chosen"), "{args:?}: {}", none.stderr);
    }
    let unknown = home.run(&["show", "far", "-c", "catalog.yaml", "--only", "fra"]);
    assert!(unknown.status == 5 && unknown.stderr.contains("did you mean `far`?"), "{}", unknown.stderr);
    assert_eq!(home.run(&["list", "--only", "demo"]).status, 2);
    let secrets = home.good(&["secret", "ls", "-c", "catalog.yaml", "--only", "near"]);
    assert!(secrets.stdout.contains("near.key"), "{}", secrets.stdout);
}

#[test]
fn a_bundle_is_served_as_a_file_and_as_a_server() {
    let home = Home::new("inputs_bundle");
    home.write("work/notes.mcpb", "not a bundle, and nobody looks yet");
    for args in [&["serve", "-c", "notes.mcpb", "--check", "--json"][..], &["serve", "notes.mcpb", "--check", "--json"]] {
        let checked = home.good(args);
        assert!(checked.stdout.contains("\"servers\":[\"notes\"]"), "{}", checked.stdout);
    }
    let gone = home.run(&["serve", "-c", "gone.mcpb", "--check"]);
    assert!(gone.status == 8 && gone.stderr.contains("cannot read gone.mcpb"), "{}", gone.stderr);
}
