//! `inspect` from outside: what people and programs read, and the exit status.

use super::{folder, out, toolcrib, with_file};

const DEMO: &str = "servers:\n  demo: { builtin: demo }\n";

/// Lines of the log without what is another one every time.
fn steady(text: &str) -> String {
    let is_time = |word: &str| word.ends_with("ms") || word.parse::<f64>().is_ok();
    let line = |line: &str| {
        if line.contains(" → ") || line.contains(" ← ") {
            line.split_whitespace().skip(1).filter(|word| !is_time(word) && !matches!(*word, "B" | "kB")).collect::<Vec<_>>().join(" ")
        } else {
            line.to_owned()
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_from_standard_input_are_done_and_failures_counted() {
    let test = "inspect_commands";
    with_file(test, "a.yaml", DEMO);
    let text = out(
        test,
        &["inspect", "demo", "-c", "a.yaml"],
        "era\n# a remark\ncall add a=88 b=22\ncall nobody\nsend nobody/knows\nfrobnicate\n",
    );
    insta::assert_snapshot!(steady(&text));
}

#[test]
fn without_commands_there_is_an_overview() {
    let test = "inspect_overview";
    with_file(test, "a.yaml", DEMO);
    insta::assert_snapshot!(out(test, &["inspect", "demo", "-c", "a.yaml", "--quiet"], ""));
}

#[test]
fn one_request_is_one_answer() {
    let test = "inspect_request";
    let args = ["inspect", "demo", "-q", "--method", "tools/call", "--params", r#"{"name":"add","arguments":{"a":1,"b":2}}"#];
    assert_eq!(out(test, &args, ""), "exit 0\n--- stdout\n3\n--- stderr\n");
    let text = out(test, &["inspect", "demo", "-q", "--method", "tools/call", "--params", r#"{"name":"nobody"}"#], "");
    assert!(text.starts_with("exit 5\n--- stdout\nerror -32602"), "{text}");
}

#[test]
fn for_programs_every_line_is_json() {
    let test = "inspect_json";
    let text = out(test, &["inspect", "demo", "--json"], "call add a=1 b=2\n");
    let lines: Vec<serde_json::Value> =
        text.lines().skip(2).take_while(|line| *line != "--- stderr").map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let schemas: Vec<&str> = lines.iter().filter_map(|line| line.get("schema")?.as_str()).collect();
    assert!(schemas.iter().all(|schema| matches!(*schema, "toolcrib/v1/message" | "toolcrib/v1/answer")), "{schemas:?}");
    assert_eq!(schemas.iter().filter(|schema| **schema == "toolcrib/v1/answer").count(), 1);
}

#[test]
fn what_is_recorded_is_answered_alike_and_can_be_served() {
    let test = "inspect_record";
    drop(std::fs::remove_file(folder(test).join("a.ndjson")));
    let recorded = out(test, &["inspect", "demo", "-q", "--record", "a.ndjson"], "call add a=88 b=22\nprompts\n");
    assert!(recorded.starts_with("exit 0"), "{recorded}");
    let replayed = out(test, &["inspect", "demo", "--replay", "a.ndjson"], "");
    assert!(replayed.starts_with("exit 0") && replayed.contains("0 otherwise"), "{replayed}");
    let file = folder(test).join("a.ndjson");
    let text = std::fs::read_to_string(&file).expect("a recording");
    std::fs::write(&file, text.replace("\\\"110\\\"", "\\\"111\\\"").replace("\"110\"", "\"111\"")).expect("written");
    let replayed = out(test, &["inspect", "demo", "--replay", "a.ndjson"], "");
    assert!(replayed.starts_with("exit 8") && replayed.contains("TC0462") && replayed.contains("tools/call add"), "{replayed}");
    let program = env!("CARGO_BIN_EXE_toolcrib");
    let played = out(test, &["inspect", "-q", "--", program, "inspect", "--replay", "a.ndjson", "--serve-stdio"], "call add a=88 b=22\n");
    assert!(played.starts_with("exit 0\n--- stdout\n111\n"), "{played}");
}

#[test]
fn the_demo_has_no_errors_and_a_grade() {
    let test = "inspect_grade";
    let text = out(test, &["inspect", "demo", "--lint"], "");
    assert!(text.starts_with("exit 0") && text.contains("0 errors"), "{text}");
    let text = out(test, &["inspect", "demo", "--grade", "--json"], "");
    let document = text.lines().nth(2).unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(document).expect("JSON");
    assert_eq!(document.get("schema").and_then(serde_json::Value::as_str), Some("toolcrib/v1/grade"));
    assert_eq!(document.get("parts").and_then(serde_json::Value::as_array).map(Vec::len), Some(6));
}

#[test]
fn a_load_test_stays_in_its_bounds() {
    let test = "inspect_load";
    let text = out(test, &["inspect", "demo", "--load", "200ms", "--connections", "2", "--tool", "add", "--args", r#"{"a":1,"b":2}"#], "");
    assert!(text.starts_with("exit 0") && text.contains("errors       none"), "{text}");
    assert!(text.starts_with("exit 0"), "{text}");
    let text = out(test, &["inspect", "demo", "--load", "100ms", "--tool", "add", "--args", r#"{"a":"x"}"#], "");
    assert!(text.starts_with("exit 5") && text.contains("error: every call of `") && text.contains("latency "), "{text}");
    let text = out(test, &["inspect", "demo", "--load", "61s"], "");
    assert!(text.starts_with("exit 2") && text.contains("TC0464"), "{text}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let test = "inspect_gone";
    with_file(test, "a.yaml", DEMO);
    let text = out(test, &["inspect", "dmo", "-c", "a.yaml"], "");
    assert!(text.starts_with("exit 5") && text.contains("did you mean `demo`?"), "{text}");
    let mut command = toolcrib(test);
    let done = command.args(["inspect", "--", "/nonexistent/server"]).output().expect("it runs");
    assert_eq!(done.status.code(), Some(4), "{}", String::from_utf8_lossy(&done.stderr));
}
