//! The pages of those who run the gateway: is it alive, is it ready, what does it measure.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Chunks, Json};
use crib_model::{Principal, Scope};
use crib_proxy::ServerInfo;
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::with_type;
use super::{Ask, Metrics, Reply, Rest, json};

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<ServerState>>,
}

/// A server as operators see it.
#[derive(Serialize)]
struct ServerState {
    name: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    processes: usize,
    parked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Why>,
}

#[derive(Serialize)]
struct Why {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cause: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize)]
struct Servers {
    servers: Vec<ServerState>,
}

pub(super) fn healthz() -> Response<Chunks> {
    json(StatusCode::OK, Json::from_static("{\"status\":\"ok\"}"))
}

/// Ready unless every server failed: one that works is worth traffic.
pub(super) async fn readyz(rest: &Rest, ask: &Ask) -> Response<Chunks> {
    let servers = rest.plane.servers();
    let failed = servers.iter().filter(|server| has_failed(server)).count();
    let (status, word) = match (failed, servers.len()) {
        (0, _) => (StatusCode::OK, "ready"),
        (failed, all) if failed == all => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        (_, _) => (StatusCode::OK, "partly ready"),
    };
    // What operation pages tell is for those who run the gateway. Where they come from proves nothing: a proxy on this
    // machine comes from here too.
    let servers = match rest.principal(ask) {
        Ok(principal) => Some(states(rest, &principal, servers).await),
        Err(_) => None,
    };
    json(status, Json::of(&Ready { status: word, servers }))
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

fn has_failed(server: &ServerInfo) -> bool {
    server.health.state == "failed" || server.fault.is_some() || server.health.fault.is_some()
}

/// Describes servers, with as many tools as the caller may use.
async fn states(rest: &Rest, principal: &Arc<Principal>, servers: Vec<ServerInfo>) -> Vec<ServerState> {
    let mut states = Vec::with_capacity(servers.len());
    for mut server in servers {
        if server.tools.is_some() {
            let scope = Scope::One(server.slug.clone());
            // A list that is being read again is not waited for: this page is asked when something is slow.
            let tools = tokio::time::timeout(Duration::ZERO, rest.plane.tools(principal, &scope)).await;
            server.tools = tools.ok().map(|tools| tools.len());
        }
        states.push(state(server));
    }
    states
}

fn state(server: ServerInfo) -> ServerState {
    let state = if has_failed(&server) { "failed" } else { server.health.state };
    let ServerInfo { slug, health, tools, fault } = server;
    let error = fault.or(health.fault).map(|fault| Why {
        code: fault.code().as_str(),
        message: fault.message().to_owned(),
        cause: fault.causes().to_vec(),
        hint: fault.remedy().map(str::to_owned),
    });
    ServerState {
        name: slug.to_string(),
        state,
        revision: health.revision.map(crib_mcp::Revision::as_str),
        tools: tools.filter(|_| error.is_none()),
        pid: health.pid,
        processes: health.processes,
        parked: health.parked,
        error,
    }
}
