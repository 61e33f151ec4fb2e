//! Event streams, and clients that go away.

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::*;

/// Serves every request with frames sent by hand; the senders come through the channel.
async fn by_hand_rig(options: ServerOptions) -> (Rig, mpsc::Receiver<mpsc::Sender<Frame>>) {
    let (senders, receiver) = mpsc::channel(8);
    let rig = start(options, move |_| {
        let senders = senders.clone();
        async move {
            let (answer, sender) = by_hand();
            senders.send(sender).await.unwrap();
            answer
        }
    })
    .await;
    (rig, receiver)
}

#[tokio::test]
async fn every_frame_leaves_at_once() {
    let (rig, mut senders) = by_hand_rig(options()).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let sender = senders.recv().await.unwrap();
    let head = wire.until("\r\n\r\n").await;
    assert_eq!(field(&head, "content-type"), Some("text/event-stream"));
    assert_eq!((field(&head, "x-accel-buffering"), field(&head, "cache-control")), (Some("no"), Some("no-cache")));
    sender.send(Frame::message(text("{\"n\":1}"))).await.unwrap();
    assert!(wire.until("\n\n").await.ends_with("data: {\"n\":1}\n\n"));
    let full = Frame { event: Some("endpoint"), id: Some("7".to_owned()), retry_ms: Some(500), data: text("/mcp?sessionId=1") };
    sender.send(full).await.unwrap();
    assert!(wire.until("\n\n").await.ends_with("event: endpoint\nid: 7\nretry: 500\ndata: /mcp?sessionId=1\n\n"));
    drop(sender);
    wire.until("0\r\n\r\n").await;
    // The connection goes on.
    wire.post("/mcp", b"{}").await;
    senders.recv().await.unwrap();
    wire.until("\r\n\r\n").await;
}

#[tokio::test]
async fn a_frame_of_several_lines_stays_one_event() {
    let (rig, mut senders) = by_hand_rig(options()).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    senders.recv().await.unwrap().send(Frame::message(text("{\n\"a\":1}"))).await.unwrap();
    assert!(wire.until("\n\n").await.ends_with("data: {\ndata: \"a\":1}\n\n"));
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let (rig, mut senders) = by_hand_rig(ServerOptions { keep_alive: Duration::from_millis(20), ..options() }).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let _sender = senders.recv().await.unwrap();
    for _ in 0..3 {
        assert!(wire.until("\n\n").await.ends_with(":\n\n"));
    }
}

#[tokio::test]
async fn a_stream_is_not_idle() {
    let (rig, mut senders) = by_hand_rig(ServerOptions { idle_timeout: Duration::from_millis(50), ..options() }).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let sender = senders.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    sender.send(Frame::message(text("late"))).await.unwrap();
    assert!(wire.until("\n\n").await.contains("data: late"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (rig, mut senders) = by_hand_rig(ServerOptions { idle_timeout: Duration::from_millis(200), ..options() }).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let sender = senders.recv().await.unwrap();
    let large = Chunks::from(Bytes::from(vec![b'x'; 1 << 20]));
    let flood = async { while sender.send(Frame::message(large.clone())).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood).await.expect("the frames are dropped");
}

#[tokio::test]
async fn a_client_that_leaves_a_silent_stream_drops_its_frames() {
    let (rig, mut senders) = by_hand_rig(options()).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let sender = senders.recv().await.unwrap();
    wire.until("\r\n\r\n").await;
    drop(wire);
    tokio::time::timeout(Duration::from_secs(2), sender.closed()).await.expect("the frames are dropped");
}

#[tokio::test]
async fn a_client_that_leaves_a_pending_call_drops_the_call() {
    struct Told(Option<oneshot::Sender<()>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.take().map(|told| told.send(()));
        }
    }
    let (started, mut starts) = mpsc::channel(1);
    let (told, dropped) = oneshot::channel();
    let told = Mutex::new(Some(Told(Some(told))));
    let rig = start(options(), move |_| {
        let (told, started) = (told.lock().take(), started.clone());
        async move {
            started.send(()).await.unwrap();
            std::future::pending::<()>().await;
            drop(told);
            Answer::empty(202)
        }
    })
    .await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    starts.recv().await.unwrap();
    drop(wire);
    tokio::time::timeout(Duration::from_secs(2), dropped).await.expect("the call is dropped").unwrap();
}

#[tokio::test]
async fn a_shutdown_ends_standing_streams_at_once_and_answers_in_their_time() {
    let (rig, mut senders) = by_hand_rig(options()).await;
    let (mut standing, mut answering) = (rig.connect().await, rig.connect().await);
    standing.get("/mcp", "Accept: text/event-stream\r\nMcp-Session-Id: s\r\n").await;
    let _standing_sender = senders.recv().await.unwrap();
    standing.until("\r\n\r\n").await;
    answering.post("/mcp", b"{}").await;
    let sender = senders.recv().await.unwrap();
    rig.shutdown.cancel();
    assert!(standing.closed().await.ends_with("0\r\n\r\n"));
    sender.send(Frame::message(text("done"))).await.unwrap();
    drop(sender);
    assert!(answering.closed().await.contains("data: done"));
    rig.stop().await;
}
