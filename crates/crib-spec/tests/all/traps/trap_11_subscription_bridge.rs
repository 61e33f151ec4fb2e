use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Fixture},
    http::Response,
    wait::SOON,
};
use serde_json::{Value, json};

use super::before;

const UPDATES: usize = 200;

/// Touches both resources at about 1 kHz.
async fn touch(fixture: &Fixture, uris: &[&str]) {
    let mut beat = tokio::time::interval(Duration::from_millis(1));
    for _ in 0..UPDATES {
        beat.tick().await;
        for uri in uris {
            fixture.touch(uri);
        }
    }
}

/// Counts updates by URI until the stream is silent.
async fn count(stream: Response) -> Result<BTreeMap<String, usize>> {
    let mut stream = stream.patience(Duration::from_millis(1500));
    let mut counts = BTreeMap::new();
    while let Ok(Some(message)) = stream.message().await {
        if message["method"] == "notifications/resources/updated" {
            *counts.entry(message["params"]["uri"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    Ok(counts)
}

async fn subscribe(client: &Legacy, method: &str, uri: &str) -> Result<()> {
    let reply = client.call(method, json!({ "uri": uri })).await?;
    ensure!(reply["result"] == json!({}), "{method}: {reply}");
    Ok(())
}

/// One update at a time, at many moments around a change of subscriptions: an update that is lost is not followed by
/// another one that would hide it.
async fn none_lost(era: Era) -> Result<()> {
    let (fixture, gateway) = before(era).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let mut stream = client.listen(None).await?.patience(Duration::from_secs(3));
    assert_eq!(stream.status, 200);
    subscribe(&client, "resources/subscribe", "test://b").await?;
    for round in 0..40_u64 {
        let method = if round % 2 == 0 { "resources/subscribe" } else { "resources/unsubscribe" };
        let touching = async {
            tokio::time::sleep(Duration::from_micros(250 * round)).await;
            fixture.touch("test://b");
        };
        let (changed, ()) = tokio::join!(subscribe(&client, method, "test://a"), touching);
        changed?;
        let update = stream.message().await.with_context(|| format!("round {round}: the update is lost"))?.context("the stream ended")?;
        assert_eq!(update["params"]["uri"], "test://b", "{update}");
        // While two streams overlap, an update may be told twice; it must not pass for the next one.
        while tokio::time::timeout(Duration::from_millis(100), stream.message()).await.is_ok() {}
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_11_no_update_of_a_modern_server_is_lost_while_subscriptions_change() -> Result<()> {
    none_lost(Era::Modern).await
}

#[tokio::test]
async fn trap_11_no_update_of_a_legacy_server_is_lost_while_subscriptions_change() -> Result<()> {
    none_lost(Era::Legacy).await
}

#[tokio::test]
async fn trap_11_a_flood_of_updates_keeps_flowing_while_subscriptions_change() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let stream = client.listen(None).await?;
    subscribe(&client, "resources/subscribe", "test://b").await?;
    let counting = tokio::time::timeout(Duration::from_secs(30), count(stream));
    let changing = async {
        subscribe(&client, "resources/subscribe", "test://a").await?;
        subscribe(&client, "resources/unsubscribe", "test://a").await?;
        subscribe(&client, "resources/subscribe", "test://watched-resource").await
    };
    let (counts, changed, ()) = tokio::join!(counting, changing, touch(&fixture, &["test://b"]));
    changed?;
    let seen = counts??.get("test://b").copied().unwrap_or_default();
    // What one stream still carried when the other took over may be told once or twice, but it cannot be much.
    assert!(seen > UPDATES / 2 && seen < UPDATES * 2, "{seen} of {UPDATES}");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_11_nothing_comes_after_unsubscribing() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let stream = client.listen(None).await?;
    for uri in ["test://a", "test://b"] {
        subscribe(&client, "resources/subscribe", uri).await?;
    }
    subscribe(&client, "resources/unsubscribe", "test://a").await?;
    let (counts, ()) = tokio::join!(count(stream), touch(&fixture, &["test://a", "test://b"]));
    let counts = counts?;
    assert_eq!(counts.get("test://a"), None, "{counts:?}");
    assert!(counts.get("test://b").is_some_and(|seen| *seen >= UPDATES), "{counts:?}");
    gateway.stop().await?;
    Ok(())
}

async fn shared(era: Era) -> Result<()> {
    let (fixture, gateway) = before(era).await?;
    let mut streams = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
        streams.push(client.listen(None).await?);
        subscribe(&client, "resources/subscribe", "test://a").await?;
        clients.push(client);
    }
    match era {
        Era::Legacy => assert_eq!(fixture.journal.all("subscribe").len(), 1, "one upstream subscription"),
        Era::Modern | Era::Dual => {
            let about =
                |entry: &Value| entry["filter"]["resourceSubscriptions"].as_array().is_some_and(|list| list.contains(&json!("test://a")));
            let opened = fixture.journal.all("listen").iter().filter(|entry| about(entry)).count();
            let closed = fixture.journal.all("unlisten").iter().filter(|entry| about(entry)).count();
            assert_eq!(opened - closed, 1, "one upstream subscription");
        }
    }
    fixture.touch("test://a");
    for stream in streams {
        let counts = count(stream).await?;
        assert_eq!(counts.get("test://a"), Some(&1), "one notification for each client, once: {counts:?}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_11_two_clients_share_one_modern_subscription() -> Result<()> {
    shared(Era::Modern).await
}

#[tokio::test]
async fn trap_11_two_clients_share_one_legacy_subscription() -> Result<()> {
    shared(Era::Legacy).await
}

async fn acknowledged(era: Era) -> Result<()> {
    let (fixture, gateway) = before(era).await?;
    let client = Modern::new(gateway.address);
    let filter = json!({ "toolsListChanged": true, "resourceSubscriptions": ["test://a"], "weather": true });
    for id in [json!("sub-é"), json!(4711)] {
        let mut message = client.message("subscriptions/listen", json!({ "notifications": filter }));
        message["id"] = id.clone();
        let mut stream = client.send(&message).await?.patience(SOON);
        let first = stream.message().await?.context("nothing came")?;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        assert_eq!(first["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id, "{first}");
        let honoured = &first["params"]["notifications"];
        assert_eq!(honoured["resourceSubscriptions"], json!(["test://a"]), "{first}");
        assert_eq!(honoured["toolsListChanged"], true, "{first}");
        assert!(honoured.get("weather").is_none(), "{first}");
        fixture.touch("test://b");
        fixture.touch("test://a");
        let update = stream.message().await.with_context(|| format!("{id}: no update after {:#?}", fixture.journal.entries()))?;
        let update = update.context("the stream ended")?;
        assert_eq!(update["method"], "notifications/resources/updated", "{update}");
        assert_eq!(update["params"]["uri"], "test://a", "{update}");
        assert_eq!(update["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id, "{update}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_11_a_subscription_to_a_modern_server_is_acknowledged_first() -> Result<()> {
    acknowledged(Era::Modern).await
}

#[tokio::test]
async fn trap_11_a_subscription_to_a_legacy_server_is_acknowledged_first() -> Result<()> {
    acknowledged(Era::Legacy).await
}
