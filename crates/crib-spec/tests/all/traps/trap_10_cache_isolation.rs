use anyhow::Result;
use crib_spec::{
    client::{Modern, bearer},
    fixture::{Era, Fixture, Options},
    gateway::{Config, Gateway, url_server},
    wait::{SOON, eventually},
};
use serde_json::{Value, json};

async fn cached(scope: &str, generated: Option<usize>) -> Result<Fixture> {
    let options = Options { era: Era::Modern, ttl_ms: 60_000, scope: scope.to_owned(), generated, ..Options::default() };
    Fixture::start(options).await
}

#[tokio::test]
async fn trap_10_a_private_result_is_never_served_to_somebody_else() -> Result<()> {
    let fixture = cached("private", None).await?;
    let config = Config::plain("one", url_server(&fixture.url())).key("alice", "a3f90c417be2d85566f1").key("bob", "7d02e9b8c1546af3ee90");
    let gateway = Gateway::start(&config).await?;
    for secret in ["a3f90c417be2d85566f1", "7d02e9b8c1546af3ee90"] {
        let before = fixture.journal.received("resources/read").len();
        let client = Modern::new(gateway.address).header(bearer(secret));
        let reply = client.call("resources/read", json!({ "uri": "test://static-text" })).await?;
        assert_eq!(reply["result"]["cacheScope"], "private", "{reply}");
        assert!(fixture.journal.received("resources/read").len() > before, "each caller's read reaches the server");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_10_a_list_filtered_by_caller_is_private_though_the_server_calls_it_public() -> Result<()> {
    let fixture = cached("public", None).await?;
    let config = Config::plain("one", url_server(&fixture.url())).key("alice", "a3f90c417be2d85566f1").key_with(json!({
        "name": "bob", "secret": "7d02e9b8c1546af3ee90", "deny": ["one.test_*"],
    }));
    let gateway = Gateway::start(&config).await?;
    let list = async |secret| Modern::new(gateway.address).header(bearer(secret)).call("tools/list", json!({})).await;
    let alice: Value = list("a3f90c417be2d85566f1").await?;
    let bob: Value = list("7d02e9b8c1546af3ee90").await?;
    let count = |reply: &Value| reply["result"]["tools"].as_array().map_or(0, Vec::len);
    assert!(count(&bob) > 0 && count(&bob) < count(&alice), "{} and {}", count(&alice), count(&bob));
    assert_eq!(bob["result"]["cacheScope"], "private");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_10_rounds_are_never_cached() -> Result<()> {
    let fixture = cached("public", None).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let client = Modern::full(gateway.address);
    for _ in 0..2 {
        let (reply, rounds) = client.tool_obliging("test_input_required_result_elicitation", json!({})).await?;
        assert_eq!(rounds, 1, "{reply}");
        assert!(reply["result"].get("ttlMs").is_none(), "{reply}");
    }
    assert_eq!(fixture.journal.received("tools/call").len(), 4);
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_10_a_changed_list_is_seen_long_before_its_time_to_live() -> Result<()> {
    let fixture = cached("public", Some(3)).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let client = Modern::new(gateway.address);
    let count = async || {
        let reply = client.call("tools/list", json!({})).await.ok()?;
        reply["result"]["tools"].as_array().map(Vec::len)
    };
    assert_eq!(count().await, Some(3));
    for wanted in [5, 2, 9] {
        fixture.list_generated(wanted);
        eventually(SOON, "the new list", || async { count().await.filter(|count| *count == wanted) }).await?;
    }
    gateway.stop().await?;
    Ok(())
}

/// What changes behind a list is told to those who have subscribed before it was made.
#[tokio::test]
async fn trap_10_lists_are_read_once_their_changes_will_be_heard() -> Result<()> {
    let fixture = cached("public", Some(3)).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let list = Modern::new(gateway.address).call("tools/list", json!({})).await?;
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(3));
    let asked: Vec<Value> = fixture.journal.all("received").into_iter().map(|entry| entry["body"]["method"].clone()).collect();
    let place = |method: &str| asked.iter().position(|asked| asked == method);
    assert!(place("subscriptions/listen").is_some() && place("subscriptions/listen") < place("tools/list"), "{asked:?}");
    gateway.stop().await?;
    Ok(())
}

/// The list is made, then changes, and only then arrives: what was read must not stand.
async fn overtaken(era: Era) -> Result<()> {
    let fixture = Fixture::start(Options { era, ttl_ms: 60_000, generated: Some(3), ..Options::default() }).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let client = Modern::new(gateway.address);
    let count = async || {
        let reply = client.call("tools/list", json!({})).await.ok()?;
        reply["result"]["tools"].as_array().map(Vec::len)
    };
    eventually(SOON, "the first list", || async { count().await.filter(|count| *count == 3) }).await?;
    fixture.hold_lists(true);
    fixture.list_generated(4);
    let held = |entries: &[Value]| entries.iter().any(|entry| entry["what"] == "held" && entry["tools"] == 4).then_some(());
    fixture.journal.until(SOON, "the list of four is made and kept back", held).await?;
    // While it is on its way there are seven.
    fixture.list_generated(7);
    fixture.hold_lists(false);
    eventually(SOON, "the newest list", || async { count().await.filter(|count| *count == 7) }).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_10_a_list_of_a_modern_server_that_is_overtaken_does_not_stand() -> Result<()> {
    overtaken(Era::Modern).await
}

#[tokio::test]
async fn trap_10_a_list_of_a_legacy_server_that_is_overtaken_does_not_stand() -> Result<()> {
    overtaken(Era::Legacy).await
}
