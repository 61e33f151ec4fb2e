//! What a tool answered, for people or for programs.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::Code;
use serde_json::Value;

use crate::args::Call;
use crate::client::Answer;
use crate::failure::{Exit, Failure};
use crate::output::{Output, harmless};
use crate::tool::Tool;

/// How the gateway begins what it says about arguments that do not fit the schema.
const ARGUMENTS: &str = "The arguments for ";
/// How many names are tried for a file before the folder is given up.
const NAMES_MAX: usize = 10_000;

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
        output.foreign_json(&answer.body)?;
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
            // A file that is text is saved as well.
            Some(text) if save.is_none() || block.get("resource").is_none() => output.foreign(text)?,
            Some(_) | None => attachment(save, at, block, output)?,
        }
    }
    if let (true, Some(structured)) = (blocks.is_empty(), result.get("structuredContent")) {
        output.foreign_json(serde_json::to_string_pretty(structured).unwrap_or_default().as_bytes())?;
    }
    if let Some(task) = result.get("taskId").and_then(Value::as_str) {
        output.say(&format!("the tool goes on as task {task}"));
    }
    Ok(())
}

fn text(block: &Value) -> Option<&str> {
    block.get("text").or_else(|| block.get("resource")?.get("text"))?.as_str()
}

/// What is a file: saved where the user wants it, else named.
fn attachment(save: Option<&Path>, at: usize, block: &Value, output: &Output) -> Result<(), Failure> {
    let part = |name: &str| block.get(name).or_else(|| block.get("resource")?.get(name)).and_then(Value::as_str);
    let kind = part("type").unwrap_or("content");
    let bytes = match (part("data").or_else(|| part("blob")), part("text")) {
        (Some(data), _) => {
            STANDARD.decode(data).map_err(|error| Failure::new(Exit::Tool, "tool_error", format!("the {kind} is no base64: {error}")))?
        }
        (None, Some(text)) => text.as_bytes().to_vec(),
        (None, None) => return output.foreign(part("uri").unwrap_or(kind)),
    };
    let usual = if part("text").is_some() { "text/plain" } else { "application/octet-stream" };
    let mime = part("mimeType").unwrap_or(usual);
    let Some(folder) = save else {
        output.say(&harmless(&format!("[{kind} {mime}, {} bytes; keep it with --save DIR]", bytes.len())));
        return Ok(());
    };
    let kept = |error: io::Error| {
        Failure::usage(format!("the {kind} cannot be saved in {}", folder.display()))
            .because(error.to_string())
            .hint("choose a folder you may write to: --save DIR")
    };
    std::fs::create_dir_all(folder).map_err(kept)?;
    let path =
        save_as(folder, &format!("{kind}-{at}").replace(|c: char| !c.is_ascii_alphanumeric(), "-"), ending(mime), &bytes).map_err(kept)?;
    output.data(&path.display().to_string())
}

/// Writes a file under a name that was free.
fn save_as(folder: &Path, stem: &str, ending: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let name = if number == 1 { format!("{stem}.{ending}") } else { format!("{stem}-{number}.{ending}") };
        let path = folder.join(name);
        match File::create_new(&path) {
            Ok(mut file) => return file.write_all(bytes).map(|()| path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES_MAX => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Returns what the name of a file of a media type ends with.
fn ending(mime: &str) -> &str {
    let kind = mime.split(';').next().unwrap_or_default().trim();
    match kind {
        "text/plain" => "txt",
        "text/markdown" => "md",
        "text/javascript" | "application/javascript" => "js",
        "image/svg+xml" => "svg",
        "image/jpeg" => "jpg",
        "audio/mpeg" => "mp3",
        "application/octet-stream" => "bin",
        other => {
            let last = other.rsplit(['/', '+', '.', '-']).next().unwrap_or_default();
            if !last.is_empty() && last.chars().all(|c| c.is_ascii_alphanumeric()) { last } else { "bin" }
        }
    }
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
