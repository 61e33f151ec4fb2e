//! A settled call as the members of a JSON object: what the access log and the audit log have in common.
//!
//! By hand, because most of it needs no escapes and all of it is on the way of a call.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::time::Duration;

use crib_model::{Ending, Entry, Side};

/// Longest text of a client or server that is written; what is longer is cut.
const TEXT_BYTES_MAX: usize = 2048;

/// How a call ended, in words.
#[derive(Debug)]
struct Outcome {
    name: &'static str,
    /// `TC0203`, or the number of a JSON-RPC error.
    code: Option<Cow<'static, str>>,
    side: Option<Side>,
}

/// Writes an entry as members of an object, the braces left out: `"time":1795234829.014090,"principal":"alice",…`.
/// `unix` is when the call ended.
///
/// # Errors
/// None in practice: memory takes what it is given.
pub fn write_call(line: &mut Vec<u8>, entry: &Entry, unix: Duration) -> io::Result<()> {
    let outcome = Outcome::of(&entry.ending);
    write!(line, "\"time\":{}.{:06}", unix.as_secs(), unix.subsec_micros())?;
    write_text(line, "principal", &entry.principal.name)?;
    write_text(line, "revision", entry.client.as_str())?;
    if let Some(client) = &entry.client_name {
        write_text(line, "client", client)?;
    }
    write_text(line, "method", entry.method.as_str())?;
    if let Some(server) = &entry.upstream {
        write_text(line, "server", server.as_str())?;
    }
    if let Some(target) = &entry.target {
        write_text(line, "target", target)?;
    }
    write_text(line, "outcome", outcome.name)?;
    if let Some(code) = &outcome.code {
        write_text(line, "code", code)?;
    }
    if let Some(side) = outcome.side {
        write_text(line, "side", side.as_str())?;
    }
    // Milliseconds with three digits: microseconds are what a clock is good for.
    let micros = entry.latency.as_micros();
    write!(line, ",\"latency_ms\":{}.{:03}", micros / 1000, micros % 1000)?;
    write!(line, ",\"request_bytes\":{},\"reply_bytes\":{}", entry.request_bytes, entry.reply_bytes)?;
    if let Some(trace) = &entry.trace {
        write!(line, ",\"trace_id\":\"{:032x}\"", trace.trace_id)?;
    }
    Ok(())
}

/// Writes `,"name":"value"`.
pub(crate) fn write_text(line: &mut Vec<u8>, name: &'static str, value: &str) -> io::Result<()> {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    let end = value.floor_char_boundary(TEXT_BYTES_MAX);
    serde_json::to_writer(line, value.get(..end).unwrap_or_default()).map_err(io::Error::from)
}

impl Outcome {
    fn of(ending: &Ending) -> Self {
        let plain = |name, side| Self { name, code: None, side };
        match ending {
            Ending::Ok => plain("ok", None),
            Ending::ToolError => plain("tool_error", Some(Side::Upstream)),
            Ending::InputRequired => plain("input_required", None),
            Ending::Task => plain("task", None),
            Ending::Abandoned => plain("abandoned", Some(Side::Client)),
            Ending::UpstreamError(number) => {
                Self { code: Some(number.to_string().into()), ..plain("upstream_error", Some(Side::Upstream)) }
            }
            Ending::Failed(code) => Self { code: Some(code.as_str().into()), ..plain("failed", Some(code.side())) },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use crib_mcp::{Method, Revision};
    use crib_model::{Code, Principal, Slug, TraceContext};

    use super::*;

    pub(crate) fn entry(ending: Ending) -> Entry {
        Entry {
            principal: Arc::new(Principal::anonymous()),
            client: Revision::V2026_07_28,
            client_name: Some("tester".into()),
            method: Method::ToolsCall,
            upstream: Slug::parse("demo"),
            target: Some("add".into()),
            ending,
            latency: Duration::from_micros(1500),
            ended: std::time::Instant::now(),
            request_bytes: 10,
            reply_bytes: 20,
            trace: None,
            parent_span: None,
        }
    }

    fn written(entry: &Entry) -> serde_json::Value {
        let mut line = b"{".to_vec();
        write_call(&mut line, entry, Duration::from_millis(1500)).unwrap();
        line.push(b'}');
        assert!(!line.contains(&b'\n'));
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_call_is_json_whatever_is_in_it() {
        let strange = "a\"b\\c\n\u{1}\u{e9}";
        let trace = Some(TraceContext { trace_id: 10, span_id: 1, is_sampled: true });
        let read = written(&Entry { client_name: Some(strange.into()), target: Some(strange.into()), trace, ..entry(Ending::Ok) });
        assert_eq!((&read["client"], &read["target"], &read["time"]), (&strange.into(), &strange.into(), &1.5.into()));
        assert_eq!((&read["latency_ms"], &read["trace_id"]), (&1.5.into(), &format!("{:032x}", 10).into()));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let read = written(&Entry { target: Some("\u{e9}".repeat(4000).into()), ..entry(Ending::Ok) });
        assert_eq!(read["target"].as_str().unwrap().len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn an_ending_is_described_as_what_it_is() {
        let said = |ending| {
            let read = written(&entry(ending));
            format!("{} {} {}", read["outcome"], read["code"], read["side"]).replace('"', "")
        };
        assert_eq!(said(Ending::Ok), "ok null null");
        assert_eq!(said(Ending::UpstreamError(7)), "upstream_error 7 upstream");
        assert_eq!(said(Ending::Failed(Code::Unauthenticated)), "failed TC0301 client");
    }
}
