//! Images: from a registry on loopback to tools that are called without it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::run::{Home, NOWHERE};
use crate::shelf::Shelf;

/// The libraries that a program loads, by the paths it loads them from; none where nobody can say.
fn libraries(program: &str) -> Option<Vec<PathBuf>> {
    let said = Command::new("ldd").arg(program).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(said.stdout).ok()?;
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Some(text.lines().filter_map(path).collect())
}

/// An archive of files: where they go, and where they are.
fn layer(files: &[(&Path, &Path)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, file) in files {
        let mut header = tar::Header::new_gnu();
        let bytes = fs::read(file).expect("a file");
        header.set_size(bytes.len() as u64);
        header.set_mode(0o4755);
        header.set_cksum();
        archive.append_data(&mut header, name.strip_prefix("/").unwrap_or(name), bytes.as_slice()).expect("room");
    }
    archive.into_inner().expect("an archive")
}

fn note(text: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "note.txt", text.as_bytes()).expect("room");
    archive.into_inner().expect("an archive")
}

/// This very program with its libraries, as an image would have them; none where that cannot be made.
pub(crate) fn programs() -> Option<Vec<u8>> {
    let program = env!("CARGO_BIN_EXE_toolcrib");
    let Some(libraries) = libraries(program) else {
        drop(writeln!(std::io::stderr(), "skipped: `ldd` does not say which libraries there are"));
        return None;
    };
    let mut files = vec![(Path::new("/app/toolcrib"), Path::new(program))];
    files.extend(libraries.iter().map(|library| (library.as_path(), library.as_path())));
    Some(layer(&files))
}

fn digest(descriptor: &Value) -> &str {
    descriptor.get("digest").and_then(Value::as_str).expect("a digest")
}

pub(crate) fn demo() -> Value {
    json!({ "Entrypoint": ["toolcrib"], "Cmd": ["serve", "--stdio"], "WorkingDir": "/app", "Env": ["PATH=/app:/usr/bin"], "User": "65532",
        "Labels": { "io.modelcontextprotocol.server.name": "io.github.owner/counter" } })
}

#[test]
fn an_image_is_pulled_and_its_tools_are_called_without_the_registry() {
    let Some(programs) = programs() else { return };
    let home = Home::new("image");
    let shelf = Shelf::new();
    let one = shelf.image(("owner/counter", "1"), &demo(), &[programs.clone(), note("one")]);
    let name = format!("oci:{}/owner/counter:1", shelf.host);
    let started = home.good(&["run", &name]);
    assert!(started.stdout.starts_with("started  counter · 13 tools · MCP 2026-07-28"), "{}{}", started.stdout, started.stderr);
    assert!(started.stderr.contains("(unsigned)"), "{}", started.stderr);
    assert_eq!(home.good(&["call", "counter.demo__add", "a=88", "b=22"]).stdout.trim(), "110");
    let config = home.config();
    let digest = digest(&one);
    assert!(config.contains(&format!("run: \"{name}@{digest}\"")) || config.contains(&format!("run: {name}@{digest}")), "{config}");

    // The tag stands for something else now, and the registry is asked for nothing.
    home.good(&["stop"]);
    let two = shelf.image(("owner/counter", "1"), &demo(), &[programs, note("two")]);
    let before = shelf.asked().len();
    assert_eq!(home.good(&["run", "counter", "demo__add", "a=1", "b=2"]).stdout.trim(), "3");
    assert_eq!(shelf.asked().len(), before, "{:?}", shelf.asked());
    assert!(home.config().contains(digest), "{}", home.config());

    // A registry as they are: it wants a token, its blobs are elsewhere, and connections do not last.
    shelf.ask_for_token(None);
    shelf.keep_blobs_elsewhere();
    shelf.cut_once_after(100_000);
    let pulled = home.good(&["pull", "counter"]).stderr;
    let moved = format!("package     {}/owner/counter: {digest} -> {}", shelf.host, self::digest(&two));
    assert!(pulled.contains(&moved) && pulled.contains("files       0 added, 0 removed, 1 changed"), "{pulled}");
    let shown = home.good(&["show", "counter"]).stdout;
    assert!(shown.contains("sandbox  network  none") && shown.contains("promises hold"), "{shown}");
}

/// Where `runc` is; none where it starts nothing, which is told.
fn runc() -> Option<&'static str> {
    let found = ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"].into_iter().find(|path| Path::new(path).is_file());
    if found.is_none() {
        drop(writeln!(std::io::stderr(), "skipped: `runc` is not on this machine"));
    }
    found
}

#[test]
fn an_image_is_started_by_an_engine_where_that_is_wanted() {
    let (Some(programs), Some(_)) = (programs(), runc()) else { return };
    let home = Home::new("container");
    let shelf = Shelf::new();
    shelf.image(("owner/counter", "1"), &demo(), &[programs]);
    let started = home.good(&["run", &format!("oci:{}/owner/counter:1", shelf.host), "--sandbox", "container"]);
    assert!(started.stderr.contains("sandbox  engine   a container"), "{}", started.stderr);
    assert_eq!(home.good(&["call", "counter.demo__add", "a=1", "b=2"]).stdout.trim(), "3");
    let shown = home.good(&["show", "counter"]).stdout;
    assert!(shown.contains("engine   a container") && shown.contains("promises hold"), "{shown}");
    home.good(&["run", "counter", "--sandbox", "process"]);
    assert!(!home.good(&["show", "counter"]).stdout.contains("a container"));
    // What was changed in the store is not started.
    let store = home.0.join(".local/share/toolcrib/store");
    let entry = fs::read_dir(store).expect("a store").flatten().next().expect("a package").path().join("root/app/new");
    fs::write(entry, "evil").expect("writable");
    home.good(&["stop"]);
    let refused = home.run(&["run", "counter"]);
    assert!(shelf.asked().len() > 4 && refused.status == 0, "it is pulled again: {}", refused.stderr);
}

#[test]
fn a_registry_of_servers_leads_to_an_image_that_says_the_same() {
    let home = Home::new("listed-image");
    let shelf = Shelf::new();
    let labelled = |name: &str| json!({ "Cmd": ["/nothing"], "Labels": { "io.modelcontextprotocol.server.name": name } });
    shelf.image(("owner/counter", "1"), &labelled("io.github.owner/other"), &[note("x")]);
    let server = json!({ "server": { "name": "io.github.owner/counter", "version": "1.0.0", "description": "Counts", "packages": [{
        "registryType": "oci", "identifier": format!("{}/owner/counter:1", shelf.host), "transport": { "type": "stdio" },
        "runtimeArguments": [{ "type": "named", "name": "-p", "value": "80:80" }] }] },
        "_meta": { "io.modelcontextprotocol.registry/official": { "isLatest": true, "status": "active" } } });
    shelf.serve("/v0.1/servers/io.github.owner%2Fcounter/versions/latest", "application/json", server.to_string());
    let base = format!("http://{}", shelf.host);
    let ask = |args: &[&str]| crate::run::said(home.command(args).env("TOOLCRIB_REGISTRY", NOWHERE).args(["--registry", &base]));
    let refused = ask(&["pull", "io.github.owner/counter"]);
    assert!(refused.status != 0 && refused.stderr.contains("says that it is `io.github.owner/other`"), "{}", refused.stderr);
    shelf.image(("owner/counter", "1"), &labelled("io.github.owner/counter"), &[note("x")]);
    let pulled = ask(&["pull", "io.github.owner/counter"]);
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    assert!(pulled.stderr.contains("(unsigned)") && !pulled.stderr.contains("unclaimed"), "{}", pulled.stderr);
}
