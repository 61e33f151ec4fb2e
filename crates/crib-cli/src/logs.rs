//! What servers write to standard error, kept for people.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines kept of each server.
const LINES_MAX: usize = 1000;
/// Servers whose lines are kept; of a server that was renamed, the old lines stay a while.
const SERVERS_MAX: usize = 1000;
/// Where children's lines pass.
pub(crate) const TARGET: &str = "crib_transport::child::stderr";

static KEPT: LazyLock<Arc<Kept>> = LazyLock::new(Arc::default);

/// A line a server wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Counts the lines of a server.
    pub(crate) number: u64,
    /// When it was read, in milliseconds of Unix time.
    pub(crate) time: u64,
    pub(crate) text: String,
}

/// The last lines of every server.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, Lines>>);

#[derive(Debug, Default)]
struct Lines {
    next: u64,
    lines: VecDeque<Line>,
}

/// Returns the lines of this process.
pub(crate) fn kept() -> Arc<Kept> {
    Arc::clone(&KEPT)
}

impl Kept {
    pub(crate) fn push(&self, server: &str, text: String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut servers = self.0.lock();
        if servers.len() >= SERVERS_MAX && !servers.contains_key(server) {
            return;
        }
        let lines = servers.entry(server.to_owned()).or_default();
        if lines.lines.len() == LINES_MAX {
            lines.lines.pop_front();
        }
        let time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        lines.lines.push_back(Line { number: lines.next, time, text });
        lines.next += 1;
    }

    /// Returns the last `count` lines of a server from number `from` on.
    pub(crate) fn last(&self, server: &str, count: usize, from: u64) -> Vec<Line> {
        let servers = self.0.lock();
        let Some(lines) = servers.get(server) else { return Vec::new() };
        let mut last: Vec<Line> = lines.lines.iter().rev().take_while(|line| line.number >= from).take(count).cloned().collect();
        last.reverse();
        last
    }
}

/// Takes the lines out of the stream of events.
#[derive(Debug)]
pub(crate) struct Collect(pub(crate) Arc<Kept>);

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let text = match (said.line, said.dropped) {
            (Some(line), _) => line,
            (None, Some(count)) => format!("… {count} more lines were written too fast to be kept"),
            (None, None) => return,
        };
        self.0.push(&said.server, text);
    }
}

#[derive(Default)]
struct Said {
    server: String,
    line: Option<String>,
    dropped: Option<u64>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "server" {
            self.server = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "server" => value.clone_into(&mut self.server),
            "line" => self.line = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lines" {
            self.dropped = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_counted() {
        let kept = Kept::default();
        for number in 0..LINES_MAX + 5 {
            kept.push("a", number.to_string());
        }
        let texts = |count, from| kept.last("a", count, from).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(texts(2, 0), ["1003", "1004"]);
        assert_eq!(texts(10, 1004), ["1004"]);
        assert_eq!(kept.last("a", LINES_MAX * 2, 0).len(), LINES_MAX);
        assert_eq!(kept.last("b", 1, 0), []);
    }
}
