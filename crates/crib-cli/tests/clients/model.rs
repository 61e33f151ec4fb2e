//! A model that is a script: it calls one tool, and says so when it has the result.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The OpenAI responses API, as far as an agent needs it for one call.
pub(crate) struct Model {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Model {
    /// The thread ends with the test's process.
    pub(crate) fn start(namespace: &'static str, tool: &'static str, arguments: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ears = Arc::clone(&ears);
                std::thread::spawn(move || drop(answer(&stream, &ears, (namespace, tool, arguments))));
            }
        });
        Self { url, heard }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the bodies of all requests.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panicked").clone()
    }
}

/// Answers one request of a connection.
fn answer(stream: &TcpStream, ears: &Mutex<Vec<String>>, call: (&str, &str, &str)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let (kind, text) = if first.starts_with("POST") && first.contains("/responses") {
        let events = if body.contains("function_call_output") { said() } else { called(call) };
        ("text/event-stream", events.iter().map(event).collect())
    } else {
        ("application/json", "{\"data\":[],\"models\":[]}".to_owned())
    };
    if let Ok(mut ears) = ears.lock() {
        ears.push(body);
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event.get("type").and_then(Value::as_str).unwrap_or_default())
}

fn called((namespace, tool, arguments): (&str, &str, &str)) -> Vec<Value> {
    respond(
        &json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "namespace": namespace, "name": tool, "arguments": arguments }),
    )
}

fn said() -> Vec<Value> {
    let content = json!([{ "type": "output_text", "text": "it is done", "annotations": [] }]);
    respond(&json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": content }))
}

/// The events of an answer with one item in it.
fn respond(item: &Value) -> Vec<Value> {
    let usage = json!({ "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 });
    vec![
        json!({ "type": "response.created", "response": { "id": "resp_1" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": { "id": "resp_1", "output": [item], "usage": usage } }),
    ]
}
