//! `POST /v1/list-tools` and `/v1/call-tool` as mcprouter has them: `{code, message, data}`, with `code` 0 for success.
//!
//! Unlike there, the HTTP status says it too.

use crib_mcp::{Chunks, Json, Payload, Pieces};
use crib_model::Scope;
use http::{Response, StatusCode};

use super::answer::Trouble;
use super::tools::{self, enveloped};
use super::{Ask, Reply, Rest};

const SUCCESS: &str = "{\"code\":0,\"message\":\"ok\",\"data\":";

pub(super) async fn list_tools(rest: &Rest, ask: &Ask) -> Reply {
    Ok(listed(rest, ask).await.unwrap_or_else(failed))
}

pub(super) async fn call_tool(rest: &Rest, ask: &Ask) -> Reply {
    Ok(called(rest, ask).await.unwrap_or_else(failed))
}

async fn listed(rest: &Rest, ask: &Ask) -> Reply {
    let principal = rest.principal(ask)?;
    let body = body(ask)?;
    let server = body.text("server");
    let tools = rest.plane.tools(&principal, &Scope::All).await;
    let wanted = tools.iter().filter(|tool| server.as_deref().is_none_or(|server| tool.server.as_str().eq_ignore_ascii_case(server)));
    let mut data = Pieces::with_capacity(4096);
    data.text("{\"tools\":[");
    for (at, tool) in wanted.enumerate() {
        if at > 0 {
            data.text(",");
        }
        // Asked for one server, its tools have their own names, which is how they are called.
        match tool.definition.to_object() {
            Ok(definition) if server.is_some() => {
                let mut edit = definition.edit();
                edit.set("name", Json::of(&*tool.own_name));
                data.chunks(&edit.finish())
            }
            Ok(_) | Err(_) => data.json(&tool.definition),
        };
    }
    data.text("]}");
    Ok(enveloped(StatusCode::OK, SUCCESS, &data.finish()))
}

async fn called(rest: &Rest, ask: &Ask) -> Reply {
    let principal = rest.caller(ask)?;
    let body = body(ask)?;
    let name = body.text("name").ok_or_else(|| Trouble::bad_request("`name` is missing"))?;
    let name = match body.text("server") {
        Some(server) if !server.is_empty() => format!("{server}.{name}"),
        Some(_) | None => name.into_owned(),
    };
    let arguments = body.get("arguments").unwrap_or_else(|| Json::from_static("{}"));
    let (status, result) = tools::run(rest, ask, &principal, (&name, arguments)).await?;
    let head = if status.is_success() { SUCCESS } else { "{\"code\":-1,\"message\":\"the tool failed\",\"data\":" };
    Ok(enveloped(status, head, &result.into()))
}

fn body(ask: &Ask) -> Result<Payload, Trouble> {
    Payload::parse(&ask.body).map_err(|error| Trouble::bad_request(format!("the body is not a JSON object: {error}")))
}

fn failed(trouble: Trouble) -> Response<Chunks> {
    let code = if trouble.status() == StatusCode::UNAUTHORIZED { -2 } else { -1 };
    let status = trouble.status();
    let message = trouble.message().to_owned();
    let body = Json::of(&serde_json::json!({ "code": code, "message": message }));
    let mut response = trouble.into_response();
    *response.status_mut() = status;
    *response.body_mut() = body.into();
    response
}
