use std::collections::BTreeSet;

use anyhow::{Result, bail};
use crib_spec::{
    client::{Legacy, Modern, bearer},
    fixture::{Era, Fixture, Options},
    gateway::{Config, Gateway, url_server},
};
use serde_json::{Value, json};

async fn generated(era: Era, count: usize, page: usize, empty_cursor: bool) -> Result<Fixture> {
    Fixture::start(Options { era, generated: Some(count), page, empty_cursor, ..Options::default() }).await
}

/// Walks all pages; the second answer is every page's result without its tools.
async fn walk(client: &Modern) -> Result<(Vec<String>, Vec<Value>)> {
    let (mut names, mut pages) = (Vec::new(), Vec::new());
    let mut params = json!({});
    for _ in 0..2000 {
        let mut reply = client.call("tools/list", params.clone()).await?;
        let Some(tools) = reply["result"]["tools"].as_array() else { bail!("{reply}") };
        names.extend(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned));
        reply["result"]["tools"] = Value::Null;
        let next = reply["result"].get("nextCursor").cloned();
        pages.push(reply["result"].take());
        match next {
            Some(next) => params["cursor"] = next,
            None => return Ok((names, pages)),
        }
    }
    bail!("no end of pages")
}

#[tokio::test]
async fn trap_09_pages_of_all_upstreams_add_up() -> Result<()> {
    let none = generated(Era::Modern, 0, 1, false).await?;
    let few = generated(Era::Legacy, 7, 3, true).await?;
    let many = generated(Era::Modern, 1000, 100, false).await?;
    let config = Config::new()
        .server("none", url_server(&none.url()))
        .server("few", url_server(&few.url()))
        .server("many", url_server(&many.url()))
        .gateway("pageSize", json!(100))
        .key("alice", "a3f90c417be2d85566f1")
        .key("bob", "7d02e9b8c1546af3ee90");
    let gateway = Gateway::start(&config).await?;
    let alice = Modern::new(gateway.address).header(bearer("a3f90c417be2d85566f1"));
    let bob = Modern::new(gateway.address).header(bearer("7d02e9b8c1546af3ee90"));

    let (names, pages) = walk(&alice).await?;
    assert_eq!(names.len(), 1007, "every tool");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 1007, "each of them once");
    assert!(pages.len() > 1, "the gateway has pages of its own");
    let scopes: BTreeSet<_> = pages.iter().map(|page| page["cacheScope"].to_string()).collect();
    assert_eq!(scopes.len(), 1, "one cacheScope on every page: {scopes:?}");

    let cursor = pages[0]["nextCursor"].as_str().unwrap_or_default();
    let foreign = bob.call("tools/list", json!({ "cursor": cursor })).await?;
    assert_eq!(foreign["error"]["code"], -32602, "another caller's cursor: {foreign}");
    for broken in [format!("{cursor}x"), "nonsense".to_owned(), "at-3".to_owned()] {
        let reply = alice.call("tools/list", json!({ "cursor": broken })).await?;
        assert_eq!(reply["error"]["code"], -32602, "{broken}: {reply}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_09_a_legacy_client_walks_the_pages_too() -> Result<()> {
    let many = generated(Era::Legacy, 25, 10, true).await?;
    let config = Config::plain("many", url_server(&many.url())).gateway("pageSize", json!(10));
    let gateway = Gateway::start(&config).await?;
    let client = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    let (mut count, mut params) = (0, json!({}));
    loop {
        let reply = client.call("tools/list", params.clone()).await?;
        count += reply["result"]["tools"].as_array().map_or(0, Vec::len);
        match reply["result"].get("nextCursor") {
            Some(next) => params["cursor"] = next.clone(),
            None => break,
        }
    }
    assert_eq!(count, 25);
    gateway.stop().await?;
    Ok(())
}
