//! Servers of the same name in several configurations, which share a machine and nothing else.

use std::fs;
use std::path::PathBuf;

use crate::run::{Home, Said, lacks, of_registry, publish, registry};

/// How often a call is made that comes too early.
const CALLS_MAX: usize = 10;

fn lock(home: &Home) -> PathBuf {
    home.0.join(".local/share/toolcrib/toolcrib.lock")
}

/// Reads a file through the server of a project. Its first call may come before it has pulled what it needs, and is then
/// made again.
fn read(home: &Home, base: &str, project: &str, path: &str) -> Said {
    let call = || of_registry(home, base, &["call", "-c", project, "reader.read", &format!("path={path}")]);
    let mut said = call();
    for _ in 0..CALLS_MAX {
        if !said.stdout.is_empty() {
            break;
        }
        said = call();
    }
    said
}

fn packages(home: &Home) -> usize {
    let is_package = |name: &str| name.len() == 64;
    let store = fs::read_dir(home.0.join(".local/share/toolcrib/store")).expect("a store");
    store.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_package)).count()
}

#[test]
fn what_was_granted_to_a_server_is_granted_to_none_of_that_name_in_another_configuration() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("configurations");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let secret = home.write("notes/secret.txt", "the secret").display().to_string();
    let notes = home.0.join("notes").display().to_string();
    let ran = of_registry(&home, &base, &["run", "npm:reader-server", "--allow-read", &notes]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let own = home.config();
    assert_eq!(home.good(&["call", "reader.read", &format!("path={secret}")]).stdout.trim(), "the secret");

    // The same package needs no registry, and has none of the grants.
    pages.site.clear();
    let project = |run: &str| format!("servers:\n  reader: {{ run: \"{run}\" }}\n");
    let same = home.write("work/same/toolcrib.yaml", &project("npm:reader-server@1.0.0")).display().to_string();
    let said = read(&home, &base, &same, &secret);
    assert_eq!(said.stdout.trim(), "refused ENOENT", "{}", said.stderr);
    // Whoever looks for the reason is told of it.
    let told = "what `toolcrib run` granted it counts in your own configuration alone; `sandbox` in ";
    for args in [&["show", "reader", "-c", &same][..], &["list", "-c", &same], &["doctor", "--no-start"]] {
        let said = home.run(args);
        let all = [said.stdout, said.stderr].concat().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.contains(told) && all.contains("same/toolcrib.yaml grants it there"), "{args:?}: {all}");
    }
    let listed = crate::run::said(home.command(&["list", "-c", &same]).env("TOOLCRIB_LANG", "zh-CN"));
    assert!(listed.stderr.contains("`reader`：`toolcrib run` 给它的授权只在你自己的配置中有效"), "{}", listed.stderr);
    assert!(!home.good(&["list"]).stderr.contains("counts in"));

    // Another package under the name takes nobody's place.
    publish(&pages, "other-server", "2.0.0");
    let other = home.write("work/other/toolcrib.yaml", &project("npm:other-server@2.0.0")).display().to_string();
    let said = read(&home, &base, &other, &secret);
    assert_eq!(said.stdout.trim(), "refused ENOENT", "{}", said.stderr);
    let text = fs::read_to_string(lock(&home)).expect("a lockfile");
    for place in ["[servers.reader]", "same/toolcrib.yaml\".reader]", "other/toolcrib.yaml\".reader]"] {
        assert!(text.contains(place), "{place} is not in {text}");
    }
    pages.site.clear();
    home.good(&["stop"]);
    home.good(&["run", "reader"]);
    assert_eq!(home.good(&["call", "reader.read", &format!("path={secret}")]).stdout.trim(), "the secret");
    assert_eq!(home.config(), own);
    assert_eq!(read(&home, &base, &other, "/gone").stdout.trim(), "refused ENOENT");
    // The own configuration is the own one, however it is named.
    let named = home.0.join(".config/toolcrib/config.yaml").display().to_string();
    assert_eq!(read(&home, &base, &named, &secret).stdout.trim(), "the secret");

    // What another configuration needs stays, until its file is gone.
    home.good(&["rm", "reader"]);
    assert_eq!(packages(&home), 2);
    assert_eq!(read(&home, &base, &same, "/gone").stdout.trim(), "refused ENOENT");
    fs::remove_file(&same).expect("it is there");
    home.good(&["run", "demo"]);
    home.good(&["rm", "demo"]);
    assert_eq!(packages(&home), 1);
    assert_eq!(read(&home, &base, &other, "/gone").stdout.trim(), "refused ENOENT");
}
