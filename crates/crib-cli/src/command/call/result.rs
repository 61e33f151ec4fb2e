//! What a tool answered, for people or for programs.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::Code;
use serde_json::Value;

use crate::args::Call;
use crate::client::Answer;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::tool::Tool;

/// How the gateway begins what it says about arguments that do not fit the schema.
const ARGUMENTS: &str = "The arguments for ";

pub(super) fn show(args: &Call, tool: &Tool, answer: &Answer, output: &Output) -> Result<(), Failure> {
    let is_result = matches!(answer.status, 200 | 202 | 422);
    let result: Value = match serde_json::from_slice(&answer.body) {
        Ok(result) if is_result => result,
        Ok(_) | Err(_) => return Err(answer.failure()),
    };
    if result.get("error").is_some() && result.get("content").is_none() {
        return Err(answer.failure());
    }
    let has_failed = result.get("isError").and_then(Value::as_bool) == Some(true);
    if args.raw {
        output.bytes(&answer.body)?;
        output.bytes(b"\n")?;
    } else if output.is_json {
        output.document("result", &result)?;
    } else if !has_failed || args.ignore_tool_error {
        print(args.save.as_deref(), &result, output)?;
    }
    if has_failed && !args.ignore_tool_error { Err(failure(tool, &result)) } else { Ok(()) }
}

fn print(save: Option<&Path>, result: &Value, output: &Output) -> Result<(), Failure> {
    let blocks = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (at, block) in blocks.iter().enumerate() {
        match text(block) {
            Some(text) => output.data(text)?,
            None => attachment(save, at, block, output)?,
        }
    }
    if let (true, Some(structured)) = (blocks.is_empty(), result.get("structuredContent")) {
        output.data(&serde_json::to_string_pretty(structured).unwrap_or_default())?;
    }
    if let Some(task) = result.get("taskId").and_then(Value::as_str) {
        output.say(&format!("the tool goes on as task {task}"));
    }
    Ok(())
}

fn text(block: &Value) -> Option<&str> {
    block.get("text").or_else(|| block.get("resource")?.get("text"))?.as_str()
}

/// What is not text: saved where the user wants it, else named.
fn attachment(save: Option<&Path>, at: usize, block: &Value, output: &Output) -> Result<(), Failure> {
    let part = |name: &str| block.get(name).or_else(|| block.get("resource")?.get(name)).and_then(Value::as_str);
    let kind = part("type").unwrap_or("content");
    let Some(data) = part("data").or_else(|| part("blob")) else {
        return output.data(part("uri").unwrap_or(kind));
    };
    let mime = part("mimeType").unwrap_or("application/octet-stream");
    let bytes = STANDARD.decode(data).unwrap_or_default();
    let Some(folder) = save else {
        output.say(&format!("[{kind} {mime}, {} bytes; keep it with --save DIR]", bytes.len()));
        return Ok(());
    };
    std::fs::create_dir_all(folder)?;
    let ending = mime.rsplit(['/', '+']).next().unwrap_or("bin");
    let path: PathBuf = folder.join(format!("{kind}-{at}.{}", ending.replace(|c: char| !c.is_ascii_alphanumeric(), "")));
    std::fs::write(&path, &bytes)?;
    output.data(&path.display().to_string())
}

fn failure(tool: &Tool, result: &Value) -> Failure {
    let blocks = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let said: Vec<&str> = blocks.iter().filter_map(text).collect();
    let said = said.join("\n");
    if said.starts_with(ARGUMENTS) {
        let mut failure = Failure::coded(Code::ArgumentsInvalid, format!("arguments for `{}` are not valid", tool.path()));
        for line in said.lines().skip(1) {
            failure = failure.detail(line);
        }
        return failure.hint(format!("{}        toolcrib show {}", tool.signature(), tool.path()));
    }
    let failure = Failure::new(Exit::Tool, "tool_error", format!("`{}` failed", tool.path())).server(&tool.server);
    if said.is_empty() { failure } else { failure.because(said) }
}
