//! Completion of the templates' arguments: names of servers and tools the caller may use.

use std::collections::BTreeSet;

use crib_mcp::{Payload, RpcError};
use crib_model::Outcome;
use serde::Deserialize;
use serde_json::json;

use super::{Visible, complete, invalid, uri};

/// Most values of one answer, as the protocol has it.
const VALUES_MAX: usize = 100;

/// What is to be completed.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "ref")]
    about: About,
    argument: Argument,
    #[serde(default)]
    context: Context,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum About {
    #[serde(rename = "ref/prompt")]
    Prompt,
    #[serde(rename = "ref/resource")]
    Template { uri: String },
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
struct Context {
    #[serde(default)]
    arguments: Chosen,
}

/// Arguments that have a value already.
#[derive(Default, Deserialize)]
struct Chosen {
    server: Option<String>,
}

impl Asked {
    pub(super) fn read(params: &Payload) -> Result<Self, RpcError> {
        let asked: Self = params.to_json().read().map_err(|error| invalid(&format!("Invalid params: {error}")))?;
        let is_known = matches!(&asked.about, About::Template { uri } if [uri::SERVER, uri::TOOL].contains(&uri.as_str()));
        if is_known { Ok(asked) } else { Err(invalid("nothing of this name has arguments to complete")) }
    }

    pub(super) fn answer(&self, visible: &Visible) -> Outcome {
        let Self { argument, context, .. } = self;
        let typed = argument.value.to_lowercase();
        let of_server = visible.tools.iter().filter(|tool| match (&context.arguments.server, argument.name.as_str()) {
            (Some(server), "tool") => tool.server.as_str() == server,
            _ => true,
        });
        let names: BTreeSet<&str> = of_server
            .filter_map(|tool| match argument.name.as_str() {
                "server" => Some(tool.server.as_str()),
                "tool" => Some(&*tool.own_name),
                _ => None,
            })
            .filter(|name| name.to_lowercase().starts_with(&typed))
            .collect();
        let values: Vec<&str> = names.iter().take(VALUES_MAX).copied().collect();
        complete(json!({ "completion": { "total": names.len(), "hasMore": names.len() > VALUES_MAX, "values": values } }))
    }
}
