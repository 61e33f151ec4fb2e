//! One HTTP/1.1 connection, kept alive, that reads whole answers: of a length, chunked, or to the end.

use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Options;

#[derive(Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    length: Option<usize>,
    is_chunked: bool,
    pub(crate) is_stream: bool,
    pub(crate) session: Option<String>,
}

pub(crate) struct Socket {
    stream: TcpStream,
    input: Vec<u8>,
    pub(crate) bytes_in: u64,
}

impl Socket {
    pub(crate) async fn open(options: &Rc<Options>) -> Result<Self, String> {
        let stream = TcpStream::connect(&options.host).await.map_err(|e| format!("connect: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream, input: Vec::with_capacity(1 << 16), bytes_in: 0 })
    }

    /// Sends a request and reads its answer, body into `body`.
    pub(crate) async fn exchange(&mut self, request: &[u8], body: &mut Vec<u8>) -> Result<Head, String> {
        self.stream.write_all(request).await.map_err(|e| format!("write: {e}"))?;
        let head = self.head().await?;
        body.clear();
        if let Some(length) = head.length {
            self.need(length, "a body").await?;
            body.extend(self.input.drain(..length));
        } else if head.is_chunked {
            while self.chunk(body).await? {}
        } else if head.status != 202 && head.status != 204 {
            while self.fill().await? != 0 {}
            body.append(&mut self.input);
        }
        Ok(head)
    }

    async fn head(&mut self) -> Result<Head, String> {
        loop {
            match parse(&self.input)? {
                Some((head, length)) => {
                    self.input.drain(..length);
                    if head.status != 100 {
                        return Ok(head);
                    }
                }
                None if self.fill().await? == 0 => return Err("closed before an answer".into()),
                None => {}
            }
        }
    }

    /// Reads one chunk; `false` when it was the last.
    async fn chunk(&mut self, body: &mut Vec<u8>) -> Result<bool, String> {
        let line = loop {
            if let Some(line) = memchr::memmem::find(&self.input, b"\r\n") {
                break line;
            }
            self.need(self.input.len() + 1, "a chunk").await?;
        };
        let text = std::str::from_utf8(&self.input[..line]).map_err(|e| e.to_string())?;
        let digits = text.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|e| format!("chunk: {e}"))?;
        let start = line + 2;
        self.need(start + size + 2, "a chunk").await?;
        body.extend_from_slice(&self.input[start..start + size]);
        self.input.drain(..start + size + 2);
        Ok(size != 0)
    }

    async fn need(&mut self, length: usize, what: &str) -> Result<(), String> {
        while self.input.len() < length {
            if self.fill().await? == 0 {
                return Err(format!("closed inside {what}"));
            }
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<usize, String> {
        let read = self.stream.read_buf(&mut self.input).await.map_err(|e| format!("read: {e}"))?;
        self.bytes_in += read as u64;
        Ok(read)
    }
}

fn parse(input: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(input).map_err(|e| format!("http: {e}"))? else { return Ok(None) };
    let mut head = Head { status: response.code.unwrap_or(0), ..Head::default() };
    for header in response.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.trim().parse().ok(),
            "transfer-encoding" => head.is_chunked = value.to_ascii_lowercase().contains("chunked"),
            "content-type" => head.is_stream = value.starts_with("text/event-stream"),
            "mcp-session-id" => head.session = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(Some((head, length)))
}

/// Returns the data of the next SSE event of `body` from `position`, which moves past it.
pub(crate) fn next_event(body: &[u8], position: &mut usize) -> Option<Vec<u8>> {
    let rest = &body[*position..];
    let ends = [(b"\n\n".as_slice(), 2), (b"\r\n\r\n".as_slice(), 4)];
    let (end, skip) = ends.into_iter().filter_map(|(mark, skip)| Some((memchr::memmem::find(rest, mark)?, skip))).min()?;
    *position += end + skip;
    let mut data = Vec::new();
    for line in rest[..end].split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(text) = line.strip_prefix(b"data:") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(text.strip_prefix(b" ").unwrap_or(text));
        }
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::next_event;

    #[test]
    fn events_end_with_an_empty_line_of_either_kind() {
        let body = b"event: message\ndata: {\"a\":\ndata: 1}\n\ndata:{}\r\n\r\ndata: half";
        let mut position = 0;
        assert_eq!(next_event(body, &mut position).as_deref(), Some(b"{\"a\":\n1}".as_slice()));
        assert_eq!(next_event(body, &mut position).as_deref(), Some(b"{}".as_slice()));
        assert_eq!(next_event(body, &mut position), None);
    }
}
