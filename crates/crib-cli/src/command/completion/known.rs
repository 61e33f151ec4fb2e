//! What can be known of servers and tools at once, without starting anything: from the configuration, the pins, and a
//! gateway that is running anyway.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ArgMatches;
use crib_control::config::Builtin;
use crib_control::{Compiled, Source};
use crib_package::Locked;
use crib_registry::pins::Pin;
use serde_json::Value;

use crate::args;
use crate::client::usual;
use crate::command::describe;
use crate::gateway::{self, Known};
use crate::tool::Tool;
use crate::{background, config, pins, runtime, shop, world};

/// How long a running gateway may take: somebody waits with a finger on the key.
const WAIT: Duration = Duration::from_millis(80);

/// What the words before the cursor say, and what is known of that.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Files with servers.
    config: Vec<PathBuf>,
    /// Those of them that are meant alone.
    only: Vec<String>,
    url: Option<String>,
    /// The server that is meant, and its tool.
    pub(super) server: Option<String>,
    pub(super) tool: Option<String>,
    /// The arguments of the tool that are there.
    pub(super) given: Vec<String>,
    compiled: OnceLock<Option<Compiled>>,
    running: OnceLock<Option<Known>>,
}

impl Asked {
    /// Reads the words before the cursor, whatever is wrong with them.
    pub(super) fn of(words: &[String]) -> Self {
        let words = words.iter().map(OsString::from);
        let Ok(matches) = args::command().ignore_errors(true).try_get_matches_from(words) else { return Self::default() };
        let Some((command, matches)) = deepest(&matches) else { return Self::default() };
        let mut this = Self { config: files(matches), only: texts(matches, "only"), url: text(matches, "url"), ..Self::default() };
        match command {
            "call" => {
                let name = text(matches, "name").unwrap_or_default();
                let (server, tool) = name.split_once(['.', '/']).or_else(|| name.split_once("__")).unwrap_or_default();
                (this.server, this.tool) = (Some(server.to_owned()), Some(tool.to_owned()));
                this.given = texts(matches, "arguments");
            }
            "run" => {
                this.server = text(matches, "server");
                let mut call = texts(matches, "call").into_iter();
                this.tool = call.next();
                this.given = call.collect();
            }
            _ => this.server = text(matches, "server"),
        }
        this
    }

    /// Asks the same about a server that is being typed.
    pub(super) fn about(&self, server: &str) -> Self {
        let (config, only, url) = (self.config.clone(), self.only.clone(), self.url.clone());
        Self { config, only, url, server: Some(server.to_owned()), ..Self::default() }
    }

    /// Returns the servers there are, and where they come from.
    pub(super) fn servers(&self) -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let running = self.running().into_iter().flat_map(|known| &known.servers);
        found.extend(running.map(|server| (server.name.clone(), server.source.clone().unwrap_or_default())));
        // A gateway that was named has servers of its own.
        if self.url.is_none() {
            found.extend(self.own_servers());
        }
        found
    }

    /// Returns the servers of the files that are named, or of the user's own.
    pub(super) fn own_servers(&self) -> BTreeMap<String, String> {
        let servers = self.compiled().into_iter().flat_map(|compiled| &compiled.servers);
        servers.map(|server| (server.slug.to_string(), describe(&server.source))).collect()
    }

    /// Returns what is locked, by the name of its server.
    pub(super) fn locked() -> BTreeMap<String, Locked> {
        let lock = shop::data().ok().and_then(|data| shop::lock(&data).ok());
        lock.map(|lock| lock.servers.into_iter().collect()).unwrap_or_default()
    }

    /// Returns the tools of a server, as far as they are known.
    pub(super) fn tools(&self, server: &str) -> Vec<Tool> {
        let told = self.running().and_then(|known| known.tools.clone()).unwrap_or_default();
        let told: Vec<Tool> = told.into_iter().filter(|tool| tool.server == server).collect();
        match told.is_empty() {
            false => told,
            true if self.is_demo(server) => crib_connect::demo_tools().iter().map(|definition| defined(server, definition)).collect(),
            true => pinned(server),
        }
    }

    fn is_demo(&self, server: &str) -> bool {
        let mut servers = self.compiled().into_iter().flat_map(|compiled| &compiled.servers);
        servers.any(|one| one.slug.as_str() == server && matches!(one.source, Source::Builtin(Builtin::Demo)))
    }

    fn compiled(&self) -> Option<&Compiled> {
        let is_input = |file: &PathBuf| file == Path::new("-") || file == Path::new("/dev/stdin");
        let compile = || if self.config.iter().any(is_input) { None } else { config::again(&self.only, &self.config).ok() };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// Asks the gateway that would be asked by the command, if it is there.
    fn running(&self) -> Option<&Known> {
        let ask = || {
            if !self.config.is_empty() {
                return None;
            }
            let own = || background::find().map(|gateway| gateway.url);
            let url = self.url.clone().or_else(own).or_else(usual)?;
            let key = world::variable("TOOLCRIB_KEY").filter(|key| !key.is_empty());
            let asked = async {
                let known = tokio::time::timeout(WAIT, gateway::known(&url, key.as_deref(), self.server.as_deref()));
                Ok(known.await.ok().flatten())
            };
            runtime::on_all_cores(asked).ok().flatten()
        };
        self.running.get_or_init(ask).as_ref()
    }
}

fn deepest(matches: &ArgMatches) -> Option<(&str, &ArgMatches)> {
    let (mut name, mut deepest) = matches.subcommand()?;
    while let Some((next, more)) = deepest.subcommand() {
        (name, deepest) = (next, more);
    }
    Some((name, deepest))
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.try_get_one::<String>(id).ok().flatten().cloned()
}

fn texts(matches: &ArgMatches, id: &str) -> Vec<String> {
    matches.try_get_many::<String>(id).ok().flatten().map(|texts| texts.cloned().collect()).unwrap_or_default()
}

fn files(matches: &ArgMatches) -> Vec<PathBuf> {
    matches.try_get_many::<PathBuf>("config").ok().flatten().map(|files| files.cloned().collect()).unwrap_or_default()
}

/// Returns the tools of a server as they were when it was listed last.
fn pinned(server: &str) -> Vec<Tool> {
    let Some(book) = pins::file().and_then(|file| file.read().ok()) else { return Vec::new() };
    let records = book.records().filter(|((slug, _), _)| *slug == server).map(|(_, record)| record);
    let Some(record) = records.max_by_key(|record| record.seen) else { return Vec::new() };
    let definition = |pins: &Vec<Pin>| pins.last().and_then(|pin| serde_json::from_str(&pin.text).ok()).unwrap_or_default();
    // A definition that was too long to be kept still has its name.
    let tool = |(name, pins)| Tool { server_tool: String::clone(name), ..defined(server, &definition(pins)) };
    record.tools.iter().map(tool).collect()
}

fn defined(server: &str, definition: &Value) -> Tool {
    let text = |member: &str| definition.get(member).and_then(Value::as_str).map(str::to_owned);
    Tool {
        server: server.to_owned(),
        server_tool: text("name").unwrap_or_default(),
        title: text("title"),
        description: text("description"),
        input_schema: definition.get("inputSchema").cloned().unwrap_or_default(),
        output_schema: None,
        annotations: serde_json::Map::new(),
    }
}
