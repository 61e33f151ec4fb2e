//! Servers of catalogues, started for real: their images come from a registry on loopback.

use std::fs;

use crate::image::{demo, programs};
use crate::run::{Home, lacks, said};
use crate::shelf::Shelf;
use crate::terminal::Terminal;

/// A catalogue of Docker's with an image of ours, which would have a host and a folder granted to it.
fn catalogue(home: &Home, shelf: &Shelf) -> String {
    let notes = home.0.join("notes").display().to_string();
    fs::create_dir_all(&notes).expect("a folder");
    let text = format!(
        "registry:\n  counter:\n    type: server\n    image: {}/owner/counter:1\n    allowHosts: [\"api.example.com:443\"]\n    \
         volumes: [\"{notes}:/notes\"]\n  other: {{ type: server, image: {}/owner/other:1 }}\n",
        shelf.host, shelf.host
    );
    home.write("work/catalog.yaml", &text);
    notes
}

fn lock(home: &Home) -> String {
    fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).unwrap_or_default()
}

#[test]
fn a_server_of_a_catalogue_is_pulled_confined_and_called_and_has_what_was_agreed_to() {
    let Some(programs) = programs() else { return };
    if lacks("python3") {
        return;
    }
    let home = Home::new("catalogue_served");
    let shelf = Shelf::new();
    shelf.image(("owner/counter", "1"), &demo(), &[programs]);
    let notes = catalogue(&home, &shelf);
    let serve = || {
        let args = ["serve", "-c", "catalog.yaml", "--only", "counter", "--listen", "127.0.0.1:0"];
        Terminal::of(home.command(&args).env("NO_COLOR", "1").env("COLUMNS", "400"))
    };
    let mut terminal = serve();
    terminal.shows("catalog.yaml would have `counter` granted api.example.com. May it reach that over the network? [y/N] ");
    terminal.types("y\n");
    terminal.shows(&format!(
        "catalog.yaml would have `counter` granted {notes}. May it read and write there? [w = read and write, r = read only, N] "
    ));
    terminal.types("\n");
    let shown = terminal.shows("serving  ");
    assert!(shown.contains("sandbox  network  api.example.com") && shown.contains(&format!("sandbox  declined {notes}")), "{shown}");
    let url = terminal.shows("/mcp").trim_end_matches("/mcp").to_owned();
    let called = said(&mut home.command(&["call", "counter.demo__add", "a=88", "b=22", "--url", &url]));
    assert_eq!(called.stdout.trim(), "110", "{}", called.stderr);
    terminal.leave();

    // It was asked once; the answers hold for every command with this file, and for no other file.
    let mut terminal = serve();
    let shown = terminal.shows("serving  ");
    terminal.leave();
    assert!(!shown.contains("would have"), "{shown}");
    let before = shelf.asked().len();
    let only = ["-c", "catalog.yaml", "--only", "counter"];
    assert_eq!(home.good(&[&["call", "counter.demo__add", "a=1", "b=2"], &only[..]].concat()).stdout.trim(), "3");
    let shown = home.good(&[&["show", "counter"], &only[..]].concat()).stdout;
    assert!(shown.contains("network  api.example.com") && shown.contains("promises hold"), "{shown}");
    assert_eq!(shelf.asked().len(), before, "the registry is asked for nothing");
    assert!(home.config().is_empty());
}

#[test]
fn without_a_terminal_nothing_of_a_catalogue_is_granted_and_it_is_said_how() {
    let Some(programs) = programs() else { return };
    let home = Home::new("catalogue_alone");
    let shelf = Shelf::new();
    shelf.image(("owner/counter", "1"), &demo(), &[programs]);
    let notes = catalogue(&home, &shelf);
    let words = format!(
        "catalog.yaml would have `counter` granted api.example.com, {notes}, and nobody has agreed; it asks at a terminal: toolcrib serve -c catalog.yaml --only counter"
    );
    let checked = home.good(&["serve", "-c", "catalog.yaml", "--only", "counter", "--check"]);
    assert!(checked.stderr.contains(&words), "{}", checked.stderr);
    let chinese = said(home.command(&["serve", "-c", "catalog.yaml", "--only", "counter", "--check"]).env("TOOLCRIB_LANG", "zh-CN"));
    assert!(chinese.stderr.contains("catalog.yaml 要给 `counter` 的授权是 api.example.com"), "{}", chinese.stderr);
    let called = home.run(&["call", "counter.demo__add", "a=88", "b=22", "-c", "catalog.yaml", "--only", "counter"]);
    assert_eq!(called.stdout.trim(), "110", "{}", called.stderr);
    let lock = lock(&home);
    assert!(lock.contains("catalog.yaml\".counter") && lock.contains("net = []") && !lock.contains("declined"), "{lock}");
    // A server that wishes nothing is not spoken of.
    assert!(!home.good(&["serve", "-c", "catalog.yaml", "--only", "other", "--check"]).stderr.contains("would have"));
}
