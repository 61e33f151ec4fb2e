//! Completions, as real shells ask for them: whatever can be known at once, and nothing is started for it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::run::{Home, SERVER, lacks, said};

/// How long a shell may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Types at a terminal: pairs of what is typed, and what the shell has to show before the next is.
const TYPIST: &str = r#"
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
turns = sys.stdin.read().split('\x1f')
shown = b''
for typed, wanted in zip(turns[::2], turns[1::2]):
    os.write(fd, typed.encode())
    begin, until = len(shown), time.monotonic() + 30
    while wanted.encode() not in shown[begin:]:
        if time.monotonic() > until:
            sys.exit('no %r behind %r in %r' % (wanted, typed, shown[begin:]))
        if select.select([fd], [], [], 1)[0]:
            shown += os.read(fd, 4096)
"#;

/// Has the words before the cursor completed, as zsh and fish ask.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let answer = home.good(&[&["__complete", "zsh", "toolcrib"], words].concat());
    assert_eq!(answer.stderr, "");
    answer.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

/// Types into a shell that is started like this.
#[track_caller]
fn typed(home: &Home, shell: &[&str], turns: &[(&str, &str)]) {
    let program = home.command(&[]);
    let folder = std::path::Path::new(program.get_program()).parent().expect("a folder").to_owned();
    let mut command = Command::new("python3");
    command.args(["-c", TYPIST]).args(shell).current_dir(home.0.join("work"));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let path = std::env::join_paths([folder].into_iter().chain(["/usr/bin".into(), "/bin".into()])).expect("a path");
    command.env("PATH", path).env("TERM", "dumb").env("LC_ALL", "C.UTF-8").env("PS1", "> ");
    let input = home.write("turns", &turns.iter().flat_map(|(typed, wanted)| [*typed, *wanted]).collect::<Vec<_>>().join("\u{1f}"));
    let done = command.stdin(fs::File::open(input).expect("written")).output().expect("python starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

const SERVERS: &str = "servers:\n  demo: { builtin: demo }\n  deploy: { command: /nonexistent/server }\n";

#[test]
fn bash_completes_servers_tools_and_arguments_at_a_terminal() {
    if lacks("python3") || lacks("bash") {
        return;
    }
    let home = Home::new("complete_bash");
    home.write(".config/toolcrib/config.yaml", SERVERS);
    typed(
        &home,
        &["bash", "--norc", "--noprofile", "-i"],
        &[
            ("source <(toolcrib completion bash); echo rea''dy\n", "ready"),
            ("toolcrib ca\t", "toolcrib call "),
            ("dem\t", "demo."),
            ("ad\t", "add "),
            ("a\t", "a="),
            ("88 b\t", "b="),
            ("22\n", "110"),
            ("toolcrib explain TC020\t\t", "TC0203"),
            ("3 --js\t", "--json "),
            ("\n", "toolcrib/v1/code"),
            ("exit\n", ""),
        ],
    );
    assert!(!home.0.join(".local/share/toolcrib/gateway.json").exists(), "no gateway was started");
}

#[test]
fn zsh_and_fish_complete_the_same() {
    let home = Home::new("complete_others");
    home.write(".config/toolcrib/config.yaml", SERVERS);
    if !lacks("python3") && !lacks("zsh") {
        let begin = "autoload -U compinit; compinit -u -D; source <(toolcrib completion zsh); echo rea''dy\n";
        let turns = [(begin, "ready"), ("toolcrib call dem\t", "demo."), ("ad\t", "add"), ("a\t", "a="), ("88 b\t", "b="), ("22\n", "110")];
        typed(&home, &["zsh", "-f", "-i"], &turns);
    }
    if !lacks("fish") {
        let program = env!("CARGO_BIN_EXE_toolcrib");
        let script =
            format!("'{program}' completion fish | source; complete -C 'toolcrib call demo.ad'; complete -C 'toolcrib call demo.add a=1 '");
        let program = home.command(&[]);
        let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut fish = Command::new("fish");
        let said = said(fish.args(["--no-config", "-c", &script]).envs(variables).current_dir(home.0.join("work")));
        let offered: Vec<&str> = said.stdout.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!((offered.as_slice(), said.stderr.as_str()), (&["demo.add", "b="][..], ""));
    }
}

#[test]
fn what_is_known_is_offered_and_nothing_is_started() {
    let home = Home::new("complete_known");
    home.write(".config/toolcrib/config.yaml", SERVERS);
    home.good(&["registry", "add", "corp", "https://mcp.corp.example"]);
    // Another file has other servers.
    home.write("work/a.yaml", "servers:\n  other: { builtin: demo }\n");
    let cases: &[(&str, &[&str])] = &[
        ("show d", &["demo", "deploy"]),
        ("call d", &["demo.", "deploy."]),
        ("call demo.a", &["demo.add", "demo.audio", "demo.ask_name"]),
        ("call demo.add b:=1 ", &["a="]),
        ("run demo sub", &["subtract"]),
        ("run demo subtract a=1 ", &["b="]),
        ("run ti", &["time"]),
        ("rm dep", &["deploy"]),
        ("connect cur", &["cursor"]),
        ("connect cursor gem", &["gemini-cli"]),
        ("explain TC031", &["TC0310", "TC0311", "TC0312", "TC0313", "TC0314"]),
        ("help c", &["call", "connect", "completion", "clients", "config"]),
        ("registry rm c", &["corp"]),
        ("search --kind np", &["npm"]),
        ("search --kind npm,py", &["npm,pypi"]),
        ("run x --allow typo", &["typosquat"]),
        ("completion z", &["zsh"]),
        ("logs --level w", &["warn"]),
        ("show -c a.yaml ", &["other"]),
        ("call -c a.yaml other.ec", &["other.echo"]),
        ("call -c a.yaml other.echo message=@a", &["message=@a.yaml"]),
    ];
    for (line, wanted) in cases {
        assert_eq!(offered(&home, &line.split(' ').collect::<Vec<_>>()), *wanted, "{line}");
    }
    // What makes no sense is met with nothing.
    for words in [&["call", "nobody."][..], &["call", "demo.nothing", "x"], &["show", "-c", "gone.yaml", ""]] {
        assert!(offered(&home, words).iter().all(|word| word.starts_with('-')), "{words:?}");
    }
    assert!(!home.0.join(".local/share/toolcrib/gateway.json").exists());
}

#[test]
fn what_bash_replaces_is_the_piece_behind_its_last_break() {
    let home = Home::new("complete_pieces");
    home.write(".config/toolcrib/config.yaml", SERVERS);
    let offered = |line: &str, piece: &str| home.good(&["__complete", "bash", line, piece]).stdout;
    assert_eq!(offered("toolcrib call demo.add a=1 ", ""), "b=\n");
    assert_eq!(offered("toolcrib search --kind=py", "py"), "pypi \n");
    assert_eq!(offered("toolcrib search --kind py", "py"), "pypi \n");
    assert_eq!(offered("toolcrib show \"dem", "dem"), "demo\n");
    home.write("work/my notes.txt", "");
    assert_eq!(offered("toolcrib call demo.echo message=@my", "my"), "my\\ notes.txt \n");
    assert_eq!(offered("toolcrib call 'demo.echo' message=@my\\ n", "my\\ n"), "my\\ notes.txt \n");
}

#[test]
fn tools_of_a_server_that_does_not_run_are_those_it_had() {
    if lacks("node") {
        return;
    }
    let home = Home::new("complete_pinned");
    let script = home.write("work/reader.js", SERVER).display().to_string();
    home.good(&["run", "--name", "reader", "--", "node", &script]);
    // A gateway that is asked at a busy moment may be too late: then the pins answer the same.
    assert_eq!(offered(&home, &["call", "reader."]), ["reader.read"]);
    home.good(&["stop"]);
    assert_eq!(offered(&home, &["call", "reader."]), ["reader.read"]);
    assert_eq!(offered(&home, &["call", "reader.read", ""]), ["path="]);
    assert!(home.good(&["stop"]).stderr.contains("no gateway runs"), "nothing was started");
}

#[test]
fn a_gateway_that_runs_is_asked() {
    let home = Home::new("complete_gateway");
    home.good(&["run", "demo"]);
    let file = fs::read_to_string(home.0.join(".local/share/toolcrib/gateway.json")).expect("a gateway");
    let url = file.split('"').find(|text| text.starts_with("http://")).expect("its address").to_owned();
    home.write(".config/toolcrib/config.yaml", "servers: {}\n");
    let until = Instant::now() + PATIENCE;
    while offered(&home, &["call", "--url", &url, "demo.sub"]) != ["demo.subtract"] {
        assert!(Instant::now() < until, "the gateway knows its tools");
    }
}
