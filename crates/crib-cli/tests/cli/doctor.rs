//! What `doctor` finds about packages and files, and mends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crib_test::Site;
use crib_test::pypi::{Wheel, publish_all};

use crate::run::{Home, Said, lacks, of_registry, publish, registry, said, write_anyway};

/// A server that was written for version 1 of what it needs.
const OLD: &str = r#"
import json, sys
import mcp

def main():
    if mcp.VERSION > 1:
        raise ModuleNotFoundError("No module named 'mcp.server.fastmcp'")
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        answers = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "old", "version": "1"}},
            "tools/list": {"tools": [{"name": "count", "inputSchema": {"type": "object"}}]},
        }
        result = answers.get(message["method"])
        body = {"result": result} if result else {"error": {"code": -32601, "message": "no"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
"#;

#[test]
fn a_crash_that_is_known_is_mended_by_another_version_of_what_it_needs() {
    if lacks("python3") {
        return;
    }
    let home = Home::new("doctor_crash");
    let site = Site::new();
    publish_all(&site, "old-server", &[Wheel { name: "old_server", version: "1.0", requires: &["mcp"], module: OLD }]);
    let sdk = |version, module| Wheel { name: "mcp", version, requires: &[], module };
    publish_all(&site, "mcp", &[sdk("1.9", "VERSION = 1\n"), sdk("2.0", "VERSION = 2\n")]);
    let ask = |args: &[&str]| -> Said {
        let mut command: Command = home.command(args);
        let (index, cache) = (format!("{}/simple", site.base), home.0.join("cache"));
        command.envs([("UV_DEFAULT_INDEX", &index), ("PIP_INDEX_URL", &index)]).env("UV_CACHE_DIR", &cache).env("PIP_CACHE_DIR", &cache);
        said(command.env_remove("UV_INDEX_URL").env_remove("UV_OFFLINE"))
    };
    let pulled = ask(&["pull", "pypi:old-server"]);
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    home.write(".config/toolcrib/config.yaml", "servers:\n  old: { run: \"pypi:old-server@1.0\" }\n");
    let found = ask(&["doctor"]);
    assert_eq!(found.status, 8, "{}", found.stdout);
    let words = "old does not start: this package was written for version 1 of the Python MCP SDK and was installed with 2.0";
    assert!(found.stdout.contains(words) && found.stdout.contains("fix: toolcrib run old --with 'mcp<2'"), "{}", found.stdout);
    assert!(found.stderr.contains("to be mended by: toolcrib doctor --fix"), "{}", found.stderr);
    let asleep = ask(&["doctor", "--no-start"]);
    assert_eq!(asleep.status, 0, "{}", asleep.stdout);
    let json = ask(&["doctor", "--json"]);
    assert!(json.status == 8 && json.stdout.contains(r#""about":"packages","state":"bad""#), "{}", json.stdout);
    assert!(json.stdout.contains(r#""fixable":true"#), "{}", json.stdout);

    let mended = ask(&["doctor", "--fix"]);
    assert_eq!(mended.status, 0, "{}{}", mended.stdout, mended.stderr);
    assert!(
        mended.stderr.contains("mended: old\n") && mended.stdout.contains("1 package, which start"),
        "{}{}",
        mended.stdout,
        mended.stderr
    );
    assert!(home.config().contains("mcp<2"), "it is saved: {}", home.config());
    assert_eq!(ask(&["doctor"]).status, 0);
}

#[test]
fn packages_that_are_broken_are_pulled_again() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("doctor_broken");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    assert_eq!(of_registry(&home, &base, &["pull", "npm:reader-server@1.0.0"]).status, 0);
    home.write(".config/toolcrib/config.yaml", "servers:\n  reader: { run: \"npm:reader-server@1.0.0\" }\n");
    assert_eq!(of_registry(&home, &base, &["doctor"]).status, 0);
    let store = home.0.join(".local/share/toolcrib/store");
    // What a pull leaves behind is no package.
    let is_package = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let tree = || fs::read_dir(&store).expect("a store").flatten().find(is_package).expect("a package").path();
    let script = tree().join("tree/node_modules/reader-server/index.js");
    write_anyway(&script, "process.exit(1)");
    let found = of_registry(&home, &base, &["doctor"]);
    assert!(found.status == 8 && found.stdout.contains("was changed after it was installed"), "{}", found.stdout);
    assert_eq!(of_registry(&home, &base, &["doctor", "--fix"]).status, 0);
    fs::remove_dir_all(tree()).expect("ours");
    let found = of_registry(&home, &base, &["doctor"]);
    assert!(found.status == 8 && found.stdout.contains("is not on this machine"), "{}", found.stdout);
    let mended = of_registry(&home, &base, &["doctor", "--fix", "--json"]);
    assert!(mended.status == 0 && mended.stdout.contains(r#""mended":["reader"]"#), "{}{}", mended.stdout, mended.stderr);

    // The lockfile and the configuration do not speak of the same version.
    publish(&pages, "reader-server", "1.1.0");
    home.write(".config/toolcrib/config.yaml", "servers:\n  reader: { run: \"npm:reader-server@1.1.0\" }\n");
    let found = of_registry(&home, &base, &["doctor"]);
    let words = "reader: the configuration wants npm:reader-server@1.1.0, and npm:reader-server@1.0.0 is locked";
    assert!(found.status == 8 && found.stdout.contains(words), "{}", found.stdout);
    assert_eq!(of_registry(&home, &base, &["doctor", "--fix"]).status, 0);
}

#[test]
fn what_others_may_read_or_change_is_closed() {
    let home = Home::new("doctor_rights");
    let key = "0123456789abcdef0123456789abcdef";
    let config = home.write(".config/toolcrib/config.yaml", &format!("keys: [{{ name: me, secret: \"{key}\" }}]\n"));
    let data = home.write(".local/share/toolcrib/notes", "").parent().expect("a folder").to_owned();
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("ours");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).expect("ours");
    let found = home.run(&["doctor"]);
    assert_eq!(found.status, 8, "{}", found.stdout);
    for words in [
        "~/.config/toolcrib/config.yaml can be read by others on this machine",
        "chmod 600 ~/.config/toolcrib/config.yaml",
        "~/.local/share/toolcrib can be changed by others on this machine",
    ] {
        assert!(found.stdout.contains(words), "{words}: {}", found.stdout);
    }
    let mended = home.run(&["doctor", "--fix"]);
    assert_eq!(mended.status, 0, "{}{}", mended.stdout, mended.stderr);
    assert_eq!((mode(&config), mode(&data)), (0o600, 0o755));
}
