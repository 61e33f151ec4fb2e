//! A recorded server: it answers what it was asked before.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use crib_mcp::line::LineDecoder;
use crib_mcp::{Chunks, Json, Message, Method, RpcError, code, message};
use crib_model::limits;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Exchange, exchanges};
use crate::mask::{Mask, is_alike};
use crate::record::Recording;

/// A server made of a recording. Asked the same again it goes on to the next recorded answer, and stays at the last.
#[derive(Debug)]
pub struct Player {
    answers: HashMap<(String, String), VecDeque<Value>>,
}

// === impl Player ===

impl Player {
    #[must_use]
    pub fn new(recording: &Recording) -> Self {
        let mut answers: HashMap<(String, String), VecDeque<Value>> = HashMap::new();
        for Exchange { method, params, answer } in exchanges(recording) {
            answers.entry(key(&method, &params)).or_default().extend(answer);
        }
        Self { answers }
    }

    /// Answers one message; nothing for what wants no answer.
    pub fn answer(&mut self, text: &Bytes) -> Option<Chunks> {
        let request = match Message::parse(text) {
            Ok(Message::Request(request)) => request,
            Ok(Message::Notification(_) | Message::Response(_)) => return None,
            Err(malformed) => return Some(message::error(malformed.id.as_ref(), &malformed.error)),
        };
        let params: Value = request.params.to_json().read().unwrap_or_default();
        let key = self.known(key(request.method.as_str(), &Mask::default().value(&params)));
        let known = self.answers.get_mut(&key);
        let next = known.and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
        let Some(answer) = next else {
            if request.method == Method::Ping {
                return Some(message::result(&request.id, &Chunks::from(Json::from_static("{}"))));
            }
            let error = RpcError::new(code::METHOD_NOT_FOUND, format!("`{}` was not recorded with these parameters", request.method));
            return Some(message::error(Some(&request.id), &error));
        };
        if let Some(result) = answer.get("result") {
            return Some(message::result(&request.id, &Chunks::from(Json::of(result))));
        }
        let body = json!({ "jsonrpc": "2.0", "id": serde_json::from_str::<Value>(request.id.as_json().as_str()).ok(), "error": answer.get("error") });
        Some(Chunks::from(Json::of(&body)))
    }

    /// Returns under what a request was recorded: as it is, or with a secret masked that only its sender knows.
    fn known(&self, key: (String, String)) -> (String, String) {
        if self.answers.contains_key(&key) {
            return key;
        }
        let Ok(now) = serde_json::from_str::<Value>(&key.1) else { return key };
        let is_alike = |recorded: &str| serde_json::from_str(recorded).is_ok_and(|recorded| is_alike(&recorded, &now));
        let found = self.answers.keys().find(|(method, params)| *method == key.0 && is_alike(params));
        found.cloned().unwrap_or(key)
    }

    /// Serves one client in lines until it leaves.
    pub async fn serve<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(mut self, mut input: R, mut output: W) -> std::io::Result<()> {
        let mut lines = LineDecoder::new(limits::REQUEST_BYTES_MAX);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            for line in lines.by_ref() {
                let Ok(line) = line else { continue };
                if let Some(answer) = self.answer(&line) {
                    let mut text = answer.into_bytes().to_vec();
                    text.push(b'\n');
                    output.write_all(&text).await?;
                    output.flush().await?;
                }
            }
            let read = input.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            lines.push(buffer.get(..read).unwrap_or_default());
        }
    }
}

/// What makes two requests the same: all but what a client says of itself.
fn key(method: &str, params: &Value) -> (String, String) {
    let mut params = params.clone();
    if let Some(object) = params.as_object_mut() {
        object.remove("_meta");
        if method == Method::Initialize.as_str() {
            object.clear();
        }
    }
    (method.to_owned(), params.to_string())
}
