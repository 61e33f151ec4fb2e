//! `toolcrib show`: a server's tools, or one tool.

pub(super) mod sandbox;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::path;
use super::list;
use crate::args::ShowTool;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime;
use crate::tongue::said;
use crate::tool::{Parameter, Tool};

#[derive(Deserialize, Serialize)]
struct Tools {
    tools: Vec<Value>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    package: Option<sandbox::Confinement>,
}

pub(super) fn run(args: &ShowTool, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        let client = Client::connect(&args.target, Some(&args.name), output).await?;
        let result = ask(args, &client, output).await;
        client.close().await;
        result
    })
}

async fn ask(args: &ShowTool, client: &Client, output: &Output) -> Result<(), Failure> {
    let name = args.name.as_str();
    if name.contains(['.', '/']) || name.contains("__") {
        return tool(client.get(&path(name)).await?.read()?, output);
    }
    let answer = client.get(&format!("/v1/tools?server={name}")).await?;
    // A tool may have been meant, where names have no server in front.
    if answer.status == 404
        && let Ok(found) = client.get(&path(name)).await?.read()
    {
        return tool(found, output);
    }
    let mut found: Tools = answer.read()?;
    let servers = client.get("/v1/servers").await?.read()?;
    if found.tools.is_empty() {
        list::check(&servers, name)?;
    }
    found.package = sandbox::look(&args.target, name, output);
    server(found, output)?;
    list::say_left_out(&servers, Some(name), output);
    Ok(())
}

fn server(found: Tools, output: &Output) -> Result<(), Failure> {
    if output.is_json {
        return output.document("tools", &found);
    }
    let package = found.package.as_ref().map(sandbox::Confinement::text).unwrap_or_default();
    let tools = found.tools.into_iter().filter_map(|tool| serde_json::from_value::<Tool>(tool).ok());
    let text: String = tools.map(|tool| format!("{}\n{}", tool.signature(), indented(tool.summary(), "    "))).collect();
    if text.is_empty() {
        output.say("no tools");
    }
    let whole = text + &package;
    if whole.is_empty() { Ok(()) } else { output.folded(&whole) }
}

fn tool(found: Value, output: &Output) -> Result<(), Failure> {
    if output.is_json {
        return output.document("tool", &found);
    }
    let tool: Tool =
        serde_json::from_value(found).map_err(|error| Failure::usage("the tool cannot be shown").because(error.to_string()))?;
    let head = format!("{}    {}", tool.path(), tool.title.as_deref().unwrap_or_default());
    let mut parts = vec![format!("{}\n{}", head.trim_end(), indented(tool.description.as_deref().unwrap_or_default(), "  "))];
    let parameters = tool.parameters();
    if !parameters.is_empty() {
        let width = parameters.iter().map(|parameter| parameter.name.len() + parameter.kind.len()).max().unwrap_or_default() + 2;
        parts.push(format!("{}\n{}", said("arguments"), parameters.iter().map(|parameter| line(parameter, width)).collect::<String>()));
    }
    let hints: Vec<&str> =
        tool.annotations.iter().filter(|(_, value)| **value == Value::Bool(true)).map(|(name, _)| name.as_str()).collect();
    if !hints.is_empty() {
        parts.push(format!("{}   {}\n", said("the server says"), hints.join(", ")));
    }
    if tool.output_schema.is_some() {
        parts.push(format!("{}\n", said("the result has a structure (--json shows its schema)")));
    }
    parts.push(format!("{}   toolcrib call {}{}\n", said("try"), tool.path(), example(&parameters)));
    output.folded(&parts.join("\n"))
}

/// Sets every line of a text in.
fn indented(text: &str, by: &str) -> String {
    text.trim().lines().map(|line| format!("{by}{}\n", line.trim_end())).collect()
}

fn line(parameter: &Parameter<'_>, width: usize) -> String {
    let Parameter { name, kind, .. } = parameter;
    let need = said(if parameter.is_required { "required" } else { "optional" });
    let about = parameter.schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let about = about.trim().lines().next().unwrap_or_default();
    let default = parameter.schema.get("default").map(|value| format!(" ({}{value})", said("default "))).unwrap_or_default();
    let pad = " ".repeat(width.saturating_sub(name.len() + kind.len() + 2));
    format!("  {name}: {kind}{pad}  {need}  {about}{default}").trim_end().to_owned() + "\n"
}

pub(super) fn example(parameters: &[Parameter<'_>]) -> String {
    let value = |parameter: &Parameter<'_>| match parameter.kind.as_str() {
        "number" | "integer" => "1".to_owned(),
        "boolean" => "true".to_owned(),
        _ => "…".to_owned(),
    };
    parameters
        .iter()
        .filter(|parameter| parameter.is_required)
        .map(|parameter| format!(" {}={}", parameter.name, value(parameter)))
        .collect()
}
