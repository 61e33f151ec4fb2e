//! One client: a connection, its session where the revision has one, and checked calls.

use std::borrow::Cow;
use std::io::Write as _;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{Socket, next_event};
use crate::{Kind, Options};

const MODERN: &str = "2026-07-28";
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"mcp-load","version":"0.1.0"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallResult<'a> {
    #[serde(borrow, default)]
    content: Vec<Content<'a>>,
    #[serde(default, rename = "isError")]
    is_error: bool,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ListResult<'a> {
    tools: Vec<serde::de::IgnoredAny>,
    #[serde(borrow, default, rename = "nextCursor")]
    next: Option<&'a RawValue>,
}

pub(crate) struct Client {
    options: Rc<Options>,
    pub(crate) socket: Socket,
    pub(crate) session: Option<String>,
    version: String,
    id: u64,
    request: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Connects, and initializes a session where the revision asks for it.
    pub(crate) async fn open(options: &Rc<Options>) -> Result<Self, String> {
        let mut client = Self {
            options: Rc::clone(options),
            socket: Socket::open(options).await?,
            session: None,
            version: options.version.clone(),
            id: 0,
            request: Vec::with_capacity(1 << 12),
            body: Vec::with_capacity(1 << 12),
        };
        if client.version != MODERN && options.kind != Kind::Get {
            client.initialize().await?;
        }
        Ok(client)
    }

    async fn initialize(&mut self) -> Result<(), String> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{}","capabilities":{{}},"clientInfo":{{"name":"mcp-load","version":"0.1.0"}}}}}}"#,
            self.version
        );
        self.post("initialize", None, body.as_bytes(), Some(0)).await?;
        let answer: serde_json::Value = serde_json::from_slice(&self.body).map_err(|e| e.to_string())?;
        let Some(version) = answer["result"]["protocolVersion"].as_str() else {
            return Err(format!("initialize: {answer}"));
        };
        self.version = version.to_owned();
        let body = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        self.post("notifications/initialized", None, body, None).await
    }

    /// Makes one call and checks its answer.
    pub(crate) async fn call(&mut self) -> Result<(), String> {
        match self.options.kind {
            Kind::Tool => self.call_tool().await,
            Kind::List => self.list().await,
            Kind::Get => self.get().await,
        }
    }

    async fn call_tool(&mut self) -> Result<(), String> {
        self.id += 1;
        let id = self.id;
        let options = Rc::clone(&self.options);
        let mut want = String::new();
        let arguments = if options.blob > 0 {
            format!(r#"{{"n":{}}}"#, options.blob)
        } else {
            want = format!("hello-{id:08}");
            want.extend(std::iter::repeat_n('p', options.payload.saturating_sub(want.len())));
            format!(r#"{{"message":"{want}"}}"#)
        };
        let meta = if self.version == MODERN { format!(",{META}") } else { String::new() };
        let tool = &options.tool;
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}{meta}}}}}"#);
        self.post("tools/call", Some(tool), body.as_bytes(), Some(id)).await?;
        let result: CallResult<'_> = result(&self.body, id)?;
        let text = result.content.first().and_then(|content| content.text.as_deref()).unwrap_or_default();
        let is_right = if options.blob > 0 { text.len() == options.blob } else { text == want };
        if result.is_error || !is_right {
            return Err(format!("wrong text: {}", text.chars().take(100).collect::<String>()));
        }
        Ok(())
    }

    async fn list(&mut self) -> Result<(), String> {
        let mut cursor: Option<String> = None;
        let mut count = 0;
        loop {
            self.id += 1;
            let id = self.id;
            let mut params: Vec<String> = cursor.iter().map(|cursor| format!(r#""cursor":{cursor}"#)).collect();
            if self.version == MODERN {
                params.push(META.to_owned());
            }
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{{}}}}}"#, params.join(","));
            self.post("tools/list", None, body.as_bytes(), Some(id)).await?;
            let page: ListResult<'_> = result(&self.body, id)?;
            count += page.tools.len();
            cursor = page.next.map(|next| next.get().to_owned());
            if cursor.is_none() {
                break;
            }
        }
        self.expect(count)
    }

    async fn get(&mut self) -> Result<(), String> {
        self.request.clear();
        let _ = write!(self.request, "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", self.options.path, self.options.host);
        let head = self.socket.exchange(&self.request, &mut self.body).await?;
        if head.status != 200 {
            return Err(format!("status {}", head.status));
        }
        let answer: Answer<'_> = serde_json::from_slice(&self.body).map_err(|e| format!("json: {e}"))?;
        let page: ListResult<'_> = serde_json::from_str(answer.result.ok_or("no result")?.get()).map_err(|e| e.to_string())?;
        let count = page.tools.len();
        self.expect(count)
    }

    fn expect(&self, count: usize) -> Result<(), String> {
        let wanted = self.options.expect_tools;
        if wanted == 0 || wanted == count { Ok(()) } else { Err(format!("{count} tools instead of {wanted}")) }
    }

    /// Posts one message and leaves the JSON of the answer with that id in `body`.
    async fn post(&mut self, method: &str, name: Option<&str>, body: &[u8], id: Option<u64>) -> Result<(), String> {
        self.write_request(method, name, body);
        let head = self.socket.exchange(&self.request, &mut self.body).await?;
        if let Some(session) = head.session {
            self.session = Some(session);
        }
        if !(200..300).contains(&head.status) {
            let start = &self.body[..self.body.len().min(160)];
            return Err(format!("status {}: {}", head.status, String::from_utf8_lossy(start)));
        }
        let Some(id) = id else { return Ok(()) };
        if head.status == 202 {
            return Err("202 to a request".into());
        }
        if !head.is_stream {
            return Ok(());
        }
        let mut position = 0;
        while let Some(data) = next_event(&self.body, &mut position) {
            if serde_json::from_slice::<Answer<'_>>(&data).is_ok_and(|answer| has_id(&answer, id)) {
                self.body = data;
                return Ok(());
            }
        }
        Err("no answer with that id on the stream".into())
    }

    fn write_request(&mut self, method: &str, name: Option<&str>, body: &[u8]) {
        let out = &mut self.request;
        out.clear();
        let _ = write!(
            out,
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n",
            self.options.path, self.options.host
        );
        if method != "initialize" {
            let _ = write!(out, "MCP-Protocol-Version: {}\r\n", self.version);
        }
        if self.version == MODERN {
            let _ = write!(out, "Mcp-Method: {method}\r\n");
            if let Some(name) = name {
                let _ = write!(out, "Mcp-Name: {name}\r\n");
            }
        }
        if let Some(session) = &self.session {
            let _ = write!(out, "Mcp-Session-Id: {session}\r\n");
        }
        let _ = write!(out, "{}Content-Length: {}\r\n\r\n", self.options.headers, body.len());
        out.extend_from_slice(body);
    }
}

fn has_id(answer: &Answer<'_>, id: u64) -> bool {
    answer.id.is_some_and(|found| found.get().parse() == Ok(id))
}

fn result<'a, T: Deserialize<'a>>(body: &'a [u8], id: u64) -> Result<T, String> {
    let answer: Answer<'a> = serde_json::from_slice(body).map_err(|e| format!("json: {e}"))?;
    if !has_id(&answer, id) {
        return Err("wrong id".into());
    }
    let result = answer.result.ok_or_else(|| format!("error: {}", answer.error.map_or("", RawValue::get)))?;
    serde_json::from_str(result.get()).map_err(|e| e.to_string())
}
