//! Tasks of 2025-11-25, which a client asks for, as a modern client sees them: the tasks extension, where the server
//! decides.

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern, answers, full_capabilities},
    fixture::{Era, Fixture, Options, Tasks},
    gateway::{Config, Gateway, scratch, stdio_server, url_server},
    journal::Journal,
    settings::fixture_binary,
    wait::{SOON, eventually},
};
use serde_json::{Value, json};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

fn knowing_tasks(gateway: &Gateway) -> Modern {
    let mut capabilities = full_capabilities();
    capabilities["extensions"] = json!({ EXTENSION: {} });
    Modern::new(gateway.address).declaring(capabilities)
}

async fn over_http() -> Result<(Fixture, Gateway)> {
    let fixture = Fixture::start(Options { era: Era::Legacy, tasks: Tasks::Asked, ..Options::default() }).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    Ok((fixture, gateway))
}

/// Calls a tool that runs as a task and returns the task.
async fn start(client: &Modern, tool: &str, arguments: Value) -> Result<Value> {
    let reply = client.tool(tool, arguments).await?;
    let task = &reply["result"];
    ensure!(task["resultType"] == "task" && task["status"] == "working" && task["taskId"].is_string(), "{reply}");
    ensure!(task["ttlMs"].is_number() && task["pollIntervalMs"].is_number(), "{reply}");
    ensure!(task["createdAt"].is_string() && task["lastUpdatedAt"].is_string(), "{reply}");
    ensure!(["task", "ttl", "pollInterval"].iter().all(|old| task.get(*old).is_none()), "the old shape: {reply}");
    Ok(task.clone())
}

/// Looks at a task until it has this status.
async fn until(client: &Modern, task: &Value, status: &str) -> Result<Value> {
    let look = || async {
        let reply = client.call("tasks/get", json!({ "taskId": task["taskId"] })).await.ok()?;
        (reply["result"]["status"] == status).then(|| reply["result"].clone())
    };
    eventually(SOON, &format!("the task is {status}"), look).await
}

/// All that a modern client does with tasks.
async fn lives_through(gateway: &Gateway, journal: &Journal) -> Result<()> {
    let client = knowing_tasks(gateway);
    let discovered = client.call("server/discover", json!({})).await?;
    ensure!(discovered["result"]["capabilities"]["extensions"][EXTENSION].is_object(), "{discovered}");

    let task = start(&client, "slow_compute", json!({ "seconds": 0.3, "label": "加" })).await?;
    let done = until(&client, &task, "completed").await?;
    ensure!(done["result"]["content"][0]["text"] == "computed 加" && done["result"]["resultType"] == "complete", "{done}");
    ensure!(done["taskId"] == task["taskId"], "{done}");

    let task = start(&client, "failing_job", json!({})).await?;
    let done = until(&client, &task, "completed").await?;
    ensure!(done["result"]["isError"] == true, "{done}");

    let task = start(&client, "protocol_error_job", json!({})).await?;
    let failed = until(&client, &task, "failed").await?;
    ensure!(failed["error"]["code"] == -32603, "{failed}");

    let created = journal.all("task");
    ensure!(created.len() == 3 && created.iter().all(|entry| entry["ttl"].is_number()), "{created:?}");
    Ok(())
}

#[tokio::test]
async fn tasks_of_a_legacy_server_over_http_are_those_of_the_extension() -> Result<()> {
    let (fixture, gateway) = over_http().await?;
    lives_through(&gateway, &fixture.journal).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn tasks_of_a_legacy_server_over_stdio_are_those_of_the_extension() -> Result<()> {
    let file = scratch("tasks")?.join("journal");
    let path = file.display().to_string();
    let server = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", "legacy", "--tasks", "--journal", &path]);
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    lives_through(&gateway, &Journal::from_file(&file)).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_task_of_a_legacy_server_asks_is_answered_by_update() -> Result<()> {
    let (fixture, gateway) = over_http().await?;
    let client = knowing_tasks(&gateway);
    for (tool, arguments, questions) in [("confirm_delete", json!({ "filename": "a.txt" }), 1), ("multi_input", json!({}), 2)] {
        let task = start(&client, tool, arguments).await?;
        let mut answered = 0;
        // Questions may be shown together or one after the other, but each one once.
        while answered < questions {
            let asking = until(&client, &task, "input_required").await?;
            let answers = answers(&asking);
            let given = answers.as_object().context("no questions")?.len();
            ensure!(given > 0, "{asking}");
            answered += given;
            let reply = client.call("tasks/update", json!({ "taskId": task["taskId"], "inputResponses": answers })).await?;
            ensure!(reply["result"]["resultType"] == "complete", "{reply}");
        }
        let done = until(&client, &task, "completed").await?;
        let text = done["result"]["content"][0]["text"].as_str().unwrap_or_default();
        ensure!(text == "a.txt: deleted" || text.matches("accept").count() == 2, "{done}");
    }
    assert_eq!(fixture.journal.all("answered").len(), 3, "each question was answered once");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_task_of_a_legacy_server_is_cancelled_there() -> Result<()> {
    let (fixture, gateway) = over_http().await?;
    let client = knowing_tasks(&gateway);
    let task = start(&client, "slow_compute", json!({ "seconds": 60 })).await?;
    let reply = client.call("tasks/cancel", json!({ "taskId": task["taskId"] })).await?;
    assert!(reply["error"].is_null(), "{reply}");
    until(&client, &task, "cancelled").await?;
    assert_eq!(fixture.journal.all("task-cancelled").len(), 1);
    let again = client.call("tasks/cancel", json!({ "taskId": task["taskId"] })).await?;
    assert!(again["error"]["code"] == -32602 || again["error"].is_null(), "{again}");
    let unknown = client.call("tasks/get", json!({ "taskId": "nonsense" })).await?;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    gateway.stop().await?;
    Ok(())
}

/// Listens to tasks and hears of each what it came to, with what that announces.
async fn is_told(gateway: &Gateway) -> Result<()> {
    let client = knowing_tasks(gateway);
    let quick = start(&client, "slow_compute", json!({ "seconds": 0.3, "label": "x" })).await?;
    let asks = start(&client, "confirm_delete", json!({ "filename": "a.txt" })).await?;
    let filter = json!({ "notifications": { "taskIds": [quick["taskId"], asks["taskId"], "nonsense"] } });
    let mut stream = client.send(&client.message("subscriptions/listen", filter)).await?.patience(SOON);
    let first = stream.message().await?.context("nothing came")?;
    ensure!(first["method"] == "notifications/subscriptions/acknowledged", "{first}");
    let honoured = first["params"]["notifications"]["taskIds"].as_array().context("no tasks")?.clone();
    ensure!(honoured.len() == 2 && honoured.contains(&quick["taskId"]) && honoured.contains(&asks["taskId"]), "{first}");
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let told = stream.message().await?.context("the stream ended")?;
        ensure!(told["method"] == "notifications/tasks", "{told}");
        let task = &told["params"];
        ensure!(task["ttlMs"].is_number() && task.get("resultType").is_none(), "{told}");
        if task["status"] == "input_required" {
            ensure!(task["taskId"] == asks["taskId"] && task["inputRequests"].is_object(), "{told}");
            let update = json!({ "taskId": task["taskId"], "inputResponses": answers(task) });
            let reply = client.call("tasks/update", update).await?;
            ensure!(reply["result"]["resultType"] == "complete", "{reply}");
        } else if task["status"] == "completed" {
            ended.push(task["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned());
        }
    }
    ended.sort();
    ensure!(ended == ["a.txt: deleted", "computed x"], "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn who_listens_to_tasks_of_a_legacy_server_over_http_hears_what_became_of_them() -> Result<()> {
    let (_fixture, gateway) = over_http().await?;
    is_told(&gateway).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_listens_to_tasks_of_a_legacy_server_over_stdio_hears_what_became_of_them() -> Result<()> {
    let server = stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", "legacy", "--tasks"]);
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    is_told(&gateway).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_knows_no_tasks_gets_the_result_of_a_tool_that_needs_one() -> Result<()> {
    let (fixture, gateway) = over_http().await?;
    let legacy = Legacy::connect(gateway.address, "2025-11-25", full_capabilities()).await?;
    assert!(legacy.server["capabilities"].get("tasks").is_none(), "the gateway has no tasks of that revision: {}", legacy.server);
    let modern = Modern::full(gateway.address);
    for reply in [legacy.tool("failing_job", json!({})).await?, modern.tool("failing_job", json!({})).await?] {
        assert_eq!(reply["result"]["content"][0]["text"], "the job failed", "{reply}");
    }
    assert_eq!(fixture.journal.all("task").len(), 2, "both ran as tasks");
    gateway.stop().await?;
    Ok(())
}
