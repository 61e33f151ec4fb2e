//! `connect`, `doctor` and the status card, in a home directory of their own.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crib_clients::{Client, Language, Local, Os, Places, Remote, Scope, Spot, Support, clients};

use super::folder;

/// A gateway that is not there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A home directory with nothing in it.
pub(super) struct Home(pub(super) PathBuf);

impl Home {
    pub(super) fn new(test: &str) -> Self {
        let path = folder("homes").join(test);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("work")).expect("a home");
        fs::create_dir_all(path.join("bin")).expect("a place for programs");
        Self(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        fs::write(path, text).expect("writable");
        self
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).expect("a file")
    }

    /// A program that says something.
    fn program(&self, name: &str, says: &str) -> &Self {
        self.write(&format!("bin/{name}"), &format!("#!/bin/sh\nprintf '%s\\n' '{says}'\n"));
        fs::set_permissions(self.0.join("bin").join(name), fs::Permissions::from_mode(0o755)).expect("executable");
        self
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolcrib"));
        command.env_clear().env("HOME", &self.0).env("PATH", self.0.join("bin")).env("TOOLCRIB_URL", NOWHERE);
        command.current_dir(self.0.join("work")).args(args);
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    /// Everything that comes out, without what differs from day to day.
    fn out(&self, args: &[&str]) -> String {
        let done = self.run(args);
        let text = |bytes: &[u8]| self.timeless(&String::from_utf8_lossy(bytes));
        let status = done.status.code().unwrap_or(-1);
        let args = args.join(" ");
        format!(
            "$ toolcrib {args}\nexit {status}\n--- stdout\n{}\n--- stderr\n{}\n",
            text(&done.stdout).trim_end(),
            text(&done.stderr).trim_end()
        )
    }

    fn timeless(&self, text: &str) -> String {
        let text = text.replace(env!("CARGO_BIN_EXE_toolcrib"), "/bin/toolcrib").replace(&self.0.display().to_string(), "[HOME]");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("/backups/") {
            out.push_str(before);
            out.push_str("/backups/[TIME]");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == 'T');
        }
        // What a sandbox holds is a matter of the machine.
        (out + rest).lines().filter(|line| !line.contains("  sandbox  ")).map(|line| without_sandbox(line) + "\n").collect()
    }
}

fn without_sandbox(line: &str) -> String {
    match line.split_once(",{\"about\":\"sandbox\"") {
        Some((before, after)) => before.to_owned() + after.split_once('}').map_or("", |(_, rest)| rest),
        None => line.to_owned(),
    }
}

/// A machine with a few clients.
fn usual(test: &str) -> Home {
    let home = Home::new(test);
    home.write(
        ".cursor/mcp.json",
        "{\n  // mine\n  \"mcpServers\": {\n    \"time\": { \"command\": \"uvx\", \"args\": [\"mcp-server-time\"] }\n  }\n}\n",
    );
    home.write(".codex/config.toml", "model = \"o\" # best\n");
    home.write(".config/zed/settings.json", "{\n\t\"theme\": \"One\",\n}\n");
    home.write(".config/goose/config.yaml", "extensions:\n  developer: { type: builtin, enabled: true }\n");
    fs::create_dir_all(home.0.join(".config/Claude")).expect("writable");
    home
}

macro_rules! snapshots {
    ($($test:ident => $home:expr, $([$($arg:literal),*]),+;)+) => {
        $(#[test]
        fn $test() {
            let home: Home = $home;
            let text: Vec<String> = vec![$(home.out(&[$($arg),*])),+];
            insta::assert_snapshot!(stringify!($test), text.join("\n"));
        })+
    };
}

snapshots! {
    connect_where_nothing_is_installed => Home::new("nothing"), ["connect"], ["connect", "--json"], ["connect", "--restore"], ["connect", "--import"];
    connect_an_unknown_client => Home::new("unknown"), ["connect", "cursr"], ["connect", "frobnicator"], ["connect", "--print", "cursr", "--json"];
    connect_a_client_that_is_not_here => Home::new("missing"), ["connect", "cursor"], ["connect", "lmstudio", "--json"];
    connect_by_hand => Home::new("by_hand"), ["connect", "warp"], ["connect", "warp", "--print"], ["connect", "roo", "-y"];
    connect_asks_and_nobody_answers => usual("consent"), ["connect"], ["connect", "cursor", "--no-input"];
    connect_shows_what_would_change => usual("dry"), ["connect", "--dry-run"], ["connect", "cursor", "--dry-run", "--json"];
    connect_and_again_and_back => usual("all"), ["connect", "--yes"], ["connect", "-y"], ["connect", "--restore", "-y"], ["connect", "--restore", "-y"];
    connect_for_programs => usual("json"), ["connect", "-y", "--json", "cursor"], ["connect", "--restore", "-y", "--json"];
    connect_and_take_out => usual("remove"), ["connect", "-y", "cursor"], ["connect", "--remove", "-y"], ["connect", "--remove", "cursor"];
    connect_prints_entries => Home::new("print"),
        ["connect", "--print", "claude-code", "claude-desktop", "vscode", "codex", "goose", "continue", "opencode", "vibe"],
        ["connect", "--print", "cursor", "--key-env", "TOOLCRIB_KEY"],
        ["connect", "--print", "codex", "--key-env", "TOOLCRIB_KEY", "--name", "tools"],
        ["connect", "--print", "zed", "--key-env", "TOOLCRIB_KEY"],
        ["connect", "--print", "zed", "--stdio"],
        ["connect", "--print", "claude-desktop", "cody", "--url", "https://tools.example", "--key-env", "TEAM_KEY"],
        ["connect", "--print", "junie", "--stdio"];
    connect_lists_clients => usual("list"), ["connect", "--list"], ["connect", "--list", "cursor", "--json"];
    connect_refuses_nonsense => Home::new("nonsense"),
        ["connect", "--list", "--remove"], ["connect", "--force"], ["connect", "--name", "a b"], ["connect", "--key-env", "tcb-secret value"],
        ["connect", "--url", "nowhere"], ["connect", "--scope", "world"];
    connect_in_a_project => usual("project"),
        ["connect", "--scope", "project", "cursor", "-y"], ["connect", "--scope", "project", "lmstudio", "-y"], ["connect", "--restore", "-y"];
    doctor_without_anything => Home::new("doctor_nothing"), ["doctor"], ["doctor", "--json"];
    status_for_programs => usual("status"), ["--json"];
}

#[test]
fn a_broken_file_is_pointed_at_and_left_alone() {
    let home = usual("broken");
    let broken = "{\n  \"mcpServers\": {\n    \"time\": { \"command\": \"uvx\" \"args\": [] }\n  }\n}\n";
    home.write(".cursor/mcp.json", broken);
    let text = [
        home.out(&["connect", "cursor", "-y"]),
        home.out(&["connect", "cursor", "codex", "-y"]),
        home.out(&["connect", "cursor", "-y", "--json"]),
    ];
    insta::assert_snapshot!("a_broken_file_is_pointed_at_and_left_alone", text.join("\n"));
    assert_eq!(home.read(".cursor/mcp.json"), broken);
}

#[test]
fn a_file_that_was_changed_since_keeps_its_changes() {
    let home = usual("changed");
    let before = home.read(".cursor/mcp.json");
    assert!(home.run(&["connect", "cursor", "-y"]).status.success());
    let changed = home.read(".cursor/mcp.json").replace("// mine", "// mine, and more");
    home.write(".cursor/mcp.json", &changed);
    let refused = home.out(&["connect", "--restore", "-y"]);
    assert_eq!(home.read(".cursor/mcp.json"), changed);
    // What is not ours survives.
    let removed = home.out(&["connect", "cursor", "--remove", "-y"]);
    assert_eq!(home.read(".cursor/mcp.json"), before.replace("// mine", "// mine, and more"));
    insta::assert_snapshot!("a_file_that_was_changed_since_keeps_its_changes", [refused, removed].join("\n"));
    assert!(home.run(&["connect", "--restore", "-y"]).status.success());
    assert_eq!(home.read(".cursor/mcp.json"), changed);
    let forced = home.run(&["connect", "--restore", "-y", "--force"]);
    assert!(forced.status.success(), "{forced:?}");
    assert_eq!(home.read(".cursor/mcp.json"), before);
}

#[test]
fn a_link_out_of_the_home_directory_is_refused_wherever_one_stands() {
    let home = usual("root");
    let elsewhere = folder("elsewhere").join("root.json");
    fs::write(&elsewhere, "{}").expect("writable");
    fs::remove_file(home.0.join(".cursor/mcp.json")).expect("ours");
    symlink(&elsewhere, home.0.join(".cursor/mcp.json")).expect("a link");
    let done = home.command(&["connect", "cursor", "-y"]).current_dir("/").output().expect("it runs");
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(2) && text.contains("TC0111") && text.contains("outside of your home directory"), "{text}");
    // A directory that is a link is no way out either.
    fs::remove_dir_all(home.0.join(".codex")).expect("ours");
    fs::create_dir_all(folder("elsewhere").join("codex")).expect("writable");
    symlink(folder("elsewhere").join("codex"), home.0.join(".codex")).expect("a link");
    fs::write(home.0.join(".codex/config.toml"), "").expect("writable");
    assert!(home.out(&["connect", "codex", "-y"]).contains("TC0111"));
    fs::remove_file(home.0.join(".codex/config.toml")).expect("ours");
    assert!(home.out(&["connect", "codex", "-y"]).contains("TC0111"));
    assert_eq!(fs::read_to_string(&elsewhere).expect("it is there"), "{}");
}

#[test]
fn a_file_that_was_deleted_since_comes_back_with_its_permissions() {
    let home = usual("deleted");
    let (path, before) = (home.0.join(".cursor/mcp.json"), home.read(".cursor/mcp.json"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).expect("ours");
    assert!(home.run(&["connect", "cursor", "-y"]).status.success());
    fs::remove_file(&path).expect("ours");
    let refused = home.out(&["connect", "--restore", "-y"]);
    assert!(refused.contains("TC0112") && !path.exists(), "{refused}");
    assert!(home.run(&["connect", "--restore", "-y", "--force"]).status.success());
    assert_eq!((home.read(".cursor/mcp.json"), fs::metadata(&path).expect("it is there").permissions().mode() & 0o777), (before, 0o604));
}

#[test]
fn settings_of_a_host_do_not_show_that_its_guest_is_here() {
    let home = Home::new("guest");
    home.write(".config/Code/User/settings.json", "{\n  // mine\n  \"editor.tabSize\": 2,\n}\n");
    let listed = |home: &Home| String::from_utf8_lossy(&home.run(&["connect", "--list", "cody", "--json"]).stdout).into_owned();
    assert!(listed(&home).contains("\"isInstalled\":false"), "{}", listed(&home));
    assert!(home.out(&["connect", "cody", "-y"]).contains("TC0113"));
    fs::create_dir_all(home.0.join(".config/Code/User/globalStorage/sourcegraph.cody-ai")).expect("writable");
    assert!(listed(&home).contains("\"isInstalled\":true"), "{}", listed(&home));
    assert!(home.run(&["connect", "cody", "-y"]).status.success());
    let text = home.read(".config/Code/User/settings.json");
    assert!(text.contains("// mine") && text.contains("\"cody.mcpServers\"") && text.contains("\"--stdio\""), "{text}");
}

#[test]
fn servers_of_one_directory_are_imported_there_and_nowhere_else() {
    let home = Home::new("of_directory");
    let work = home.0.join("work");
    let text = serde_json::json!({
        "mcpServers": { "everywhere": { "type": "http", "url": "https://x.example/mcp" } },
        "projects": { (work.display().to_string()): { "mcpServers": { "here": { "command": "node", "args": ["x.js"] } } } },
    });
    home.write(".claude.json", &text.to_string());
    let there = home.command(&["connect", "--import", "--dry-run"]).current_dir(&home.0).output().expect("it runs");
    let there = String::from_utf8_lossy(&there.stdout).into_owned();
    assert!(there.contains("everywhere:") && !there.contains("here:\n+    command"), "{there}");
    assert!(home.run(&["connect", "--import", "-y"]).status.success());
    let config = home.read(".config/toolcrib/config.yaml");
    assert!(config.contains("everywhere:") && config.contains(&format!("cwd: {}", work.display())), "{config}");
}

#[test]
fn a_damaged_backup_is_not_given_back() {
    let home = usual("damaged");
    assert!(home.run(&["connect", "cursor", "-y"]).status.success());
    let after = home.read(".cursor/mcp.json");
    let folders = fs::read_dir(home.0.join(".local/share/toolcrib/backups")).expect("backups");
    let run = folders.filter_map(Result::ok).find(|entry| entry.path().is_dir()).expect("a run").path();
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(run.parent().expect("a parent")), mode(&run.join("journal.json"))), (0o700, 0o600));
    fs::write(run.join("1-cursor-mcp.json"), "{}").expect("writable");
    let out = home.out(&["connect", "--restore", "-y"]);
    assert!(out.contains("exit 1") && out.contains("is lost"), "{out}");
    assert_eq!(home.read(".cursor/mcp.json"), after);
}

#[test]
fn the_word_of_a_client_is_passed_on() {
    let home = Home::new("checked");
    home.program("codex", "[{\"name\": \"toolcrib\", \"enabled\": true}]");
    home.program("opencode", "✓ toolcrib connected");
    let text = home.out(&["connect", "--stdio", "-y"]);
    insta::assert_snapshot!("the_word_of_a_client_is_passed_on", text);
}

#[test]
fn a_server_is_imported_once_and_its_variables_stay_variables() {
    let home = usual("import");
    home.write(".codex/config.toml", "[mcp_servers.time]\ncommand = \"uvx\"\nargs = [\"mcp-server-time\", \"--local-timezone=UTC\"]\n");
    home.write(
        ".gemini/settings.json",
        "{\"mcpServers\": {\"time\": {\"command\": \"uvx\", \"args\": [\"mcp-server-time\"]}, \"gh\": {\"httpUrl\": \"https://x.example/mcp\", \"headers\": {\"Authorization\": \"Bearer $GH\"}}, \"odd\": {\"note\": 1}}}",
    );
    home.write(".config/toolcrib/config.yaml", "# mine\nservers:\n  # to try\n  demo: { builtin: demo }\n");
    assert!(home.run(&["connect", "-y", "cursor"]).status.success());
    let confined = home.out(&["connect", "--import", "--dry-run"]);
    let dry = home.out(&["connect", "--import", "--no-confine", "--dry-run"]);
    let first = home.out(&["connect", "--import", "--no-confine", "-y"]);
    let config = home.read(".config/toolcrib/config.yaml");
    let again = home.out(&["connect", "--import", "--no-confine", "-y"]);
    assert_eq!(home.read(".config/toolcrib/config.yaml"), config);
    insta::assert_snapshot!("a_server_is_imported_once", [confined, dry, first, config, again].join("\n"));
    assert!(home.run(&["connect", "--restore", "-y"]).status.success());
    assert_eq!(home.read(".config/toolcrib/config.yaml"), "# mine\nservers:\n  # to try\n  demo: { builtin: demo }\n");
}

#[test]
fn the_own_configuration_is_used_where_none_is_named() {
    let home = Home::new("own");
    home.write(".config/toolcrib/config.yaml", "servers:\n  mine: { builtin: demo }\n");
    let done = home.command(&["call", "mine.add", "a=1", "b=2"]).env_remove("TOOLCRIB_URL").output().expect("it runs");
    // A gateway of somebody else may run on this machine, and knows no `mine`.
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() || text.contains("TC0310"), "{text}");
    let checked = home.out(&["serve", "--check"]);
    assert!(checked.contains("exit 0") && checked.contains("1 server"), "{checked}");
}

#[test]
fn doctor_finds_entries_that_lead_nowhere_and_mends_them() {
    let home = usual("doctor");
    home.write(".cursor/mcp.json", "{\"mcpServers\": {\"toolcrib\": {\"url\": \"http://127.0.0.1:2/mcp\", \"timeout\": 9}}}");
    home.write(".config/goose/config.yaml", "extensions:\n  toolcrib: { type: stdio, cmd: /gone/toolcrib, args: [serve, \"--stdio\"] }\n");
    home.write(".config/zed/settings.json", "{ \"a\": }");
    home.write(".config/toolcrib/config.yaml", "servers:\n  web: { command: npx, args: [x] }\n");
    let text = [home.out(&["doctor"]), home.out(&["doctor", "--fix"])];
    insta::assert_snapshot!("doctor_finds_entries_that_lead_nowhere", text.join("\n"));
    assert!(home.read(".cursor/mcp.json").contains("{ \"url\": \"http://127.0.0.1:1/mcp\", \"timeout\": 9 }"));
    assert!(home.run(&["connect", "--restore", "-y"]).status.success());
    assert!(home.read(".cursor/mcp.json").contains("http://127.0.0.1:2/mcp"));
}

/// How a file is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Absent,
    Empty,
    Comments,
    Commas,
    Crlf,
    Tabs,
    Marked,
    Linked,
    Broken,
    ReadOnly,
    LinkedAway,
}

impl Met {
    fn is_refused(self) -> Option<&'static str> {
        match self {
            Self::Broken => Some("TC0110"),
            Self::ReadOnly | Self::LinkedAway => Some("TC0111"),
            Self::Absent | Self::Empty | Self::Comments | Self::Commas | Self::Crlf | Self::Tabs | Self::Marked | Self::Linked => None,
        }
    }

    /// The text of the file, with another server in it.
    fn text(self, client: &Client) -> String {
        let spot = Spot { language: client.language, place: client.place, name: "other" };
        let value = client.local(&Local { command: "uvx", args: &["a"] }, "other");
        let text = crib_clients::upsert("", spot, &value).expect("an empty file").text;
        let is_json = client.language == Language::Json;
        match self {
            Self::Empty => String::new(),
            Self::Comments if is_json => format!("// head\n{}/* tail */\n", text.replacen('\n', " // here\n", 2)),
            Self::Comments => format!("# head\n{text}# tail\n"),
            Self::Commas if is_json => {
                text.replace("]\n", "],\n").replace("}\n", "},\n").replacen("},\n", "}, \n", 1).trim_end().trim_end_matches(',').to_owned()
                    + "\n"
            }
            Self::Crlf => text.replace('\n', "\r\n"),
            Self::Tabs if is_json => text.replace("  ", "\t"),
            Self::Tabs if client.language == Language::Toml => text.replace('\n', "\t\n"),
            Self::Marked => format!("\u{feff}{text}"),
            Self::Broken => match client.language {
                Language::Json => text.replacen(':', "", 1),
                Language::Toml => format!("{text}x = [\n"),
                Language::Yaml => format!("{text}x: [\n"),
            },
            Self::Absent | Self::Tabs | Self::Commas | Self::Linked | Self::ReadOnly | Self::LinkedAway => text,
        }
    }
}

/// Every client that is written to, in one state of its file, through the program itself.
fn every_client(met: Met) {
    let mut count = 0;
    for client in clients().filter(|client| client.support == Support::Full) {
        let home = Home::new(&format!("matrix-{}-{met:?}", client.id));
        let places = Places::new(Os::Linux, &home.0, home.0.join("work"));
        let Some(path) = client.files(Scope::User, &places).into_iter().next() else { continue };
        one(&home, client, &path, met);
        fs::remove_dir_all(&home.0).expect("it goes");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}

macro_rules! every_client {
    ($($test:ident => $met:ident;)+) => {
        $(#[test]
        fn $test() {
            every_client(Met::$met);
        })+
    };
}

every_client! {
    a_file_that_is_not_there_is_made_and_goes_again => Absent;
    an_empty_file_is_filled_and_emptied => Empty;
    comments_stay => Comments;
    commas_at_the_end_stay => Commas;
    line_ends_of_windows_stay => Crlf;
    tabs_stay => Tabs;
    a_byte_order_mark_stays => Marked;
    a_link_stays_a_link => Linked;
    a_broken_file_is_left_alone => Broken;
    a_read_only_file_is_left_alone => ReadOnly;
    a_link_that_leads_away_is_left_alone => LinkedAway;
}

/// Puts the file where it belongs, in its state.
fn lay(home: &Home, client: &Client, path: &Path, met: Met, text: &str) {
    let elsewhere = folder("elsewhere").join(format!("{}-{met:?}.txt", client.id));
    match met {
        Met::Absent => {}
        Met::Linked => {
            home.write("dotfiles/settings", text);
            symlink(home.0.join("dotfiles/settings"), path).expect("a link");
        }
        Met::LinkedAway => {
            fs::write(&elsewhere, text).expect("writable");
            symlink(&elsewhere, path).expect("a link");
        }
        Met::Empty | Met::Comments | Met::Commas | Met::Crlf | Met::Tabs | Met::Marked | Met::Broken | Met::ReadOnly => {
            fs::write(path, text).expect("writable");
        }
    }
}

fn one(home: &Home, client: &Client, path: &Path, met: Met) {
    let case = format!("{} {met:?}", client.id);
    let places = Places::new(Os::Linux, &home.0, home.0.join("work"));
    for directory in client.directories(&places) {
        fs::create_dir_all(directory).expect("writable");
    }
    if met != Met::Absent {
        fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
    }
    let before = met.text(client);
    let mode = if met == Met::ReadOnly { 0o444 } else { 0o640 };
    lay(home, client, path, met, &before);
    if met != Met::Absent {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }
    let done = home.run(&["connect", client.id, "-y", "--no-check", "--json"]);
    let said = format!("{case}: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if let Some(code) = met.is_refused() {
        assert_eq!(done.status.code(), Some(2), "{said}");
        let explain = format!("toolcrib explain {code}");
        assert!(said.contains(&explain), "{said}");
        assert_eq!(fs::read_to_string(path).expect("still there"), before, "{case}");
        return;
    }
    assert_eq!(done.status.code(), Some(0), "{said}");
    let after = fs::read_to_string(path).expect("it is there");
    let spot = Spot { language: client.language, place: client.place, name: "toolcrib" };
    let entry = crib_clients::entry(&after, spot).expect("it can be read").unwrap_or_else(|| panic!("{case}: no entry in\n{after}"));
    let url = format!("{NOWHERE}/mcp");
    let remote = client.remote(&Remote { url: &url, key: None }, "toolcrib");
    let local = client.local(&Local { command: env!("CARGO_BIN_EXE_toolcrib"), args: &["serve", "--stdio", &url] }, "toolcrib");
    let wanted = remote.unwrap_or(local);
    assert!(wanted.members().iter().all(|(name, value)| entry.member(name) == Some(value)), "{case}:\n{after}");
    if met == Met::Linked {
        assert!(path.is_symlink(), "{case}");
    }
    if met != Met::Absent {
        assert_eq!(fs::metadata(path).expect("it is there").permissions().mode() & 0o777, mode, "{case}");
        let edit = crib_clients::upsert(&before, Spot { place: client.place_in(&before), ..spot }, &wanted).expect("it was done");
        assert_eq!(edit.text, after, "{case}");
    }
    let back = home.run(&["connect", "--restore", "-y"]);
    assert!(back.status.success(), "{case}: {back:?}");
    if met == Met::Absent {
        assert!(!path.exists(), "{case}");
    } else {
        assert_eq!(fs::read_to_string(path).expect("it is there"), before, "{case}");
    }
}
