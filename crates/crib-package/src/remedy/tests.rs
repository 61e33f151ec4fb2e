//! Last words of real servers.

use crib_model::{Code, Fault};

use super::{RemedyKind, recognise};
use crate::Locked;

fn locked(source: &str) -> Locked {
    let text = format!(
        "source = \"{source}\"\nversion = \"1.0\"\nentry = {{ kind = \"command\", program = \"x\" }}\n[packages]\n\"mcp==2.3.0\" = [\"sha256:00\"]\n"
    );
    toml::from_str(&text).expect("a locked server")
}

#[track_caller]
fn check(source: &str, stderr: &str, kind: &RemedyKind) {
    let lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
    let remedy = recognise(&locked(source), &lines).expect("a remedy");
    assert_eq!(remedy.kind, *kind, "{remedy:?}");
}

#[test]
fn servers_of_the_first_python_sdk_get_the_pin() {
    let pin = RemedyKind::With(vec!["mcp<2".to_owned()]);
    check(
        "pypi:mcp-server-sqlite",
        "    @server.list_resources()\nAttributeError: 'Server' object has no attribute 'list_resources'",
        &pin,
    );
    check("pypi:x", "ModuleNotFoundError: No module named 'mcp.server.fastmcp'", &pin);
    check("pypi:x", "ImportError: cannot import name 'McpError' from 'mcp.shared.exceptions' (/x.py)", &pin);
    let mut pinned = locked("pypi:x");
    pinned.with.push("mcp<2".to_owned());
    let line = "AttributeError: 'Server' object has no attribute 'list_resources'".to_owned();
    assert_eq!(recognise(&pinned, &[line]), None, "what has been tried is not told again");
}

#[test]
fn missing_things_are_named() {
    check("pypi:x", "ModuleNotFoundError: No module named 'yaml.loader'", &RemedyKind::With(vec!["yaml".to_owned()]));
    check("npm:x", "Error: spawn git ENOENT", &RemedyKind::Install("git".to_owned()));
    check("npm:x", "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'", &RemedyKind::Install("ffmpeg".to_owned()));
    check("npm:x", "Error: GITHUB_TOKEN environment variable is required", &RemedyKind::SetVariable("GITHUB_TOKEN".to_owned()));
}

#[test]
fn native_modules_name_the_package_that_has_to_make_them() {
    let mut native = locked("npm:x");
    native.packages = ["better-sqlite3@12.0.0", "bindings@1.5.0", "@scope/native@1.0.0"].map(|label| (label.to_owned(), Vec::new())).into();
    let ask =
        |locked: &Locked, text: &str| recognise(locked, &text.lines().map(str::to_owned).collect::<Vec<_>>()).map(|remedy| remedy.kind);
    let missing = "Error: Could not locate the bindings file. Tried:\n -> /s/node_modules/better-sqlite3/build/better_sqlite3.node\n    at bindings (/s/node_modules/bindings/bindings.js:126:9)";
    let build = |name: &str| Some(RemedyKind::Build(vec![name.to_owned()]));
    assert_eq!(ask(&native, missing), build("better-sqlite3"));
    let other = "Error: The module '/s/node_modules/@scope/native/build/Release/a.node'\nwas compiled against a different Node.js version using\nNODE_MODULE_VERSION 115.";
    assert_eq!(ask(&native, other), build("@scope/native"));
    assert_eq!(ask(&native, "Error: dlopen failed\n  code: 'ERR_DLOPEN_FAILED'"), Some(RemedyKind::Build(Vec::new())));
    let apart = "Error: Cannot find module '@rollup/rollup-linux-x64-gnu'. npm has a bug";
    assert_eq!(ask(&native, apart), Some(RemedyKind::With(vec!["@rollup/rollup-linux-x64-gnu".to_owned()])));
    native.build.packages.push("better-sqlite3".to_owned());
    assert_eq!(ask(&native, missing), Some(RemedyKind::PullAgain), "what was built here is built anew");
    assert_eq!(ask(&native, "Error: Cannot find module './helper'"), None);
}

#[test]
fn what_the_sandbox_took_away_is_told_as_a_grant() {
    check("npm:x", "TypeError: fetch failed: getaddrinfo EAI_AGAIN api.example.com", &RemedyKind::Grant("net"));
    check("npm:x", "Error: EACCES: permission denied, open '/srv/data'", &RemedyKind::Grant("write"));
}

#[test]
fn what_is_not_known_gets_no_advice() {
    assert_eq!(recognise(&locked("npm:x"), &["Segmentation fault".to_owned()]), None);
}

#[test]
fn a_package_without_a_wheel_is_named_from_what_uv_says() {
    let unbuilt = |code: Code, message: &str, cause: &str| super::unbuilt(&Fault::new(code, message.to_owned()).because(cause));
    let message = "`pypi:some-server==1.0` would have to be built on this machine";
    let cause = "Because needed-part==1.0 has no usable wheels and only needed-part==1.0 is available, we can conclude that";
    assert_eq!(unbuilt(Code::PullFailed, message, cause).as_deref(), Some("needed-part"));
    assert_eq!(unbuilt(Code::PullFailed, message, "something else").as_deref(), Some("some-server"));
    assert_eq!(unbuilt(Code::PackageMissing, message, cause), None);
    assert_eq!(unbuilt(Code::PullFailed, "`pypi:some-server` cannot be installed", cause), None);
}
