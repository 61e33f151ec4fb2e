//! A `server.json` in the place of a configuration.

use std::io;
use std::path::Path;

use crib_market::{Given, Recipe, ServerJson, Value, Way, choose, plan};
use crib_package::Source;
use serde_json::{Map, Value as Json, json};

use crate::world::variable;

/// Rounds of filling in what is missing: a value may be asked for by another one.
const ROUNDS_MAX: usize = 8;

/// Returns what a `server.json` stands for as a configuration; none where the text is something else.
///
/// What the server has to be told comes from variables of the same name.
pub(crate) fn configuration(text: &str) -> Option<io::Result<String>> {
    // Nearly every file is something else, and is not read twice.
    if !text.contains("\"packages\"") && !text.contains("\"remotes\"") {
        return None;
    }
    let value: Json = serde_json::from_str(text).ok()?;
    let is_listing = value.get("packages").or_else(|| value.get("remotes")).is_some_and(Json::is_array)
        && ["mcpServers", "servers", "gateway"].iter().all(|member| value.get(member).is_none());
    let server = ServerJson::read(&value).filter(|_| is_listing)?;
    Some(translated(&server).map_err(io::Error::other))
}

/// Returns what an `.mcpb` file stands for as a configuration: one server, started from it.
pub(crate) fn bundle(path: &Path) -> io::Result<String> {
    // What is not there is said like any file that is not.
    std::fs::File::open(path)?;
    let run = path.canonicalize()?.display().to_string();
    let source = Source::parse(&run).map_err(|fault| io::Error::other(fault.to_string()))?;
    Ok(json!({ "version": 1, "servers": { source.suggested_name(): { "run": run.replace("${", "$${") } } }).to_string())
}

fn translated(server: &ServerJson) -> Result<String, String> {
    let can_run = |kind: &str| matches!(kind, "npm" | "pypi" | "mcpb");
    let way = choose(server, None, &can_run).map_err(|fault| fault.to_string())?;
    let recipe = told(server, way)?;
    let mut entry = Map::new();
    let pairs =
        |pairs: &[(String, Value)]| pairs.iter().map(|(name, value)| (name.clone(), json!(value.to_config()))).collect::<Map<_, _>>();
    match way {
        Way::Package(package) => {
            let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
            let (version, sum) = (text(&package.version), text(&package.file_sha256));
            let source = Source::of_package(&package.registry_type, &package.identifier, version.as_deref(), sum.as_deref());
            let source = source.map_err(|fault| fault.to_string())?;
            let run = match (&source, sum) {
                (Source::Mcpb { .. }, Some(sum)) => format!("{source}#sha256={sum}"),
                _ => source.to_string(),
            };
            entry.insert("run".to_owned(), json!(run));
            entry.insert("args".to_owned(), recipe.args.iter().map(Value::to_config).collect());
            entry.insert("env".to_owned(), Json::Object(pairs(&recipe.env)));
        }
        Way::Remote(_) => {
            entry.insert("url".to_owned(), json!(recipe.url.clone().unwrap_or_default().replace("${", "$${")));
            entry.insert("headers".to_owned(), Json::Object(pairs(&recipe.headers)));
            entry.insert("transport".to_owned(), json!(if recipe.is_sse { "sse" } else { "http" }));
        }
    }
    let name = Source::Registry { name: server.name.clone(), version: None }.suggested_name();
    Ok(json!({ "version": 1, "servers": { name: entry } }).to_string())
}

fn told(server: &ServerJson, way: Way<'_>) -> Result<Recipe, String> {
    let mut given = Given::default();
    for _ in 0..ROUNDS_MAX {
        let recipe = plan(way, &given).map_err(|fault| fault.to_string())?;
        if recipe.missing.is_empty() {
            return Ok(recipe);
        }
        for missing in &recipe.missing {
            let value = variable(&missing.name).filter(|value| !value.is_empty());
            let value =
                value.ok_or_else(|| format!("`{}` has to be told `{name}`: set the variable {name}", server.name, name = missing.name))?;
            given.add(&missing.name, if missing.is_secret { Value::variable(&missing.name) } else { Value::text(&value) });
        }
    }
    Err(format!("`{}` asks for more and more", server.name))
}
