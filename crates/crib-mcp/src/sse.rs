//! Server-sent events (WHATWG HTML "Server-sent events"): bytes in, events out, and back.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::json::{Chunks, Pieces};

/// An event was larger than the limit; the stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {bytes_max} bytes")]
pub struct TooLarge {
    pub bytes_max: usize,
}

/// One event. The fields are those of this event alone: an id does not carry over from the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    pub event: Option<String>,
    pub id: Option<String>,
    pub retry_ms: Option<u64>,
    /// Empty for an event that only sets an id or a reconnection time.
    pub data: Bytes,
}

/// Cuts a stream of bytes into events. Iterate it after each [`SseDecoder::push`].
///
/// Lines end with `\n`, `\r\n` or `\r`; a byte order mark at the start and comment lines are skipped. Data that came
/// in one line of one chunk shares the chunk's memory.
#[derive(Debug)]
pub struct SseDecoder {
    bytes_max: usize,
    /// The beginning of a line whose end has not come yet.
    partial: BytesMut,
    open: Open,
    ready: VecDeque<SseEvent>,
    place: Place,
    is_broken: bool,
}

/// Where in the stream the decoder stands, as far as it changes how the next byte is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the first line, which may begin with a byte order mark.
    Start,
    Middle,
    /// Right behind a `\r`: a `\n` belongs to it.
    AfterReturn,
}

/// The event that is being read.
#[derive(Debug, Default)]
struct Open {
    event: Option<String>,
    id: Option<String>,
    retry_ms: Option<u64>,
    data: Data,
    bytes: usize,
}

/// The data lines read so far. Only a second line makes it necessary to copy.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn add(&mut self, line: Bytes) {
        let mut whole = match std::mem::take(self) {
            Self::None => {
                *self = Self::One(line);
                return;
            }
            Self::One(first) => BytesMut::from(first.as_ref()),
            Self::Many(whole) => whole,
        };
        whole.extend_from_slice(b"\n");
        whole.extend_from_slice(&line);
        *self = Self::Many(whole);
    }
}

impl SseDecoder {
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            bytes_max: max_event_bytes,
            partial: BytesMut::new(),
            open: Open::default(),
            ready: VecDeque::new(),
            place: Place::Start,
            is_broken: false,
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// An event outgrew the limit. Events that were complete before it can still be read; the rest of the stream cannot.
    pub fn push(&mut self, chunk: &Bytes) -> Result<(), TooLarge> {
        if self.is_broken {
            return Err(TooLarge { bytes_max: self.bytes_max });
        }
        let mut rest = chunk.clone();
        loop {
            if self.place == Place::AfterReturn && !rest.is_empty() {
                self.place = Place::Middle;
                if rest.first() == Some(&b'\n') {
                    drop(rest.split_to(1));
                }
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', &rest) else { break };
            let head = rest.split_to(at);
            let end = rest.split_to(1);
            let line = if self.partial.is_empty() {
                head
            } else {
                self.partial.extend_from_slice(&head);
                self.partial.split().freeze()
            };
            self.check_size(line.len())?;
            let line = if self.place == Place::Start { without_mark(line) } else { line };
            self.place = if end.first() == Some(&b'\r') { Place::AfterReturn } else { Place::Middle };
            self.line(&line);
            self.check_size(0)?;
        }
        self.partial.extend_from_slice(&rest);
        self.check_size(self.partial.len())
    }

    /// Ends the stream and returns an event that lacks only its closing empty line.
    pub fn finish(&mut self) -> Option<SseEvent> {
        if self.is_broken {
            return None;
        }
        if !self.partial.is_empty() {
            let line = self.partial.split().freeze();
            self.line(&if self.place == Place::Start { without_mark(line) } else { line });
        }
        self.dispatch();
        self.ready.pop_front()
    }

    /// Checks the open event together with a line that is not part of it yet.
    fn check_size(&mut self, line_bytes: usize) -> Result<(), TooLarge> {
        if self.open.bytes.saturating_add(line_bytes) <= self.bytes_max {
            return Ok(());
        }
        self.is_broken = true;
        self.partial = BytesMut::new();
        self.open = Open::default();
        Err(TooLarge { bytes_max: self.bytes_max })
    }

    fn line(&mut self, line: &Bytes) {
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let name = line.slice(..colon);
        let mut value = line.slice((colon + 1).min(line.len())..);
        if value.first() == Some(&b' ') {
            value = value.slice(1..);
        }
        let open = &mut self.open;
        match name.as_ref() {
            b"data" => {
                // Counts the line end too, so that empty data lines are not free.
                open.bytes = open.bytes.saturating_add(value.len() + 1);
                open.data.add(value);
            }
            b"event" => open.event = Some(String::from_utf8_lossy(&value).into_owned()),
            b"id" if !value.contains(&0) => open.id = Some(String::from_utf8_lossy(&value).into_owned()),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                open.retry_ms = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).or(open.retry_ms);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let Open { event, id, retry_ms, data, .. } = std::mem::take(&mut self.open);
        let data = match data {
            Data::None if id.is_none() && retry_ms.is_none() => return,
            Data::None => Bytes::new(),
            Data::One(line) => line,
            Data::Many(whole) => whole.freeze(),
        };
        self.ready.push_back(SseEvent { event, id, retry_ms, data });
    }
}

impl Iterator for SseDecoder {
    type Item = SseEvent;

    fn next(&mut self) -> Option<SseEvent> {
        self.ready.pop_front()
    }
}

fn without_mark(line: Bytes) -> Bytes {
    if line.starts_with(b"\xEF\xBB\xBF") { line.slice(3..) } else { line }
}

/// Writes one event. Line ends inside the data start a new `data:` line; inside other fields they are dropped.
pub fn encode_event(event: Option<&str>, id: Option<&str>, retry_ms: Option<u64>, data: &Chunks, out: &mut Pieces) {
    if let Some(event) = event {
        field("event: ", event, out);
    }
    if let Some(id) = id {
        // Readers ignore an id with a NUL in it.
        field("id: ", &id.replace('\0', ""), out);
    }
    if let Some(retry_ms) = retry_ms {
        field("retry: ", itoa::Buffer::new().format(retry_ms), out);
    }
    out.text("data: ");
    let mut after_return = false;
    for chunk in data.iter() {
        let mut rest = chunk.clone();
        while !rest.is_empty() {
            if std::mem::take(&mut after_return) && rest.first() == Some(&b'\n') {
                drop(rest.split_to(1));
                continue;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', &rest) else {
                out.share(&rest);
                break;
            };
            out.share(&rest.split_to(at)).text("\ndata: ");
            after_return = rest.split_to(1).first() == Some(&b'\r');
        }
    }
    out.text("\n\n");
}

fn field(name: &str, value: &str, out: &mut Pieces) {
    out.text(name);
    for part in value.split(['\n', '\r']) {
        out.text(part);
    }
    out.text("\n");
}
