//! Packages on a machine that confines nothing, which this one says it is.

use std::fs;

use crate::codes::remote::SERVER;
use crate::grades::bundle;
use crate::run::{Home, Said, lacks, said};
use crate::terminal::Terminal;

/// Runs a command on a machine without a sandbox.
fn there(home: &Home, args: &[&str]) -> Said {
    said(home.command(args).env("TOOLCRIB_SANDBOX_MISSING", "1"))
}

#[test]
fn nothing_runs_without_a_sandbox_before_its_user_agreed() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("unconfined");
    bundle(&home, SERVER);
    for flags in [&["--no-input"][..], &[]] {
        let refused = there(&home, &[&["run", "./tiny.mcpb"], flags].concat());
        assert_eq!(refused.status, 3, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("error[TC0509]: `tiny` would run without a sandbox, and nobody agreed to that"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("toolcrib run tiny --sandbox none"), "{}", refused.stderr);
        assert!(home.config().is_empty(), "{}", home.config());
    }
    let agreed = there(&home, &["run", "./tiny.mcpb", "--sandbox", "none"]);
    assert_eq!(agreed.status, 0, "{}", agreed.stderr);
    assert!(agreed.stderr.contains("sandbox  engine   none where there is no sandbox, as you agreed"), "{}", agreed.stderr);
    assert_eq!(there(&home, &["call", "tiny.x"]).status, 0);
    assert!(there(&home, &["show", "tiny"]).stdout.contains("engine   none where there is no sandbox, as you agreed"));
    assert!(there(&home, &["show", "tiny", "--json"]).stdout.contains("\"unconfined\":true"));
    // It was asked for once.
    there(&home, &["stop"]);
    assert_eq!(there(&home, &["run", "tiny", "--no-input"]).status, 0);

    // The gateway asks the lockfile, and not who wrote the configuration.
    there(&home, &["stop"]);
    let lock = home.0.join(".local/share/toolcrib/toolcrib.lock");
    let text = fs::read_to_string(&lock).expect("a lockfile");
    assert!(text.contains("unconfined = true\n"), "{text}");
    fs::write(&lock, text.replace("unconfined = true\n", "")).expect("writable");
    let listed = there(&home, &["list"]).stdout;
    assert!(listed.contains("TC0509 `tiny` would run without a sandbox"), "{listed}");
}

#[test]
fn where_there_is_a_sandbox_nothing_from_a_package_does_without() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("confined");
    bundle(&home, SERVER);
    let refused = home.run(&["run", "./tiny.mcpb", "--sandbox", "none"]);
    assert!(refused.status == 2 && refused.stderr.contains("is always confined"), "{}", refused.stderr);
    home.good(&["run", "./tiny.mcpb"]);
    assert!(!home.good(&["show", "tiny", "--json"]).stdout.contains("unconfined"));
}

#[test]
fn a_terminal_is_asked_before_anything_runs_without_a_sandbox() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("unconfined_asked");
    bundle(&home, SERVER);
    let ask = |args: &[&str]| {
        let mut terminal = Terminal::of(home.command(args).envs([("TOOLCRIB_SANDBOX_MISSING", "1"), ("NO_COLOR", "1")]));
        let asked = terminal.shows("Run it all the same? [y/N] ");
        let why = "there is no sandbox for `tiny` here: it can read and change your files, and use the network, as you can";
        assert!(asked.contains(why), "{asked}");
        terminal
    };
    let lock = || fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).unwrap_or_default();
    // No, nothing said, and the end of the input are all no.
    for said in ["n\n", "\n", "what?\n", "\u{4}"] {
        let mut terminal = ask(&["run", "./tiny.mcpb"]);
        terminal.types(said);
        let (status, shown) = terminal.end();
        assert!(status == 3 && shown.contains("error[TC0509]: `tiny` would run without a sandbox"), "{said:?} {status} {shown}");
        assert!(home.config().is_empty() && !lock().contains("unconfined = true"), "{said:?}");
    }
    let mut terminal = ask(&["run", "./tiny.mcpb"]);
    terminal.types("\u{3}");
    assert_ne!(terminal.end().0, 0);
    assert!(home.config().is_empty() && !lock().contains("unconfined = true"));

    let mut terminal = ask(&["run", "./tiny.mcpb"]);
    terminal.types("y\n");
    let (status, shown) = terminal.end();
    assert!(status == 0 && shown.contains("started  tiny"), "{shown}");
    assert!(lock().contains("unconfined = true"));
    assert_eq!(there(&home, &["call", "tiny.x"]).status, 0);
    // The answer is kept: nobody is asked again.
    there(&home, &["stop"]);
    let again = Terminal::of(home.command(&["run", "tiny"]).env("TOOLCRIB_SANDBOX_MISSING", "1"));
    let (status, shown) = again.end();
    assert!(status == 0 && !shown.contains("all the same"), "{shown}");
}
