//! The stdio front over a pair of pipes.

use crib_mcp::Chunks;
use crib_model::{Answer, BoxFuture, Connection, Frame, Inbound};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Echoes; `slow` answers late, `never` and subscriptions not at all, `quiet` without a message, `many` with a stream.
#[derive(Default)]
struct Fake {
    standing: Mutex<Option<mpsc::Receiver<Frame>>>,
    last: Mutex<Option<Frame>>,
    seen: Mutex<Vec<(Verb, Carrier)>>,
    closed: Mutex<Vec<Connection>>,
    end: CancellationToken,
}

impl Gateway for Fake {
    fn receive(&self, inbound: Inbound) -> BoxFuture<'static, Answer> {
        self.seen.lock().push((inbound.verb, inbound.carrier.clone()));
        if inbound.verb == Verb::Get {
            let (_, nothing) = mpsc::channel(1);
            let receiver = self.standing.lock().take().unwrap_or(nothing);
            let frames = stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|frame| (frame, receiver)) });
            let (headers, end) = (HeaderMap::new(), self.end.clone());
            let last = self.last.lock().take();
            // The stream ends with the connection, and tells first what is left.
            let rest = stream::once(async move { end.cancelled_owned().await }).flat_map(move |()| stream::iter(last.clone()));
            return Box::pin(async { Answer::Stream { headers, frames: Box::pin(frames.chain(rest)) } });
        }
        Box::pin(async move {
            let body = inbound.body;
            match &body[..] {
                b"slow" => tokio::time::sleep(Duration::from_millis(100)).await,
                b"never" | br#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"# => std::future::pending().await,
                b"quiet" => return Answer::empty(202),
                b"many" => {
                    let frames = ["1", "2\n", "3"].map(|text| Frame::message(Chunks::from(Bytes::from_static(text.as_bytes()))));
                    return Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::iter(frames)) };
                }
                _ => {}
            }
            Answer::json(200, Chunks::from(body))
        })
    }

    fn closed(&self, connection: Connection) {
        self.closed.lock().push(connection);
        self.end.cancel();
    }
}

struct Rig {
    gateway: Arc<Fake>,
    input: Option<WriteHalf<DuplexStream>>,
    output: Option<Lines<BufReader<ReadHalf<DuplexStream>>>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

fn start(gateway: Fake, options: StdioOptions) -> Rig {
    let (near, far) = tokio::io::duplex(4096);
    let (read, write) = tokio::io::split(far);
    let (shutdown, tasks, gateway) = (CancellationToken::new(), TaskTracker::new(), Arc::new(gateway));
    let front: Arc<dyn Gateway> = Arc::<Fake>::clone(&gateway);
    tasks.spawn(serve_lines(front, options, read, write, shutdown.clone()));
    tasks.close();
    let (read, write) = tokio::io::split(near);
    Rig { gateway, input: Some(write), output: Some(BufReader::new(read).lines()), shutdown, tasks }
}

fn options() -> StdioOptions {
    StdioOptions { drain: Duration::from_millis(500), ..StdioOptions::new(Scope::All) }
}

impl Rig {
    async fn write(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.output.as_mut().unwrap().next_line()).await.expect("a line in time").unwrap()
    }

    async fn end_input(&mut self) {
        self.input.take().unwrap().shutdown().await.unwrap();
    }

    async fn ended(&self) {
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the front ends");
        assert_eq!(self.gateway.closed.lock().len(), 1);
    }
}

#[tokio::test]
async fn lines_are_answered_with_lines_and_not_in_turn() {
    let mut rig = start(Fake::default(), options());
    rig.write("slow\nquiet\r\n\nfast\nmany\n").await;
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines.push(rig.line().await.unwrap());
    }
    assert_eq!(lines.last().map(String::as_str), Some("slow"));
    assert!(lines.contains(&"fast".to_owned()));
    assert_eq!(lines.iter().filter(|line| ["1", "2 ", "3"].contains(&line.as_str())).count(), 3);
}

#[tokio::test]
async fn messages_of_the_standing_stream_come_on_the_same_connection() {
    let (sender, receiver) = mpsc::channel(4);
    let mut rig = start(Fake { standing: Mutex::new(Some(receiver)), ..Fake::default() }, options());
    sender.send(Frame::message(Chunks::from(Bytes::from_static(b"changed")))).await.unwrap();
    assert_eq!(rig.line().await.as_deref(), Some("changed"));
    rig.write("x\n").await;
    rig.line().await;
    let seen = rig.gateway.seen.lock().clone();
    assert_eq!((seen[0].0, seen[1].0), (Verb::Get, Verb::Post));
    assert!(matches!(seen[0].1, Carrier::Stdio(_)) && seen[0].1 == seen[1].1);
}

#[tokio::test]
async fn the_end_of_the_input_lets_calls_finish() {
    let mut rig = start(Fake::default(), options());
    rig.write("slow").await;
    rig.end_input().await;
    assert_eq!(rig.line().await.as_deref(), Some("slow"));
    rig.ended().await;
    assert_eq!(rig.line().await, None);
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_nobody_for_ever() {
    let mut rig = start(Fake::default(), options());
    rig.write("never\n").await;
    rig.end_input().await;
    rig.ended().await;
}

#[tokio::test]
async fn what_the_stream_still_has_at_the_end_of_the_connection_is_written() {
    let last = Some(Frame::message(Chunks::from(Bytes::from_static(b"last"))));
    let mut rig = start(Fake { last: Mutex::new(last), ..Fake::default() }, options());
    rig.write("slow\n").await;
    rig.end_input().await;
    assert_eq!(rig.line().await.as_deref(), Some("slow"));
    assert_eq!(rig.line().await.as_deref(), Some("last"));
    rig.ended().await;
    assert_eq!(rig.line().await, None);
}

#[tokio::test]
async fn a_subscription_ends_with_the_input() {
    let mut rig = start(Fake::default(), StdioOptions { drain: 10 * PATIENCE, ..options() });
    rig.write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\"}\n").await;
    rig.end_input().await;
    rig.ended().await;
}

#[tokio::test]
async fn a_client_that_reads_no_more_ends_the_front() {
    let mut rig = start(Fake::default(), options());
    rig.write("never\nfast\n").await;
    rig.line().await;
    // Both halves must go for the pipe to close.
    (rig.input, rig.output) = (None, None);
    rig.ended().await;
}

#[tokio::test]
async fn a_shutdown_ends_the_front() {
    let rig = start(Fake::default(), options());
    rig.shutdown.cancel();
    rig.ended().await;
}

#[tokio::test]
async fn a_line_over_the_limit_is_answered_with_an_error() {
    let mut rig = start(Fake::default(), StdioOptions { line_bytes_max: 100, ..options() });
    rig.write(&format!("{}\nok\n", "x".repeat(200))).await;
    let refusal = rig.line().await.unwrap();
    assert!(refusal.contains("-32600") && refusal.contains("longer than 100 bytes"), "{refusal}");
    assert_eq!(rig.line().await.as_deref(), Some("ok"));
}

#[tokio::test]
async fn reading_pauses_at_the_limit_of_calls() {
    let mut rig = start(Fake::default(), StdioOptions { concurrency_max: 2, ..options() });
    rig.write("slow\nslow\nfast\n").await;
    assert_eq!(rig.line().await.as_deref(), Some("slow"));
}

mod real {
    //! The standard streams of a real process: this test binary, run again.

    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[tokio::test]
    #[ignore = "plays the server for another test"]
    async fn server() {
        serve_stdio(Arc::new(Fake::default()), Scope::All, CancellationToken::new()).await;
    }

    fn spawn(input: Stdio, output: Stdio) -> Child {
        let args = ["--exact", "stdio::tests::real::server", "--ignored", "--nocapture"];
        Command::new(std::env::current_exe().unwrap()).args(args).stdin(input).stdout(output).spawn().unwrap()
    }

    fn talk(mut child: Child, mut input: impl Write, output: impl Read) {
        input.write_all(b"first\n").unwrap();
        // What the test harness prints comes before.
        let mut lines = BufReader::new(output).lines().map_while(Result::ok).skip_while(|line| line != "first");
        assert_eq!(lines.next().as_deref(), Some("first"));
        let large = "x".repeat(1 << 20);
        input.write_all(format!("{large}\nslow\n").as_bytes()).unwrap();
        assert_eq!(lines.next(), Some(large));
        drop(input);
        assert_eq!(lines.next().as_deref(), Some("slow"));
        drop(lines);
        child.wait().unwrap();
    }

    #[test]
    fn pipes_are_served() {
        let mut child = spawn(Stdio::piped(), Stdio::piped());
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        talk(child, input, output);
    }

    #[test]
    fn sockets_are_served() {
        let ((input, near), (output, far)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let child = spawn(OwnedFd::from(near).into(), OwnedFd::from(far).into());
        talk(child, input, output);
    }

    #[test]
    fn files_are_served() {
        let path = std::env::temp_dir().join(format!("crib-transport-{}", std::process::id()));
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let mut child = spawn(std::fs::File::open(&path).unwrap().into(), Stdio::piped());
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines: Vec<String> = output.lines().map_while(Result::ok).filter(|line| ["one", "two"].contains(&line.as_str())).collect();
        std::fs::remove_file(path).unwrap();
        assert_eq!((lines, child.wait().unwrap().success()), (vec!["one".to_owned(), "two".to_owned()], true));
    }
}
