//! The last calls, kept for people: `toolcrib logs --calls`.
//!
//! Invariants
//! - Settling a call takes no lock and writes nothing: the call is handed over, or dropped and counted.
//! - What is kept is bounded, in memory and on disk.

mod book;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crib_mcp::Method;
use crib_model::{Code, Entry, Principal};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub(crate) use book::Book;

use super::outcome;
use book::Pen;

/// Calls kept in memory; the oldest go first.
const CALLS_MAX: usize = 2000;
/// Calls that may wait for the writer; those beyond it are dropped and counted.
const WAITING_MAX: usize = 4096;
/// How long the writer lets calls gather: waking it for each would cost more than the call.
const LINGER: Duration = Duration::from_millis(20);
/// How long somebody who looks waits for the calls that have just ended.
const LOOK_WAIT: Duration = Duration::from_secs(1);

/// What was called, and how it ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    /// Counts the calls.
    pub(crate) number: u64,
    /// When it ended, in milliseconds of Unix time.
    pub(crate) time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    pub(crate) method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// Tool, prompt or resource, by the server's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// `ok`, `tool_error`, …
    pub(crate) outcome: String,
    /// `TC0203`, or the number of a JSON-RPC error; empty where all went well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
    pub(crate) latency_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
}

/// Which calls are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) server: Option<String>,
    /// The first letters of a trace's id.
    pub(crate) trace: Option<String>,
    /// In milliseconds of Unix time.
    pub(crate) since: u64,
    /// The number of the first.
    pub(crate) from: u64,
    /// The last so many.
    pub(crate) tail: usize,
}

/// The last calls, once somebody wants them kept.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    desk: OnceLock<Desk>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Desk {
    queue: SyncSender<Job>,
    thread: Option<Thread>,
    kept: Arc<Mutex<Kept>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    Call(Box<(SystemTime, Entry)>),
    /// Somebody waits until what came before is kept.
    Tell(oneshot::Sender<()>),
    End,
}

/// A call and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    principal: String,
    pub(crate) call: Call,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    calls: VecDeque<Told>,
}

// === impl Recent ===

impl Recent {
    /// Keeps calls from now on, behind those that the book has.
    pub(crate) fn keep(&self, book: &Book) {
        if self.is_kept() {
            return;
        }
        let mut kept = Kept::default();
        book.read().into_iter().for_each(|told| kept.push(told));
        let kept = Arc::new(Mutex::new(kept));
        let (queue, jobs) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("calls".to_owned()).spawn({
            let (kept, pen) = (Arc::clone(&kept), book.pen());
            move || write(&jobs, &kept, pen)
        });
        match thread {
            Ok(writer) => {
                let thread = Some(writer.thread().clone());
                drop(self.desk.set(Desk { queue, thread, kept, writer: Mutex::new(Some(writer)) }));
            }
            Err(error) => tracing::warn!("calls are not kept: {error}"),
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.desk.get().is_some()
    }

    pub(super) fn add(&self, entry: &Entry) {
        let Some(desk) = self.desk.get() else { return };
        if !is_call(&entry.method) {
            return;
        }
        if desk.queue.try_send(Job::Call(Box::new((SystemTime::now(), entry.clone())))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many calls came faster than they could be kept.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns calls in the order in which they ended: of everybody, or of the one who asks, where there are keys.
    pub(crate) async fn last(&self, principal: &Principal, wanted: &Wanted) -> Vec<Call> {
        let Some(desk) = self.desk.get() else { return Vec::new() };
        let (tell, told) = oneshot::channel();
        if desk.queue.try_send(Job::Tell(tell)).is_ok() {
            desk.hurry();
            // Late, there are the calls that there are.
            drop(tokio::time::timeout(LOOK_WAIT, told).await);
        }
        let is_theirs = |told: &Told| *principal == Principal::anonymous() || *told.principal == *principal.name;
        wanted.of(desk.kept.lock().calls.iter().filter(|told| is_theirs(told)).map(|told| &told.call))
    }

    /// Keeps what is still waiting and ends the writer.
    pub(super) fn close(&self) {
        let Some((desk, writer)) = self.desk.get().and_then(|desk| Some((desk, desk.writer.lock().take()?))) else { return };
        desk.hurry();
        if desk.queue.send(Job::End).is_ok() && writer.join().is_err() {
            tracing::error!("the writer of calls ended in a panic");
        }
    }
}

impl Desk {
    /// Ends the wait for more calls.
    fn hurry(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

/// Tells whether it is one of the requests that people call calls.
fn is_call(method: &Method) -> bool {
    matches!(method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead)
}

/// Keeps calls in memory and in the book, many at once.
fn write(jobs: &Receiver<Job>, kept: &Mutex<Kept>, mut pen: Option<Pen>) {
    while let Ok(first) = jobs.recv() {
        if matches!(first, Job::Call(_)) {
            // Whoever waits for what is kept wakes it.
            std::thread::park_timeout(LINGER);
        }
        for job in std::iter::once(first).chain(jobs.try_iter()) {
            match job {
                Job::Call(call) => {
                    let (at, entry) = *call;
                    if let Some(pen) = &mut pen {
                        pen.write(&entry, at);
                    }
                    kept.lock().push(Told::of(at, &entry));
                }
                Job::Tell(tell) => drop(tell.send(())),
                Job::End => return,
            }
        }
        if let Some(pen) = &mut pen {
            pen.put_down();
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// Returns the last of these calls that are wanted.
    pub(crate) fn of<'a, I: DoubleEndedIterator<Item = &'a Call>>(&self, calls: I) -> Vec<Call> {
        let newest = calls.rev().take_while(|call| call.number >= self.from);
        let mut calls: Vec<Call> = newest.filter(|call| self.has(call)).take(self.tail).cloned().collect();
        calls.reverse();
        calls
    }

    fn has(&self, call: &Call) -> bool {
        let is_of = self.server.is_none() || call.server == self.server;
        let id = call.trace_id.as_deref();
        is_of && call.time >= self.since && self.trace.as_deref().is_none_or(|trace| id.is_some_and(|id| id.starts_with(trace)))
    }
}

// === impl Kept ===

impl Kept {
    fn push(&mut self, mut told: Told) {
        told.call.number = self.next;
        self.next += 1;
        if self.calls.len() == CALLS_MAX {
            self.calls.pop_front();
        }
        self.calls.push_back(told);
    }
}

impl Told {
    fn of(at: SystemTime, entry: &Entry) -> Self {
        let outcome = outcome::describe(outcome::index(&entry.ending));
        let time = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let call = Call {
            number: 0,
            time: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            client: entry.client_name.as_deref().map(str::to_owned),
            method: entry.method.as_str().to_owned(),
            server: entry.upstream.as_ref().map(ToString::to_string),
            target: entry.target.as_deref().map(str::to_owned),
            outcome: outcome.name.to_owned(),
            code: outcome.code,
            latency_ms: (entry.latency.as_secs_f64() * 1e6).round() / 1000.0,
            trace_id: entry.trace.map(|trace| format!("{:032x}", trace.trace_id)),
        };
        Self { principal: entry.principal.name.to_string(), call }
    }
}

impl Call {
    /// Returns the code, where it is one of this program's.
    pub(crate) fn known_code(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == self.code)
    }
}

#[cfg(test)]
mod tests {
    use crib_model::{Ending, Tenant, TraceContext};

    use super::super::tests::entry;
    use super::*;

    fn wanted() -> Wanted {
        Wanted { tail: usize::MAX, ..Wanted::default() }
    }

    #[tokio::test]
    async fn calls_are_kept_for_those_who_made_them() {
        let recent = Recent::default();
        recent.add(&entry("demo", "add", Ending::Ok));
        assert_eq!(recent.last(&Principal::anonymous(), &wanted()).await, []);
        recent.keep(&Book::Nowhere);
        recent.add(&entry("demo", "add", Ending::Ok));
        recent.add(&Entry { method: Method::ToolsList, ..entry("demo", "add", Ending::Ok) });
        let trace = TraceContext { trace_id: 0x7f3a << 112, span_id: 1, is_sampled: false };
        recent.add(&Entry { trace: Some(trace), ..entry("git", "log", Ending::Failed(Code::SecretMissing)) });
        let all = recent.last(&Principal::anonymous(), &wanted()).await;
        let seen: Vec<_> =
            all.iter().map(|call| (call.number, call.server.as_deref().unwrap(), call.outcome.as_str(), call.code.as_str())).collect();
        assert_eq!(seen, [(0, "demo", "ok", ""), (1, "git", "failed", "TC0302")]);
        assert_eq!((all[0].latency_ms, all[1].known_code()), (1.5, Some(Code::SecretMissing)));
        let count = async |wanted: Wanted| recent.last(&Principal::anonymous(), &wanted).await.len();
        assert_eq!(count(Wanted { server: Some("git".to_owned()), ..wanted() }).await, 1);
        assert_eq!(count(Wanted { trace: Some("7f3a".to_owned()), ..wanted() }).await, 1);
        assert_eq!(count(Wanted { trace: Some("8".to_owned()), ..wanted() }).await, 0);
        assert_eq!(count(Wanted { from: 1, ..wanted() }).await, 1);
        assert_eq!(count(Wanted { tail: 1, ..wanted() }).await, 1);
        assert_eq!(count(Wanted { since: u64::MAX, ..wanted() }).await, 0);
        let stranger = Principal { tenant: Tenant::local(), name: "bob".into() };
        assert_eq!(recent.last(&stranger, &wanted()).await, []);
        assert_eq!(recent.dropped(), 0);
    }

    #[tokio::test]
    async fn the_next_gateway_has_the_calls_of_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::Own(folder.path().to_owned());
        for tool in ["add", "echo"] {
            let recent = Recent::default();
            recent.keep(&book);
            recent.add(&entry("demo", tool, Ending::Ok));
            recent.close();
        }
        let recent = Recent::default();
        recent.keep(&book);
        recent.add(&entry("git", "log", Ending::ToolError));
        let all = recent.last(&Principal::anonymous(), &wanted()).await;
        let seen: Vec<_> = all.iter().map(|call| (call.number, call.target.as_deref().unwrap(), call.outcome.as_str())).collect();
        assert_eq!(seen, [(0, "add", "ok"), (1, "echo", "ok"), (2, "log", "tool_error")]);
        let stranger = Principal { tenant: Tenant::local(), name: "bob".into() };
        assert_eq!(recent.last(&stranger, &wanted()).await, []);
        recent.close();
    }

    #[test]
    fn the_oldest_go_first() {
        let mut kept = Kept::default();
        let call = Told::of(UNIX_EPOCH, &entry("demo", "add", Ending::Ok));
        (0..CALLS_MAX + 3).for_each(|_| kept.push(call.clone()));
        assert_eq!((kept.calls.len(), kept.calls[0].call.number), (CALLS_MAX, 3));
    }

    #[test]
    fn calls_that_nobody_takes_are_dropped_and_counted() {
        let recent = Recent::default();
        let (queue, _jobs) = sync_channel(1);
        recent.desk.set(Desk { queue, thread: None, kept: Arc::default(), writer: Mutex::default() }).unwrap();
        (0..3).for_each(|_| recent.add(&entry("demo", "add", Ending::Ok)));
        assert_eq!(recent.dropped(), 2);
    }
}
