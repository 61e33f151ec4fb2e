//! The gateway's configurations: keys, rules and metrics are on in all of them.

use std::fmt::Write as _;

use crate::peers::{KEY, LEGACY_BACKEND, LIST_BACKENDS, MODERN_BACKEND, TOOLCRIB};

fn head() -> String {
    // What is measured has new tools in every cell, and nobody to approve them.
    format!("version: 1\ngateway:\n  listen: \"127.0.0.1:{TOOLCRIB}\"\n  pins: {{ mode: off }}\n")
}

fn keys() -> String {
    format!("keys:\n  - name: bench\n    secret: \"{KEY}\"\n    allow: [\"*\"]\n    deny: [\"*.never_*\"]\n")
}

/// Two HTTP upstreams, one of each era: `legacy` and `modern`.
pub(crate) fn both_eras() -> String {
    head() + &both_servers() + &keys()
}

fn both_servers() -> String {
    let url = |name: &str, port: u16| format!("  {name}: {{ url: \"http://127.0.0.1:{port}/mcp\" }}\n");
    "servers:\n".to_owned() + &url("legacy", LEGACY_BACKEND) + &url("modern", MODERN_BACKEND)
}

/// One upstream behind stdin and stdout.
pub(crate) fn stdio(program: &std::path::Path, arguments: &[&str]) -> String {
    let mut args = vec!["stdio"];
    args.extend(arguments);
    let args: Vec<String> = args.iter().map(|arg| format!("\"{arg}\"")).collect();
    let server = format!("servers:\n  pipe: {{ command: \"{}\", args: [{}] }}\n", program.display(), args.join(", "));
    head() + &server + &keys()
}

/// Ten HTTP upstreams, whose tools fit on one page.
pub(crate) fn ten() -> String {
    let mut servers = String::from("servers:\n");
    for i in 0..10 {
        let _ = writeln!(servers, "  s{i}: {{ url: \"http://127.0.0.1:{}/mcp\" }}", LIST_BACKENDS + i);
    }
    head() + "  pageSize: 1000\n" + &servers + &keys()
}

/// The built-in server alone.
pub(crate) fn demo() -> String {
    head() + "servers:\n  demo: { builtin: demo }\n" + &keys()
}

/// The access log, the chained audit log, and one trace in a hundred.
pub(crate) fn observed(sink: u16) -> String {
    let observability = format!("observability:\n  otlp: \"http://127.0.0.1:{sink}\"\n  sampleRatio: 0.01\n  audit: ./audit.jsonl\n");
    head() + "  accessLog: ./access.jsonl\n" + &both_servers() + &observability + &keys()
}
