//! Where lines wait for the writer. Nobody who calls waits here.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Text that may wait for the disk; lines beyond it are lost, and counted.
pub(super) const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long the writer lets lines gather: waking it for each would cost more than the call.
const LINGER: Duration = Duration::from_millis(20);

/// What callers and the writer share.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: Mutex<Waiting>,
    /// Rung for the first line, for a wish, and at the end.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Bodies of lines, each with a line break.
    text: Vec<u8>,
    /// Lines for which there was no room since the last visit.
    lost: u64,
    is_closed: bool,
    must_look: bool,
}

/// What the writer found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) lost: u64,
    pub(super) is_last: bool,
}

impl Desk {
    /// Adds the body of a line; false when there was no room.
    pub(super) fn add(&self, body: &[u8]) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed || waiting.text.len() + body.len() >= WAITING_BYTES_MAX {
            waiting.lost += 1;
            return false;
        }
        let is_first = waiting.text.is_empty();
        waiting.text.extend_from_slice(body);
        waiting.text.push(b'\n');
        drop(waiting);
        if is_first {
            self.bell.notify_one();
        }
        true
    }

    /// Asks the writer to look at its file.
    pub(super) fn nudge(&self) {
        self.waiting.lock().must_look = true;
        self.bell.notify_one();
    }

    /// No more lines will come.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.bell.notify_one();
    }

    /// Waits for lines, lets more gather, and takes them all. Comes back with none after `patience`, where there is one.
    pub(super) fn take(&self, text: &mut Vec<u8>, patience: Option<Duration>) -> Visit {
        let mut waiting = self.waiting.lock();
        let is_quiet = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.is_closed && !waiting.must_look;
        match patience {
            Some(time) => drop(self.bell.wait_while_for(&mut waiting, is_quiet, time)),
            None => self.bell.wait_while(&mut waiting, is_quiet),
        }
        if !waiting.text.is_empty() && !waiting.is_closed && !waiting.must_look {
            // Few ring now, for there are lines already.
            self.bell.wait_for(&mut waiting, LINGER);
        }
        std::mem::swap(&mut waiting.text, text);
        waiting.must_look = false;
        Visit { lost: std::mem::take(&mut waiting.lost), is_last: waiting.is_closed }
    }

    /// Waits before another attempt, but not beyond the end; true when it has come.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        if !waiting.is_closed {
            self.bell.wait_for(&mut waiting, time);
        }
        waiting.is_closed
    }
}
