//! A grade that was measured here, wherever servers are shown.

use std::fs;

use serde_json::Value;

use crate::codes::remote::SERVER;
use crate::run::{Home, lacks, said};

const MANIFEST: &str = r#"{"manifest_version":"0.3","name":"tiny","version":"1.0.0","server":{"type":"python","entry_point":"server.py"}}"#;

const START: &str = "import os\nos.execv('/bin/sh', ['sh', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'server.sh')])\n";

/// Writes a bundle that is `./tiny.mcpb` to commands.
pub(crate) fn bundle(home: &Home, script: &str) {
    let files = [("server.sh", script), ("server.py", START), ("manifest.json", MANIFEST)];
    fs::write(home.0.join("work/tiny.mcpb"), crib_test::pypi::archive(&files)).expect("writable");
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("one document")
}

#[test]
fn a_measured_grade_stands_in_list_and_show_until_the_bytes_are_others() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("measured");
    bundle(&home, SERVER);
    home.good(&["run", "./tiny.mcpb"]);
    let row = || document(&home.good(&["list", "--json"]).stdout).pointer("/servers/0").cloned().expect("a server");
    let shown = || document(&home.good(&["show", "tiny", "--json"]).stdout).pointer("/package/grade").cloned();
    assert_eq!((row().get("grade"), shown()), (None, None), "nobody measured it");
    assert!(!home.good(&["show", "tiny"]).stdout.contains("grade"));

    let measured = document(&home.good(&["inspect", "tiny", "--grade", "--json"]).stdout);
    let (letter, score) = (measured["letter"].as_str().expect("a letter").to_owned(), measured["score"].clone());
    assert_eq!(row()["grade"], *letter);
    let kept = shown().expect("a grade");
    assert_eq!((&kept["letter"], &kept["score"]), (&measured["letter"], &score));
    let wide = home.good(&["list", "--wide"]).stdout;
    let lines: Vec<Vec<&str>> = wide.lines().map(|line| line.split_whitespace().collect()).collect();
    let at = lines[0].iter().position(|head| *head == "GRADE").expect("a column");
    assert_eq!(lines[1][at], letter, "{wide}");
    let line = format!("grade    {letter} {score}   measured here");
    let text = home.good(&["show", "tiny"]).stdout;
    assert!(text.contains(&line), "{line:?} is not in {text}");
    let chinese = said(home.command(&["show", "tiny"]).env("TOOLCRIB_LANG", "zh-CN")).stdout;
    assert!(chinese.contains(&format!("评级     {letter} {score}   ")), "{chinese}");

    bundle(&home, &SERVER.replace("Does nothing", "Does nothing at all"));
    home.good(&["pull", "tiny", "--allow", "republished"]);
    assert_eq!((row().get("grade"), shown()), (None, None), "nobody measured these bytes");
}
