//! The pages of those who run the gateway: is it alive, is it ready, what does it measure.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Chunks, Json};
use crib_model::{Principal, Scope};
use crib_proxy::ServerInfo;
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::with_type;
use super::row::{LeftOutRow, ServerRow, Servers};
use super::{Ask, Metrics, Reply, Rest, json};

/// How long memory is looked at.
const MEMORY_WAIT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<ServerRow>>,
    /// Why the other replicas cannot be found, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Trouble>,
}

#[derive(Serialize)]
struct Trouble {
    code: &'static str,
    message: String,
}

pub(super) fn healthz() -> Response<Chunks> {
    json(StatusCode::OK, Json::from_static("{\"status\":\"ok\"}"))
}

/// Ready unless every server failed: one that works is worth traffic.
pub(super) async fn readyz(rest: &Rest, ask: &Ask) -> Response<Chunks> {
    let servers = rest.plane.servers();
    let failed = servers.iter().filter(|server| super::row::has_failed(server)).count();
    let cluster = rest.plane.replica_trouble();
    let (status, word) = match (failed, servers.len()) {
        // A replica that finds no other serves what it has itself. Were it not ready, none would be where Redis is away.
        (0, _) if cluster.is_some() => (StatusCode::OK, "partly ready"),
        (0, _) => (StatusCode::OK, "ready"),
        (failed, all) if failed == all => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        (_, _) => (StatusCode::OK, "partly ready"),
    };
    // What operation pages tell is for those who run the gateway. Where they come from proves nothing: a proxy on this
    // machine comes from here too.
    let principal = rest.principal(ask).ok();
    let cluster = cluster.map(|fault| Trouble {
        code: fault.code().as_str(),
        message: if principal.is_some() { fault.to_string() } else { fault.code().short().to_owned() },
    });
    let servers = match principal {
        Some(principal) => Some(states(rest, &principal, servers).await),
        None => None,
    };
    json(status, Json::of(&Ready { status: word, servers, cluster }))
}

/// `GET /v1/servers`: only with a key where there are keys.
pub(super) async fn servers(rest: &Rest, ask: &Ask) -> Reply {
    let principal = rest.principal(ask)?;
    let servers = states(rest, &principal, rest.plane.servers()).await;
    Ok(json(StatusCode::OK, Json::of(&Servers { servers })))
}

pub(super) fn metrics(rest: &Rest, ask: &Ask, metrics: &Metrics) -> Reply {
    rest.principal(ask)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(with_type(StatusCode::OK, kind, bytes::Bytes::from(metrics()).into()))
}

/// Looks at the memory of servers that have processes. It is not worth waiting long for.
async fn memory(rest: &Rest, servers: &[ServerInfo]) -> Vec<Option<u64>> {
    let groups: Vec<Vec<u32>> = servers.iter().map(|server| server.pids.clone()).collect();
    let unknown = vec![None; groups.len()];
    if groups.iter().all(Vec::is_empty) {
        return unknown;
    }
    let figures = Arc::clone(&rest.figures);
    let looked = tokio::task::spawn_blocking(move || figures.memory(&groups));
    tokio::time::timeout(MEMORY_WAIT, looked).await.ok().and_then(Result::ok).unwrap_or(unknown)
}

/// Describes servers, with as many tools as the caller may use.
pub(super) async fn states(rest: &Rest, principal: &Arc<Principal>, servers: Vec<ServerInfo>) -> Vec<ServerRow> {
    let measured: Vec<_> = servers.iter().map(|server| rest.figures.of_server(&server.slug)).collect();
    let memory = memory(rest, &servers).await;
    let mut states = Vec::with_capacity(servers.len());
    for mut server in servers {
        if server.tools.is_some() {
            let scope = Scope::One(server.slug.clone());
            // A list that is being read again is not waited for: this page is asked when something is slow.
            let tools = tokio::time::timeout(Duration::ZERO, rest.plane.tools(principal, &scope)).await;
            server.tools = tools.ok().map(|tools| tools.len());
        }
        states.push(ServerRow::of(server));
    }
    for ((row, measured), memory) in states.iter_mut().zip(measured).zip(memory) {
        row.measure(measured, memory);
    }
    for left_out in rest.plane.left_out(principal) {
        if let Some(row) = states.iter_mut().find(|row| row.name == left_out.slug.as_str()) {
            row.left_out.push(LeftOutRow::of(left_out));
        }
    }
    states
}
