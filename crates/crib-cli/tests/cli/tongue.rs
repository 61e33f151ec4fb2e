//! The same program in 简体中文, by `TOOLCRIB_LANG` and by the locale.

use std::fmt::Write as _;

use super::{DEMO, folder, toolcrib, with_file};

/// Runs a command line in Chinese and returns all that comes out of it.
fn in_chinese(test: &str, args: &[&str]) -> String {
    let mut command = toolcrib(test);
    let done = command.env("TOOLCRIB_LANG", "zh-CN").args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let status = done.status.code().unwrap_or(-1);
    format!("exit {status}\n--- stdout\n{}\n--- stderr\n{}", text(&done.stdout).trim_end(), text(&done.stderr).trim_end())
}

/// Every command there is.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["run"],
    &["serve"],
    &["list"],
    &["show"],
    &["call"],
    &["logs"],
    &["stop"],
    &["rm"],
    &["pull"],
    &["connect"],
    &["new"],
    &["inspect"],
    &["doctor"],
    &["search"],
    &["registry"],
    &["registry", "add"],
    &["registry", "ls"],
    &["registry", "rm"],
    &["admin"],
    &["explain"],
    &["completion"],
    &["man"],
    &["approve"],
    &["secret"],
    &["secret", "set"],
    &["secret", "ls"],
    &["secret", "rm"],
    &["audit"],
    &["audit", "verify"],
];

#[test]
fn the_help_of_every_command() {
    for words in COMMANDS {
        let name = if words.is_empty() { "toolcrib".to_owned() } else { words.join("-") };
        insta::assert_snapshot!(format!("help_{name}"), in_chinese("zh_help", &[*words, &["--help"]].concat()));
    }
}

#[test]
fn no_command_is_without_its_help_in_both_languages() {
    let pages = folder("zh_pages").join("pages");
    drop(std::fs::remove_dir_all(&pages));
    assert!(in_chinese("zh_pages", &["man", "--dir", "pages"]).starts_with("exit 0"));
    let names = std::fs::read_dir(pages).expect("pages").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = |page: String| {
        page.trim_end_matches(".1").trim_start_matches("toolcrib").trim_start_matches("-admin-").trim_start_matches('-').to_owned()
    };
    let all: std::collections::BTreeSet<String> = names.map(name).collect();
    let known: std::collections::BTreeSet<String> = COMMANDS.iter().map(|words| words.join("-")).collect();
    let missing: Vec<&String> = all.difference(&known).collect();
    assert!(all.len() > 20 && missing.is_empty(), "add to COMMANDS, and a `cli!(help_…)` for English: {missing:?}");
    let snapshots = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    for name in known.iter().filter(|name| !name.is_empty()) {
        let english = snapshots.join(format!("cli__help_{}.snap", name.replace('-', "_")));
        assert!(english.is_file(), "add `cli!(help_{}, …)`", name.replace('-', "_"));
    }
}

#[test]
fn topics_of_help() {
    for topic in ["clients", "config", "environment", "errors", "exit-codes"] {
        let said = in_chinese("zh_topics", &["help", topic]);
        assert!(said.starts_with("exit 0") && said.contains(&format!("{}：", topic.to_uppercase().replace('-', " "))), "{said}");
    }
}

#[test]
fn tables_results_and_failures() {
    let cases: &[(&str, &[&str])] = &[
        ("codes", &["explain"]),
        ("check", &["serve", "-c", "a.yaml", "--check"]),
        ("check_packages", &["serve", "-c", "packages.yaml", "--check"]),
        ("list", &["list", "-c", "a.yaml"]),
        ("new", &["new", "天气", "--lang", "rust"]),
        ("slip", &["lsit"]),
        ("unknown_flag", &["serve", "--lisen", "1"]),
        ("missing_file", &["serve", "-c", "gone.yaml"]),
        ("wrong_arguments", &["call", "demo.add", "a=x", "-c", "a.yaml"]),
        ("gateway_gone", &["call", "demo.add", "--url", "http://127.0.0.1:1"]),
        ("bad_key", &["serve", "--listen", "0.0.0.0:0"]),
        ("stop", &["stop"]),
    ];
    for (name, words) in cases {
        with_file("zh_said", "a.yaml", DEMO);
        with_file(
            "zh_said",
            "packages.yaml",
            "servers:\n  a: { run: foo:bar }\n  b: { run: a/b }\n  c: { run: time, sandbox: { net: [\"x y\"] } }\n",
        );
        insta::assert_snapshot!(format!("said_{name}"), in_chinese("zh_said", words));
    }
}

/// A configuration in which much is wrong.
const WRONG: &str = "servers:\n  a: { comand: x }\n  b: { url: \"ftp://x\" }\n  c: { command: x, url: \"https://x\" }\n  d: {}\nkeys: 3\n";
/// The settings of a user's clients: one has the gateway, one leads elsewhere, one is broken, and one has nothing.
const CLIENTS: &[(&str, &str, &str)] = &[
    (".cursor", "mcp.json", r#"{"mcpServers":{"toolcrib":{"url":"http://127.0.0.1:1/mcp"}}}"#),
    (".gemini", "settings.json", r#"{"mcpServers":{"toolcrib":{"httpUrl":"http://127.0.0.1:2/mcp"}}}"#),
    (".codex", "config.toml", "[mcp_servers.x"),
    (".config/goose", "other.yaml", ""),
];
const RULES: &str = "servers:\n  demo: { builtin: demo, tools: { exclude: [echo] } }\n  gone: { command: /nonexistent/server }\n  \
                     dead: { command: /bin/sh, args: [-c, \"echo no such thing >&2; exit 3\"] }\n  \
                     far: { url: \"http://127.0.0.1:1/mcp\" }\n  key: { command: x, env: { T: \"${secret:NO_SUCH}\" } }\n";

/// What a user meets: the tables, and the failures of command lines, files, servers and tools.
const TABLES: &[&[&str]] = &[
    &["list", "-c", "a.yaml"],
    &["list", "--wide", "-c", "a.yaml"],
    &["list", "-c", "rules.yaml"],
    &["show", "demo", "-c", "a.yaml"],
    &["show", "demo.add", "-c", "a.yaml"],
    &["registry", "ls"],
    &["secret", "ls", "-c", "rules.yaml"],
    &["approve"],
    &["explain"],
    &["explain", "TC0203"],
    &["connect", "--print", "--name", "x", "cursor"],
    &["connect", "--list", "cursor", "codex", "goose", "gemini-cli", "warp"],
    &["doctor"],
    &["inspect", "demo", "-q"],
    &["inspect", "demo", "--lint"],
    &["audit", "verify", "gone.ndjson"],
    &["stop"],
    &[],
];

const FAILURES: &[&[&str]] = &[
    &["serve", "--listen"],
    &["serve", "--lisen", "1"],
    &["serve", "extra", "words"],
    &["call", "--timeout", "soon", "demo.add"],
    &["search", "x", "--limit", "many"],
    &["search", "x", "--limit", "0"],
    &["search", "x", "--status", "odd"],
    &["search", "x", "--kind", "odd"],
    &["search", "x", "--updated-since", "once"],
    &["inspect", "demo", "--lint", "--grade"],
    &["inspect"],
    &["inspect", "demo", "--lint", "--lint"],
    &["inspect", "demo", "--params", "{}"],
    &["inspect", "demo", "-q", "--method", "ping", "--params", "{"],
    &["inspect", "https://127.0.0.1:1", "-H", "x"],
    &["inspect", "demo", "--load", "61s"],
    &["inspect", "demo", "--replay", "gone.ndjson"],
    &["inspect", "demo", "--replay", "a.yaml"],
    &["new"],
    &["secret", "set", "no/name", "-"],
    &["secret"],
    &["explain", "TC9999"],
    &["help", "nothing"],
    &["serve", "-c", "gone.yaml"],
    &["serve", "-c", "wrong.yaml", "--check"],
    &["serve", "--listen", "0.0.0.0:0"],
    &["serve", "--listen", "nowhere"],
    &["serve", "--server", "dem", "-c", "a.yaml"],
    &["call", "demo.add", "a=x", "-c", "a.yaml"],
    &["call", "demo.ad", "-c", "a.yaml"],
    &["call", "nobody.add", "-c", "a.yaml"],
    &["call", "demo.echo", "message=a", "-c", "rules.yaml"],
    &["call", "gone.x", "-c", "rules.yaml"],
    &["call", "dead.x", "-c", "rules.yaml"],
    &["call", "far.x", "-c", "rules.yaml"],
    &["call", "key.x", "-c", "rules.yaml"],
    &["call", "demo.add", "--url", "http://127.0.0.1:1"],
    &["run", "no-such-name", "--no-input"],
    &["run", "npm:../x"],
    &["run", "demo", "--allow-net", "*"],
    &["run", "https://example.com/mcp", "--with", "mcp<2"],
    &["logs"],
    &["logs", "demo"],
    &["logs", "--calls"],
    &["rm", "nobody"],
    &["connect", "nobody"],
    &["registry", "add", "no url"],
    &["registry", "rm", "nobody"],
    &["lsit"],
];

/// Makes the home of a user with clients.
fn user_with_clients(test: &str) -> std::path::PathBuf {
    let user = folder(test).join("user");
    for (place, name, text) in CLIENTS {
        std::fs::create_dir_all(user.join(place)).expect("writable");
        std::fs::write(user.join(place).join(name), text).expect("writable");
    }
    user
}

/// Leaves out what `doctor` finds out about this machine's sandbox, and the widths that depend on it.
fn of_any_machine(found: &str) -> String {
    let is_of_any = |line: &&str| !line.contains("sandbox") && !line.contains("沙箱");
    found.lines().filter(is_of_any).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Runs command lines and returns all that comes out of them; times are other ones every time.
fn told(test: &str, tongue: &str, lines: &[&[&str]]) -> String {
    let mut told = String::new();
    let folder_name = folder(test).display().to_string();
    for words in lines {
        drop(std::fs::remove_dir_all(folder(test).join("home")));
        for (name, text) in [("a.yaml", DEMO), ("wrong.yaml", WRONG), ("rules.yaml", RULES)] {
            with_file(test, name, text);
        }
        let mut command = toolcrib(test);
        let is_of_clients = words.contains(&"--list") || *words == ["doctor"];
        if words.first() != Some(&"serve") {
            // A gateway of somebody else may run on this machine.
            command.env("TOOLCRIB_LISTEN", "127.0.0.1:1");
        }
        if is_of_clients {
            command.env("HOME", user_with_clients(test)).env("PATH", "/nonexistent");
        }
        let done = command.env("TOOLCRIB_LANG", tongue).args(*words).stdin(std::process::Stdio::null()).output().expect("it runs");
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(env!("CARGO_PKG_VERSION"), "[VERSION]").replace(&folder_name, "[HERE]");
        let (mut out, err) = (text(&done.stdout), text(&done.stderr));
        if *words == ["doctor"] {
            out = of_any_machine(&out);
        }
        writeln!(told, "$ toolcrib {}   -> {}\n{out}{err}", words.join(" "), done.status.code().unwrap_or(-1)).expect("a text takes it");
    }
    let steady =
        |line: &str| {
            let is_span = |word: &str| word.trim_end_matches([',', '.', ':']).strip_suffix('s').is_some_and(|n| n.parse::<f64>().is_ok());
            line.split(' ')
                .map(|word| {
                    if word.contains('.') && !word.ends_with('.') && (is_span(word) || word.parse::<f64>().is_ok()) {
                        "[TIME]"
                    } else {
                        word
                    }
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
    told.lines().map(steady).collect::<Vec<_>>().join("\n")
}

#[test]
fn tables_and_failures_in_both_languages() {
    for (name, tongue) in [("english", "en"), ("chinese", "zh-CN")] {
        let test = format!("tongue_{name}");
        insta::assert_snapshot!(format!("tables_{name}"), told(&test, tongue, TABLES));
        insta::assert_snapshot!(format!("failures_{name}"), told(&test, tongue, FAILURES));
    }
}

#[test]
fn what_programs_read_stays_as_it_is() {
    with_file("zh_json", "a.yaml", DEMO);
    for words in [
        &["list", "-c", "a.yaml", "--json"][..],
        &["call", "demo.add", "a=x", "-c", "a.yaml", "--json"],
        &["explain", "TC0203", "--json"],
        &["call", "demo.echo", "message=nothing was changed", "-c", "a.yaml"],
        &["lsit", "--json"],
        &["completion", "bash"],
    ] {
        let english = toolcrib("zh_json").args(words).output().expect("it runs");
        let chinese = toolcrib("zh_json").args(words).env("LC_ALL", "zh_CN.UTF-8").output().expect("it runs");
        assert_eq!((english.status, english.stdout, english.stderr), (chinese.status, chinese.stdout, chinese.stderr), "{words:?}");
    }
}

#[test]
fn the_locale_is_asked_and_our_own_variable_before_it() {
    let help = |variables: &[(&str, &str)]| {
        let mut command = toolcrib("zh_locale");
        command.envs(variables.iter().copied()).arg("--help");
        String::from_utf8_lossy(&command.output().expect("it runs").stdout).contains("命令")
    };
    assert!(folder("zh_locale").is_dir());
    assert!(help(&[("LANG", "zh_CN.UTF-8")]));
    assert!(!help(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]));
    assert!(help(&[("LC_ALL", "en_US.UTF-8"), ("TOOLCRIB_LANG", "zh")]));
    assert!(!help(&[("LC_ALL", "zh_CN.UTF-8"), ("TOOLCRIB_LANG", "en")]));
}
