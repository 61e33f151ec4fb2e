//! How many requests a thread begins before it looks at what came back.
//!
//! A call under way has memory of its own. Were everything begun that hundreds of clients have sent, all of it would have
//! left the caches of the machine before the first answer comes, and as many connections to the server would be in use.
//! So a thread begins a few requests in a round, looks at the answers, and begins the next few. What is not begun stays
//! with the system. Nobody waits for the answer to somebody else's call: a thread with nothing left to do begins the next
//! round at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

use tokio::runtime::Id;

/// The requests a thread begins in a round. Fewer mean more looks at what has arrived, each of which costs about as
/// much as a tenth of a call.
pub(crate) const BEGUN_MAX: usize = 32;

thread_local! {
    static STARTS: RefCell<Starts> = const { RefCell::new(Starts::new()) };
}

/// The requests that wait to be begun on one thread: no more than it has connections.
#[derive(Debug)]
struct Starts {
    /// The runtime whose rounds these are. On threads of others nobody waits.
    runtime: Option<Id>,
    /// How many may be begun in this round still.
    left: usize,
    /// How many of those that waited have been called.
    called: u64,
    waiting: VecDeque<Waker>,
}

impl Starts {
    const fn new() -> Self {
        Self { runtime: None, left: 0, called: 0, waiting: VecDeque::new() }
    }
}

/// The number that a connection draws when its next request has to wait.
#[derive(Debug, Default)]
pub(crate) struct Number(Option<u64>);

impl Number {
    /// Tells whether a request may be begun on a thread of this runtime. If not, the task is woken when it may.
    pub(crate) fn may_begin(&mut self, runtime: Option<Id>, task: &Waker) -> bool {
        STARTS.with_borrow_mut(|starts| {
            if let Some(number) = self.0 {
                let is_called = number < starts.called;
                self.0 = self.0.filter(|_| !is_called);
                return is_called;
            }
            if runtime.is_none() || starts.runtime != runtime {
                return true;
            }
            if starts.left > 0 {
                starts.left -= 1;
                return true;
            }
            self.0 = Some(starts.called + starts.waiting.len() as u64);
            starts.waiting.push_back(task.clone());
            false
        })
    }
}

/// Begins a round on this thread.
pub(crate) fn next_round(runtime: Option<Id>) {
    STARTS.with_borrow_mut(|starts| (starts.runtime, starts.left) = (runtime, BEGUN_MAX));
    // One after the other: what is woken may be dropped, and with it more than is known here.
    while let Some(task) = STARTS.with_borrow_mut(Starts::call) {
        task.wake();
    }
}

impl Starts {
    /// Calls the one who has waited longest, if one more may begin.
    fn call(&mut self) -> Option<Waker> {
        self.left.checked_sub(1)?;
        let task = self.waiting.pop_front()?;
        self.left -= 1;
        self.called += 1;
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};
    use std::task::Poll;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::runtime::{Builder, Handle, Runtime};
    use tokio::task::JoinSet;

    use super::*;
    use crate::turn::{self, in_rounds};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Seen {
        Begun(usize),
        Answer,
    }

    type Log = Arc<Mutex<Vec<Seen>>>;

    fn one_thread() -> Runtime {
        in_rounds(Builder::new_current_thread().enable_all()).build().unwrap()
    }

    /// Has as many requests arrive at once.
    fn requests(count: usize, log: &Log) -> JoinSet<()> {
        let runtime = Some(Handle::current().id());
        let mut all = JoinSet::new();
        for at in 0..count {
            let log = Arc::clone(log);
            all.spawn(async move {
                let mut number = Number::default();
                poll_fn(|cx| if number.may_begin(runtime, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
                log.lock().unwrap().push(Seen::Begun(at));
            });
        }
        all
    }

    /// Whoever waited has parked, so that the thread is known to work in rounds.
    async fn park() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[test]
    fn answers_have_their_turn_before_all_has_begun_and_the_order_is_kept() {
        let count = 10 * BEGUN_MAX;
        let log = Log::default();
        one_thread().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut server = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (answering, _) = listener.accept().await.unwrap();
            park().await;
            let seen = Arc::clone(&log);
            let mut answer = JoinSet::new();
            answer.spawn(async move {
                server.read_u8().await.unwrap();
                seen.lock().unwrap().push(Seen::Answer);
            });
            tokio::task::yield_now().await;
            assert_eq!(answering.try_write(b"!").unwrap(), 1);
            requests(count, &log).join_all().await;
            answer.join_all().await;
        });
        let log = log.lock().unwrap();
        let answered = log.iter().position(|seen| *seen == Seen::Answer).unwrap();
        assert!(answered <= 3 * BEGUN_MAX, "{answered} requests were begun before the answer was seen");
        let begun: Vec<Seen> = log.iter().copied().filter(|seen| *seen != Seen::Answer).collect();
        assert_eq!(begun, (0..count).map(Seen::Begun).collect::<Vec<_>>());
    }

    #[test]
    fn a_thread_that_always_has_something_to_do_begins_all_the_same() {
        let log = Log::default();
        one_thread().block_on(async {
            park().await;
            let mut busy = JoinSet::<()>::new();
            busy.spawn(async {
                loop {
                    turn::count_poll();
                    tokio::task::yield_now().await;
                }
            });
            requests(10 * BEGUN_MAX, &log).join_all().await;
        });
        assert_eq!(log.lock().unwrap().len(), 10 * BEGUN_MAX);
    }

    #[test]
    fn nobody_waits_where_there_are_no_rounds() {
        let thread = Builder::new_current_thread().enable_all().build().unwrap();
        let threads = in_rounds(Builder::new_multi_thread().worker_threads(1).enable_all()).build().unwrap();
        // Here there have been rounds, but of another runtime.
        one_thread().block_on(park());
        for runtime in [thread, threads] {
            let log = Log::default();
            runtime.block_on(async {
                park().await;
                requests(10 * BEGUN_MAX, &log).join_all().await;
            });
            assert_eq!(log.lock().unwrap().len(), 10 * BEGUN_MAX);
        }
    }

    #[test]
    fn whoever_left_does_not_hold_up_the_rest() {
        let log = Log::default();
        one_thread().block_on(async {
            park().await;
            let mut gone = requests(2 * BEGUN_MAX, &Log::default());
            let all = requests(2 * BEGUN_MAX, &log);
            tokio::task::yield_now().await;
            gone.abort_all();
            all.join_all().await;
            while gone.join_next().await.is_some() {}
        });
        assert_eq!(log.lock().unwrap().len(), 2 * BEGUN_MAX);
    }
}
