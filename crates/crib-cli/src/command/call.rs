//! `toolcrib call`: a tool, once.

mod arguments;
mod lacks;
mod result;

use std::io::Read as _;

use bytes::Bytes;
use crib_model::Clock as _;
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::args::Call;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::logs::Line;
use crate::machine::Machine;
use crate::output::Output;
use crate::runtime;
use crate::tool::Tool;

/// What a gateway proposes for a tool that asks.
const NEEDS_CLIENT: &str = "call it with an MCP client that can answer";

pub(super) fn run(args: &Call, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(call(args, output))
}

async fn call(args: &Call, output: &Output) -> Result<(), Failure> {
    // What is wrong with the command line is said before anything is started.
    if args.name.trim().is_empty() {
        return Err(Failure::usage("no tool is named").hint("toolcrib call SERVER.TOOL   their names: toolcrib list, toolcrib show SERVER"));
    }
    let words = arguments::parse(&args.arguments)?;
    let base = base(args)?;
    let client = Client::connect(&args.target, Some(&args.name), output).await?;
    let begin = Machine.unix().as_millis();
    let mut result = ask(args, words, base, &client, output).await;
    if let Err(failure) = &result
        && failure.exit() == Exit::Tool
        && failure.remedy().is_none()
        && let Some(hint) = refused(args, begin, &client).await.or_else(|| lacks::grant(args, failure))
    {
        result = Err(failure.clone().hint(hint));
    }
    if let Err(failure) = &result
        && let Some(hint) = prompts(args).filter(|_| failure.remedy() == Some(NEEDS_CLIENT))
    {
        result = Err(failure.clone().hint(hint));
    }
    client.close().await;
    result
}

/// Names the commands of ours at whose prompts a tool that asks is answered.
fn prompts(args: &Call) -> Option<String> {
    let (server, _) = args.name.split_once("__").or_else(|| args.name.split_once(['.', '/']))?;
    let commands = match (&args.target.url, args.target.config.as_slice()) {
        (Some(_), _) => return None,
        (None, []) => format!("toolcrib run -i {server}   or   toolcrib inspect {server}"),
        (None, files) => {
            let files: Vec<String> = files.iter().map(|file| format!(" -c {}", file.display())).collect();
            format!("toolcrib inspect {server}{}", files.concat())
        }
    };
    Some(format!("answer it at a prompt: {commands}   or call it with another MCP client that asks you"))
}

/// Says what the sandbox has refused since a call began: the tool itself knows no more than that it got no answer.
async fn refused(args: &Call, begin: u128, client: &Client) -> Option<String> {
    #[derive(Deserialize)]
    struct Page {
        lines: Vec<Line>,
    }
    let (server, _) = args.name.split_once("__").or_else(|| args.name.split_once(['.', '/']))?;
    let Page { lines } = client.get(&format!("/v1/servers/{}/logs?tail=50", encode(server))).await.ok()?.read().ok()?;
    let place = |line: &Line| {
        let (place, why) = line.text.strip_prefix("sandbox: ")?.split_once(" refused: ")?;
        (u128::from(line.time) >= begin && why.contains("not granted")).then(|| place.to_owned())
    };
    let place = lines.iter().rev().find_map(place)?;
    let host = place.strip_suffix(":443").or_else(|| place.strip_suffix(":80")).unwrap_or(&place);
    Some(format!("the sandbox refused {place} meanwhile: toolcrib run {server} --allow-net {host}"))
}

async fn ask(args: &Call, words: Vec<arguments::Word>, base: Map<String, Value>, client: &Client, output: &Output) -> Result<(), Failure> {
    let path = path(&args.name);
    let tool: Tool = client.get(&path).await?.read()?;
    let arguments = arguments::build(words, base, &tool)?;
    let body = serde_json::to_vec(&arguments).unwrap_or_default();
    let answer = client.ask(Method::POST, &path, Bytes::from(body)).await?;
    result::show(args, &tool, &answer, output)
}

/// All arguments at once: from the option, or from standard input where `-` stands.
fn base(args: &Call) -> Result<Map<String, Value>, Failure> {
    let mut base = Map::new();
    if let Some(text) = &args.args {
        base.extend(object(text, "--args")?);
    }
    if args.arguments.iter().any(|word| word == "-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        base.extend(object(&text, "standard input")?);
    }
    Ok(base)
}

fn object(text: &str, source: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::usage(format!("{source} is not a JSON object")).because(error.to_string()).hint("example: --args '{\"a\": 88, \"b\": 22}'")
    })
}

/// Returns the tool's place in the plain HTTP interface.
pub(super) fn path(name: &str) -> String {
    format!("/v1/tools/{}", encode(name))
}

/// Makes a name fit for one part of a path.
pub(super) fn encode(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            path.push(char::from(byte));
        } else {
            path.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    path
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}
