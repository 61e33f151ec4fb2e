//! Connections on threads of their own.

use std::collections::BTreeSet;

use super::*;
use crate::lanes::Lanes;

#[tokio::test]
async fn connections_are_spread_over_the_lanes_and_stay_there() {
    let (lanes, threads) = Lanes::start(2).unwrap();
    let rig = start(ServerOptions { lanes, ..options() }, |_| async {
        let text = std::thread::current().name().unwrap_or_default().to_owned();
        Answer::json(200, Chunks::from(Bytes::from(text)))
    })
    .await;
    let mut wires = Vec::new();
    for _ in 0..4 {
        wires.push(rig.connect().await);
    }
    let mut names = BTreeSet::new();
    for wire in &mut wires {
        let mut answers = BTreeSet::new();
        for _ in 0..3 {
            wire.post("/mcp", b"{}").await;
            answers.insert(wire.response().await.body);
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        names.append(&mut answers);
    }
    assert_eq!(names.iter().collect::<Vec<_>>(), ["lane-1", "lane-2"]);
    rig.stop().await;
    for wire in &mut wires {
        assert_eq!(wire.closed().await, "");
    }
    drop(threads);
}

#[tokio::test]
async fn requests_in_flight_are_finished_in_their_lanes_at_the_end() {
    let (lanes, _threads) = Lanes::start(1).unwrap();
    let (began, mut begins) = mpsc::channel(1);
    let (go_on, goes_on) = tokio::sync::watch::channel(false);
    let rig = start(ServerOptions { lanes, ..options() }, move |_| {
        let (began, mut goes_on) = (began.clone(), goes_on.clone());
        async move {
            began.send(()).await.unwrap();
            goes_on.wait_for(|may| *may).await.unwrap();
            Answer::json(200, Chunks::from(Bytes::from_static(b"done")))
        }
    })
    .await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    begins.recv().await.unwrap();
    rig.shutdown.cancel();
    go_on.send(true).unwrap();
    assert_eq!(wire.response().await.body, "done");
    rig.stop().await;
}
