//! Three runs of one table of calls, and what differs between them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern},
    gateway::{Config, Gateway, scratch},
    pipe::Pipe,
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::{process::Command, time::Instant};

use super::{Server, installed};

/// The servers' names in the gateway; nothing real says these words.
const OLD: &str = "zold";
const NEW: &str = "znew";

const LISTS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
];

/// What of a reply is the gateway's, or of one era only.
const OF_THE_HOP: [&str; 4] = ["resultType", "_meta", "ttlMs", "cacheScope"];

/// Real servers start an interpreter, or a browser.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// No server has it.
const UNKNOWN: &str = "no_such_tool";

/// What is to be compared.
pub(super) struct Table<'a> {
    pub(super) test: &'a str,
    /// Makes the world a server lives in.
    pub(super) prepare: &'a dyn Fn(&Path) -> Result<()>,
    /// The server in its world.
    pub(super) server: &'a dyn Fn(&str) -> Result<Server>,
    /// The calls of tools in that world.
    pub(super) calls: &'a dyn Fn(&str) -> Vec<(&'static str, Value)>,
    /// Tools that say something else each time they are called, or cannot be called.
    pub(super) uncalled: &'a [&'a str],
    /// Tools that refuse every call of the table; any other answers at least one.
    pub(super) unwilling: &'a [&'a str],
    /// How many tools the server has.
    pub(super) tools: usize,
}

/// Who calls.
enum Caller {
    Direct(Pipe),
    Legacy(Legacy),
    Modern(Modern),
}

/// One of the three runs.
struct Run {
    caller: Caller,
    /// The server's name in the gateway, empty without one.
    slug: &'static str,
    world: String,
}

/// What one run heard: for each list and call the members of the result, each as it came.
type Heard = Vec<(String, BTreeMap<String, String>)>;

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    result: Option<BTreeMap<String, &'a RawValue>>,
    error: Option<Value>,
}

/// Runs the table three times at once and fails with everything that differs.
pub(super) async fn equals_direct(table: &Table<'_>) -> Result<()> {
    let base = scratch("real")?.canonicalize()?;
    let worlds: Vec<PathBuf> = ["one", "two", "six"].iter().map(|name| base.join(name)).collect();
    let mut servers = Vec::new();
    for world in &worlds {
        std::fs::create_dir_all(world)?;
        (table.prepare)(world)?;
        let Some(server) = installed(table.test, (table.server)(&world.display().to_string())) else { return Ok(()) };
        servers.push(server);
    }
    let [direct, old, new] = servers.as_slice() else { return Ok(()) };
    let there = |server: &Server, world: usize| {
        let mut config = server.config();
        config["cwd"] = json!(worlds.get(world));
        config["pins"] = json!({ "results": "warn" });
        config
    };
    let gateway = Gateway::start(&Config::new().server(OLD, there(old, 1)).server(NEW, there(new, 2))).await?;
    let mut command = Command::new(&direct.program);
    command.args(&direct.args).envs(direct.env.iter().cloned()).current_dir(base.join("one"));
    let mut pipe = Pipe::of(command)?;
    pipe.initialize(json!({})).await?;
    let callers = [
        (Caller::Direct(pipe), ""),
        (Caller::Legacy(Legacy::connect(gateway.address, "2025-11-25", json!({})).await?), OLD),
        (Caller::Modern(Modern::new(gateway.address)), NEW),
    ];
    let runs = callers.into_iter().zip(&worlds).map(|((caller, slug), world)| {
        let run = Run { caller, slug, world: world.display().to_string() };
        run.all(table)
    });
    let heard = futures_util::future::try_join_all(runs).await?;
    let [direct, old, new] = heard.as_slice() else { return Ok(()) };
    answers_something(table, direct)?;
    let differences = [differences("legacy", direct, old), differences("modern", direct, new)].concat();
    ensure!(differences.is_empty(), "{}: {} differences:\n{}", table.test, differences.len(), differences.join("\n"));
    // What the guide says about the rules that look at answers.
    let log = gateway.log();
    ensure!(!log.contains("an answer's text"), "{}: an honest answer is taken for an attack:\n{log}", table.test);
    gateway.stop().await?;
    Ok(())
}

/// Whether a tool cannot be called without arguments. A member that is required and has a default may be left out with
/// some servers, whatever their schema says.
fn requires_something(tool: &Value) -> bool {
    let schema = &tool["inputSchema"];
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.into_iter().any(|name| schema["properties"][name].get("default").is_none())
}

/// Fails where a tool refused every call: two refusals are equal too easily.
fn answers_something(table: &Table<'_>, direct: &Heard) -> Result<()> {
    for (tool, _) in (table.calls)("WORLD") {
        let is_of_tool = |what: &str| what.strip_prefix(tool).is_some_and(|rest| rest.starts_with(" {"));
        let is_willing = direct.iter().any(|(what, reply)| is_of_tool(what) && !is_refused(reply));
        ensure!(is_willing != table.unwilling.contains(&tool), "{tool}: it answers a call: {is_willing}");
    }
    Ok(())
}

/// Some servers say only in words that something went wrong.
fn is_refused(reply: &BTreeMap<String, String>) -> bool {
    let says_so = |text: &String| text.starts_with(r#"[{"type":"text","text":"Error: "#);
    reply.contains_key("error") || reply.get("isError").is_some_and(|is| is == "true") || reply.get("content").is_some_and(says_so)
}

fn differences(who: &str, direct: &Heard, through: &Heard) -> Vec<String> {
    let mut differences = Vec::new();
    for (index, (what, wanted)) in direct.iter().enumerate() {
        let empty = (String::new(), BTreeMap::new());
        let (other, found) = through.get(index).unwrap_or(&empty);
        if what != other {
            differences.push(format!("{who}: {what}, but {other:?} through the gateway"));
            return differences;
        }
        // The gateway looks at names and arguments itself and says in its own words what is wrong with them.
        let is_ours = found.get("content").is_some_and(|text| text.contains("are not valid:\\n")) || what.starts_with(UNKNOWN);
        let is_equal = if is_ours { is_refused(wanted) && is_refused(found) } else { wanted == found };
        if !is_equal {
            differences.push(format!("{who}: {what}:\n  directly {wanted:?}\n  through  {found:?}"));
        }
    }
    differences
}

// === impl Run ===

impl Run {
    async fn all(mut self, table: &Table<'_>) -> Result<Heard> {
        let mut heard = Vec::new();
        let mut tools = Vec::new();
        self.started(table).await?;
        for (method, field) in LISTS {
            let items = self.walk(method, field).await?;
            for item in &items {
                heard.push((self.own(&format!("{method} {}", item["name"])), [("item".to_owned(), self.own(&item.to_string()))].into()));
            }
            match field {
                "tools" => tools = items,
                "resources" => self.read_all(&items, &mut heard).await?,
                "prompts" => self.prompt_all(&items, &mut heard).await?,
                _ => {}
            }
        }
        ensure!(tools.len() == table.tools, "{} tools: {tools:#?}", tools.len());
        let calls = (table.calls)(&self.world);
        for tool in tools.iter().filter_map(|tool| tool["name"].as_str()) {
            let is_called = calls.iter().any(|(name, _)| *name == self.own(tool)) || table.uncalled.contains(&self.own(tool).as_str());
            ensure!(is_called, "the table calls no {tool}");
        }
        for (tool, arguments) in calls {
            self.call(tool, arguments, &mut heard).await?;
        }
        self.refused(&tools, &mut heard).await?;
        Ok(heard)
    }

    /// Waits until the server is listed: the gateway answers without a server that starts slowly.
    async fn started(&mut self, table: &Table<'_>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.walk("tools/list", "tools").await?.len() < table.tools {
            ensure!(Instant::now() < end, "{} lists no tools within {PATIENCE:?}", table.test);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Calls what must be refused: no such tool, and every tool without what it requires.
    async fn refused(&mut self, tools: &[Value], heard: &mut Heard) -> Result<()> {
        self.call(UNKNOWN, json!({}), heard).await?;
        for tool in tools.iter().filter(|tool| requires_something(tool)) {
            let name = self.own(tool["name"].as_str().unwrap_or_default());
            self.call(&name, json!({}), heard).await?;
        }
        Ok(())
    }

    async fn call(&mut self, tool: &str, arguments: Value, heard: &mut Heard) -> Result<()> {
        let what = format!("{tool} {arguments}").replace(&self.world, "WORLD");
        let params = json!({ "name": self.exposed(tool), "arguments": arguments });
        let reply = self.ask("tools/call", params).await.with_context(|| what.clone())?;
        heard.push((what, reply));
        Ok(())
    }

    async fn read_all(&mut self, resources: &[Value], heard: &mut Heard) -> Result<()> {
        for resource in resources {
            let reply = self.ask("resources/read", json!({ "uri": resource["uri"] })).await?;
            heard.push((self.own(&format!("read {}", resource["uri"])), reply));
        }
        Ok(())
    }

    async fn prompt_all(&mut self, prompts: &[Value], heard: &mut Heard) -> Result<()> {
        for prompt in prompts {
            let names = prompt["arguments"].as_array().into_iter().flatten().filter_map(|argument| argument["name"].as_str());
            let arguments: Map<String, Value> = names.map(|name| (name.to_owned(), json!("x"))).collect();
            let reply = self.ask("prompts/get", json!({ "name": prompt["name"], "arguments": arguments })).await?;
            heard.push((format!("prompt {}", self.own(prompt["name"].as_str().unwrap_or_default())), reply));
        }
        Ok(())
    }

    /// Walks a list to its end and returns the server's own items in the order of their names, members as they came.
    async fn walk(&mut self, method: &str, field: &str) -> Result<Vec<Value>> {
        let (mut items, mut params) = (Vec::new(), json!({}));
        loop {
            let reply: Value = serde_json::from_str(&self.text(method, params.clone()).await?)?;
            if reply["error"]["code"] == -32601 {
                break;
            }
            let page = reply["result"][field].as_array().with_context(|| format!("{method}: {reply}"))?;
            items.extend(page.iter().filter(|item| self.is_own(item)).cloned());
            match reply["result"].get("nextCursor") {
                Some(next) => params["cursor"] = next.clone(),
                None => break,
            }
        }
        items.sort_by_key(|item| item["name"].to_string());
        Ok(items)
    }

    fn is_own(&self, item: &Value) -> bool {
        let starts =
            |field: &str, between: &str| item[field].as_str().is_some_and(|text| text.starts_with(&format!("{}{between}", self.slug)));
        self.slug.is_empty() || starts("name", "__") || starts("uri", "+") || starts("uriTemplate", "+")
    }

    fn exposed(&self, tool: &str) -> String {
        if self.slug.is_empty() { tool.to_owned() } else { format!("{}__{tool}", self.slug) }
    }

    /// The text under the server's own names, and without the world's path and the moment.
    fn own(&self, text: &str) -> String {
        let mut text = text.replace(&self.world, "WORLD");
        if !self.slug.is_empty() {
            text = text.replace(&format!("{}__", self.slug), "").replace(&format!("{}+", self.slug), "");
        }
        timeless(&text)
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<BTreeMap<String, String>> {
        let text = self.text(method, params).await?;
        let reply: Reply<'_> = serde_json::from_str(&text).with_context(|| text.clone())?;
        if let Some(error) = reply.error {
            // Which of two codes it is that says what does not exist, is the era's.
            let code = if error["code"] == -32002 { -32602 } else { error["code"].as_i64().unwrap_or_default() };
            return Ok([("error".to_owned(), code.to_string())].into());
        }
        let members = reply.result.unwrap_or_default().into_iter().filter(|(name, _)| !OF_THE_HOP.contains(&name.as_str()));
        Ok(members.map(|(name, value)| (name, self.own(value.get()))).collect())
    }

    async fn text(&mut self, method: &str, params: Value) -> Result<String> {
        match &mut self.caller {
            Caller::Direct(pipe) => pipe.call_text(method, params).await,
            Caller::Legacy(client) => client.send(&client.message(method, &params)).await?.patience(PATIENCE).last_text().await,
            Caller::Modern(client) => client.send(&client.message(method, params)).await?.patience(PATIENCE).last_text().await,
        }
    }
}

/// Replaces moments as they stand in names of files, `2026-11-21T06-38-22-285Z`.
fn timeless(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00-00-00-000Z";
    let bytes = text.as_bytes();
    let is_moment = |at: usize| {
        let part = bytes.get(at..at + SHAPE.len());
        part.is_some_and(|part| part.iter().zip(SHAPE).all(|(a, b)| if *b == b'0' { a.is_ascii_digit() } else { a == b }))
    };
    let (mut clean, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let moment = is_moment(at);
        if moment {
            clean.extend_from_slice(b"MOMENT");
        } else {
            clean.push(byte);
        }
        at += if moment { SHAPE.len() } else { 1 };
    }
    String::from_utf8(clean).unwrap_or_default()
}
