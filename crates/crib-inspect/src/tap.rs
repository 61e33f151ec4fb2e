//! The tap on the wire: every message with its time, direction, size and latency.

mod mask;
mod seen;
mod text;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crib_mcp::{Json, Message, Request};
use parking_lot::Mutex;

pub(crate) use mask::{is_secret_name, masked};
pub(crate) use seen::millis;
pub use seen::{Body, Direction, Seen, Verdict};
pub use text::{line, lines};

/// Messages kept; the oldest go first.
const MESSAGES_MAX: usize = 5000;
/// Bytes of messages kept; the oldest go first.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Requests whose answer is waited for, for their latency; the oldest go first.
const OPEN_MAX: usize = 4096;

/// Something that wants to know of every message.
pub type Sink = Arc<dyn Fn(&Seen) + Send + Sync>;

/// A tap. It is shared by the connections to one server.
pub struct Tap {
    started: Instant,
    started_unix_ms: u64,
    sinks: Vec<Sink>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Arc<Seen>>,
    bytes: usize,
    count: u64,
    connections: u64,
    /// Requests without an answer, by who asked, on which connection, and the id.
    open: HashMap<Key, Open>,
    order: VecDeque<Key>,
}

type Key = (Direction, u64, String);

struct Open {
    at: Instant,
    method: Arc<str>,
    about: Option<Arc<str>>,
}

/// What a transport knows of a message.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    pub(crate) direction: Direction,
    pub(crate) transport: &'static str,
    /// Tells the connections of one run apart.
    pub(crate) connection: u64,
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
}

// === impl Tap ===

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("messages", &self.state.lock().count).finish_non_exhaustive()
    }
}

impl Tap {
    /// Makes a tap that tells the sinks of every message.
    #[must_use]
    pub fn new(sinks: Vec<Sink>) -> Arc<Self> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Arc::new(Self {
            started: Instant::now(),
            started_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            sinks,
            state: Mutex::default(),
        })
    }

    /// Returns how many messages went by.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state.lock().count
    }

    /// Returns a number for a new connection.
    pub(crate) fn connection(&self) -> u64 {
        let mut state = self.state.lock();
        state.connections += 1;
        state.connections
    }

    /// Returns the last messages, oldest first.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<Arc<Seen>> {
        let state = self.state.lock();
        state.kept.iter().skip(state.kept.len().saturating_sub(count)).map(Arc::clone).collect()
    }

    pub(crate) fn pass(&self, text: &Bytes, passing: Passing) {
        let seen = Arc::new(self.read(text, passing));
        let mut state = self.state.lock();
        state.count += 1;
        state.bytes += seen.bytes;
        state.kept.push_back(Arc::clone(&seen));
        while state.kept.len() > MESSAGES_MAX || state.bytes > BYTES_MAX {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.bytes -= oldest.bytes;
        }
        drop(state);
        for sink in &self.sinks {
            sink(&seen);
        }
    }

    fn read(&self, text: &Bytes, passing: Passing) -> Seen {
        let at = self.started.elapsed();
        let body = match Json::parse(text) {
            Ok(json) => Body::Json(json),
            Err(_) => Body::Text(String::from_utf8_lossy(text).into_owned()),
        };
        let mut seen = Seen {
            at,
            unix_ms: self.started_unix_ms.saturating_add(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
            direction: passing.direction,
            transport: passing.transport,
            connection: passing.connection,
            status: passing.status,
            headers: passing.headers,
            bytes: text.len(),
            method: None,
            about: None,
            id: None,
            latency: None,
            verdict: Verdict::Noise,
            body,
        };
        match Message::parse(text) {
            Ok(Message::Request(request)) => self.request(&mut seen, &request),
            Ok(Message::Notification(notification)) => {
                seen.method = Some(notification.method.as_str().into());
                seen.verdict = Verdict::Notification;
            }
            Ok(Message::Response(response)) => {
                seen.verdict = Verdict::of(&response);
                seen.id = response.id.map(|id| id.as_json().as_str().to_owned());
                self.answer(&mut seen);
            }
            Err(_) => {}
        }
        seen
    }

    fn request(&self, seen: &mut Seen, request: &Request) {
        seen.verdict = Verdict::Request;
        let method: Arc<str> = request.method.as_str().into();
        let about = request.method.target_key().and_then(|key| request.params.text(key)).map(|text| Arc::from(text.as_ref()));
        let id = request.id.as_json().as_str().to_owned();
        (seen.method, seen.about, seen.id) = (Some(Arc::clone(&method)), about.clone(), Some(id.clone()));
        let mut state = self.state.lock();
        let key = (seen.direction, seen.connection, id);
        if state.order.len() >= OPEN_MAX
            && let Some(oldest) = state.order.pop_front()
        {
            state.open.remove(&oldest);
        }
        state.order.push_back(key.clone());
        state.open.insert(key, Open { at: Instant::now(), method, about });
    }

    fn answer(&self, seen: &mut Seen) {
        let Some(id) = seen.id.clone() else { return };
        let mut state = self.state.lock();
        let key = (seen.direction.back(), seen.connection, id);
        if let Some(open) = state.open.remove(&key) {
            state.order.retain(|known| *known != key);
            seen.latency = Some(open.at.elapsed());
            (seen.method, seen.about) = (Some(open.method), open.about);
        }
    }
}
