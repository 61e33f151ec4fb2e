//! What the README says to type, typed in that order.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Home, lacks, said};

const LANGUAGES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("it is there")
}

/// Returns what stands in the blocks of a language, such as `yaml`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

/// Returns the commands of the text, without what is said of them.
fn commands(text: &str) -> Vec<String> {
    let blocks = blocks(text, "console").concat();
    let typed = blocks.lines().filter_map(|line| line.strip_prefix("$ "));
    typed.map(|line| line.split_once("  #").map_or(line, |(command, _)| command).trim_end().to_owned()).collect()
}

#[test]
fn the_commands_of_the_readme_work_in_their_order() {
    if lacks("curl") {
        return;
    }
    for name in LANGUAGES {
        let home = Home::new(name);
        home.write(".cursor/mcp.json", "{}\n");
        let begin = |command: &String| command == "toolcrib run demo";
        let all: Vec<String> = commands(&text(name)).into_iter().skip_while(|command| !begin(command)).collect();
        let until = all.iter().position(|command| command == "toolcrib stop").expect("it is said how to end it");
        let mut gateway = String::new();
        let mut tried = 0;
        for command in &all[..=until] {
            // What needs registries, and what follows for ever, is not for tests.
            if ["time", "search", " -f"].iter().any(|word| command.contains(word)) {
                assert!(!command.ends_with(" -f"), "{command} would never end");
                continue;
            }
            tried += 1;
            if let Some(words) = command.strip_prefix("toolcrib ") {
                // Nobody is there to say yes.
                let answers: &[&str] = if words.starts_with("connect") { &["--yes", "--no-check"] } else { &[] };
                home.good(&words.split(' ').chain(answers.iter().copied()).collect::<Vec<_>>());
            } else {
                let command = command.replace("http://127.0.0.1:8665", &gateway);
                let answer = said(std::process::Command::new("sh").args(["-c", &command]));
                assert!(answer.status == 0 && answer.stdout.contains("110"), "{command}: {}{}", answer.stdout, answer.stderr);
            }
            let state = fs::read_to_string(home.0.join(".local/share/toolcrib/gateway.json")).unwrap_or_default();
            let state: serde_json::Value = serde_json::from_str(&state).unwrap_or_default();
            gateway = state["url"].as_str().unwrap_or_default().trim_end_matches("/mcp").to_owned();
        }
        assert!(tried > 6, "{all:?}");
    }
}

#[test]
fn the_files_of_the_readme_and_the_guide_start_with_the_keys_they_name() {
    let mut files: Vec<(&str, String, String)> = Vec::new();
    for name in LANGUAGES {
        let text = text(name);
        files.push((name, blocks(&text, "yaml").concat(), text));
    }
    for name in ["docs/guide/examples/team.yaml", "docs/guide/examples/minimal.yaml"] {
        files.push((name, text(name), text(name)));
    }
    for (name, yaml, told) in files {
        let home = Home::new("readme_files");
        let file = home.write("work/toolcrib.yaml", &yaml).display().to_string();
        let mut command = home.command(&["serve", "-c", &file, "--check"]);
        let keys = ["ALICE_KEY", "READER_KEY"];
        command.env_remove("GITHUB_TOKEN");
        for key in keys.iter().filter(|key| told.contains(&format!("{key}=$("))) {
            command.env(key, format!("{key}-0123456789"));
        }
        let checked = said(&mut command);
        assert_eq!(checked.status, 0, "{name}: {}", checked.stderr);
        if !keys.iter().any(|key| yaml.contains(key)) {
            continue;
        }
        let without =
            said(home.command(&["serve", "-c", &file, "--check"]).env_remove("ALICE_KEY").env("READER_KEY", "0123456789abcdef0123"));
        assert!(without.status != 0 && without.stderr.contains("export ALICE_KEY=…"), "{name}: {}", without.stderr);
    }
}
