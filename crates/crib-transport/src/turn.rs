//! The rounds of a thread, and writes that are gathered in them.
//!
//! A round ends when the thread has nothing else to do. What its events have brought about is then written in one go. A peer that sleeps must be woken by the write, which
//! costs the writer about as much as the write itself; a peer that is still busy with the write before need not be.
//! Whoever writes goes on at once: nobody has to be polled again for a write that was put off.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::{Builder, Handle, Id, RuntimeFlavor};

use crate::starts;

/// What is larger is written at once: copying costs more than waking, and bytes that wait leave the cache.
const GATHERED_BYTES_MAX: usize = 16 * 1024;
/// Writes are made when there are as many, even if more is ready: nobody waits for ever behind others.
const ROUND_WRITES_MAX: usize = 256;
const ROUND_BYTES_MAX: usize = 256 * 1024;
/// So is the round over when connections have been polled as often.
const ROUND_POLLS_MAX: usize = 4 * starts::BEGUN_MAX;

/// Makes the threads of a runtime work in rounds: connections of this crate gather their small writes, and on a
/// runtime of one thread answers have their turn before everything is begun that has arrived. Without it every write is
/// made, and every request begun, at once.
///
/// A round ends when the thread parks, so nothing on the runtime may use `block_in_place`, whose thread need not.
pub fn in_rounds(runtime: &mut Builder) -> &mut Builder {
    runtime.on_thread_park(|| {
        let runtime = Handle::try_current().ok();
        ROUND.with_borrow_mut(|round| {
            round.runtime = runtime.as_ref().map(Handle::id);
            // On several threads tasks wander, and a round of theirs may never end.
            round.is_alone = runtime.is_some_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        });
        end_round();
    })
}

/// Counts what is done for a connection: a thread that never parks ends its rounds, too.
pub(crate) fn count_poll() {
    let is_over = ROUND.with_borrow_mut(|round| {
        round.polls += 1;
        round.polls > ROUND_POLLS_MAX && round.runtime.is_some()
    });
    if is_over {
        end_round();
    }
}

fn end_round() {
    let (has_writes, runtime) = ROUND.with_borrow_mut(|round| {
        round.polls = 0;
        (!round.writes.is_empty(), round.runtime.filter(|_| round.is_alone))
    });
    if has_writes {
        send_round();
    }
    starts::next_round(runtime);
}

thread_local! {
    static ROUND: RefCell<Round> = RefCell::new(Round::new());
}

/// What one thread has put off, and done.
struct Round {
    /// Tells threads apart.
    thread: u64,
    /// The runtime that ends the rounds of this thread.
    runtime: Option<Id>,
    /// Whether this is its only thread.
    is_alone: bool,
    polls: usize,
    /// What is to be written, one write behind the other.
    bytes: Vec<u8>,
    /// To whom, and where in the bytes it ends.
    writes: Vec<(Arc<Out>, usize)>,
}

impl Round {
    fn new() -> Self {
        static THREADS: AtomicU64 = AtomicU64::new(1);
        let thread = THREADS.fetch_add(1, Ordering::Relaxed);
        Self { thread, runtime: None, is_alone: false, polls: 0, bytes: Vec::new(), writes: Vec::new() }
    }

    fn add(&mut self, out: &Arc<Out>, pieces: &[IoSlice<'_>]) {
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.writes.push((Arc::clone(out), self.bytes.len()));
    }

    fn is_full(&self) -> bool {
        self.writes.len() >= ROUND_WRITES_MAX || self.bytes.len() >= ROUND_BYTES_MAX
    }
}

/// Makes the writes that this thread has put off.
fn send_round() {
    let (mut bytes, mut writes) = ROUND.with_borrow_mut(|round| (std::mem::take(&mut round.bytes), std::mem::take(&mut round.writes)));
    let mut start = 0;
    for (out, end) in writes.drain(..) {
        out.send(bytes.get(start..end).unwrap_or_default());
        start = end;
    }
    bytes.clear();
    // The room is kept for the next round.
    ROUND.with_borrow_mut(|round| (round.bytes, round.writes) = (bytes, writes));
}

/// A TCP connection whose small writes are gathered.
///
/// A flush does not wait for writes that were put off; what the peer does not take then holds up the next write. It is
/// shut down for writing when it is dropped and all is written.
#[derive(Debug)]
pub(crate) struct Tcp {
    read: OwnedReadHalf,
    out: Arc<Out>,
}

#[derive(Debug)]
struct Out {
    stream: OwnedWriteHalf,
    runtime: Option<Id>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many writes are in the round of which thread.
    queued: u32,
    thread: u64,
    /// What the peer did not take when its turn came.
    behind: Vec<u8>,
    failed: Option<io::ErrorKind>,
    /// The task that writes.
    writer: Option<Waker>,
    /// Whether it waits for the end of the round.
    is_awaited: bool,
}

/// What becomes of a write.
enum Turn {
    Later {
        is_full: bool,
    },
    Now,
    /// Behind what another thread has put off.
    Behind,
}

// === impl Tcp ===

impl Tcp {
    /// Takes a connection on the runtime that is to drive it.
    pub(crate) fn new(stream: TcpStream) -> Self {
        let (read, stream) = stream.into_split();
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        Self { read, out: Arc::new(Out { stream, runtime, state: Mutex::default() }) }
    }

    /// Returns a look at the connection for whoever does not hold it.
    pub(crate) fn glance(&self) -> Glance {
        Glance(Arc::clone(&self.out))
    }
}

/// A look at a connection from outside of what reads and writes it.
#[derive(Debug)]
pub(crate) struct Glance(Arc<Out>);

impl Glance {
    /// Tells whether nothing has happened since the connection was read until there was nothing more: no bytes, no end.
    /// Nobody is woken for what happens from now on until it is read again.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.stream.as_ref().poll_read_ready(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Tells whether something has arrived: bytes, or the end. Whoever waits for it goes on doing so.
    pub(crate) fn has_arrived(&self) -> bool {
        self.0.stream.as_ref().try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Returns the runtime that drives the connection.
    pub(crate) fn runtime(&self) -> Option<Id> {
        self.0.runtime
    }

    /// Waits until there is something to read, and leaves it there: the number of bytes seen, at most one. None are the
    /// end of what the peer sends.
    pub(crate) fn poll_peek(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.stream.as_ref().poll_peek(cx, &mut ReadBuf::new(&mut [0]))
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.out.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.out.poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_caught_up(&mut self.out.state.lock(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        send_round();
        let mut state = self.out.state.lock();
        if state.queued > 0 {
            // The thread that has put it off makes no end without writing.
            state.note_writer(cx);
            state.is_awaited = true;
            return Poll::Pending;
        }
        self.out.poll_caught_up(&mut state, cx)
    }
}

// === impl Out ===

impl Out {
    fn poll_write(self: &Arc<Self>, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            let mut state = self.state.lock();
            ready!(self.poll_caught_up(&mut state, cx))?;
            match self.turn(&mut state, pieces, length) {
                Turn::Later { is_full } => {
                    state.note_writer(cx);
                    drop(state);
                    if is_full {
                        send_round();
                    }
                    return Poll::Ready(Ok(length));
                }
                Turn::Behind => {
                    state.note_writer(cx);
                    state.is_awaited = true;
                    return Poll::Pending;
                }
                Turn::Now if state.queued > 0 => {
                    drop(state);
                    send_round();
                }
                Turn::Now => {
                    drop(state);
                    ready!(self.stream.as_ref().poll_write_ready(cx))?;
                    match self.stream.try_write_vectored(pieces) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        written => return Poll::Ready(written),
                    }
                }
            }
        }
    }

    /// Decides about a write, and puts it off where that is the decision.
    fn turn(self: &Arc<Self>, state: &mut State, pieces: &[IoSlice<'_>], length: usize) -> Turn {
        ROUND.with_borrow_mut(|round| {
            if state.queued > 0 && state.thread != round.thread {
                return Turn::Behind;
            }
            let is_gathered = self.runtime.is_some() && round.runtime == self.runtime;
            if !is_gathered || length > GATHERED_BYTES_MAX {
                return Turn::Now;
            }
            round.add(self, pieces);
            state.queued += 1;
            state.thread = round.thread;
            Turn::Later { is_full: round.is_full() }
        })
    }

    /// Makes a write whose turn has come.
    fn send(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.queued -= 1;
        let mut left = bytes;
        while state.failed.is_none() && !left.is_empty() {
            let written = if state.behind.is_empty() { self.stream.try_write(left) } else { Err(io::ErrorKind::WouldBlock.into()) };
            match written {
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.behind.extend_from_slice(left);
                    break;
                }
                Err(error) => state.failed = Some(error.kind()),
            }
        }
        let is_in_trouble = !state.behind.is_empty() || state.failed.is_some();
        let is_awaited = state.queued == 0 && std::mem::take(&mut state.is_awaited);
        // The task that writes looks after the rest.
        let writer = if is_in_trouble || is_awaited { state.writer.take() } else { None };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Writes what the peer has not taken so far.
    fn poll_caught_up(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = state.failed {
            return Poll::Ready(Err(kind.into()));
        }
        while !state.behind.is_empty() {
            ready!(self.stream.as_ref().poll_write_ready(cx))?;
            match self.stream.try_write(&state.behind) {
                Ok(written) => drop(state.behind.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

// === impl State ===

impl State {
    /// Notes who is to be woken; nearly always that is known.
    fn note_writer(&mut self, cx: &Context<'_>) {
        match &self.writer {
            Some(writer) if writer.will_wake(cx.waker()) => {}
            _ => self.writer = Some(cx.waker().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tokio::runtime::Runtime;

    use super::*;

    fn gathering(mut runtime: Builder) -> Runtime {
        in_rounds(runtime.enable_all()).build().unwrap()
    }

    fn one_thread() -> Runtime {
        gathering(Builder::new_current_thread())
    }

    /// Makes a connection and its other end, which blocks.
    async fn pair() -> (Tcp, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        // Whoever waited has parked, so that the thread is known to gather.
        tokio::time::sleep(Duration::from_millis(1)).await;
        (Tcp::new(stream), listener.accept().unwrap().0)
    }

    /// Returns what has arrived so far, without giving the runtime a turn.
    fn arrived(peer: &mut std::net::TcpStream) -> Vec<u8> {
        peer.set_nonblocking(true).unwrap();
        let mut bytes = Vec::new();
        let end = peer.read_to_end(&mut bytes);
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        peer.set_nonblocking(false).unwrap();
        bytes
    }

    #[test]
    fn small_writes_are_made_when_nothing_else_is_ready() {
        one_thread().block_on(async {
            let (mut one, mut first) = pair().await;
            let (mut two, mut second) = pair().await;
            one.write_all(b"1").await.unwrap();
            two.write_all(b"2").await.unwrap();
            one.write_all(b"3").await.unwrap();
            one.flush().await.unwrap();
            assert_eq!((arrived(&mut first), arrived(&mut second)), (Vec::new(), Vec::new()));
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!((arrived(&mut first), arrived(&mut second)), (b"13".to_vec(), b"2".to_vec()));
        });
    }

    #[test]
    fn a_runtime_that_does_not_gather_writes_at_once_also_behind_one_that_does() {
        for is_second in [false, true] {
            if is_second {
                one_thread().block_on(async { drop(pair().await) });
            }
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (mut tcp, mut peer) = pair().await;
                tcp.write_all(b"1").await.unwrap();
                assert_eq!(arrived(&mut peer), b"1", "second on its thread: {is_second}");
            });
        }
    }

    #[test]
    fn what_is_large_does_not_wait_and_does_not_overtake() {
        one_thread().block_on(async {
            let (mut tcp, mut peer) = pair().await;
            tcp.write_all(b"small").await.unwrap();
            tcp.write_all(&[b'x'; GATHERED_BYTES_MAX + 1]).await.unwrap();
            let arrived = arrived(&mut peer);
            assert_eq!(arrived.len(), 5 + GATHERED_BYTES_MAX + 1);
            assert!(arrived.starts_with(b"smallx"));
        });
    }

    #[test]
    fn a_round_has_an_end_while_others_are_ready() {
        one_thread().block_on(async {
            let (mut tcp, mut peer) = pair().await;
            for _ in 0..ROUND_WRITES_MAX {
                tcp.write_all(b"x").await.unwrap();
            }
            assert_eq!(arrived(&mut peer).len(), ROUND_WRITES_MAX);
        });
    }

    #[test]
    fn a_shutdown_waits_for_nothing_that_was_put_off() {
        one_thread().block_on(async {
            let (mut tcp, mut peer) = pair().await;
            tcp.write_all(b"last words").await.unwrap();
            tcp.shutdown().await.unwrap();
            drop(tcp);
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"last words");
        });
    }

    #[test]
    fn what_is_dropped_is_written_all_the_same() {
        one_thread().block_on(async {
            let (mut tcp, mut peer) = pair().await;
            tcp.write_all(b"last words").await.unwrap();
            drop(tcp);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"last words");
        });
    }

    /// Writes a known text in pieces of all sizes while the other end reads slowly, and compares.
    async fn all_arrives_in_order() {
        let text: Vec<u8> = (0u32..2_000_000).flat_map(u32::to_le_bytes).collect();
        let (mut tcp, mut peer) = pair().await;
        let (is_full, full) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // The other end reads only once this one has filled a good part of what the system holds between them.
            full.recv().unwrap();
            peer.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let mut rest = text.as_slice();
        for size in (1..).map(|step: usize| step * 7919 % (2 * GATHERED_BYTES_MAX)) {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            tcp.write_all(piece).await.unwrap();
            rest = behind;
            if rest.is_empty() {
                break;
            }
            if text.len() - rest.len() > 64 * 1024 {
                // Whoever has heard it once reads to the end.
                let (Ok(()) | Err(_)) = is_full.send(());
            }
            if size % 5 == 0 {
                tokio::task::yield_now().await;
            }
        }
        tcp.shutdown().await.unwrap();
        drop(tcp);
        assert!(reader.join().unwrap() == text);
    }

    #[test]
    fn a_peer_that_reads_slowly_gets_everything_in_order() {
        one_thread().block_on(all_arrives_in_order());
    }

    #[test]
    fn so_does_one_of_a_task_that_wanders_between_threads() {
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(3);
        gathering(runtime).block_on(async {
            let mut all = tokio::task::JoinSet::new();
            (0..6).for_each(|_| drop(all.spawn(all_arrives_in_order())));
            all.join_all().await;
        });
    }

    #[test]
    fn a_peer_that_is_gone_fails_the_next_write() {
        one_thread().block_on(async {
            let (mut tcp, peer) = pair().await;
            drop(peer);
            let failed = async {
                while tcp.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), failed).await.unwrap();
        });
    }

    #[test]
    fn what_a_gathered_write_could_not_bring_is_brought_by_whoever_only_reads() {
        one_thread().block_on(async {
            let (mut tcp, mut peer) = pair().await;
            // Fills what the system holds, until a gathered write stays behind.
            let mut sent = 0;
            while tcp.out.state.lock().behind.is_empty() {
                tcp.write_all(&[b'x'; GATHERED_BYTES_MAX]).await.unwrap();
                sent += GATHERED_BYTES_MAX;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let reader = std::thread::spawn(move || {
                peer.read_exact(&mut vec![0; sent]).unwrap();
                io::Write::write_all(&mut peer, b"thanks").unwrap();
            });
            // As a connection does: whenever it is woken it flushes and reads.
            let mut room = [0; 6];
            let mut thanks = ReadBuf::new(&mut room);
            let heard = poll_fn(|cx| {
                let (Poll::Ready(()) | Poll::Pending) = Pin::new(&mut tcp).poll_flush(cx)?;
                Pin::new(&mut tcp).poll_read(cx, &mut thanks)
            });
            tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap().unwrap();
            assert_eq!(thanks.filled(), b"thanks");
            reader.join().unwrap();
        });
    }
}
