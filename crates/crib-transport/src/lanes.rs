//! Threads that serve connections, each on a runtime of its own.
//!
//! A call then stays on one thread from its first byte to its last: the connection of its client, the one to the server
//! and their timers belong to the same runtime. Nothing is handed over, no thread wakes another, and writes that were put
//! off are made where they were put off.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

use crate::turn::in_rounds;

/// How long what still blocks a thread of a lane may hold up its end.
const SHUTDOWN: Duration = Duration::from_millis(100);

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// How many lanes this process has, or had.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of the lane this thread is, from 1; 0 for threads that are none.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

/// Returns one more than the highest number.
pub(crate) fn numbers() -> usize {
    COUNT.load(Ordering::Relaxed) + 1
}

/// The threads that connections are given to. None by default: then connections are served where the server runs.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Arc<[Lane]>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    connections: AtomicUsize,
}

/// The owner of the threads of lanes: they end when it is dropped, with whatever still runs on them.
#[derive(Debug)]
pub struct LaneThreads {
    end: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

/// The place of one connection in a lane.
#[derive(Debug)]
pub(crate) struct Seat {
    lanes: Lanes,
    at: usize,
}

impl Lanes {
    /// Starts as many threads.
    ///
    /// # Errors
    /// What the system says when it has no more threads or descriptors to give.
    pub fn start(count: usize) -> io::Result<(Self, LaneThreads)> {
        let mut started = LaneThreads { end: CancellationToken::new(), threads: Vec::with_capacity(count) };
        let mut lanes = Vec::with_capacity(count);
        for number in 1..=count {
            let runtime = in_rounds(&mut Builder::new_current_thread()).enable_all().build()?;
            lanes.push(Lane { runtime: runtime.handle().clone(), connections: AtomicUsize::new(0) });
            let end = started.end.clone();
            let thread = std::thread::Builder::new().name(format!("lane-{number}"));
            started.threads.push(thread.spawn(move || run(number, runtime, &end))?);
        }
        COUNT.fetch_max(count, Ordering::Relaxed);
        Ok((Self(lanes.into()), started))
    }

    /// Takes a place in the lane that has the fewest connections.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let (at, lane) = self.0.iter().enumerate().min_by_key(|(_, lane)| lane.connections.load(Ordering::Relaxed))?;
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Some(Seat { lanes: self.clone(), at })
    }
}

fn run(number: usize, runtime: Runtime, end: &CancellationToken) {
    NUMBER.set(number);
    runtime.block_on(end.cancelled());
    runtime.shutdown_timeout(SHUTDOWN);
}

impl Seat {
    pub(crate) fn runtime(&self) -> Option<Handle> {
        self.lanes.0.get(self.at).map(|lane| lane.runtime.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(lane) = self.lanes.0.get(self.at) {
            lane.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LaneThreads {
    fn drop(&mut self) {
        self.end.cancel();
        for thread in self.threads.drain(..) {
            // Whoever panicked has said so.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_the_fewest_are() {
        let (lanes, _threads) = Lanes::start(2).unwrap();
        let first = lanes.seat().unwrap();
        let second = lanes.seat().unwrap();
        assert_ne!(first.at, second.at);
        let at = first.at;
        drop(first);
        assert_eq!(lanes.seat().unwrap().at, at);
        assert!(Lanes::default().seat().is_none());
    }

    #[test]
    fn a_lane_knows_its_number_and_ends_with_its_owner() {
        let (lanes, threads) = Lanes::start(1).unwrap();
        let seat = lanes.seat().unwrap();
        let (said, number) = std::sync::mpsc::channel();
        drop(seat.runtime().unwrap().spawn(async move {
            said.send(super::number()).unwrap();
            std::future::pending::<()>().await;
        }));
        assert_eq!(number.recv(), Ok(1));
        assert_eq!(super::number(), 0);
        assert!(numbers() >= 2);
        drop(threads);
        // The sender went with the task.
        assert!(number.recv().is_err());
    }
}
