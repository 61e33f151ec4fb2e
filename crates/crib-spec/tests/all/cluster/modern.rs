//! Clients of 2026-07-28, whose requests any replica serves, and calls that wait in one of them.

use anyhow::Result;
use crib_spec::{
    client::{Modern, answers, full_capabilities},
    fixture::{Era, Fixture, Options, Tasks},
    gateway::{Config, Gateway, url_server},
    wait::eventually,
};
use serde_json::{Value, json};

use super::{Redis, SETTLED, replicas, stop_all};

/// Calls a tool and answers its questions, each round at the next replica; returns the reply and the rounds.
async fn round_robin(replicas: &[&Gateway], tool: &str) -> Result<(Value, usize)> {
    let mut params = json!({ "name": tool, "arguments": {} });
    for (rounds, replica) in replicas.iter().cycle().take(10).enumerate() {
        let reply = Modern::full(replica.address).call("tools/call", params.clone()).await?;
        if reply["result"]["resultType"] != "input_required" {
            return Ok((reply, rounds));
        }
        params["inputResponses"] = answers(&reply["result"]);
        params["requestState"] = reply["result"]["requestState"].clone();
    }
    anyhow::bail!("ten rounds and no end")
}

#[tokio::test]
async fn a_round_that_began_at_one_replica_goes_on_at_the_next() -> Result<()> {
    let Some(redis) = Redis::start("a_round_that_began_at_one_replica_goes_on_at_the_next").await? else { return Ok(()) };
    for era in [Era::Modern, Era::Legacy] {
        let fixture = Fixture::of(era).await?;
        let [a, b, c] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
        let (reply, rounds) = round_robin(&[&a, &b, &c], "elicit_twice").await?;
        assert_eq!((rounds, &reply["result"]["resultType"]), (2, &json!("complete")), "{era}: {reply}");
        let text = reply["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(text.matches("accept").count(), 2, "{era}: {reply}");
        if era == Era::Legacy {
            assert_eq!(fixture.journal.all("run").len(), 1, "the call that waited went on");
        }
        stop_all([a, b, c]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn answers_for_a_replica_that_ended_are_told_to_begin_anew() -> Result<()> {
    let Some(redis) = Redis::start("answers_for_a_replica_that_ended_are_told_to_begin_anew").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let mut params = json!({ "name": "elicit_twice", "arguments": {} });
    let asked = Modern::full(a.address).call("tools/call", params.clone()).await?;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    params["inputResponses"] = answers(&asked["result"]);
    params["requestState"] = asked["result"]["requestState"].clone();
    // Known before it ends, so that nothing hangs on how fresh the directory is.
    let stranger = Modern::full(b.address).call("tools/call", json!({ "name": "echo", "arguments": {} })).await?;
    assert_eq!(stranger["result"]["resultType"], "complete", "{stranger}");
    a.kill().await?;
    let client = Modern::full(b.address);
    let look = || async {
        let reply = client.call("tools/call", params.clone()).await.ok()?;
        (reply["error"]["data"]["code"] == "TC0210").then_some(reply)
    };
    let lost = eventually(SETTLED, "the call is lost", look).await?;
    assert_eq!(lost["error"]["code"], -32602, "{lost}");
    stop_all([b]).await
}

#[tokio::test]
async fn a_task_of_a_legacy_server_is_looked_at_and_answered_through_every_replica() -> Result<()> {
    let test = "a_task_of_a_legacy_server_is_looked_at_and_answered_through_every_replica";
    let Some(redis) = Redis::start(test).await? else { return Ok(()) };
    let fixture = Fixture::start(Options { era: Era::Legacy, tasks: Tasks::Asked, ..Options::default() }).await?;
    let [a, b, c] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let client = |replica: &Gateway| {
        let mut capabilities = full_capabilities();
        capabilities["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
        Modern::new(replica.address).declaring(capabilities)
    };
    let until = async |replica: &Gateway, task: &Value, status: &str| {
        let client = client(replica);
        let look = || async {
            let reply = client.call("tasks/get", json!({ "taskId": task["taskId"] })).await.ok()?;
            (reply["result"]["status"] == status).then(|| reply["result"].clone())
        };
        eventually(SETTLED, &format!("the task is {status}"), look).await
    };
    let task = client(&a).tool("confirm_delete", json!({ "filename": "a.txt" })).await?["result"].clone();
    assert_eq!(task["resultType"], "task", "{task}");
    let asking = until(&b, &task, "input_required").await?;
    let update = json!({ "taskId": task["taskId"], "inputResponses": answers(&asking) });
    let reply = client(&c).call("tasks/update", update).await?;
    assert_eq!(reply["result"]["resultType"], "complete", "{reply}");
    let done = until(&b, &task, "completed").await?;
    assert_eq!(done["result"]["content"][0]["text"], "a.txt: deleted", "{done}");
    assert_eq!(done["taskId"], task["taskId"]);
    stop_all([a, b, c]).await
}

#[tokio::test]
async fn pages_of_a_list_come_from_different_replicas() -> Result<()> {
    let Some(redis) = Redis::start("pages_of_a_list_come_from_different_replicas").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Modern).await?;
    let config = Config::plain("one", url_server(&fixture.url())).gateway("pageSize", json!(3));
    let [a, b] = replicas(&redis, &config).await?;
    let first = Modern::full(a.address).call("tools/list", json!({})).await?;
    let second = Modern::full(b.address).call("tools/list", json!({ "cursor": first["result"]["nextCursor"] })).await?;
    assert_eq!(second["result"]["tools"].as_array().map(Vec::len), Some(3), "{second}");
    assert_ne!(first["result"]["tools"], second["result"]["tools"]);
    stop_all([a, b]).await
}
