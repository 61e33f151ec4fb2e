use anyhow::{Result, ensure};
use crib_spec::{
    client::{Modern, answers, bearer},
    gateway::{Config, Gateway},
};
use futures_util::future::join_all;
use serde_json::json;

use super::{stdio_fixture, text};

const CALLS: usize = 50;

/// One caller's call; whatever it is asked must be about itself.
async fn call(client: &Modern, who: &str, ask: bool) -> Result<bool> {
    let mut params = json!({ "name": "maybe_elicit", "arguments": { "who": who, "ask": ask } });
    let first = client.call("tools/call", params.clone()).await?;
    if first["result"]["resultType"] != "input_required" {
        ensure!(
            text(&first).starts_with(&format!("{who}: ")) || first["result"]["isError"] == true || !first["error"].is_null(),
            "{who}: {first}"
        );
        return Ok(false);
    }
    for request in first["result"]["inputRequests"].as_object().into_iter().flatten() {
        ensure!(request.1["params"]["message"] == format!("Are you {who}?"), "{who} was asked: {}", request.1);
    }
    params["inputResponses"] = answers(&first["result"]);
    if let Some(state) = first["result"].get("requestState") {
        params["requestState"] = state.clone();
    }
    let second = client.call("tools/call", params).await?;
    ensure!(text(&second) == format!("{who}: accept Ada"), "{who}: {second}");
    Ok(true)
}

#[tokio::test]
async fn trap_04_an_interaction_reaches_only_the_caller_who_caused_it() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy"])?;
    let config = Config::plain("one", server).key("alice", "a3f90c417be2d85566f1").key("bob", "7d02e9b8c1546af3ee90");
    let gateway = Gateway::start(&config).await?;
    let alice = Modern::full(gateway.address).header(bearer("a3f90c417be2d85566f1"));
    let bob = Modern::full(gateway.address).header(bearer("7d02e9b8c1546af3ee90"));
    let calls = (0..CALLS * 2).map(|number| {
        let (client, name) = if number % 2 == 0 { (&alice, "alice") } else { (&bob, "bob") };
        async move { call(client, &format!("{name}-{number}"), number % 3 == 0).await }
    });
    let outcomes = join_all(calls).await.into_iter().collect::<Result<Vec<bool>>>()?;
    let asked = outcomes.iter().filter(|asked| **asked).count();
    assert!(asked > 0, "nobody was asked, so nothing was tested");
    // An answer that reached the wrong call would carry the right words all the same, so the server's own view counts too.
    assert_eq!(journal.all("answered").iter().filter(|entry| entry["answer"]["result"]["action"] == "accept").count(), asked);
    gateway.stop().await?;
    Ok(())
}
