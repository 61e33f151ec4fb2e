//! `/.well-known/oauth-protected-resource`: what a client without a key is told about getting in (RFC 9728).

use crib_mcp::Json;
use crib_model::Slug;
use http::StatusCode;
use http::header::HOST;
use serde::Serialize;

use super::answer::Trouble;
use super::{Ask, Reply, json};

/// No `authorization_servers`: keys are given out by whoever runs the gateway.
#[derive(Serialize)]
struct Metadata {
    resource: String,
    resource_name: &'static str,
    bearer_methods_supported: [&'static str; 1],
}

/// Describes the resource whose path stands behind the well-known part.
///
/// Whether a server of that name exists is not told: there is no key in the question.
pub(super) fn metadata(ask: &Ask, whole: &str, of: &[&str]) -> Reply {
    let path = match of {
        [] => String::new(),
        ["mcp"] => "/mcp".to_owned(),
        ["mcp", server] => format!("/mcp/{}", Slug::parse(server).ok_or_else(|| Trouble::no_page(whole))?),
        _ => return Err(Trouble::no_page(whole)),
    };
    let host = ask.headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or_else(|| Trouble::bad_request("there is no Host"))?;
    let metadata = Metadata { resource: format!("http://{host}{path}"), resource_name: "Toolcrib", bearer_methods_supported: ["header"] };
    Ok(json(StatusCode::OK, Json::of(&metadata)))
}
