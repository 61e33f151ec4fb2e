//! One server alone, named on the command line: a URL or a command, bridged to whatever the client speaks.

use std::io;
use std::path::{Path, PathBuf};

use crib_control::{Compiled, Misnamed, Package, Problem, ToolNames, World, compile};
use crib_package::Source;
use crib_store::SecretName;
use serde_json::{Map, Value, json};

use crate::args::Serve;
use crate::failure::Failure;
use crate::output::Output;
use crate::world::System;

/// Where the server stands: nothing of that name is read from a disk.
const PLACE: &str = "command line.yaml";

/// Returns whether a command line names its one server.
pub(super) fn is_named(args: &Serve) -> bool {
    args.target.is_some() || !args.command.is_empty()
}

/// Compiles the server. Files that are named beside it give keys, addresses and limits, but no servers.
pub(super) fn load(args: &Serve, output: &Output) -> Result<Compiled, Failure> {
    let (name, server) = server(args)?;
    let text = json!({ "version": 1, "servers": { (name.clone()): server } }).to_string();
    let world = Alone { system: System::new()?, text };
    let mut files = args.config.clone();
    files.push(PathBuf::from(PLACE));
    let mut compiled = compile(&files, &world).map_err(|mut problems| {
        problems.iter_mut().for_each(displace);
        Failure::problems(&problems)
    })?;
    compiled.keep_only(&name)?;
    // Beside other servers it would be listed with what it lacks; here there would be nothing else, ever.
    if let Some(missing) = compiled.servers.iter().find_map(|server| server.missing.clone()) {
        let failure = Failure::usage(missing.message);
        return Err(match missing.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
    }
    for warning in &mut compiled.warnings {
        displace(warning);
        output.warn(&warning.summary());
    }
    compiled.names = ToolNames::Plain;
    Ok(compiled)
}

/// A place on the command line is no line of a file: what is wrong there is all there is to say.
fn displace(problem: &mut Problem) {
    let summary = problem.summary();
    if let Some((_, label)) = summary.strip_prefix(PLACE).and_then(|rest| rest.split_once(": ")) {
        label.clone_into(&mut problem.message);
        problem.place = None;
    }
}

/// Returns the server's name and what a configuration says of it.
fn server(args: &Serve) -> Result<(String, Value), Failure> {
    if args.server.is_some() {
        return Err(Failure::usage("--server chooses from a configuration, and the command line names a server"));
    }
    if !args.only.is_empty() {
        return Err(Failure::usage("--only chooses from files, and the command line names a server"));
    }
    let (source, mut entry) = match (&args.target, args.command.split_first()) {
        (Some(file), None) if is_bundle(file) => (Source::parse(file)?, by_bundle(file, args)?),
        (Some(url), None) => (Source::Url(url.clone()), by_url(url, args)?),
        (None, Some((program, rest))) => (Source::command(program, rest.to_vec()), by_command(program, rest, args)?),
        (Some(url), Some(_)) => return Err(Failure::usage(format!("there is one server alone: `{url}`, or the command"))),
        (None, None) => return Err(Failure::usage("no server is named")),
    };
    entry.insert("describe".to_owned(), json!(source.to_string().chars().take(80).collect::<String>()));
    Ok((args.name.clone().unwrap_or_else(|| source.suggested_name()), Value::Object(entry)))
}

/// An `.mcpb` file, here or elsewhere.
fn is_bundle(text: &str) -> bool {
    text.split(['?', '#']).next().is_some_and(|path| path.ends_with(".mcpb") || path.ends_with(".dxt"))
}

fn by_bundle(file: &str, args: &Serve) -> Result<Map<String, Value>, Failure> {
    if !args.header.is_empty() {
        return Err(Failure::usage("--header goes with a URL of a server, not with a bundle").hint("a variable of it: --env NAME=VALUE"));
    }
    Ok(Map::from_iter([("run".to_owned(), json!(literal(file))), ("env".to_owned(), variables(args))]))
}

fn by_url(url: &str, args: &Serve) -> Result<Map<String, Value>, Failure> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let failure = Failure::usage(format!("`{url}` is not an http:// or https:// address"));
        return Err(failure.hint(format!("a server of the configuration: toolcrib serve --server {url}\na package: toolcrib run {url}\na command: toolcrib serve -- {url}")));
    }
    if !args.env.is_empty() {
        return Err(Failure::usage("--env goes with a command, not with a URL"));
    }
    let mut headers = Map::new();
    for text in &args.header {
        let parts = text.split_once(':').map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| !name.is_empty());
        let Some((name, value)) = parts else {
            return Err(Failure::usage(format!("`{}` is not a header", mask(text))).hint("--header 'Authorization: Bearer ${env:TOKEN}'"));
        };
        headers.insert(name.to_owned(), json!(value));
    }
    Ok(Map::from_iter([("url".to_owned(), json!(literal(url))), ("headers".to_owned(), Value::Object(headers))]))
}

fn by_command(program: &str, rest: &[String], args: &Serve) -> Result<Map<String, Value>, Failure> {
    if !args.header.is_empty() {
        return Err(Failure::usage("--header goes with a URL, not with a command").hint("a variable of the command: --env NAME=VALUE"));
    }
    let rest: Vec<String> = rest.iter().map(|arg| literal(arg)).collect();
    let members = [("command", json!(literal(program))), ("args", json!(rest)), ("env", variables(args))];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The variables of `--env`.
fn variables(args: &Serve) -> Value {
    let env = args.env.iter().map(|text| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), json!(value)),
        None => (text.clone(), json!(format!("${{env:{text}}}"))),
    });
    Value::Object(env.collect())
}

/// What a shell has handed over is meant as it is.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// What is not a header may be a secret.
fn mask(text: &str) -> String {
    text.chars().take(3).chain(['…']).collect()
}

/// The system, with one file that is in nobody's way.
struct Alone {
    system: System,
    text: String,
}

impl World for Alone {
    fn variable(&self, name: &str) -> Option<String> {
        self.system.variable(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path.ends_with(PLACE) { Ok(self.text.clone()) } else { self.system.read(path) }
    }

    fn directory(&self) -> &Path {
        self.system.directory()
    }

    fn misnamed(&self, package: &Package) -> Option<Misnamed> {
        self.system.misnamed(package)
    }

    fn answer(&self, name: &SecretName) -> Option<String> {
        self.system.answer(name)
    }
}
