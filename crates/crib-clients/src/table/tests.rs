//! The table against every system.

use std::fmt::Write as _;

use super::*;

const SYSTEMS: [(Os, &str); 3] = [(Os::Linux, "linux"), (Os::Mac, "mac"), (Os::Windows, "windows")];

fn places(os: Os) -> Places {
    Places::new(os, "/home", "/project")
}

/// Clients whose files lie beside the folder that shows them, and not inside it.
const BESIDE: &[&str] = &["claude-code", "windsurf-jetbrains", "cody"];

#[test]
fn every_client_has_its_files_on_every_system() {
    let mut told = String::new();
    for client in clients() {
        writeln!(told, "{} ({:?}, {:?})", client.id, client.support, client.language).unwrap();
        for (os, name) in SYSTEMS {
            let files: Vec<String> = client.files(Scope::User, &places(os)).iter().map(|path| path.display().to_string()).collect();
            // LibreChat has a file of its installation alone.
            let is_without = client.support == Support::Print || client.id == "librechat";
            assert_eq!(files.is_empty(), is_without, "{} on {name}", client.id);
            writeln!(told, "  {name:<8} {}", files.join("  ")).unwrap();
        }
        let files: Vec<String> = client.files(Scope::Project, &places(Os::Linux)).iter().map(|path| path.display().to_string()).collect();
        writeln!(told, "  project  {}", files.join("  ")).unwrap();
    }
    let told: Vec<&str> = told.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_client_is_found_by_the_folder_its_file_is_in_on_every_system() {
    for client in clients().filter(|client| client.support == Support::Full && client.id != "librechat") {
        for (os, name) in SYSTEMS {
            let (places, id) = (places(os), client.id);
            let file = client.files(Scope::User, &places).remove(0);
            let is_inside = client.directories(&places).iter().any(|directory| file.starts_with(directory));
            assert_eq!(is_inside, !BESIDE.contains(&id), "{id} on {name}: {} {:?}", file.display(), client.directories(&places));
            assert!(is_inside || !client.directories(&places).is_empty(), "{id} on {name}");
        }
    }
}

#[test]
fn no_two_clients_have_one_name_and_each_is_found_by_its_own() {
    let mut names: Vec<&str> = clients().flat_map(|client| std::iter::once(client.id).chain(client.aliases.iter().copied())).collect();
    assert!(names.iter().all(|name| find(name).is_some()));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(find("Claude Desktop").map(|client| client.id), Some("claude-desktop"));
}

#[test]
fn servers_of_one_directory_are_those_of_no_other() {
    let text = r#"{ "projects": { "/project": { "mcpServers": { "a": { "command": "x" } } }, "/other": { "mcpServers": { "b": {} } } } }"#;
    let names = |id: &str, directory: &str| -> Vec<String> {
        let found = find(id).unwrap().entries_of_directory(text, Path::new(directory)).unwrap();
        found.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(
        (names("claude-code", "/project"), names("claude-code", "/"), names("cursor", "/project")),
        (vec!["a".to_owned()], vec![], vec![])
    );
}
