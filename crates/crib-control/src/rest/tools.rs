//! `/v1/tools`: the tools of all servers.

use std::sync::Arc;

use bytes::Bytes;
use crib_mcp::{Chunks, Json, Kind, Pieces};
use crib_model::{Code, Principal, Scope, Slug};
use crib_proxy::{Called, ServerInfo, ToolInfo};
use http::{Response, StatusCode};

use super::answer::Trouble;
use super::{Ask, Reply, Rest, json};

/// Tools of one answer when the caller does not say.
const LIMIT: usize = 1000;

/// `GET /v1/tools?server=&q=&limit=&offset=`
pub(super) async fn list(rest: &Rest, ask: &Ask) -> Reply {
    let principal = rest.principal(ask)?;
    let limit = ask.query.number("limit")?.unwrap_or(LIMIT).clamp(1, LIMIT);
    let offset = ask.query.number("offset")?.unwrap_or(0);
    let server = ask.query.get("server").map(|server| known_server(rest, server)).transpose()?;
    let words = ask.query.get("q").map(str::trim).filter(|words| !words.is_empty());
    let mut tools = match (words, &server) {
        (Some(words), _) => rest.plane.search_tools(&principal, words, usize::MAX).await,
        (None, Some(server)) => rest.plane.tools_of(&principal, server).await,
        (None, None) => rest.plane.tools(&principal, &Scope::All).await,
    };
    if let Some(server) = &server {
        tools.retain(|tool| tool.server == *server);
    }
    // Where one server is all there is, its failure is the answer, too.
    let is_asked = |slug: &Slug| server.as_ref().map_or_else(|| rest.plane.servers().len() == 1, |server| slug == server);
    if tools.is_empty()
        && let Some(trouble) = broken(rest, is_asked)
    {
        return Err(trouble);
    }
    let total = tools.len();
    let mut out = Pieces::with_capacity(4096);
    out.text("{\"total\":").text(&total.to_string());
    if offset.saturating_add(limit) < total {
        out.text(",\"nextOffset\":").text(&(offset + limit).to_string());
    }
    out.text(",\"tools\":[");
    for (at, tool) in tools.iter().skip(offset).take(limit).enumerate() {
        if at > 0 {
            out.text(",");
        }
        out.chunks(&shown(tool));
    }
    out.text("]}");
    Ok(json(StatusCode::OK, out.finish()))
}

/// `GET /v1/tools/{name}`
pub(super) async fn show(rest: &Rest, ask: &Ask, name: &str) -> Reply {
    let tool = find(rest, ask, name).await?;
    Ok(json(StatusCode::OK, shown(&tool)))
}

/// `POST /v1/tools/{name}`: the body is the object of arguments, the answer the tool's result.
pub(super) async fn call(rest: &Rest, ask: &Ask, name: &str) -> Reply {
    let principal = rest.caller(ask)?;
    let arguments = arguments(&ask.body)?;
    run(rest, ask, &principal, (name, arguments)).await.map(|(status, result)| json(status, result))
}

/// Calls a tool. A tool's own failure is 422, a task that goes on 202.
pub(super) async fn run(
    rest: &Rest,
    ask: &Ask,
    principal: &Arc<Principal>,
    (name, arguments): (&str, Json),
) -> Result<(StatusCode, Json), Trouble> {
    let name = match find(rest, ask, name).await {
        Ok(tool) => tool.name,
        // The call itself is refused, and counted for what it was.
        Err(trouble) if trouble.is_of(Code::ToolHeld) => name.into(),
        Err(trouble) => {
            rest.plane.note_refusal(principal, name).await;
            return Err(trouble);
        }
    };
    match Box::pin(rest.plane.call_tool(principal, &name, arguments, &ask.headers)).await {
        Called::Result(result) => Ok((status(&result), result)),
        Called::Error(error) => Err(Trouble::of_call(&error)),
        Called::InputRequired(requests) => Err(Trouble::asks(Some(requests))),
    }
}

fn status(result: &Json) -> StatusCode {
    let Ok(result) = result.to_object() else { return StatusCode::BAD_GATEWAY };
    if result.object.bool("isError") == Some(true) {
        StatusCode::UNPROCESSABLE_ENTITY
    } else if result.text("resultType").as_deref() == Some("task") {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    }
}

/// Finds a tool the caller may use, by its exposed name or as `server.tool`.
pub(super) async fn find(rest: &Rest, ask: &Ask, name: &str) -> Result<ToolInfo, Trouble> {
    let principal = rest.principal(ask)?;
    if let Some(tool) = rest.plane.find_tool(&principal, name).await {
        return Ok(tool);
    }
    if let Some(fault) = rest.plane.held_back(&principal, name).await {
        return Err(Trouble::of(&fault));
    }
    let tools = rest.plane.tools(&principal, &Scope::All).await;
    let names: Vec<String> = tools.iter().map(|tool| format!("{}.{}", tool.server, tool.own_name)).collect();
    let exposed = || crate::nearest(name, tools.iter().map(|tool| &*tool.name));
    let dotted = || crate::nearest(name, names.iter().map(String::as_str));
    let near = if name.contains('.') { dotted().or_else(exposed) } else { exposed().or_else(dotted) };
    if let Some(trouble) = broken_server(rest, name) {
        return Err(trouble);
    }
    let servers = rest.plane.servers();
    let is_server = |text: &str| servers.iter().any(|server| server.slug.as_str().eq_ignore_ascii_case(text));
    let hint = match (name.split_once(['.', '/']), near) {
        _ if is_server(name) => format!("`{name}` is a server; its tools: toolcrib show {name}"),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (Some((server, _)), None) if is_server(server) => format!("its tools: toolcrib show {server}"),
        (Some(_) | None, None) => "servers: toolcrib list   their tools: toolcrib show SERVER".to_owned(),
    };
    Err(Trouble::no_tool(name, hint))
}

/// A tool cannot be found when its server did not start; then that is the answer.
fn broken_server(rest: &Rest, name: &str) -> Option<Trouble> {
    broken(rest, |slug| {
        let rest = name.get(slug.as_str().len()..).filter(|_| name.starts_with(slug.as_str()));
        rest.is_some_and(|rest| rest.starts_with(['.', '_', '/', '-']))
    })
}

/// Says why a server has no tools, where it has not simply none: it failed, or it has not been heard of at all.
fn broken(rest: &Rest, is_it: impl Fn(&Slug) -> bool) -> Option<Trouble> {
    let server = rest.plane.servers().into_iter().find(|server| is_it(&server.slug))?;
    server.trouble().map(|fault| Trouble::of(&fault))
}

fn known_server(rest: &Rest, name: &str) -> Result<Slug, Trouble> {
    let servers = rest.plane.servers();
    let found = servers.iter().find(|server| server.slug.as_str().eq_ignore_ascii_case(name));
    found.map(|server| server.slug.clone()).ok_or_else(|| no_server(&servers, name))
}

fn no_server(servers: &[ServerInfo], name: &str) -> Trouble {
    let names: Vec<&str> = servers.iter().map(|server| server.slug.as_str()).collect();
    Trouble::no_server(name, &names)
}

/// Answers for a page of one server that is not answered here: there is no such page, or no such server.
pub(super) fn no_page_of(rest: &Rest, ask: &Ask, name: &str, whole: &str) -> Trouble {
    match rest.principal(ask).and_then(|_| known_server(rest, name)) {
        Ok(_) => Trouble::no_page(whole),
        Err(trouble) => trouble,
    }
}

/// The `Tool` object with the names of its server in it.
fn shown(tool: &ToolInfo) -> Chunks {
    let Ok(definition) = tool.definition.to_object() else { return tool.definition.clone().into() };
    let mut edit = definition.edit();
    edit.set("serverTool", Json::of(&*tool.own_name));
    edit.set("server", Json::of(tool.server.as_str()));
    edit.finish()
}

/// Reads the body; nothing at all is no arguments.
fn arguments(body: &Bytes) -> Result<Json, Trouble> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Json::from_static("{}"));
    }
    let json = Json::parse(body).map_err(|error| Trouble::bad_request(format!("the body is not JSON: {error}")))?;
    if json.kind() == Kind::Object { Ok(json) } else { Err(Trouble::bad_request("the body is the object of the tool's arguments")) }
}

/// Wraps a result for callers that want it inside an envelope.
pub(super) fn enveloped(status: StatusCode, head: &str, data: &Chunks) -> Response<Chunks> {
    let mut out = Pieces::with_capacity(256);
    out.text(head).chunks(data).text("}");
    json(status, out.finish())
}
