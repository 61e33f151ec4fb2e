use std::time::Duration;

use anyhow::Result;
use crib_spec::{
    client::{Legacy, Modern, answers, bearer},
    gateway::{Config, Gateway},
    wait::{SOON, eventually, within},
};
use serde_json::{Value, json};

use super::{stdio_fixture, text};

fn call(state: Option<&Value>, responses: Option<Value>) -> Value {
    let mut params = json!({ "name": "elicit_twice", "arguments": {} });
    if let Some(state) = state {
        params["requestState"] = state.clone();
    }
    if let Some(responses) = responses {
        params["inputResponses"] = responses;
    }
    params
}

#[tokio::test]
async fn trap_03_a_parked_call_asks_twice_and_runs_once() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy", "--newest", "2025-06-18"])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::full(gateway.address);
    let (reply, rounds) = client.tool_obliging("elicit_twice", json!({})).await?;
    assert_eq!(rounds, 2, "{reply}");
    assert_eq!(reply["result"]["resultType"], "complete", "{reply}");
    assert_eq!(text(&reply).matches("accept").count(), 2, "{reply}");
    assert_eq!(journal.all("run").len(), 1, "the body of the tool runs once");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_03_a_wrong_retry_is_refused_and_never_runs_the_tool_again() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy", "--newest", "2025-06-18"])?;
    let config = Config::plain("one", server).key("alice", "a3f90c417be2d85566f1").key("bob", "7d02e9b8c1546af3ee90");
    let gateway = Gateway::start(&config).await?;
    let alice = Modern::full(gateway.address).header(bearer("a3f90c417be2d85566f1"));
    let bob = Modern::full(gateway.address).header(bearer("7d02e9b8c1546af3ee90"));

    let first = alice.call("tools/call", call(None, None)).await?;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let state = first["result"]["requestState"].clone();
    let given = answers(&first["result"]);

    let stolen = bob.call("tools/call", call(Some(&state), Some(given.clone()))).await?;
    assert_eq!(stolen["error"]["code"], -32602, "another user's retry: {stolen}");

    let mut flipped: Vec<char> = state.as_str().unwrap().chars().collect();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == 'A' { 'B' } else { 'A' };
    let flipped = json!(flipped.into_iter().collect::<String>());
    let broken = alice.call("tools/call", call(Some(&flipped), Some(given.clone()))).await?;
    assert_eq!(broken["error"]["code"], -32602, "one flipped character: {broken}");

    let mut changed = call(Some(&state), Some(given.clone()));
    changed["arguments"] = json!({ "something": "else" });
    let changed = alice.call("tools/call", changed).await?;
    assert_eq!(changed["error"]["code"], -32602, "changed arguments: {changed}");

    let second = alice.call("tools/call", call(Some(&state), Some(given.clone()))).await?;
    assert_eq!(second["result"]["resultType"], "input_required", "the right retry still works: {second}");
    let again = alice.call("tools/call", call(Some(&state), Some(given))).await?;
    let harmless = again["error"]["code"] == -32602 || again["result"]["inputRequests"] == second["result"]["inputRequests"];
    assert!(harmless, "a duplicate retry gets the same round or a refusal: {again}");
    assert_eq!(journal.all("answered").len(), 1, "upstream was answered once");
    assert_eq!(journal.all("run").len(), 1, "the body of the tool ran once");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_03_a_person_may_take_longer_than_a_call() -> Result<()> {
    let (mut server, journal) = stdio_fixture(&["--era", "legacy"])?;
    server["timeout"] = json!("1s");
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::full(gateway.address);
    let first = client.call("tools/call", call(None, None)).await?;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    // The time a person takes is what is tested.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let retry = call(first["result"].get("requestState"), Some(answers(&first["result"])));
    let second = client.call("tools/call", retry).await?;
    assert_eq!(second["result"]["resultType"], "input_required", "the call still waits for its second answer: {second}");
    let retry = call(second["result"].get("requestState"), Some(answers(&second["result"])));
    let done = client.call("tools/call", retry).await?;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
    assert_eq!(journal.all("run").len(), 1, "the body of the tool ran once");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_03_a_gateway_that_ends_takes_its_parked_calls_back() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy"])?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::full(gateway.address);
    let first = client.call("tools/call", call(None, None)).await?;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let pid = journal.all("started")[0]["pid"].clone();
    gateway.stop().await?;
    let gone = || std::future::ready((!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    eventually(SOON, "the child of a gateway that ended is gone", gone).await
}

#[tokio::test]
async fn trap_03_an_answer_that_comes_too_late_is_refused_and_the_call_given_up() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy"])?;
    let config = Config::plain("one", server).gateway("inputTimeout", json!("1s"));
    let gateway = Gateway::start(&config).await?;
    let client = Modern::full(gateway.address);
    let first = client.call("tools/call", call(None, None)).await?;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    // The tool may have asked for the second time before it hears that its call was given up.
    let declined = || std::future::ready((!journal.all("answered").is_empty()).then_some(()));
    eventually(SOON, "the server hears that nobody answered", declined).await?;
    // The seal counts whole seconds.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let late = client.call("tools/call", call(first["result"].get("requestState"), Some(answers(&first["result"])))).await?;
    assert_eq!(late["error"]["code"], -32602, "{late}");
    assert_eq!(journal.all("run").len(), 1, "the body of the tool ran once");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_03_a_legacy_client_that_does_not_answer_ends_its_call() -> Result<()> {
    let (server, journal) = stdio_fixture(&["--era", "legacy"])?;
    let config = Config::plain("one", server).gateway("inputTimeout", json!("1s"));
    let gateway = Gateway::start(&config).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", json!({ "elicitation": {} })).await?;
    let reply = within(SOON, "the end of the call", client.tool("elicit_twice", json!({}))).await??;
    assert_eq!(reply["result"]["isError"], true, "{reply}");
    assert!(text(&reply).contains("did not answer"), "{reply}");
    assert_eq!(journal.all("run").len(), 1, "the body of the tool ran once");
    gateway.stop().await?;
    Ok(())
}
