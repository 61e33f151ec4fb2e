//! The server itself: one JSON-RPC message in, one out.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const KNOWN: [&str; 6] = ["tools/call", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"];
const BLOB_BYTES_MAX: usize = 8 << 20;

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Eras {
    #[default]
    Both,
    Legacy,
    Modern,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) eras: Eras,
    pub(crate) is_stateful: bool,
    pub(crate) tools: usize,
}

#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) params: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Params<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "protocolVersion")]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<Cow<'a, str>>,
}

impl Params<'_> {
    pub(crate) fn is_modern(&self) -> bool {
        self.meta.as_ref().and_then(|meta| meta.version.as_deref()) == Some(MODERN)
    }
}

#[derive(Deserialize, Default)]
struct Arguments<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    n: usize,
    #[serde(default)]
    ms: u64,
}

/// What is sent back.
pub(crate) enum Answer {
    Reply(Vec<u8>),
    Slow(Vec<u8>, u64),
    Session(Vec<u8>),
    None,
}

pub(crate) struct Server {
    pub(crate) options: Options,
    sessions: RefCell<HashSet<String>>,
    next: Cell<u64>,
    blob: String,
    tools: String,
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        let tools = tools(options.tools);
        Self { options, sessions: RefCell::default(), next: Cell::new(1), blob: "x".repeat(BLOB_BYTES_MAX), tools }
    }

    pub(crate) fn open_session(&self) -> String {
        let n = self.next.get();
        self.next.set(n + 1);
        let id = format!("{:016x}{n:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.sessions.borrow_mut().insert(id.clone());
        id
    }

    pub(crate) fn has_session(&self, id: &str) -> bool {
        self.sessions.borrow().contains(id)
    }

    pub(crate) fn close_session(&self, id: &str) {
        self.sessions.borrow_mut().remove(id);
    }

    /// Returns whether the method is one of the modern revision's, for the HTTP status of an answer.
    pub(crate) fn knows(method: &str) -> bool {
        KNOWN.contains(&method)
    }

    pub(crate) fn answer(&self, envelope: &Envelope<'_>, params: &Params<'_>, modern: bool) -> Answer {
        // No method: a response, and this server asks nothing. No id: a notification.
        let (Some(method), Some(id)) = (envelope.method.as_deref(), envelope.id.map(RawValue::get)) else { return Answer::None };
        let cache = if modern { r#","ttlMs":0,"cacheScope":"private""# } else { "" };
        match method {
            "tools/call" => self.call(id, params, modern),
            "tools/list" => Answer::Reply(result(id, modern, &format!(r#""tools":{}{cache}"#, self.tools))),
            "ping" if !modern => Answer::Reply(result(id, modern, "")),
            "prompts/list" => Answer::Reply(result(id, modern, &format!(r#""prompts":[]{cache}"#))),
            "resources/list" => Answer::Reply(result(id, modern, &format!(r#""resources":[]{cache}"#))),
            "resources/templates/list" => Answer::Reply(result(id, modern, &format!(r#""resourceTemplates":[]{cache}"#))),
            "server/discover" if modern => Answer::Reply(result(id, true, &self.discovery())),
            "initialize" if !modern && self.options.eras != Eras::Modern => Answer::Session(initialized(id, params)),
            _ => Answer::Reply(error(Some(id), -32601, "Method not found")),
        }
    }

    fn discovery(&self) -> String {
        let versions = match self.options.eras {
            Eras::Modern => r#""2026-07-28""#,
            Eras::Both | Eras::Legacy => r#""2026-07-28","2025-11-25","2025-06-18""#,
        };
        format!(
            r#""supportedVersions":[{versions}],"capabilities":{{"tools":{{}}}},"ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"mcp-echo","version":"0.1.0"}}}}"#
        )
    }

    fn call(&self, id: &str, params: &Params<'_>, modern: bool) -> Answer {
        let arguments: Arguments<'_> = match params.arguments.map(|text| serde_json::from_str(text.get())) {
            None => Arguments::default(),
            Some(Ok(arguments)) => arguments,
            Some(Err(_)) => return Answer::Reply(error(Some(id), -32602, "bad arguments")),
        };
        let name = params.name.as_deref().unwrap_or_default();
        match name {
            "blob" => {
                let blob = &self.blob[..arguments.n.min(BLOB_BYTES_MAX)];
                Answer::Reply(text(id, modern, &format!("\"{blob}\"")))
            }
            "sleep" => Answer::Slow(text(id, modern, "\"slept\""), arguments.ms),
            _ if name == "echo" || name.starts_with("tool_") => match arguments.message {
                Some(message) => Answer::Reply(text(id, modern, message.get())),
                None => Answer::Reply(error(Some(id), -32602, "message is required")),
            },
            _ => Answer::Reply(error(Some(id), -32602, "unknown tool")),
        }
    }
}

fn initialized(id: &str, params: &Params<'_>) -> Vec<u8> {
    let asked = params.protocol_version.as_deref().unwrap_or_default();
    let version = LEGACY.iter().find(|known| **known == asked).unwrap_or(&LEGACY[0]);
    let rest = r#""capabilities":{"tools":{}},"serverInfo":{"name":"mcp-echo","version":"0.1.0"}"#;
    result(id, false, &format!(r#""protocolVersion":"{version}",{rest}"#))
}

pub(crate) fn error(id: Option<&str>, code: i32, message: &str) -> Vec<u8> {
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#).into_bytes()
}

fn text(id: &str, modern: bool, quoted: &str) -> Vec<u8> {
    let kind = if modern { r#""resultType":"complete","# } else { "" };
    let mut out = Vec::with_capacity(quoted.len() + id.len() + 128);
    for part in
        [r#"{"jsonrpc":"2.0","id":"#, id, r#","result":{"#, kind, r#""content":[{"type":"text","text":"#, quoted, r#"}],"isError":false}}"#]
    {
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn result(id: &str, modern: bool, members: &str) -> Vec<u8> {
    let kind = match (modern, members.is_empty()) {
        (true, true) => r#""resultType":"complete""#,
        (true, false) => r#""resultType":"complete","#,
        (false, _) => "",
    };
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{kind}{members}}}}}"#).into_bytes()
}

/// Returns the JSON array of three tools that do something and `fillers` that look like real ones.
fn tools(fillers: usize) -> String {
    let mut out = String::from(concat!(
        r#"[{"name":"echo","description":"Returns the message it was given.","inputSchema":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}}"#,
        r#",{"name":"blob","description":"Returns n bytes of text.","inputSchema":{"type":"object","properties":{"n":{"type":"integer","minimum":0}},"required":["n"]}}"#,
        r#",{"name":"sleep","description":"Waits for ms milliseconds, then answers.","inputSchema":{"type":"object","properties":{"ms":{"type":"integer","minimum":0}},"required":["ms"]}}"#,
    ));
    for i in 0..fillers {
        let _ = write!(
            out,
            r#",{{"name":"tool_{i:04}","description":"Filler tool number {i}: looks up a record by its key and returns the fields that were asked for, newest first.","inputSchema":{{"type":"object","properties":{{"message":{{"type":"string","description":"The key of the record"}},"limit":{{"type":"integer","minimum":1,"maximum":500,"description":"How many rows to return"}},"fields":{{"type":"array","items":{{"type":"string"}},"description":"The names of the fields"}}}},"required":["message"]}}}}"#
        );
    }
    out.push(']');
    out
}
