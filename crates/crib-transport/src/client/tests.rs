//! The client against servers made by hand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::lanes::Lanes;

/// A server whose connections are served by a script; counts them.
struct Script {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: CancelOnDrop,
}

struct CancelOnDrop(CancellationToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn serve<F, T>(script: F) -> Script
where
    F: Fn(usize, TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let (count, stopped) = (Arc::clone(&connections), stop.clone());
    TaskTracker::new().spawn(async move {
        let running = TaskTracker::new();
        loop {
            let accepted = tokio::select! { () = stopped.cancelled() => return, accepted = listener.accept() => accepted };
            let number = count.fetch_add(1, Ordering::SeqCst);
            running.spawn(script(number, accepted.unwrap().0));
        }
    });
    Script { address, connections, _tasks: CancelOnDrop(stop) }
}

/// Reads one request with a length and returns its body.
async fn request_on(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..at]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
            if read.len() >= at + 4 + length {
                return Some(read.split_off(at + 4));
            }
        }
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return None;
        }
    }
}

async fn echo_all(mut stream: TcpStream) {
    while let Some(body) = request_on(&mut stream).await {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    }
}

impl Script {
    fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&format!("http://{}/mcp", self.address)).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn client() -> HttpClient {
    HttpClient::new(ClientOptions::default()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn post(client: &HttpClient, endpoint: &Endpoint, body: &'static [u8]) -> Result<Received, SendError> {
    client.send(endpoint, Method::POST, HeaderMap::new(), Chunks::from(Bytes::from_static(body)), soon()).await
}

async fn post_and_collect(client: &HttpClient, endpoint: &Endpoint, body: &'static [u8]) -> Result<Bytes, SendError> {
    post(client, endpoint, body).await?.body.collect(10 << 20).await
}

fn idle(client: &HttpClient, endpoint: &Endpoint) -> usize {
    client.pool(endpoint.origin()).idle_count()
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = serve(|_, stream| echo_all(stream)).await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..10 {
        assert_eq!(post_and_collect(&client, &endpoint, b"{}").await.unwrap(), "{}");
    }
    assert_eq!((server.connections(), idle(&client, &endpoint)), (1, 1));
    let two = tokio::join!(post_and_collect(&client, &endpoint, b"1"), post_and_collect(&client, &endpoint, b"2"));
    assert_eq!((two.0.unwrap(), two.1.unwrap()), (Bytes::from("1"), Bytes::from("2")));
    assert_eq!((server.connections(), idle(&client, &endpoint)), (2, 2));
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    static LARGE: [u8; 3 << 20] = [b'x'; 3 << 20];
    let server = serve(|_, stream| echo_all(stream)).await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..2 {
        assert_eq!(post_and_collect(&client, &endpoint, &LARGE).await.unwrap().len(), LARGE.len());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn host_and_path_come_from_the_endpoint_and_fields_from_the_caller() {
    let server = serve(|_, mut stream| async move {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut read).await.unwrap();
        }
        let head = format!("HTTP/1.1 201 Created\r\nX-Seen: yes\r\nContent-Length: {}\r\n\r\n", read.len());
        stream.write_all(&[head.as_bytes(), &read].concat()).await.unwrap();
    })
    .await;
    let endpoint = Endpoint::parse(&format!("http://{}/a/b?c=d", server.address)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", "tools/call".parse().unwrap());
    headers.insert(header::HOST, "elsewhere".parse().unwrap());
    headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
    let received = client().send(&endpoint, Method::GET, headers, Chunks::default(), soon()).await.unwrap();
    assert_eq!((received.status, received.headers["x-seen"].to_str().unwrap()), (201, "yes"));
    let head = received.body.collect(1000).await.unwrap();
    let head = std::str::from_utf8(&head).unwrap();
    assert!(head.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.address)) && head.contains("mcp-method: tools/call\r\n"));
    assert!(!head.contains("transfer-encoding") && !head.contains("elsewhere"));
}

#[tokio::test]
async fn a_connection_the_server_closed_is_replaced() {
    // Each connection serves one request and closes without a word about it.
    let server = serve(|_, mut stream| async move {
        request_on(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    for n in 1..=3 {
        assert_eq!(post_and_collect(&client, &endpoint, b"{}").await.unwrap(), "ok");
        // The reactor must have had a chance to see the end of the connection.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.connections(), n);
    }
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_kept() {
    let server = serve(|_, mut stream| async move {
        request_on(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        request_on(&mut stream).await;
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    assert_eq!(post_and_collect(&client, &endpoint, b"{}").await.unwrap(), "ok");
    assert_eq!(idle(&client, &endpoint), 0);
}

#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    let server = serve(|number, mut stream| async move {
        if number == 0 {
            request_on(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            // Reads the second request and dies of it.
            request_on(&mut stream).await;
            return;
        }
        echo_all(stream).await;
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    post_and_collect(&client, &endpoint, b"{}").await.unwrap();
    let error = post(&client, &endpoint, b"{}").await.unwrap_err();
    assert!(matches!(error, SendError::Lost(_)), "{error}");
    assert_eq!(server.connections(), 1);
    assert_eq!(error.to_fault("files").code(), Code::ServerGone);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = Endpoint::parse(&format!("http://{closed}/")).unwrap();
    let error = post(&client(), &endpoint, b"{}").await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error}");
    assert_eq!(error.to_fault("files").code(), Code::ServerUnreachable);
}

#[tokio::test]
async fn a_guarded_request_does_not_reach_a_metadata_service() {
    for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]"] {
        let endpoint = Endpoint::parse(&format!("http://{host}:9/latest/meta-data")).unwrap().guarded();
        let error = post(&client(), &endpoint, b"{}").await.unwrap_err();
        assert!(matches!(&error, SendError::Connect(why) if why.contains("allowLinkLocal")), "{host}: {error}");
    }
    let server = serve(|_, stream| echo_all(stream)).await;
    let reached = post_and_collect(&client(), &server.endpoint().guarded(), b"{}").await;
    assert!(reached.is_ok(), "everything else is called: {reached:?}");
}

#[tokio::test]
async fn an_answer_broken_off_is_told() {
    let server = serve(|_, mut stream| async move {
        request_on(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    let error = post_and_collect(&client, &endpoint, b"{}").await.unwrap_err();
    assert!(matches!(error, SendError::Broken(_)), "{error}");
    assert_eq!(idle(&client, &endpoint), 0);
}

#[tokio::test]
async fn what_is_not_http_is_told() {
    let server = serve(|_, mut stream| async move {
        request_on(&mut stream).await;
        stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await.unwrap();
    })
    .await;
    let error = post(&client(), &server.endpoint(), b"{}").await.unwrap_err();
    assert!(matches!(error, SendError::NotHttp(_)), "{error}");
}

#[tokio::test]
async fn the_deadline_holds_for_head_and_body() {
    let server = serve(|_, mut stream| async move {
        if request_on(&mut stream).await.unwrap() == b"body" {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    let send = |body: &'static [u8]| {
        let deadline = Instant::now() + Duration::from_millis(100);
        client.send(&endpoint, Method::POST, HeaderMap::new(), Chunks::from(Bytes::from_static(body)), deadline)
    };
    assert!(matches!(send(b"head").await.unwrap_err(), SendError::TimedOut));
    let received = send(b"body").await.unwrap();
    assert!(matches!(received.body.collect(1000).await.unwrap_err(), SendError::TimedOut));
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let server = serve(|_, mut stream| async move {
        match request_on(&mut stream).await.unwrap().as_slice() {
            b"length" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").await.unwrap(),
            _ => {
                let chunk = format!("5dc\r\n{}\r\n", "x".repeat(1500));
                stream.write_all(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}").as_bytes()).await.unwrap();
            }
        }
        std::future::pending::<()>().await;
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    for body in [&b"length"[..], b"chunks"] {
        let received = post(&client, &endpoint, body).await.unwrap();
        assert!(matches!(received.body.collect(2000).await.unwrap_err(), SendError::TooLarge(2000)));
    }
}

#[tokio::test]
async fn chunks_arrive_as_they_are_sent_and_the_connection_comes_back() {
    let server = serve(|_, mut stream| async move {
        while request_on(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
            for _ in 0..3 {
                stream.write_all(b"3\r\nabc\r\n").await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..2 {
        let mut received = post(&client, &endpoint, b"{}").await.unwrap();
        let mut chunks = Vec::new();
        while let Some(chunk) = received.body.chunk().await {
            chunks.push(chunk.unwrap());
        }
        assert_eq!(chunks, ["abc", "abc", "abc"]);
    }
    assert_eq!((server.connections(), idle(&client, &endpoint)), (1, 1));
}

#[tokio::test]
async fn a_dropped_call_and_a_dropped_body_close_the_connection() {
    let (gone, mut goes) = tokio::sync::mpsc::channel(2);
    let server = serve(move |_, mut stream| {
        let gone = gone.clone();
        async move {
            if request_on(&mut stream).await.unwrap() == b"body" {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
            }
            request_on(&mut stream).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    drop(post(&client, &endpoint, b"body").await.unwrap());
    tokio::time::timeout(Duration::from_secs(5), goes.recv()).await.expect("the body's connection is closed");
    let call = post(&client, &endpoint, b"head");
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    tokio::time::timeout(Duration::from_secs(5), goes.recv()).await.expect("the call's connection is closed");
    assert_eq!(idle(&client, &endpoint), 0);
}

#[tokio::test]
async fn idle_connections_grow_old_and_are_closed() {
    let server = serve(|_, stream| echo_all(stream)).await;
    let client = HttpClient::new(ClientOptions { idle_age: Duration::from_millis(80), ..ClientOptions::default() }).unwrap();
    let endpoint = server.endpoint();
    post_and_collect(&client, &endpoint, b"{}").await.unwrap();
    assert_eq!(idle(&client, &endpoint), 1);
    tokio::time::timeout(Duration::from_secs(5), async {
        while idle(&client, &endpoint) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the sweep closes it");
    client.close().await;
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_opened() {
    let server = serve(|_, stream| echo_all(stream)).await;
    let client = HttpClient::new(ClientOptions { connections_max: 1, ..ClientOptions::default() }).unwrap();
    let endpoint = server.endpoint();
    let held = post(&client, &endpoint, b"12345").await.unwrap();
    let waiting = post_and_collect(&client, &endpoint, b"2");
    let (second, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(held);
    });
    assert_eq!(second.unwrap(), "2");
}

#[tokio::test]
async fn plain_text_is_not_taken_for_tls() {
    let server = serve(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        request_on(&mut stream).await;
    })
    .await;
    let endpoint = Endpoint::parse(&format!("https://{}/", server.address)).unwrap();
    let error = post(&client(), &endpoint, b"{}").await.unwrap_err();
    assert!(matches!(&error, SendError::Connect(why) if why.contains("TLS")), "{error}");
}

#[tokio::test]
async fn a_connection_near_its_announced_end_is_not_used() {
    let server = serve(|_, mut stream| async move {
        while request_on(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..2 {
        assert_eq!(post_and_collect(&client, &endpoint, b"{}").await.unwrap(), "ok");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn many_calls_of_one_task_all_finish() {
    let server = serve(|_, stream| echo_all(stream)).await;
    let (client, endpoint) = (client(), server.endpoint());
    for _ in 0..3 {
        let calls = (0..300).map(|_| post_and_collect(&client, &endpoint, b"{}"));
        let answers = tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(calls)).await.unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|body| body == "{}")));
    }
    assert!(server.connections() <= 300);
}

/// Posts in a lane with few connections, each time anew.
async fn post_in_lanes(connections_max: usize) -> usize {
    let server = serve(|_, stream| echo_all(stream)).await;
    let (lanes, _threads) = Lanes::start(2).unwrap();
    let client = HttpClient::new(ClientOptions { connections_max, ..ClientOptions::default() }).unwrap();
    let seats = [lanes.seat().unwrap(), lanes.seat().unwrap()];
    for seat in seats.iter().cycle().take(6) {
        let (client, endpoint) = (client.clone(), server.endpoint());
        let posted = seat.runtime().unwrap().spawn(async move { post_and_collect(&client, &endpoint, b"{}").await });
        assert_eq!(posted.await.unwrap().unwrap(), "{}");
    }
    assert_eq!(idle(&client, &server.endpoint()), server.connections());
    server.connections()
}

#[tokio::test]
async fn every_lane_has_connections_of_its_own() {
    assert_eq!(post_in_lanes(10).await, 2);
}

#[tokio::test]
async fn where_no_more_may_be_opened_lanes_lend_theirs() {
    assert_eq!(post_in_lanes(1).await, 1);
}
