//! Flags about a server itself: what it is sent, which of its tools are used, how it is reached.

use crib_clients::Value;

use super::Wanted;
use crate::args::{Run, Transport};
use crate::failure::Failure;

/// Puts what the flags say into the entry of a server.
pub(super) fn settle(args: &Run, wanted: &mut Wanted) -> Result<(), Failure> {
    let Value::Map(members) = &mut wanted.entry else { return Ok(()) };
    let is_url = members.iter().any(|(name, _)| name == "url");
    let headers = headers(args)?;
    if !headers.is_empty() {
        if !is_url {
            return Err(Failure::usage(format!("--header goes with a URL, and `{}` is none", wanted.name)));
        }
        put(members, "headers", headers);
    }
    match args.transport {
        Some(Transport::Http | Transport::Sse) if !is_url => {
            return Err(Failure::usage(format!("`{}` is started here, and speaks on standard input and output", wanted.name)));
        }
        Some(Transport::Stdio) if is_url => {
            return Err(Failure::usage(format!("`{}` is a URL, and is reached by http or sse", wanted.name)));
        }
        Some(Transport::Http) => set(members, "transport", Value::text("http")),
        Some(Transport::Sse) => set(members, "transport", Value::text("sse")),
        Some(Transport::Stdio) | None => {}
    }
    let patterns = |given: &[String]| Value::texts(given.iter().map(|pattern| pattern.trim().to_owned()));
    let tools = [("include", &args.tools), ("exclude", &args.exclude_tools)];
    let tools = tools.iter().filter(|(_, given)| !given.is_empty()).map(|(name, given)| ((*name).to_owned(), patterns(given)));
    let tools: Vec<(String, Value)> = tools.collect();
    if !tools.is_empty() {
        put(members, "tools", tools);
    }
    Ok(())
}

/// Reads the headers; a credential is named, and does not stand in the configuration.
fn headers(args: &Run) -> Result<Vec<(String, Value)>, Failure> {
    let bearer = args.bearer_token_env.iter().map(|name| format!("Authorization: Bearer ${{env:{name}}}"));
    let given = args.header.iter().cloned().chain(bearer);
    let read = |text: String| {
        let (name, value) = crib_market::header(&text).map_err(|fault| {
            let failure = Failure::usage(fault.message());
            fault.remedy().map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint))
        })?;
        Ok((name, Value::text(value)))
    };
    given.map(read).collect()
}

/// Puts members over those that a map has.
fn put(members: &mut Vec<(String, Value)>, name: &str, more: Vec<(String, Value)>) {
    let before = members.iter().find(|(known, _)| known == name).map(|(_, value)| value.members().to_vec()).unwrap_or_default();
    let mut all: Vec<(String, Value)> = before.into_iter().filter(|(known, _)| more.iter().all(|(other, _)| other != known)).collect();
    all.extend(more);
    set(members, name, Value::Map(all));
}

fn set(members: &mut Vec<(String, Value)>, name: &str, value: Value) {
    members.retain(|(known, _)| known != name);
    members.push((name.to_owned(), value));
}

/// Reads the files of variables: a line is NAME=VALUE, as shells and containers have it.
pub(super) fn variables(args: &Run) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for path in &args.env_file {
        let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}", path.display())).because(error.to_string());
        let text = std::fs::read_to_string(path).map_err(failed)?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name.trim_end(), Some(value.trim())));
            let quoted = value.and_then(|value| ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)));
            found.push(match quoted.or(value) {
                // What stands in a file is meant as it is.
                Some(value) => format!("{name}={}", value.replace("${", "$${")),
                None => name.to_owned(),
            });
        }
    }
    Ok(found)
}
