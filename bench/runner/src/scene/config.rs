//! The gateway's configurations: keys, rules and metrics are on in all of them.

use std::fmt::Write as _;

use crate::peers::{KEY, LEGACY_BACKEND, LIST_BACKENDS, MODERN_BACKEND, TOOLCRIB};

fn head() -> String {
    format!("version: 1\ngateway:\n  listen: \"127.0.0.1:{TOOLCRIB}\"\n")
}

fn keys() -> String {
    format!("keys:\n  - name: bench\n    secret: \"{KEY}\"\n    allow: [\"*\"]\n    deny: [\"*.never_*\"]\n")
}

/// Two HTTP upstreams, one of each era: `legacy` and `modern`.
pub(crate) fn both_eras() -> String {
    let url = |name: &str, port: u16| format!("  {name}: {{ url: \"http://127.0.0.1:{port}/mcp\" }}\n");
    head() + "servers:\n" + &url("legacy", LEGACY_BACKEND) + &url("modern", MODERN_BACKEND) + &keys()
}

/// One upstream behind stdin and stdout.
pub(crate) fn stdio(program: &std::path::Path, arguments: &[&str]) -> String {
    let mut args = vec!["stdio"];
    args.extend(arguments);
    let args: Vec<String> = args.iter().map(|arg| format!("\"{arg}\"")).collect();
    let server = format!("servers:\n  pipe: {{ command: \"{}\", args: [{}] }}\n", program.display(), args.join(", "));
    head() + &server + &keys()
}

/// Ten HTTP upstreams.
pub(crate) fn ten() -> String {
    let mut servers = String::from("servers:\n");
    for i in 0..10 {
        let _ = writeln!(servers, "  s{i}: {{ url: \"http://127.0.0.1:{}/mcp\" }}", LIST_BACKENDS + i);
    }
    head() + &servers + &keys()
}

/// The built-in server alone.
pub(crate) fn demo() -> String {
    head() + &keys()
}

/// Access log, audit entry and one trace in a hundred.
pub(crate) fn observed(sink: u16) -> String {
    both_eras()
        + &format!(
            "observability:\n  accessLog: true\n  audit: ./audit.jsonl\n  otlp: \"http://127.0.0.1:{sink}/v1/traces\"\n  sampling: 0.01\n"
        )
}
