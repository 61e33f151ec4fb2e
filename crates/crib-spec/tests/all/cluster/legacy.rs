//! Sessions of 2025-11-25 and streams of 2024-11-05.

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, answer, bearer, full_capabilities},
    fixture::{Era, Fixture},
    gateway::{Config, url_server},
    http::{Response, once, request},
    wait::{SOON, eventually},
};
use serde_json::{Value, json};

use super::{Redis, SETTLED, replicas, stop_all};

const REVISION: &str = "2025-11-25";

/// Reads events until one holds `mark`; returns its message and the last id seen.
async fn read_until(stream: &mut Response, mark: &str) -> Result<(Value, String)> {
    let mut last = String::new();
    loop {
        let event = stream.event().await?.with_context(|| format!("the stream ended before {mark}"))?;
        last = event.id.clone().unwrap_or(last);
        if event.data.contains(mark) {
            return Ok((serde_json::from_str(&event.data)?, last));
        }
    }
}

#[tokio::test]
async fn a_session_is_served_whichever_replica_its_requests_come_to() -> Result<()> {
    let Some(redis) = Redis::start("a_session_is_served_whichever_replica_its_requests_come_to").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b, c] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let mut client = Legacy::connect(a.address, REVISION, full_capabilities()).await?;

    client.address = b.address;
    let tools = client.call("tools/list", json!({})).await?;
    ensure!(tools["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 20), "{tools}");
    let echo = client.tool("echo", json!({ "exact": 12_345_678_901_234_567_890_u64 })).await?;
    assert_eq!(echo["result"]["structuredContent"]["arguments"]["exact"].to_string(), "12345678901234567890");

    // What belongs to no request comes through a third.
    client.address = c.address;
    let mut stream = client.listen(None).await?;
    assert!(stream.status == 200 && stream.is_stream());
    let subscribed = client.call("resources/subscribe", json!({ "uri": "test://a" })).await?;
    assert_eq!(subscribed["result"], json!({}), "{subscribed}");
    fixture.touch("test://a");
    let (update, _) = read_until(&mut stream, "resources/updated").await?;
    assert_eq!(update["params"]["uri"], "test://a");

    // The end of the session is heard of everywhere.
    client.address = b.address;
    assert_eq!(client.delete().await?.status, 200);
    for replica in [&a, &b, &c] {
        client.address = replica.address;
        assert_eq!(client.send(&client.message("ping", &json!({}))).await?.status, 404);
    }
    stop_all([a, b, c]).await
}

#[tokio::test]
async fn progress_streams_through_another_replica_and_is_resumed_through_a_third() -> Result<()> {
    let Some(redis) = Redis::start("progress_streams_through_another_replica_and_is_resumed_through_a_third").await? else {
        return Ok(());
    };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b, c] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let mut client = Legacy::connect(a.address, REVISION, json!({})).await?;
    let params = json!({ "name": "slow", "arguments": { "ms": 1000, "steps": 2 }, "_meta": { "progressToken": 7 } });
    let message = client.message("tools/call", &params);

    client.address = b.address;
    let mut stream = client.send(&message).await?;
    assert!(stream.is_stream(), "progress makes it a stream");
    let (progress, last) = read_until(&mut stream, "notifications/progress").await?;
    assert_eq!(progress["params"]["progressToken"], 7);
    assert!(!last.is_empty(), "events carry ids");
    drop(stream);

    client.address = c.address;
    let mut resumed = client.listen(Some(&last)).await?.patience(SOON);
    assert_eq!(resumed.status, 200);
    let (reply, _) = read_until(&mut resumed, "\"result\"").await?;
    assert_eq!(reply["id"], message["id"]);
    assert!(fixture.journal.all("cancelled").is_empty(), "a disconnect is no cancellation");
    assert_eq!(fixture.journal.all("finished").len(), 1);
    stop_all([a, b, c]).await
}

#[tokio::test]
async fn a_question_asked_through_one_replica_is_answered_through_another() -> Result<()> {
    let Some(redis) = Redis::start("a_question_asked_through_one_replica_is_answered_through_another").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b, c] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let mut client = Legacy::connect(a.address, REVISION, full_capabilities()).await?;
    let message = client.message("tools/call", &json!({ "name": "elicit_twice", "arguments": {} }));
    client.address = b.address;
    let mut stream = client.send(&message).await?;
    for answerer in [&c, &a] {
        let (question, _) = read_until(&mut stream, "elicitation/create").await?;
        client.address = answerer.address;
        let result = answer("elicitation/create", &question["params"]);
        let accepted = client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })).await?;
        assert_eq!(accepted.status, 202);
    }
    let (reply, _) = read_until(&mut stream, "\"result\"").await?;
    assert_eq!(reply["id"], message["id"]);
    assert_eq!(reply["result"]["content"][0]["text"].as_str().unwrap_or_default().matches("accept").count(), 2, "{reply}");
    assert_eq!(fixture.journal.all("run").len(), 1, "the tool ran once");
    stop_all([a, b, c]).await
}

#[tokio::test]
async fn a_session_is_nobody_elses_at_any_replica() -> Result<()> {
    let Some(redis) = Redis::start("a_session_is_nobody_elses_at_any_replica").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let (ann, bob) = ("a3f90c417be2d85566f1", "7d02e9b8c1546af3ee90");
    let config = Config::plain("one", url_server(&fixture.url())).key("ann", ann).key("bob", bob);
    let [a, b] = replicas(&redis, &config).await?;
    let mut client = Legacy::connect_with(a.address, REVISION, json!({}), vec![bearer(ann)]).await?;
    client.address = b.address;
    assert!(client.call("ping", json!({})).await?["result"].is_object());

    client.headers = vec![bearer(bob)];
    let refused = client.send(&client.message("ping", &json!({}))).await?;
    assert_eq!(refused.status, 404, "another key");
    assert_eq!(refused.json().await?["error"]["data"]["code"], "TC0313");
    client.headers = Vec::new();
    assert_eq!(client.send(&client.message("ping", &json!({}))).await?.status, 401, "no key");

    // Nobody can pass for a replica, and nobody gains anything by trying.
    client.headers = vec![bearer(ann), ("toolcrib-replica".to_owned(), "0000000000000001.00".to_owned())];
    assert!(client.call("ping", json!({})).await?["result"].is_object());
    client.headers = vec![bearer(ann)];
    client.session = format!("{}.unknown", "0123456789abcdef");
    assert_eq!(eventually_status(&client, 404).await?, 404, "a replica that never was");
    stop_all([a, b]).await
}

/// Right after a start, what is not in the directory may only not be there yet.
async fn eventually_status(client: &Legacy, status: u16) -> Result<u16> {
    let ask = || async {
        let found = client.send(&client.message("ping", &json!({}))).await.ok()?.status;
        (found == status).then_some(found)
    };
    eventually(SETTLED, &format!("the answer is {status}"), ask).await
}

#[tokio::test]
async fn a_client_of_2024_posts_through_another_replica_than_the_one_it_listens_to() -> Result<()> {
    let test = "a_client_of_2024_posts_through_another_replica_than_the_one_it_listens_to";
    let Some(redis) = Redis::start(test).await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let open = request(http::Method::GET, a.address, "/mcp", &[("accept", "text/event-stream")], "")?;
    let mut stream = once(a.address, open).await?.patience(SOON);
    let path = stream.event().await?.context("the endpoint")?.data;
    let params = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } });
    let messages = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "test_simple_text", "arguments": {} } }),
    ];
    for message in &messages {
        let post = request(http::Method::POST, b.address, &path, &[("content-type", "application/json")], &message.to_string())?;
        assert_eq!(once(b.address, post).await?.status, 202, "{message}");
    }
    let (opened, _) = read_until(&mut stream, "protocolVersion").await?;
    assert_eq!(opened["result"]["protocolVersion"], "2024-11-05");
    let (reply, _) = read_until(&mut stream, "\"content\"").await?;
    assert_eq!(reply["id"], 2);
    stop_all([a, b]).await
}
