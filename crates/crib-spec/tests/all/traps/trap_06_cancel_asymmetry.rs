use std::time::Duration;

use anyhow::{Context as _, Result};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::Era,
    http::{Event, Response, Wire},
    journal::{Journal, now_ms},
    wait::SOON,
};
use serde_json::{Value, json};

use super::before;

/// The bound of the guide is 100 ms; the rest is for a loaded machine.
const CANCEL_MS_MAX: u64 = 100 + 400;

async fn running(journal: &Journal) -> Result<Value> {
    journal.until(SOON, "the tool runs", |entries| entries.iter().find(|entry| entry["what"] == "run").cloned()).await
}

async fn drop_a_modern_call(era: Era) -> Result<()> {
    let (fixture, gateway) = before(era).await?;
    let client = Modern::new(gateway.address);
    let message = client.message("tools/call", json!({ "name": "slow", "arguments": { "ms": 60_000 } }));
    let mut wire = Wire::open(gateway.address).await?;
    let call = tokio::time::timeout(Duration::from_secs(60), client.send_on(&mut wire, &message));
    let run = tokio::select! {
        run = running(&fixture.journal) => run?,
        early = call => anyhow::bail!("answered early: {early:?}"),
    };
    let closed = now_ms();
    drop(wire);
    let find = |entries: &[Value]| entries.iter().find(|entry| entry["what"] == "cancelled").cloned();
    let cancelled = fixture.journal.until(SOON, "the upstream hears that the call was taken back", find).await?;
    let took = cancelled["at"].as_u64().unwrap_or_default().saturating_sub(closed);
    assert!(took <= CANCEL_MS_MAX, "{took} ms");
    assert_eq!(cancelled["id"], run["id"], "the id the upstream knows the call by");
    if era == Era::Legacy {
        let told = fixture.journal.received("notifications/cancelled");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["body"]["params"]["requestId"].to_string(), run["id"].as_str().unwrap_or_default());
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_06_a_modern_client_that_leaves_cancels_a_legacy_call() -> Result<()> {
    drop_a_modern_call(Era::Legacy).await
}

#[tokio::test]
async fn trap_06_a_modern_client_that_leaves_cancels_a_modern_call() -> Result<()> {
    drop_a_modern_call(Era::Modern).await
}

/// Reads events until one holds `mark`; returns it with the last id seen.
async fn read_until(stream: &mut Response, mark: &str, mut last: String) -> Result<(Event, String)> {
    loop {
        let event = stream.event().await?.with_context(|| format!("the stream ended before {mark}"))?;
        last = event.id.clone().unwrap_or(last);
        if event.data.contains(mark) {
            return Ok((event, last));
        }
    }
}

async fn drop_a_legacy_call(era: Era) -> Result<()> {
    let (fixture, gateway) = before(era).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let arguments = json!({ "ms": 1500, "steps": 1 });
    let message = client.message("tools/call", &json!({ "name": "slow", "arguments": arguments, "_meta": { "progressToken": 7 } }));
    let mut stream = client.send(&message).await?;
    assert!(stream.is_stream(), "progress makes it a stream");
    let (_, last) = read_until(&mut stream, "notifications/progress", String::new()).await?;
    assert!(!last.is_empty(), "events carry ids");
    drop(stream);

    let mut resumed = client.listen(Some(&last)).await?.patience(SOON);
    assert_eq!(resumed.status, 200);
    let (event, last) = read_until(&mut resumed, "\"result\"", last).await?;
    let reply: Value = serde_json::from_str(&event.data)?;
    assert_eq!(reply["id"], message["id"]);
    drop(resumed);
    assert!(fixture.journal.all("cancelled").is_empty(), "a disconnect is no cancellation");
    assert_eq!(fixture.journal.all("finished").len(), 1);

    let again = client.listen(Some(&last)).await?.patience(Duration::from_millis(500));
    if again.status == 200 {
        let more = again.text().await.unwrap_or_default();
        assert!(!more.contains("\"result\""), "the result is delivered once: {more}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_06_a_legacy_client_that_leaves_finds_its_result_again() -> Result<()> {
    drop_a_legacy_call(Era::Modern).await
}

#[tokio::test]
async fn trap_06_a_legacy_client_that_leaves_does_not_cancel_a_legacy_call() -> Result<()> {
    drop_a_legacy_call(Era::Legacy).await
}

#[tokio::test]
async fn trap_06_a_legacy_client_cancels_by_notification() -> Result<()> {
    let (fixture, gateway) = before(Era::Legacy).await?;
    let client = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    let message = client.message("tools/call", &json!({ "name": "slow", "arguments": { "ms": 60_000 } }));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": message["id"] } });
    let leave = async {
        let run = running(&fixture.journal).await?;
        client.send(&cancel).await?;
        let find = |entries: &[Value]| entries.iter().find(|entry| entry["what"] == "cancelled").cloned();
        let cancelled = fixture.journal.until(SOON, "the upstream hears of it", find).await?;
        assert_eq!(cancelled["id"], run["id"]);
        anyhow::Ok(())
    };
    tokio::select! {
        left = leave => left?,
        _ = async { let _ended = client.send(&message).await; std::future::pending::<()>().await } => {}
    }
    gateway.stop().await?;
    Ok(())
}
