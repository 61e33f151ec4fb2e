//! Zero migration: what stands in the file of any client is the same server to `serve -c` and after `connect --import`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crib_clients::{Client, Local, Os, Places, Remote, Scope, Spot, Support, Value, clients, upsert};
use crib_control::{World, compile};

use super::connect::Home;

/// The files of this machine, and no variables.
struct Here {
    directory: PathBuf,
    home: PathBuf,
}

impl World for Here {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        fs::read_to_string(path)
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn home(&self) -> Option<PathBuf> {
        Some(self.home.clone())
    }
}

/// What a gateway would start or reach, by name.
fn servers(file: &Path, home: &Path) -> BTreeMap<String, String> {
    let world = Here { directory: file.parent().expect("a parent").to_owned(), home: home.to_owned() };
    let compiled = compile(&[file.to_owned()], &world).unwrap_or_else(|problems| panic!("{}: {problems:?}", file.display()));
    compiled.servers.iter().map(|server| (server.name.clone(), format!("{:?} {:?}", server.source, server.timeout))).collect()
}

/// A file of the client with a server it starts and, where it has such, one it reaches.
fn file(client: &Client) -> String {
    let put = |text: &str, name: &str, value: &Value| {
        upsert(text, Spot { language: client.language, place: client.place, name }, value).expect("an own file").text
    };
    let local = client.local(&Local { command: "node", args: &["server.js", "--local-timezone=UTC"] }, "starts");
    let text = put("", "starts", &local);
    let remote = client.remote(&Remote { url: "https://x.example/mcp?a=b", key: None }, "reaches");
    match remote {
        Some(remote) => put(&text, "reaches", &remote),
        None => text,
    }
}

#[test]
fn every_dialect_says_the_same_servers_in_place_and_imported() {
    let mut count = 0;
    for client in clients().filter(|client| client.support != Support::Print) {
        let home = Home::new(&format!("migration-{}", client.id));
        let places = Places::new(Os::Linux, &home.0, home.0.join("work"));
        let (scope, path) = match client.files(Scope::User, &places).into_iter().next() {
            Some(path) => ("user", path),
            None => ("project", client.files(Scope::Project, &places).remove(0)),
        };
        for directory in client.directories(&places) {
            fs::create_dir_all(directory).expect("writable");
        }
        home.write(&path.strip_prefix(&home.0).expect("in the home").display().to_string(), &file(client));
        let in_place = servers(&path, &home.0);
        let wanted: &[&str] = if client.takes_urls() { &["reaches", "starts"] } else { &["starts"] };
        assert_eq!(in_place.keys().map(String::as_str).collect::<Vec<_>>(), wanted, "{}", client.id);
        assert!(in_place["starts"].contains("node") && in_place["starts"].contains("--local-timezone=UTC"), "{}: {in_place:?}", client.id);
        let done = home.run(&["connect", "--import", "-y", "--scope", scope, client.id]);
        assert!(done.status.success(), "{}: {}", client.id, String::from_utf8_lossy(&done.stderr));
        let mut imported = servers(&home.0.join(".config/toolcrib/config.yaml"), &home.0);
        if scope == "project" {
            // What belongs to a directory runs there.
            let work = format!("cwd: Some({:?})", home.0.join("work"));
            imported.values_mut().for_each(|text| *text = text.replace(&work, "cwd: None"));
        }
        assert_eq!(imported, in_place, "{}", client.id);
        fs::remove_dir_all(&home.0).expect("it goes");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
