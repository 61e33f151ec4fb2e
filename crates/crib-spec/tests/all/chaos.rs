//! An upstream that misbehaves: the call in hand gets a clear error within its bound, nobody else notices.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    chaos::Chaos,
    client::Modern,
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, stdio_server, url_server},
    settings::fixture_binary,
    wait::{SOON, eventually},
};
use serde_json::{Value, json};

/// How long a call that fails may take by configuration, and how long until somebody hears of it.
const SHORT: &str = "3s";
const BOUND: Duration = Duration::from_secs(6);
/// The same for a call that is answered: no machine is so busy.
const LONG: &str = "60s";
const RSS_KIB_MAX: u64 = 160 * 1024;

struct Lab {
    gateway: Gateway,
    client: Modern,
    _well: Fixture,
    chaos: Option<Chaos>,
}

async fn lab(stdio: bool, timeout: &str) -> Result<Lab> {
    let well = Fixture::of(Era::Legacy).await?;
    let chaos = if stdio { None } else { Some(Chaos::start().await?) };
    let mut server = match &chaos {
        None => stdio_server(&fixture_binary("fixture-chaos"), &[]),
        Some(chaos) => url_server(&chaos.url()),
    };
    server["timeout"] = json!(timeout);
    let config = Config::new().server("ill", server).server("well", url_server(&well.url()));
    let gateway = Gateway::start(&config).await?;
    let client = Modern::new(gateway.address);
    let lab = Lab { gateway, client, _well: well, chaos };
    ensure!(text(&lab.client.tool("ill__fine", json!({})).await?) == "fine", "the server works before it is provoked");
    Ok(lab)
}

fn text(reply: &Value) -> &str {
    reply["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

fn is_failure(reply: &Value) -> bool {
    reply["error"]["message"].as_str().is_some_and(|message| !message.is_empty()) || reply["result"]["isError"] == true
}

fn rss_kib(gateway: &Gateway) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid().context("running")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Calls a mode while others call the healthy server, and returns its reply.
async fn provoke(lab: &Lab, mode: &str) -> Result<Value> {
    let others = async {
        for _ in 0..5 {
            let started = Instant::now();
            let reply = lab.client.tool("well__test_simple_text", json!({})).await?;
            ensure!(reply["result"]["content"].is_array(), "{mode}: somebody else noticed: {reply}");
            ensure!(started.elapsed() < Duration::from_secs(2), "{mode}: somebody else waited {:?}", started.elapsed());
        }
        anyhow::Ok(())
    };
    let started = Instant::now();
    let name = format!("ill__{mode}");
    let (reply, others) = tokio::join!(lab.client.tool(&name, json!({})), others);
    others?;
    if is_failure(reply.as_ref().unwrap_or(&Value::Null)) {
        ensure!(started.elapsed() < BOUND, "{mode}: answered after {:?}", started.elapsed());
    }
    if mode == "drip" && lab.chaos.is_none() {
        // The one pipe of the server is busy with the reply for as long as it drips.
        return reply;
    }
    let well_again = || async {
        let reply = lab.client.tool("ill__fine", json!({})).await.ok()?;
        (text(&reply) == "fine").then_some(())
    };
    eventually(SOON, &format!("the server works again after {mode}"), well_again).await?;
    reply
}

async fn fails(stdio: bool, mode: &str) -> Result<()> {
    let lab = lab(stdio, SHORT).await?;
    let reply = provoke(&lab, mode).await?;
    ensure!(is_failure(&reply), "{mode}: {reply}");
    let high = rss_kib(&lab.gateway)?;
    ensure!(high < RSS_KIB_MAX, "{mode}: the gateway took {high} KiB");
    lab.gateway.stop().await?;
    Ok(())
}

async fn succeeds(stdio: bool, mode: &str, wanted: &str) -> Result<()> {
    let lab = lab(stdio, LONG).await?;
    let reply = provoke(&lab, mode).await?;
    ensure!(text(&reply) == wanted, "{mode}: {reply}");
    lab.gateway.stop().await?;
    Ok(())
}

macro_rules! tests {
    ($($name:ident: $outcome:ident($($argument:expr),*);)*) => {
        $(#[tokio::test]
        async fn $name() -> Result<()> {
            $outcome($($argument),*).await
        })*
    };
}

tests! {
    a_garbage_line_fails_the_call_within_its_bound: fails(true, "garbage");
    a_line_of_invalid_utf8_fails_the_call: fails(true, "invalid_utf8");
    a_reply_to_nobody_fails_the_call_within_its_bound: fails(true, "wrong_id");
    a_second_reply_is_ignored: succeeds(true, "duplicate_id", "first");
    a_half_closed_pipe_fails_the_call: fails(true, "half_closed");
    a_line_of_64_mib_fails_the_call_and_is_not_kept: fails(true, "huge");
    a_hanging_call_fails_within_its_bound: fails(true, "hang");
    a_crash_fails_the_call: fails(true, "crash");
    an_exit_fails_the_call: fails(true, "exit");
    a_dripping_reply_fails_within_its_bound: fails(true, "drip");
    a_flood_on_standard_error_hurts_nobody: succeeds(true, "stderr_flood", "flooded");
    a_garbage_body_fails_the_call: fails(false, "garbage");
    a_body_of_invalid_utf8_fails_the_call: fails(false, "invalid_utf8");
    a_body_for_another_id_fails_the_call: fails(false, "wrong_id");
    a_second_event_is_ignored: succeeds(false, "duplicate_id", "duplicate_id");
    a_body_that_breaks_off_fails_the_call: fails(false, "half_closed");
    a_body_of_64_mib_fails_the_call_and_is_not_kept: fails(false, "huge");
    a_server_that_never_answers_fails_the_call_within_its_bound: fails(false, "hang");
    a_connection_closed_without_an_answer_fails_the_call: fails(false, "crash");
    a_dripping_body_fails_within_its_bound: fails(false, "drip");
}

#[tokio::test]
async fn a_dead_child_answers_its_calls_at_once() -> Result<()> {
    let lab = lab(true, LONG).await?;
    let started = Instant::now();
    let (waiting, crash) = tokio::join!(lab.client.tool("ill__hang", json!({})), lab.client.tool("ill__crash", json!({})));
    // Within 100 ms on an idle machine; by far before the deadline on any.
    ensure!(started.elapsed() < SOON, "after {:?}", started.elapsed());
    ensure!(is_failure(&waiting?) && is_failure(&crash?), "both calls fail");
    lab.gateway.stop().await?;
    Ok(())
}
