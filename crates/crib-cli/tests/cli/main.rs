//! The program from outside: exit status, standard output and standard error of every command.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on may stop")]

mod audit;
mod believed;
#[cfg(unix)]
mod catalogues;
mod codes;
mod completion;
mod configurations;
mod connect;
mod crates;
mod doctor;
mod everyday;
mod gateway;
mod grades;
mod image;
mod imported;
#[cfg(unix)]
mod inputs;
mod inspect;
mod market;
mod migration;
mod missteps;
mod native;
mod new;
mod nine;
#[cfg(unix)]
mod patience;
mod pins;
mod readme;
mod run;
mod secrets;
#[path = "../../../crib-oci/tests/images/shelf.rs"]
mod shelf;
#[cfg(unix)]
mod suite;
#[cfg(unix)]
mod terminal;
mod tongue;
mod unconfined;
mod updates;
#[cfg(unix)]
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of its own for one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    std::fs::create_dir_all(&path).expect("a temporary directory");
    path
}

pub(crate) fn toolcrib(test: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolcrib"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("TOOLCRIB_HOME", folder(test).join("home"))
        .current_dir(folder(test));
    command
}

/// Runs a command line and returns all that comes out of it.
fn out(test: &str, args: &[&str], input: &str) -> String {
    let mut command = toolcrib(test);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A command that does not read may be gone already.
    drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
    let done = child.wait_with_output().expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let status = done.status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string());
    format!("exit {status}\n--- stdout\n{}\n--- stderr\n{}", text(&done.stdout).trim_end(), text(&done.stderr).trim_end())
}

fn with_file(test: &str, name: &str, text: &str) {
    std::fs::write(folder(test).join(name), text).expect("writable");
}

const DEMO: &str = "servers:\n  demo: { builtin: demo }\n";

macro_rules! cli {
    ($test:ident, [$($arg:literal),*]) => {
        cli!($test, [$($arg),*], "", []);
    };
    ($test:ident, [$($arg:literal),*], $input:literal, [$(($file:literal, $text:expr)),*]) => {
        #[test]
        fn $test() {
            $(with_file(stringify!($test), $file, $text);)*
            insta::assert_snapshot!(stringify!($test), out(stringify!($test), &[$($arg),*], $input));
        }
    };
}

cli!(help, ["--help"]);
cli!(help_serve, ["serve", "--help"]);
cli!(help_run, ["run", "--help"]);
cli!(help_pull, ["pull", "--help"]);
cli!(help_search, ["search", "--help"]);
cli!(help_registry_add, ["registry", "add", "--help"]);
cli!(help_rm, ["rm", "--help"]);
cli!(help_stop, ["stop", "--help"]);
cli!(help_logs, ["logs", "--help"]);
cli!(help_list, ["list", "--help"]);
cli!(help_ps, ["ps", "--help"]);
cli!(help_show, ["show", "--help"]);
cli!(help_call, ["call", "--help"]);
cli!(help_connect, ["connect", "--help"]);
cli!(help_doctor, ["doctor", "--help"]);
cli!(help_inspect, ["inspect", "--help"]);
cli!(help_new, ["new", "--help"]);
cli!(help_admin, ["admin", "--help"]);
cli!(help_approve, ["approve", "--help"]);
cli!(help_audit, ["audit", "--help"]);
cli!(help_audit_verify, ["audit", "verify", "--help"]);
cli!(help_completion, ["completion", "--help"]);
cli!(help_man, ["man", "--help"]);
cli!(help_registry, ["registry", "--help"]);
cli!(help_registry_ls, ["registry", "ls", "--help"]);
cli!(help_registry_rm, ["registry", "rm", "--help"]);
cli!(help_secret, ["secret", "--help"]);
cli!(help_secret_set, ["secret", "set", "--help"]);
cli!(help_secret_ls, ["secret", "ls", "--help"]);
cli!(help_secret_rm, ["secret", "rm", "--help"]);
cli!(new_without_a_language, ["new", "weather", "--no-input"]);
cli!(new_with_a_bad_name, ["new", "My Weather", "--lang", "rust"]);
cli!(new_with_a_name_that_is_taken, ["create", "json", "--lang", "py"]);
cli!(new_in_an_unknown_language, ["new", "weather", "--lang", "cobol"]);
cli!(another_habit_from_elsewhere_is_understood, ["clients"]);
cli!(help_explain, ["explain", "--help"]);
cli!(help_of_a_command, ["help", "completion"]);
cli!(help_of_a_command_of_a_command, ["help", "admin", "secret"]);
cli!(help_on_clients, ["help", "clients"]);
cli!(help_on_config, ["help", "config"]);
cli!(help_on_environment, ["help", "environment"]);
cli!(help_on_errors, ["help", "errors"]);
cli!(help_on_exit_codes, ["help", "exit-codes"]);
cli!(help_on_nothing, ["help", "nothing"]);
cli!(a_man_page_of_a_command, ["stop", "--help-man"]);
cli!(a_man_page_of_the_program, ["man"]);
cli!(alone_it_helps, []);
cli!(version, ["version", "--json"]);
cli!(a_slip_is_understood, ["lsit"]);
cli!(a_habit_from_elsewhere_is_understood, ["tools"]);
cli!(a_stranger_gets_the_list, ["frobnicate"]);
cli!(an_unknown_flag_is_refused, ["serve", "--lisen", "1"]);
cli!(a_missing_name_is_told_to_programs, ["call", "--json"]);
cli!(a_wrong_time_is_refused, ["call", "demo.add", "--timeout", "5"]);
cli!(explain_an_unknown_code, ["explain", "TC9999"]);
cli!(check_a_good_file, ["serve", "-c", "a.yaml", "--check"], "", [("a.yaml", DEMO)]);
cli!(check_a_bad_file, ["serve", "-c", "a.yaml", "--check"], "", [("a.yaml", "servers:\n  demo: { bultin: demo }\n")]);
cli!(
    check_a_bad_file_for_programs,
    ["serve", "-c", "a.yaml", "--check", "--json"],
    "",
    [("a.yaml", "servers:\n  demo: { bultin: demo }\n")]
);
cli!(
    check_a_package_that_is_none,
    ["serve", "-c", "a.yaml", "--check"],
    "",
    [(
        "a.yaml",
        "servers:\n  demo: { builtin: demo }\n  other:\n    run: foo:bar\n  found: { run: io.github.owner/server }\n  host: { run: time, sandbox: { net: [\"http://x\"] } }\n"
    )]
);
cli!(serve_a_missing_file, ["serve", "-c", "gone.yaml"]);
cli!(serve_the_world_without_keys, ["serve", "--listen", "0.0.0.0:0"]);
cli!(serve_a_wrong_address, ["serve", "--listen", "nowhere"]);
cli!(serve_an_unknown_server, ["serve", "--server", "dem", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(
    list_servers,
    ["list", "-c", "a.yaml"],
    "",
    [("a.yaml", "servers:\n  demo: { builtin: demo }\n  broken: { command: /nonexistent/server }\n")]
);
cli!(list_servers_for_programs, ["list", "-c", "a.yaml", "--json"], "", [("a.yaml", DEMO)]);
cli!(show_a_tool, ["show", "demo.subtract", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(
    show_a_server_that_does_not_start,
    ["show", "broken", "-c", "a.yaml"],
    "",
    [("a.yaml", "servers: { broken: { command: /nonexistent/server } }")]
);
cli!(show_an_unknown_server, ["show", "dmo", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_a_tool, ["call", "demo.add", "a=88", "b=22", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_with_standard_input, ["call", "demo.add", "-", "b=2", "-c", "a.yaml"], "{\"a\": 40, \"b\": 0}", [("a.yaml", DEMO)]);
cli!(call_with_all_arguments, ["call", "demo.add", "--args", "{\"a\": 1, \"b\": 2}", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_with_a_file, ["call", "demo.echo", "message=@text.txt", "-c", "a.yaml"], "", [("a.yaml", DEMO), ("text.txt", "from a file")]);
cli!(call_with_bad_json, ["call", "demo.add", "a:={", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_with_wrong_arguments, ["call", "demo.add", "a=x", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_with_wrong_arguments_for_programs, ["call", "demo.add", "a=x", "-c", "a.yaml", "--json"], "", [("a.yaml", DEMO)]);
cli!(call_with_wrong_arguments_and_go_on, ["call", "demo.add", "a=x", "-c", "a.yaml", "--ignore-tool-error"], "", [("a.yaml", DEMO)]);
cli!(call_an_unknown_tool, ["call", "demo.ad", "a=1", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(
    call_a_server_that_does_not_start,
    ["call", "broken.x", "-c", "a.yaml"],
    "",
    [("a.yaml", "servers: { broken: { command: /nonexistent/server } }")]
);
cli!(call_a_gateway_that_is_not_there, ["call", "demo.add", "--url", "http://127.0.0.1:1"]);
cli!(call_for_a_picture, ["call", "demo.image", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_a_tool_that_asks, ["call", "demo.ask_name", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);
cli!(call_raw, ["call", "demo.echo", "message=hi", "--raw", "-c", "a.yaml"], "", [("a.yaml", DEMO)]);

#[test]
fn every_code_has_a_document() {
    for code in crib_model::Code::ALL {
        let text = out("every_code_has_a_document", &["explain", code.as_str()], "");
        assert!(text.starts_with("exit 0") && text.contains(&format!("# {code}: ")), "{code}: {text}");
    }
}

#[test]
fn man_pages_are_written_for_every_command() {
    let said = out("man_pages", &["man", "--dir", "pages"], "");
    assert!(said.starts_with("exit 0") && said.contains("man pages in pages"), "{said}");
    for name in ["toolcrib", "toolcrib-serve", "toolcrib-admin-secret", "toolcrib-secret", "toolcrib-approve", "toolcrib-new"] {
        let page = std::fs::read_to_string(folder("man_pages").join("pages").join(format!("{name}.1"))).expect(name);
        assert!(page.contains(".SH NAME"), "{name}");
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = out("completions", &["completion", shell], "");
        assert!(text.starts_with("exit 0") && text.contains("toolcrib"), "{shell}: {text}");
    }
}

#[test]
fn a_file_wins_over_an_address_in_the_environment() {
    with_file("wins", "a.yaml", DEMO);
    let mut command = toolcrib("wins");
    command.env("TOOLCRIB_URL", "http://127.0.0.1:1").args(["call", "demo.add", "a=1", "b=2", "-c", "a.yaml", "-o", "json"]);
    let done = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.starts_with("{\"schema\":\"toolcrib/v1/result\""), "{text}");
}

#[test]
fn what_came_before_the_end_of_the_input_is_answered() {
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"demo__add","arguments":{"a":1,"b":2}}}"#;
    with_file("stdio", "a.yaml", DEMO);
    let begin = std::time::Instant::now();
    let text = out("stdio", &["serve", "--stdio", "-c", "a.yaml"], &format!("{initialize}\n{call}\n"));
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = (lines.get(2).copied().unwrap_or_default(), lines.get(3).copied().unwrap_or_default());
    assert!(text.starts_with("exit 0") && first.contains("\"protocolVersion\":\"2025-06-18\"") && second.contains("\"3\""), "{text}");
    // Nothing waits for the end of the drain time.
    assert!(begin.elapsed() < std::time::Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn a_bridge_to_a_server_that_is_not_there_says_so_to_the_first_word() {
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}"#;
    let modern = |method: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{{{meta}}}}}");
    for server in [&["http://127.0.0.1:1/mcp"][..], &["--", "/no/such/command"]] {
        for asked in [initialize.to_owned(), modern("server/discover"), modern("tools/list")] {
            let text = out("nobody", &[&["serve", "--stdio"], server].concat(), &format!("{asked}\n"));
            let answer = text.lines().nth(2).unwrap_or_default();
            assert!(answer.contains("\"error\":") && answer.contains("TC020"), "{server:?}, {asked}: {text}");
        }
    }
}

#[test]
fn what_is_saved_takes_no_name_that_is_taken() {
    let test = "save_twice";
    with_file(test, "a.yaml", DEMO);
    let pictures = folder(test).join("pictures");
    drop(std::fs::remove_dir_all(&pictures));
    let save = |folder: &str| out(test, &["call", "demo.image", "-c", "a.yaml", "--save", folder], "");
    assert_eq!(save("pictures"), "exit 0\n--- stdout\npictures/image-0.png\n--- stderr\n");
    std::fs::write(pictures.join("image-0.png"), "precious").expect("writable");
    assert_eq!(save("pictures"), "exit 0\n--- stdout\npictures/image-0-2.png\n--- stderr\n");
    assert_eq!(std::fs::read(pictures.join("image-0.png")).expect("still there"), b"precious");
    let refused = save("a.yaml");
    assert!(refused.starts_with("exit 2") && refused.contains("the image cannot be saved in a.yaml"), "{refused}");
}

#[test]
fn what_a_tool_said_reaches_programs_byte_for_byte() {
    let test = "byte_for_byte";
    with_file(test, "a.yaml", DEMO);
    let text = "A\u{1b}[31mred\u{1b}[0m\u{7}\u{8}";
    let done = toolcrib(test).args(["call", "demo.echo", "-c", "a.yaml", &format!("message={text}")]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim_end_matches('\n'), text);
}
