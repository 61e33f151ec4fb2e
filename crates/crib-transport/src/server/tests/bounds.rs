//! Limits on size, time and number, and the end of the server.

use std::time::Instant;

use super::*;

fn small() -> ServerOptions {
    ServerOptions { body_bytes_max: 1000, ..options() }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let rig = echo(small()).await;
    for size in [1001, 2_000_000] {
        let mut wire = rig.connect().await;
        wire.post("/mcp", &vec![b'x'; size]).await;
        let response = wire.response().await;
        assert_eq!((response.status, response.code().as_deref()), (413, Some("TC0402")));
        wire.closed().await;
    }
    let mut wire = rig.connect().await;
    wire.post("/mcp", &[b'x'; 1000]).await;
    assert_eq!(wire.response().await.status, 200);
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_413() {
    let rig = echo(small()).await;
    let mut wire = rig.connect().await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    wire.write(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await;
    assert_eq!(wire.response().await.status, 413);
}

#[tokio::test]
async fn a_chunked_body_is_joined() {
    let rig = echo(small()).await;
    let mut wire = rig.connect().await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    wire.write(format!("{head}3\r\nabc\r\n").as_bytes()).await;
    wire.write(b"2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n").await;
    let response = wire.response().await;
    assert_eq!((&response.body[..], response.field("connection")), (&b"abcde"[..], Some("close")));
}

#[tokio::test]
async fn an_announced_body_over_the_limit_is_refused_before_it_is_sent() {
    let rig = echo(small()).await;
    let mut wire = rig.connect().await;
    let head =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n";
    wire.write(head.as_bytes()).await;
    assert_eq!(wire.response().await.status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let rig = echo(ServerOptions { body_timeout: Duration::from_millis(100), ..options() }).await;
    let mut wire = rig.connect().await;
    wire.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_eq!(wire.response().await.status, 408);
    wire.closed().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let rig = echo(ServerOptions { head_timeout: Duration::from_millis(100), ..options() }).await;
    let mut silent = rig.connect().await;
    let mut slow = rig.connect().await;
    slow.write(b"POST /mcp HTTP/1.1\r\nHo").await;
    silent.closed().await;
    slow.closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_a_busy_one_is_not() {
    let options = ServerOptions { idle_timeout: Duration::from_millis(100), ..options() };
    let rig = start(options, |inbound| async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Answer::json(200, Chunks::from(inbound.body))
    })
    .await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    assert_eq!(wire.response().await.status, 200);
    wire.closed().await;
}

#[tokio::test]
async fn heads_over_the_limits_are_431() {
    let rig = echo(ServerOptions { head_bytes_max: 16 * 1024, head_fields_max: 20, ..options() }).await;
    let mut wide = rig.connect().await;
    wide.get("/mcp", &format!("X: {}\r\n", "y".repeat(20_000))).await;
    assert!(wide.closed().await.starts_with("HTTP/1.1 431"));
    let mut many = rig.connect().await;
    many.get("/mcp", &"X: y\r\n".repeat(30)).await;
    assert!(many.closed().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let rig = echo(options()).await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    for fields in ["Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "Transfer-Encoding: gzip\r\n\r\n{}", "Content-Length: +2\r\n\r\n{}"]
    {
        let mut wire = rig.connect().await;
        wire.write(format!("{head}{fields}").as_bytes()).await;
        assert!(wire.closed().await.starts_with("HTTP/1.1 400"), "{fields}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    for n in 0..20 {
        wire.post("/mcp", format!("{n}").as_bytes()).await;
    }
    for n in 0..20 {
        assert_eq!(wire.response().await.body, n.to_string());
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let rig = echo(ServerOptions { connections_max: 1, ..options() }).await;
    let mut first = rig.connect().await;
    first.post("/mcp", b"1").await;
    first.response().await;
    let mut second = rig.connect().await;
    second.post("/mcp", b"2").await;
    assert!(tokio::time::timeout(Duration::from_millis(100), second.stream.readable()).await.is_err());
    drop(first);
    assert_eq!(second.response().await.body, "2");
}

#[tokio::test]
async fn a_shutdown_lets_calls_in_flight_finish_and_closes_the_idle() {
    let (started, mut starts) = mpsc::channel(1);
    let rig = start(options(), move |inbound| {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            Answer::json(200, Chunks::from(inbound.body))
        }
    })
    .await;
    let (mut idle, mut busy) = (rig.connect().await, rig.connect().await);
    busy.post("/mcp", b"7").await;
    starts.recv().await.unwrap();
    let address = rig.address;
    rig.shutdown.cancel();
    let response = busy.response().await;
    assert_eq!((response.status, &response.body[..], response.field("connection")), (200, &b"7"[..], Some("close")));
    idle.closed().await;
    rig.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_drops_what_outlasts_the_drain_time() {
    let (started, mut starts) = mpsc::channel(1);
    let rig = start(ServerOptions { drain: Duration::from_millis(100), ..options() }, move |_| {
        let started = started.clone();
        async move {
            started.send(()).await.unwrap();
            std::future::pending::<Answer>().await
        }
    })
    .await;
    let mut busy = rig.connect().await;
    busy.post("/mcp", b"7").await;
    starts.recv().await.unwrap();
    let since = Instant::now();
    rig.stop().await;
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(busy.closed().await, "");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    let head =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    wire.write(head.as_bytes()).await;
    assert_eq!(wire.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.write(b"{}").await;
    assert_eq!(wire.response().await.body, "{}");
}

mod starved {
    //! A server that runs out of file descriptors: this test binary, run again with few of them.

    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use rustix::process::{Resource, Rlimit, setrlimit};

    use super::*;

    #[tokio::test]
    #[ignore = "plays the server for another test"]
    async fn server() {
        let rig = echo(options()).await;
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        setrlimit(Resource::Nofile, Rlimit { current: Some(open + 3), maximum: Some(open + 3) }).unwrap();
        println!("port {}", rig.address.port());
        rig.tasks.wait().await;
    }

    #[tokio::test]
    async fn it_serves_the_rest_when_there_are_descriptors_again() {
        let args = ["--exact", "server::tests::bounds::starved::server", "--ignored", "--nocapture"];
        let mut server = Command::new(std::env::current_exe().unwrap()).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port: u16 = lines.find_map(|line| line.split_once("port ")?.1.parse().ok()).unwrap();
        let mut wires = Vec::new();
        for _ in 0..8 {
            wires.push(Wire { stream: TcpStream::connect(("127.0.0.1", port)).await.unwrap(), read: Vec::new() });
        }
        // The first are served, and each that leaves makes room for one that waits.
        for mut wire in wires {
            wire.post("/mcp", b"{}").await;
            assert_eq!(wire.response().await.body, "{}");
        }
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
