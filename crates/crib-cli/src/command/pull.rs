//! `toolcrib pull`: packages into the store; an update is started once, to see what it changes.

mod tools;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_clients::Value;
use crib_control::Servers;
use crib_package::{Event, Gained, Listing, Locked, Owner, Progress, Pulled, Source};
use parking_lot::Mutex;
use serde::Serialize;

use super::listed;
use super::run::config::Configuration;
use super::stop::servers::change;
use crate::args::{Fetch, Pull, Target};
use crate::background::{self, Gateway};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::runtime;
use crate::shop::{self, Believed, Shop};
use crate::signals::Signals;
use crate::tongue::said;
use crate::world;
use tools::Tools;

/// What a terminal is shown of each part of a change, and of what is different about a tool; pipes are told everything.
const PART_LINES: usize = 8;
const DIFF_LINES: usize = 12;
const EVERYTHING: &str = "all of them in a pipe and with --json";
/// How long a server may take that is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// A package as programs are told of it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    packages: usize,
    findings: Vec<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<String>,
    /// What its manifests ask for now and did not, and what they do no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<Asked>,
    /// What its code mentions and did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reaches: Vec<Gained>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Tools>,
    /// Whether a gateway has it already.
    #[serde(skip)]
    is_served: bool,
}

#[derive(Debug, Serialize)]
struct Asked {
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    kind: String,
    message: String,
}

pub(super) fn run(args: &Pull, output: &Output) -> Result<(), Failure> {
    if args.name.is_some() && args.servers.len() > 1 {
        return Err(Failure::usage("--name goes with one package"));
    }
    runtime::on_all_cores(async {
        let shop = Arc::new(Shop::open(Believed::for_fetch(&args.fetch)?)?);
        let mut rows = Vec::new();
        for text in &args.servers {
            let wish = wanted(&shop, text, args.name.as_deref(), &args.fetch, output).await?;
            let before = shop.lock()?.servers.remove(&wish.name);
            let pulled = pull(&shop, &wish, output).await?;
            let mut row = Row::of(&wish.name, &pulled);
            if let Some(before) = before.filter(|before| !args.no_tools && is_update(before, &pulled.locked)) {
                row.tools = Some(tools(&shop, &wish.name, &before, &pulled.locked, output).await?);
            }
            row.is_served = pin(&wish.name, &pulled.locked, output).await?;
            rows.push(row);
        }
        finish(&rows, output)
    })
}

/// Whether other bytes of the same package came, which can be started.
fn is_update(before: &Locked, after: &Locked) -> bool {
    before.source == after.source && after.tree.is_some() && (before.tree != after.tree || before.entry != after.entry)
}

/// Looks at what an update does to the tools, and says it.
async fn tools(shop: &Arc<Shop>, name: &str, before: &Locked, after: &Locked, output: &Output) -> Result<Tools, Failure> {
    let mut signals = Signals::new()?;
    let tools = tokio::select! {
        tools = Box::pin(tools::look(shop, name, before, after)) => tools,
        _ = signals.stop() => return Err(Failure::shown(Exit::Interrupted)),
    };
    let diff_max = if is_watched(output) { DIFF_LINES } else { usize::MAX };
    for line in tools.lines(&crate::command::run::slug(name).to_string(), diff_max) {
        output.quote(&format!("         {line}"));
    }
    Ok(tools)
}

/// Has the configuration name what is locked now, where the server is in it, and the gateway start that; returns whether
/// there is one that does.
pub(super) async fn pin(name: &str, locked: &Locked, output: &Output) -> Result<bool, Failure> {
    let mut configuration = Configuration::read()?;
    let known = configuration.servers()?.into_iter().find(|(known, entry)| known == name && entry.member("run").is_some());
    let Some((_, entry)) = known else { return Ok(false) };
    let run = |(member, value): &(String, Value)| {
        let value = if member == "run" { Value::text(shop::pinned(locked)) } else { value.clone() };
        (member.clone(), value)
    };
    let mut members: Vec<(String, Value)> = entry.members().iter().map(run).collect();
    if !locked.with.is_empty() {
        let with = Value::texts(locked.with.iter().cloned());
        match members.iter_mut().find(|(member, _)| member == "with") {
            Some((_, value)) => *value = with,
            None => members.push(("with".to_owned(), with)),
        }
    }
    if configuration.put(name, &Value::Map(members))? {
        output.say(&format!("written  {}", configuration.shown()));
    }
    let Some(gateway) = background::find() else { return Ok(false) };
    background::reload(&gateway).await?;
    try_again(name, &gateway, output).await?;
    Ok(true)
}

/// Has the gateway try a server again that it could not start: its bytes are others now.
async fn try_again(name: &str, gateway: &Gateway, output: &Output) -> Result<(), Failure> {
    let target = Target {
        config: Vec::new(),
        only: Vec::new(),
        url: Some(gateway.url.clone()),
        key: world::variable("TOOLCRIB_KEY"),
        timeout: AGAIN,
    };
    let client = Client::connect(&target, None, output).await?;
    let slug = crate::command::run::slug(name);
    let has_failed = |rows: &Servers| rows.servers.iter().any(|row| row.name == slug.as_str() && row.state == "failed");
    // Who may not look at it or start it leaves it to those who may.
    let rows = client.get("/v1/servers").await.and_then(crate::client::Answer::read::<Servers>);
    if rows.as_ref().is_ok_and(has_failed) {
        drop(change(&client, slug.as_str(), "start").await);
    }
    client.close().await;
    Ok(())
}

/// A package that is to be had.
pub(super) struct Wish {
    /// What its server is called.
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) listing: Option<Listing>,
}

/// Finds out which package is meant, and what its server is called.
pub(super) async fn wanted(shop: &Shop, text: &str, name: Option<&str>, fetch: &Fetch, output: &Output) -> Result<Wish, Failure> {
    let lock = shop.lock()?;
    if let Some(known) = lock.servers.get(text) {
        if let Some(listed) = &known.listed {
            // Its registry knows best which version is the next.
            let kind = fetch.kind.as_deref().or_else(|| known.source.split(':').next());
            let choice = listed::resolve(&listed.name, None, &Fetch { kind: kind.map(str::to_owned), ..fetch.clone() }, output).await?;
            let (source, listing) = choice.package()?;
            return Ok(Wish { name: name.unwrap_or(text).to_owned(), source, listing: Some(listing) });
        }
        let mut with = known.with.clone();
        with.extend(fetch.with.iter().filter(|one| !known.with.contains(one)).cloned());
        return Ok(Wish { name: name.unwrap_or(text).to_owned(), source: shop::source(&shop::followed(known), &with)?, listing: None });
    }
    if let Source::Registry { name: full, version } = Source::parse(text)? {
        if !full.contains('/') {
            return Err(listed::nameless(&full, fetch).await);
        }
        let choice = listed::resolve(&full, version.as_deref(), fetch, output).await?;
        let (source, listing) = choice.package()?;
        return Ok(Wish { name: name.map_or_else(|| choice.suggested_name(), str::to_owned), source, listing: Some(listing) });
    }
    let source = shop::source(text, &fetch.with)?;
    let name = name.map_or_else(|| source.suggested_name(), str::to_owned);
    Ok(Wish { name, source, listing: None })
}

/// Gets a package and says what happens and what was noticed.
pub(super) async fn pull(shop: &Shop, wish: &Wish, output: &Output) -> Result<Pulled, Failure> {
    pull_for(shop, &Owner::Own, wish, output).await
}

/// Does the same for a server of somebody's.
pub(super) async fn pull_for(shop: &Shop, owner: &Owner, wish: &Wish, output: &Output) -> Result<Pulled, Failure> {
    let Wish { name, source, listing } = wish;
    let clock = Instant::now();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let progress = progress(Arc::clone(&seen), output);
    let mut signals = Signals::new()?;
    let pulled = tokio::select! {
        pulled = shop.pull_for(owner, (name, source), listing.as_ref(), &progress) => pulled,
        _ = signals.stop() => {
            clear(output);
            return Err(Failure::shown(Exit::Interrupted));
        }
    };
    clear(output);
    let pulled = pulled?;
    let size = seen.lock().bytes.map(|bytes| format!("   {}", megabytes(bytes))).unwrap_or_default();
    let version = if pulled.locked.version.is_empty() { String::new() } else { format!(" {}", pulled.locked.version) };
    output.say(&format!("pulled   {}{version}{size}   {:.1}s", pulled.locked.source, clock.elapsed().as_secs_f64()));
    for finding in &pulled.findings {
        output.warn(&format!("{} ({})", finding.message, finding.kind));
    }
    if let Some(changes) = pulled.changes.as_ref().filter(|changes| !changes.is_empty()) {
        let part_max = if is_watched(output) { PART_LINES } else { usize::MAX };
        for line in by_parts(&changes.to_string(), part_max) {
            output.say(&format!("         {line}"));
        }
    }
    Ok(pulled)
}

/// Cuts each part of what has changed, lines that begin with one word; what it asks for is told whole.
fn by_parts(text: &str, max: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let word = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let parts = lines.chunk_by(|a, b| word(a) == word(b));
    let cut = |part: &[&str]| {
        let max = if part.iter().any(|line| line.starts_with("asks ")) { usize::MAX } else { max };
        shortened(part.iter().map(ToString::to_string).collect(), max, EVERYTHING)
    };
    parts.flat_map(cut).collect()
}

/// Keeps as many lines as a terminal is given, and says how many there are besides and where.
fn shortened(mut lines: Vec<String>, max: usize, rest: &str) -> Vec<String> {
    // A line that says that there is one more takes as much room as that one.
    if lines.len() > max.saturating_add(1) {
        let more = lines.len() - max;
        lines.truncate(max);
        lines.push(format!("  {}", said(&format!("… {more} more lines: {rest}"))));
    }
    lines
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Option<u64>,
    last: Option<Instant>,
}

/// One line that changes where somebody watches, and nothing elsewhere.
fn progress(seen: Arc<Mutex<Seen>>, output: &Output) -> Progress {
    let is_shown = is_watched(output);
    Progress::new(move |event| {
        let text = match event {
            Event::Resolving { source } => format!("pulling  {source}   looking for the newest version"),
            Event::Resolved { source, version, packages } => format!("pulling  {source} {version}   {packages} packages"),
            Event::Verifying => "pulling  checking signatures".to_owned(),
            Event::Downloading { done, total } => {
                let mut seen = seen.lock();
                // A terminal is not to be drowned in numbers.
                if seen.last.is_some_and(|last| last.elapsed().as_millis() < 100) {
                    return;
                }
                seen.last = Some(Instant::now());
                let of = total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
                format!("pulling  {}{of}", megabytes(done))
            }
            Event::Installing { packages } => format!("pulling  downloading {packages} packages"),
            Event::Hashing => "pulling  hashing every file".to_owned(),
            Event::Stored { files, bytes } => {
                seen.lock().bytes = Some(bytes);
                format!("pulling  {files} files, {}", megabytes(bytes))
            }
        };
        if is_shown {
            crate::output::note(&format!("\r\x1b[2K{text}"));
        }
    })
}

pub(super) fn is_watched(output: &Output) -> bool {
    !output.is_json && !output.is_quiet() && std::io::stderr().is_terminal()
}

fn clear(output: &Output) {
    if is_watched(output) {
        crate::output::note("\r\x1b[2K");
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / (1024 * 1024 / 10);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

impl Row {
    pub(super) fn of(name: &str, pulled: &Pulled) -> Self {
        let Pulled { locked, findings, changes } = pulled;
        let Locked { source, version, tree, packages, .. } = locked;
        let findings = findings.iter().map(|finding| Found { kind: finding.kind.to_string(), message: finding.message.clone() });
        Self {
            name: name.to_owned(),
            source: source.clone(),
            version: version.clone(),
            digest: tree.as_ref().map(ToString::to_string),
            packages: packages.len(),
            findings: findings.collect(),
            changes: changes.as_ref().filter(|changes| !changes.is_empty()).map(ToString::to_string),
            asks: changes
                .as_ref()
                .filter(|changes| !changes.asks.is_empty() || !changes.asks_no_more.is_empty())
                .map(|changes| Asked { added: changes.asks.clone(), removed: changes.asks_no_more.clone() }),
            reaches: changes.as_ref().map(|changes| changes.gained.clone()).unwrap_or_default(),
            tools: None,
            is_served: false,
        }
    }
}

fn finish(rows: &[Row], output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        servers: &'a [Row],
    }
    if output.is_json {
        return output.document("pull", &Document { servers: rows });
    }
    for row in rows.iter().filter(|row| !row.is_served) {
        output.say(&format!("start    toolcrib run {}", row.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_change_is_cut_and_says_so() {
        let packages: String = (0..80).map(|number| format!("packages    p{number} none -> 1\n")).collect();
        let text = format!("version     1 -> 2\n{packages}files       1 added\n");
        let short = by_parts(&text, 8);
        assert_eq!(short.len(), 1 + 8 + 1 + 1);
        assert_eq!(short[9], "  … 72 more lines: all of them in a pipe and with --json");
        assert_eq!(by_parts(&text, usize::MAX).len(), 82);
        let asks: String = (0..30).map(|number| format!("asks        now also for {number}\n")).collect();
        assert_eq!(by_parts(&asks, 8).len(), 30);
        assert_eq!(shortened(vec!["a".to_owned(), "b".to_owned()], 1, EVERYTHING), ["a", "b"]);
    }
}
