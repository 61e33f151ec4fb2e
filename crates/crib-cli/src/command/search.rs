//! `toolcrib search`: servers in the registries.

use crib_inspect::Grades;
use crib_market::{Entry, Facets, Found, Hit, Market, Query, Status, Tally, Words, ago, moment, shown};
use crib_model::Clock as _;
use crib_package::{Lock, Locked, Proof};
use serde::Serialize;
use serde_json::Value;

use crate::args::{Search, StatusName};
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::output::Output;
use crate::table::{Narrow, Shorten, fitted, padded};
use crate::tongue::word;
use crate::{market, runtime, shop};

/// What fits beside the other columns.
const DESCRIPTION_LETTERS: usize = 72;
const NARROW: Narrow<'_> = Narrow { shortened: &[Shorten::End("DESCRIPTION")], dropped: &["GRADE", "REGISTRY", "VERSION", "KIND"] };
/// Results of a page where nothing else is said.
const PAGE: u16 = 20;
/// Letters of a value that is counted.
const FACET_LETTERS: usize = 24;
/// What nobody measured or looked at on this machine.
const UNKNOWN: &str = "unknown";
const KINDS: &[&str] = &["npm", "pypi", "oci", "mcpb", "cargo", "nuget", "remote"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    registry: &'a str,
    name: &'a str,
    version: &'a str,
    kinds: Vec<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<u64>,
    /// As measured on this machine.
    grade: Option<String>,
    /// As the registry has it.
    server: Value,
    /// What the registry itself says of it.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    results: Vec<Row<'a>>,
    total: usize,
    /// Whether registries have more than was looked at.
    is_cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// How many of all results have which value.
    facets: serde_json::Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stale: Vec<Stale<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stale<'a> {
    registry: &'a str,
    age_seconds: u64,
    why: String,
}

#[derive(Serialize)]
struct Failed<'a> {
    registry: &'a str,
    code: &'static str,
    why: String,
}

/// The grades of what is on this machine.
pub(super) struct Graded {
    grades: Option<Grades>,
    lock: Lock,
}

impl Graded {
    /// Where nothing can be read, nothing was measured.
    pub(super) fn open() -> Self {
        let data = shop::data().ok();
        Self { lock: data.as_deref().and_then(|data| shop::lock(data).ok()).unwrap_or_default(), grades: data.as_deref().map(Grades::of) }
    }

    /// Returns the grade of what is locked for a server.
    pub(super) fn of_server(&self, name: &str) -> Option<String> {
        let digest = self.lock.servers.get(name)?.tree.as_ref()?;
        self.grades.as_ref()?.read(&digest.to_string()).map(|kept| kept.letter)
    }

    /// Returns the grade of the very version that is listed.
    fn of(&self, entry: &Entry) -> Option<String> {
        let digest = self.locked(entry).find_map(|locked| locked.tree.as_ref())?;
        self.grades.as_ref()?.read(&digest.to_string()).map(|kept| kept.letter)
    }

    /// Says what is known of who signed the very version that is listed: what is not on this machine was not looked at.
    fn signed(&self, entry: &Entry) -> &'static str {
        let Some(Locked { provenance, .. }) = self.locked(entry).next() else { return UNKNOWN };
        match (&provenance.attestation, &provenance.signature) {
            (Proof::Verified { .. }, _) | (_, Proof::Verified { .. }) => "verified",
            (Proof::Present { .. }, _) | (_, Proof::Present { .. }) => "unchecked",
            (Proof::Absent, Proof::Absent) => "unsigned",
        }
    }

    /// Returns what is on this machine of that version.
    fn locked(&self, entry: &Entry) -> impl Iterator<Item = &Locked> {
        let server = &entry.server;
        let is_it = |locked: &&Locked| {
            let package = |package: &crib_market::Package| {
                locked.source == format!("{}:{}", package.registry_type, package.identifier) && locked.version == package.version
            };
            let listed = locked.listed.as_ref().is_some_and(|listed| listed.name == server.name && listed.version == server.version);
            listed || server.packages.iter().any(package)
        };
        self.lock.all().filter(is_it)
    }

    /// Counts all results by every facet.
    fn facets(&self, found: &Found) -> Vec<(&'static str, Tally)> {
        let owned = |names: Vec<&str>| names.into_iter().map(|name| shown(name, FACET_LETTERS)).collect();
        vec![
            ("kind", Tally::of(found.all(), |hit| owned(hit.entry.server.kinds()))),
            ("transport", Tally::of(found.all(), |hit| owned(hit.transports()))),
            ("grade", Tally::of(found.all(), |hit| vec![self.of(&hit.entry).unwrap_or_else(|| UNKNOWN.to_owned())])),
            ("signed", Tally::of(found.all(), |hit| owned(vec![self.signed(&hit.entry)]))),
            ("status", Tally::of(found.all(), |hit| owned(vec![hit.entry.status.as_str()]))),
            ("registry", Tally::of(found.all(), |hit| vec![hit.registry.clone()])),
        ]
    }
}

pub(super) fn run(args: &Search, output: &Output) -> Result<(), Failure> {
    let query = query(args)?;
    let market = market::open(args.ask.registry.as_deref())?;
    let market = match (args.fresh.refresh, args.fresh.offline) {
        (true, _) => market.anew(),
        (false, true) => market.offline(),
        (false, false) => market,
    };
    if market.registries().is_empty() {
        return Err(Failure::usage("there is no registry to search").hint("toolcrib registry add official"));
    }
    let found = runtime::on_all_cores(async { Ok::<_, Failure>(market.search(&query).await) })?;
    if found.faults.len() == market.registries().len() && found.hits.is_empty() {
        // Nobody answered: the first says why.
        let first = found.faults.into_iter().next().map(|(_, fault)| Failure::from(fault));
        return Err(first.unwrap_or_else(|| Failure::usage("there is nobody to ask")));
    }
    show(args, &found, &market, output)?;
    if found.faults.is_empty() { Ok(()) } else { Err(Failure::shown(Exit::Partial)) }
}

fn query(args: &Search) -> Result<Query, Failure> {
    if let Some(kind) = args.kind.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(Failure::usage(format!("`{kind}` is no kind")).hint(format!("kinds: {}", KINDS.join(", "))));
    }
    let now = Machine.unix().as_secs();
    let since = |text: &String| {
        moment(text, now).ok_or_else(|| Failure::usage(format!("`{text}` is not a time")).hint("2026-01-31, 2026-01-31T10:00:00Z, 7d, 36h"))
    };
    let mut statuses = Vec::new();
    for status in &args.status {
        statuses.extend_from_slice(match status {
            StatusName::Active => &[Status::Active],
            StatusName::Deprecated => &[Status::Deprecated],
            StatusName::Deleted => &[Status::Deleted],
            StatusName::All => &[Status::Active, Status::Deprecated, Status::Deleted],
        });
    }
    Ok(Query {
        words: Words::read(&args.query.join(" ")),
        facets: Facets { kinds: args.kind.clone(), statuses, updated_since: args.updated_since.as_ref().map(since).transpose()? },
        limit: usize::from(args.limit),
        offset: args.cursor,
        is_all: args.all,
    })
}

fn show(args: &Search, found: &Found, market: &Market, output: &Output) -> Result<(), Failure> {
    let (now, graded) = (Machine.unix().as_secs(), Graded::open());
    if output.is_json {
        let stale = found.stale.iter().map(|(registry, at, fault)| Stale {
            registry,
            age_seconds: now.saturating_sub(*at),
            why: fault.to_string(),
        });
        let failed = found.faults.iter().map(|(registry, fault)| Failed { registry, code: fault.code().as_str(), why: fault.to_string() });
        let document = Document {
            results: found.hits.iter().map(|hit| row(hit, &graded)).collect(),
            total: found.total,
            is_cut: found.is_cut,
            next_cursor: found.next.map(|next| next.to_string()),
            facets: graded.facets(found).into_iter().map(|(facet, tally)| (facet.to_owned(), counts(tally))).collect(),
            stale: stale.collect(),
            failed: failed.collect(),
        };
        return output.document("search", &document);
    }
    for (registry, at, fault) in &found.stale {
        output.warn(&format!("`{registry}` is shown as it was {} ago: {fault}", ago(now.saturating_sub(*at))));
    }
    for (_, fault) in &found.faults {
        output.warn(&format!("[{}] {fault}", fault.code()));
    }
    if found.broken > 0 {
        output.warn(&match found.broken {
            1 => "1 entry cannot be read and is left out".to_owned(),
            more => format!("{more} entries cannot be read and are left out"),
        });
    }
    if found.hits.is_empty() {
        output.say("nothing found");
        return Ok(());
    }
    let has_many = market.registries().len() > 1;
    let mut heads = vec!["NAME", "VERSION", "KIND", "GRADE", "DESCRIPTION"];
    if has_many {
        heads.insert(4, "REGISTRY");
    }
    let line = |hit: &Hit| {
        let mut line = cells(&hit.entry, &graded);
        if has_many {
            line.insert(4, hit.registry.clone());
        }
        line
    };
    output.data(&fitted(&heads, &found.hits.iter().map(line).collect::<Vec<_>>(), NARROW))?;
    say_facets(found, &graded, output);
    say_next(args, found, output);
    Ok(())
}

/// Says how many of all results have which value, where they differ.
fn say_facets(found: &Found, graded: &Graded, output: &Output) {
    let mut facets = graded.facets(found);
    facets.retain(|(_, tally)| tally.values.len() > 1);
    if facets.is_empty() {
        return;
    }
    output.say(&if found.is_cut {
        format!("\nof the {} results that were looked at, and there are more:", found.total)
    } else {
        format!("\nof {} results:", found.total)
    });
    for (facet, tally) in facets {
        let value = |(value, count): &(String, usize)| format!("{} {count}", word("facet", value));
        let values: Vec<String> = tally.values.iter().map(value).collect();
        output.quote(&format!("  {} {}", padded(word("facet", facet), 10), values.join(", ")));
    }
}

/// Writes the counts as one object.
fn counts(tally: Tally) -> Value {
    Value::Object(tally.values.into_iter().map(|(value, count)| (value, count.into())).collect())
}

fn say_next(args: &Search, found: &Found, output: &Output) {
    let more = if found.is_cut { "more than " } else { "" };
    if let Some(next) = found.next {
        output.say(&format!("\n{} of {more}{}   more: toolcrib search {}--cursor {next}", found.hits.len(), found.total, again(args)));
    } else if found.is_cut {
        output.say("\nthe registries have more than was looked at   narrow it, or add --all");
    }
    if let Some(hit) = found.hits.first() {
        output.say(&format!(
            "{}start    toolcrib run {}",
            if found.next.is_none() && !found.is_cut { "\n" } else { "" },
            hit.entry.server.name
        ));
    }
}

/// Returns the words and flags of the same question.
fn again(args: &Search) -> String {
    let mut words = args.query.clone();
    let mut add = |flag: &str, value: String| words.extend([format!("--{flag}"), value]);
    if !args.kind.is_empty() {
        add("kind", args.kind.join(","));
    }
    for status in &args.status {
        let status = match status {
            StatusName::Active => "active",
            StatusName::Deprecated => "deprecated",
            StatusName::Deleted => "deleted",
            StatusName::All => "all",
        };
        add("status", status.to_owned());
    }
    if let Some(since) = &args.updated_since {
        add("updated-since", since.clone());
    }
    if args.limit != PAGE {
        add("limit", args.limit.to_string());
    }
    if let Some(registry) = &args.ask.registry {
        add("registry", registry.clone());
    }
    words.into_iter().map(|word| word + " ").collect()
}

fn cells(entry: &Entry, graded: &Graded) -> Vec<String> {
    let server = &entry.server;
    let kinds: Vec<String> = server.kinds().iter().map(|kind| shown(kind, 12)).collect();
    let text = if server.description.is_empty() { &server.title } else { &server.description };
    let mark = match entry.status {
        Status::Active => String::new(),
        Status::Deprecated | Status::Deleted => {
            let why = entry.status_message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("[{}{why}] ", word("status", entry.status.as_str()))
        }
    };
    let text = shown(&format!("{mark}{text}"), DESCRIPTION_LETTERS);
    let kinds = if kinds.is_empty() { "-".to_owned() } else { kinds.join(",") };
    vec![server.name.clone(), shown(&server.version, 24), kinds, graded.of(entry).unwrap_or_else(|| "-".to_owned()), text]
}

fn row<'a>(hit: &'a Hit, graded: &Graded) -> Row<'a> {
    let Entry { server, status, status_message, updated_at, .. } = &hit.entry;
    let (listed, meta) = hit.entry.as_listed();
    Row {
        registry: &hit.registry,
        name: &server.name,
        version: &server.version,
        kinds: server.kinds(),
        status: status.as_str(),
        status_message: status_message.as_deref(),
        updated_at: *updated_at,
        grade: graded.of(&hit.entry),
        server: listed,
        meta,
    }
}
