//! `POST /v1/servers/NAME/stop` and `/start`: what people do to single servers.

use std::time::{Duration, Instant};

use crib_model::{Code, Fault};
use http::StatusCode;

use super::answer::Trouble;
use super::row::Servers;
use super::{Ask, Reply, Rest, json, operation};

/// How long a server may take to end: twice the grace that a process has, and what the machine takes for it.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Stops or starts one server, and describes it as it is then.
pub(super) async fn change(rest: &Rest, ask: &Ask, name: &str, deed: &str) -> Reply {
    let principal = rest.principal(ask)?;
    if !rest.plane.may_operate(&principal) {
        let fault = Fault::new(Code::Forbidden, "this key may not stop or start servers");
        return Err(Trouble::of(&fault.hint("only a key without `allow` and `deny` may")));
    }
    let servers = rest.plane.servers();
    let Some(slug) = servers.iter().map(|server| &server.slug).find(|slug| slug.as_str().eq_ignore_ascii_case(name)) else {
        let names: Vec<&str> = servers.iter().map(|server| server.slug.as_str()).collect();
        return Err(Trouble::no_server(name, &names));
    };
    if deed == "stop" {
        tokio::time::timeout(STOP_WAIT, rest.plane.stop(slug))
            .await
            .map_err(|_elapsed| Trouble::of(&Fault::new(Code::DeadlineExceeded, format!("`{slug}` has not ended yet"))))?;
    } else {
        rest.plane.start(slug, Instant::now() + crib_model::limits::START_TIMEOUT).await;
    }
    let mut rows = operation::states(rest, &principal, rest.plane.servers()).await;
    rows.retain(|row| row.name == slug.as_str());
    Ok(json(StatusCode::OK, crib_mcp::Json::of(&Servers { servers: rows })))
}
