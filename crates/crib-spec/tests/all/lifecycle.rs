//! Processes and sessions come and go without a trace.

use std::time::Duration;

use anyhow::{Context as _, Result};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Fixture, Options},
    gateway::{Config, Gateway, free_port, scratch, stdio_server, url_server},
    journal::Journal,
    settings::fixture_binary,
    wait::{SOON, eventually},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn server(name: &str) -> Result<(Value, Journal)> {
    let file = scratch(name)?.join("journal");
    let path = file.display().to_string();
    Ok((
        stdio_server(&fixture_binary("fixture-everything"), &["--stdio", "--era", "legacy", "--journal", &path]),
        Journal::from_file(&file),
    ))
}

fn state(pid: &Value) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn children(journal: &Journal) -> Vec<Value> {
    journal.all("started").iter().map(|entry| entry["pid"].clone()).collect()
}

async fn all_gone(journal: &Journal) -> Result<()> {
    let pids = children(journal);
    eventually(SOON, "every child is gone", || std::future::ready(pids.iter().all(|pid| state(pid).is_none()).then_some(()))).await
}

#[tokio::test]
async fn a_gateway_that_ends_leaves_no_child() -> Result<()> {
    let (server, journal) = server("term")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    Modern::new(gateway.address).tool("test_simple_text", json!({})).await?;
    assert!(!children(&journal).is_empty());
    assert_eq!(gateway.stop().await?, Some(0));
    all_gone(&journal).await
}

#[tokio::test]
async fn a_subscription_ends_with_its_result_and_does_not_hold_up_the_end() -> Result<()> {
    let (server, _journal) = server("listen")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::new(gateway.address);
    let listen = client.message("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let mut stream = client.send(&listen).await?;
    let ack = stream.message().await?.context("an acknowledgement")?;
    assert_eq!(ack["method"], "notifications/subscriptions/acknowledged");
    let start = std::time::Instant::now();
    let (ended, last) = tokio::join!(gateway.stop(), stream.message());
    assert_eq!(ended?, Some(0));
    let last = last?.context("a result")?;
    assert_eq!(last["id"], listen["id"]);
    assert_eq!(last["result"]["resultType"], "complete", "{last}");
    assert!(start.elapsed() < Duration::from_secs(8), "it ended after {:?}", start.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_is_killed_leaves_no_child() -> Result<()> {
    let (server, journal) = server("kill")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    Modern::new(gateway.address).tool("test_simple_text", json!({})).await?;
    assert!(!children(&journal).is_empty());
    gateway.kill().await?;
    all_gone(&journal).await
}

const SESSIONS: usize = 2000;
/// What a session that is left alone may cost, in a build for debugging and with what the allocator keeps.
const KIB_PER_SESSION_MAX: u64 = 12;

/// The memory of a process that is not shared or swapped out, in KiB.
fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Opens sessions and ends one half of them; the other half is left alone. Some call a tool before that.
async fn open_sessions(gateway: &Gateway, count: usize) -> Result<()> {
    for batch in 0..count / 20 {
        let opened = join_all((0..20).map(|_| Legacy::connect(gateway.address, "2025-11-25", json!({})))).await;
        for (number, session) in opened.into_iter().enumerate() {
            let session = session.with_context(|| format!("batch {batch}"))?;
            if number % 10 == 0 {
                let reply = session.tool("test_simple_text", json!({})).await?;
                assert!(reply["result"]["content"].is_array(), "{reply}");
            }
            if number % 2 == 0 {
                session.delete().await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn abandoned_sessions_leave_no_zombie_and_little_memory() -> Result<()> {
    let (server, journal) = server("sessions")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let pid = gateway.pid().context("running")?;
    open_sessions(&gateway, 100).await?;
    let before = resident_kib(pid)?;
    open_sessions(&gateway, SESSIONS).await?;
    let each = resident_kib(pid)?.saturating_sub(before) / (SESSIONS as u64 / 2);
    assert!(each <= KIB_PER_SESSION_MAX, "{each} KiB for each session that is left");
    let zombies: Vec<Value> = children(&journal).into_iter().filter(|pid| state(pid) == Some('Z')).collect();
    assert!(zombies.is_empty(), "{zombies:?}");
    assert!(children(&journal).len() < 20, "sessions share processes: {}", children(&journal).len());
    gateway.stop().await?;
    all_gone(&journal).await
}

#[tokio::test]
async fn abandoned_sessions_of_a_gateway_that_is_killed_leave_no_orphan() -> Result<()> {
    let (server, journal) = server("killed")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    open_sessions(&gateway, SESSIONS).await?;
    assert!(!children(&journal).is_empty());
    gateway.kill().await?;
    all_gone(&journal).await
}

#[tokio::test]
async fn a_child_that_died_is_started_again() -> Result<()> {
    let (server, journal) = server("again")?;
    let gateway = Gateway::start(&Config::plain("one", server)).await?;
    let client = Modern::new(gateway.address);
    client.tool("test_simple_text", json!({})).await?;
    for pid in children(&journal) {
        let pid = pid.as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw).context("pid")?;
        // A probe's process may be gone already.
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap_or_default();
    }
    let works = || async { client.tool("test_simple_text", json!({})).await.ok().filter(|reply| reply["result"]["content"].is_array()) };
    eventually(SOON, "the server works again", works).await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_restarted_http_server_is_met_again() -> Result<()> {
    let fixture = Fixture::of(Era::Legacy).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url()))).await?;
    let client = Modern::new(gateway.address);
    for _ in 0..3 {
        let works =
            || async { client.tool("test_simple_text", json!({})).await.ok().filter(|reply| reply["result"]["content"].is_array()) };
        eventually(Duration::from_secs(10), "the server answers", works).await?;
        fixture.forget_sessions();
    }
    gateway.stop().await?;
    Ok(())
}

/// Clients that know a tool need not list it again to have it back.
#[tokio::test]
async fn a_server_that_comes_up_late_is_met_by_calls_alone() -> Result<()> {
    let port = free_port()?;
    let late = url_server(&format!("http://127.0.0.1:{port}/mcp"));
    // With one server names are its own; with two they say whose they are.
    let (alone, other) = (Config::plain("late", late.clone()), Fixture::of(Era::Modern).await?);
    let both = Config::new().server("late", late).server("other", url_server(&other.url()));
    let (alone, both) = (Gateway::start(&alone).await?, Gateway::start(&both).await?);
    let calls = [(Modern::new(alone.address), "test_simple_text"), (Modern::new(both.address), "late__test_simple_text")];
    for (client, tool) in &calls {
        let refused = client.tool(tool, json!({})).await?;
        assert_eq!(refused["error"]["data"]["code"], "TC0201", "{refused}");
    }
    let _fixture = Fixture::listen(Options { era: Era::Legacy, ..Options::default() }, Journal::new(), port).await?;
    for (client, tool) in &calls {
        let works = || async { client.tool(tool, json!({})).await.ok().filter(|reply| reply["result"]["content"].is_array()) };
        eventually(SOON, "the server is called", works).await?;
    }
    alone.stop().await?;
    both.stop().await?;
    Ok(())
}
