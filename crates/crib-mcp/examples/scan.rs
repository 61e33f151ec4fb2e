//! How long the hot path takes: `cargo run --release -p crib-mcp --example scan`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{Json, Message, Method, Payload, Revision, ladder, message, translate};

/// Runs for about a second in rounds and prints the fastest round: what the code costs when nothing disturbs it.
fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    let mut rounds = 1_u32;
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(700) {
        let round = Instant::now();
        for _ in 0..rounds {
            work();
        }
        let spent = round.elapsed();
        if spent < Duration::from_millis(2) {
            rounds = rounds.saturating_mul(2);
        } else {
            best = best.min(spent / rounds);
        }
    }
    println!("{name:<44} {bytes:>7} B {best:>12.1?}");
}

fn main() {
    let request = concat!(
        r#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"search","arguments":{"query":"rust gateway","limit":10},"#,
        r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
        r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#
    );
    let short =
        Bytes::from(br#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"search","arguments":{"query":"rust"}}}"#.to_vec());
    let result = Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":42,"result":{{"resultType":"complete","content":[{{"type":"text","text":"{}"}}],"isError":false}}}}"#,
        "All is well, said the server, and went on. ".repeat(30)
    ));
    let long =
        Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{}"}}]}}}}"#, "x".repeat(64 * 1024)));
    let escaped = Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{}"}}]}}}}"#,
        "a line of code\\n".repeat(4096)
    ));
    let foreign =
        Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{}"}}]}}}}"#, "世界 ".repeat(9362)));
    let tool = r#"{"name":"tool","title":"A tool","description":"Does what a tool does, and says so at some length.","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"What to look for"},"limit":{"type":"integer","minimum":1}},"required":["query"]}}"#;
    let list = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, vec![tool; 100].join(",")));
    let request = Bytes::from(request.as_bytes().to_vec());

    for (name, text) in [
        ("parse a short request", &short),
        ("parse a request", &request),
        ("parse a result", &result),
        ("parse a result of one long string", &long),
        ("parse a result of many escapes", &escaped),
        ("parse a result in another script", &foreign),
        ("parse a list of 100 tools", &list),
    ] {
        measure(name, text.len(), || drop(black_box(Message::parse(black_box(text)))));
    }

    let parsed = Message::parse(&request);
    let Ok(Message::Request(call)) = &parsed else { return };
    measure("classify a request on stdio", request.len(), || {
        if let Ok(message) = &parsed {
            drop(black_box(ladder::classify_line(black_box(message))));
        }
    });
    measure("write a request under another name", request.len(), || {
        let params = call.params.edit().set("name", Json::of("other")).finish();
        drop(black_box(message::request(&call.id, call.method.as_str(), &params)));
    });
    let Ok(Message::Response(response)) = Message::parse(&result) else { return };
    let Ok(payload) = response.outcome else { return };
    for (name, to) in [("pass a result on", Revision::V2026_07_28), ("bring a result down to 2025-06-18", Revision::V2025_06_18)] {
        measure(name, result.len(), || drop(black_box(translate::result(&Method::ToolsCall, &payload, Revision::V2026_07_28, to, None))));
    }
    measure("read a result object", result.len(), || drop(black_box(Payload::parse(payload.to_json().bytes()))));
}
