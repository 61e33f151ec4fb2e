//! `toolcrib admin audit verify`.

use std::fs;

use super::{folder, out, with_file};

#[test]
fn a_log_that_was_changed_is_found_out() {
    let test = "a_log_that_was_changed";
    drop(fs::remove_file(folder(test).join("audit.jsonl")));
    with_file(test, "a.yaml", "servers:\n  demo: { builtin: demo }\nobservability: { audit: audit.jsonl }\n");
    let cli = |line: &str| out(test, &line.split(' ').collect::<Vec<_>>(), "");
    for _ in 0..2 {
        assert!(cli("call demo.add a=1 b=2 -c a.yaml").starts_with("exit 0"));
    }
    let whole = cli("admin audit verify audit.jsonl");
    assert!(whole.starts_with("exit 0") && whole.contains("calls  2") && whole.contains("lost   0"), "{whole}");
    let start = format!("--after 0:{}", "0".repeat(64));
    assert!(cli(&format!("admin audit verify audit.jsonl --json {start}")).contains("\"calls\":2"));
    let other = cli(&format!("audit verify audit.jsonl --after 7:{}", "1".repeat(64)));
    assert!(other.starts_with("exit 8") && other.contains("error[TC0604]") && other.contains("line 1"), "{other}");
    let path = folder(test).join("audit.jsonl");
    let text = fs::read_to_string(&path).expect("a log").replacen("\"add\"", "\"sub\"", 1);
    fs::write(&path, text).expect("writable");
    let changed = cli("admin audit verify audit.jsonl");
    assert!(changed.starts_with("exit 8") && changed.contains("does not hold together: line"), "{changed}");
    let json = cli("admin audit verify audit.jsonl --json");
    assert!(json.contains("{\"error\":{\"code\":\"audit_broken\""), "{json}");
    let gone = cli("admin audit verify gone.jsonl");
    assert!(gone.starts_with("exit 2") && gone.contains("error[TC0") && gone.contains("hint: check the path"), "{gone}");
}
