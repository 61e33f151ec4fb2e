//! The standard input of a child.
//!
//! A line is written at once by whoever sends it where the pipe has room, and queued for a task where it has not, so
//! that the usual call costs no switch of tasks.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use crib_mcp::Chunks;
use parking_lot::Mutex;
use tokio::process::ChildStdin;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::pipe::Pipe;
use crate::lines;

/// Bytes that may wait for a child that does not read, in units of [`UNIT`]; beyond it senders wait.
const BACKLOG_UNITS: usize = 4096;
const UNIT: usize = 1024;

/// The child does not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's process has ended")]
pub struct Gone;

/// Sends lines to a child. Cheap to clone.
#[derive(Clone)]
pub struct ChildInput(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Room in the backlog.
    room: Semaphore,
    /// Wakes the writer when there is a backlog, and when there is nothing more to come.
    work: Notify,
}

struct State {
    pipe: Option<Arc<Pipe>>,
    backlog: VecDeque<Queued>,
    is_closing: bool,
}

/// The rest of a line, and the units of room it holds.
struct Queued {
    rest: Bytes,
    units: usize,
}

impl fmt::Debug for ChildInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildInput").finish_non_exhaustive()
    }
}

impl ChildInput {
    pub(crate) fn new(stdin: ChildStdin, tasks: &TaskTracker) -> io::Result<Self> {
        let pipe = Arc::new(Pipe::new(stdin, tasks)?);
        let state = State { pipe: Some(Arc::clone(&pipe)), backlog: VecDeque::new(), is_closing: false };
        let inner = Arc::new(Inner { state: Mutex::new(state), room: Semaphore::new(BACKLOG_UNITS), work: Notify::new() });
        tasks.spawn(write_backlog(Arc::clone(&inner), pipe));
        Ok(Self(inner))
    }

    /// Sends one message as one line. Waits only while too much waits for the child already.
    ///
    /// # Errors
    /// The child has exited or its input was closed.
    pub async fn send(&self, message: Chunks) -> Result<(), Gone> {
        let line = lines::line(&message);
        let Some(line) = self.0.write_now(line)? else { return Ok(()) };
        let units = (line.len() / UNIT + 1).min(BACKLOG_UNITS);
        let room = self.0.room.acquire_many(u32::try_from(units).unwrap_or(u32::MAX)).await.map_err(|_closed| Gone)?;
        self.0.enqueue(line, units)?;
        room.forget();
        Ok(())
    }

    /// Closes the input once what is queued is written.
    pub(crate) fn close(&self) {
        let mut state = self.0.state.lock();
        state.is_closing = true;
        if state.backlog.is_empty() {
            state.pipe = None;
        }
        drop(state);
        self.0.work.notify_one();
    }

    /// Gives up what is queued: nobody will read it.
    pub(crate) fn abandon(&self) {
        self.0.abandon();
    }
}

impl Inner {
    /// Writes the line if nothing waits before it; returns it if it must wait.
    fn write_now(&self, line: Bytes) -> Result<Option<Bytes>, Gone> {
        let mut state = self.state.lock();
        let pipe = state.open_pipe()?;
        if !state.backlog.is_empty() {
            return Ok(Some(line));
        }
        match pipe.try_write(&line) {
            Ok(written) if written == line.len() => Ok(None),
            Ok(written) => {
                // The rest must follow at once, room or not.
                state.backlog.push_back(Queued { rest: line.slice(written..), units: 0 });
                drop(state);
                self.work.notify_one();
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(line)),
            Err(_) => Err(Gone),
        }
    }

    fn enqueue(&self, rest: Bytes, units: usize) -> Result<(), Gone> {
        let mut state = self.state.lock();
        state.open_pipe()?;
        state.backlog.push_back(Queued { rest, units });
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    fn abandon(&self) {
        let mut state = self.state.lock();
        state.pipe = None;
        state.backlog.clear();
        drop(state);
        self.room.close();
        self.work.notify_one();
    }

    /// Writes from the front of the backlog until the pipe is full; tells whether there is more.
    fn write_some(&self, pipe: &Pipe) -> io::Result<bool> {
        let mut state = self.state.lock();
        while let Some(next) = state.backlog.front_mut() {
            match pipe.try_write(&next.rest) {
                Ok(written) => drop(next.rest.split_to(written.min(next.rest.len()))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            if next.rest.is_empty() {
                self.room.add_permits(next.units);
                state.backlog.pop_front();
            }
        }
        if state.is_closing {
            state.pipe = None;
        }
        Ok(false)
    }

    fn is_open(&self) -> bool {
        self.state.lock().pipe.is_some()
    }
}

impl State {
    fn open_pipe(&self) -> Result<Arc<Pipe>, Gone> {
        if self.is_closing {
            return Err(Gone);
        }
        self.pipe.as_ref().map(Arc::clone).ok_or(Gone)
    }
}

async fn write_backlog(inner: Arc<Inner>, pipe: Arc<Pipe>) {
    while inner.is_open() {
        let wrote = inner.write_some(&pipe);
        match wrote {
            Ok(true) if pipe.writable().await.is_ok() => {}
            Ok(false) if inner.is_open() => inner.work.notified().await,
            Ok(false) => return,
            Ok(true) | Err(_) => return inner.abandon(),
        }
    }
}
