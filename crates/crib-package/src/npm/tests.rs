//! What is taken from npm's lockfile.

use serde_json::{Value, json};

use super::tree::Resolution;

fn lock(entry: &Value) -> Value {
    json!({ "packages": { "": {}, "node_modules/x": { "version": "1.0.0", "resolved": "https://r/x.tgz", "integrity": "sha512-AA==" }, "node_modules/y": entry } })
}

#[test]
fn only_packages_of_a_registry_with_a_hash_are_taken() {
    let good = json!({ "version": "2.0.0", "resolved": "https://r/y.tgz", "integrity": "sha512-BB==" });
    let read = Resolution::read(&lock(&good), "x").expect("a resolution");
    assert_eq!((read.version.as_str(), read.packages.len()), ("1.0.0", 2));
    for bad in [
        json!({ "version": "2.0.0", "resolved": "git+ssh://git@h/r.git#abc", "integrity": "sha512-BB==" }),
        json!({ "version": "2.0.0", "resolved": "file:../y" , "integrity": "sha512-BB==" }),
        json!({ "version": "2.0.0", "resolved": "https://r/y.tgz" }),
        json!({ "resolved": "../y", "link": true }),
    ] {
        assert!(Resolution::read(&lock(&bad), "x").is_err(), "{bad}");
    }
    let weak = json!({ "version": "2.0.0", "resolved": "https://r/y.tgz", "integrity": "sha1-BB==", "hasInstallScript": true });
    let weak = Resolution::read(&lock(&weak), "x").expect("a resolution");
    assert_eq!((weak.findings.len(), weak.scripts.len()), (1, 1));
    let outside = json!({ "packages": { "../y": { "version": "1.0.0", "hasInstallScript": true } } });
    assert!(Resolution::read(&outside, "x").is_err(), "what is run may write to its folder");
}
