//! Searching: what the registries answer, and what they answered before, in the order of how well it fits.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crib_model::Fault;
use futures_util::future::join_all;

use crate::entry::Page;
use crate::fetch::encode;
use crate::rank::Words;
use crate::{Entry, Market, Registry, Status, date};

/// Entries of one page: the most that registries give.
const PAGE_ENTRIES: usize = 100;
/// Pages read of one registry for one word; beyond it the result says that there is more.
const PAGES_MAX: usize = 10;
/// Pages read where everything is wanted.
const ALL_PAGES_MAX: usize = 500;
/// Words that a registry is asked for.
const ASKED_MAX: usize = 3;
/// How long registries are asked for further pages.
const WAIT: Duration = Duration::from_secs(40);
const ALL_WAIT: Duration = Duration::from_secs(300);
/// So that the same question a moment later is the same address.
const SINCE_STEP: u64 = 3600;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub words: Words,
    pub facets: Facets,
    /// How many results are wanted; those before `offset` are passed over.
    pub limit: usize,
    pub offset: usize,
    /// Every page there is, and every result.
    pub is_all: bool,
}

/// What results must be.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    /// `npm`, `pypi`, `oci`, `mcpb`, `cargo`, `nuget`, `remote`; any where there is none.
    pub kinds: Vec<String>,
    /// Active and deprecated ones where there is none.
    pub statuses: Vec<Status>,
    /// In seconds since 1970.
    pub updated_since: Option<u64>,
}

/// A server that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    pub registry: String,
    pub entry: Entry,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// The results of other pages.
    pub others: Vec<Hit>,
    /// Where the next results begin.
    pub next: Option<usize>,
    /// How many there are, as far as was looked.
    pub total: usize,
    /// Whether registries have more than was looked at.
    pub is_cut: bool,
    /// Entries that could not be read.
    pub broken: usize,
    /// Registries that answered before and not now: the name, when, and why not now.
    pub stale: Vec<(String, u64, Fault)>,
    /// Registries that have no answer.
    pub faults: Vec<(String, Fault)>,
}

/// What one registry has.
#[derive(Default)]
struct Listing {
    entries: Vec<Entry>,
    broken: usize,
    is_cut: bool,
    stale: Option<(u64, Fault)>,
    fault: Option<Fault>,
}

impl Facets {
    fn is_wanted(&self, entry: &Entry) -> bool {
        let has_kind = |kind: &String| entry.server.kinds().iter().any(|known| known.eq_ignore_ascii_case(kind));
        let is_of_kind = self.kinds.is_empty() || self.kinds.iter().any(has_kind);
        let is_of_status = if self.statuses.is_empty() { entry.status != Status::Deleted } else { self.statuses.contains(&entry.status) };
        // Where the registry does not say, nobody knows.
        let is_recent = self.updated_since.is_none_or(|since| entry.updated_at.is_none_or(|at| at >= since));
        is_of_kind && is_of_status && is_recent
    }
}

impl Market {
    /// Asks every registry at once, and ranks what they have.
    pub async fn search(&self, query: &Query) -> Found {
        let terms: Vec<Option<&str>> = match query.words.asked(ASKED_MAX) {
            words if words.is_empty() => vec![None],
            words => words.into_iter().map(Some).collect(),
        };
        let listings = join_all(self.registries().iter().map(|registry| self.look(registry, &terms, query))).await;
        let mut found = Found::default();
        let mut ranked: Vec<(u32, usize, Hit)> = Vec::new();
        for (at, (registry, listing)) in self.registries().iter().zip(listings).enumerate() {
            let name = || registry.name.clone();
            found.broken += listing.broken;
            found.is_cut |= listing.is_cut;
            found.stale.extend(listing.stale.map(|(at, fault)| (name(), at, fault)));
            found.faults.extend(listing.fault.map(|fault| (name(), fault)));
            let wanted = newest(listing.entries).into_iter().filter(|entry| query.facets.is_wanted(entry));
            let hits = wanted.filter_map(|entry| Some((query.words.score(&entry)?, at, Hit { registry: name(), entry })));
            ranked.extend(hits);
        }
        ranked.sort_by(|(score, at, hit), (other_score, other_at, other)| {
            let newer = other.entry.updated_at.cmp(&hit.entry.updated_at);
            let by_name = hit.entry.server.name.cmp(&other.entry.server.name);
            other_score.cmp(score).then(newer).then(by_name).then(at.cmp(other_at))
        });
        found.total = ranked.len();
        let limit = if query.is_all { usize::MAX } else { query.limit };
        let end = query.offset.saturating_add(limit);
        found.next = (end < found.total).then_some(end);
        for (place, (.., hit)) in ranked.into_iter().enumerate() {
            if (query.offset..end).contains(&place) { found.hits.push(hit) } else { found.others.push(hit) }
        }
        found
    }

    async fn look(&self, registry: &Registry, terms: &[Option<&str>], query: &Query) -> Listing {
        let mut whole = Listing::default();
        for listing in join_all(terms.iter().map(|term| self.listing(registry, *term, query))).await {
            whole.entries.extend(listing.entries);
            whole.broken += listing.broken;
            whole.is_cut |= listing.is_cut;
            whole.stale = whole.stale.or(listing.stale);
            whole.fault = whole.fault.or(listing.fault);
        }
        if !query.words.is_empty() {
            // Registries look at names alone; what they told before may fit by its description.
            for page in self.cache(registry).all().iter().filter_map(Page::read) {
                whole.entries.extend(page.entries);
            }
        }
        whole
    }

    /// Reads the pages of one list.
    async fn listing(&self, registry: &Registry, term: Option<&str>, query: &Query) -> Listing {
        let needed = query.offset.saturating_add(query.limit) / PAGE_ENTRIES + 1;
        let (pages_max, wait) = match (query.is_all, term) {
            (true, _) => (ALL_PAGES_MAX, ALL_WAIT),
            (false, Some(_)) => (needed.clamp(PAGES_MAX, ALL_PAGES_MAX), WAIT),
            (false, None) if query.facets.kinds.is_empty() => (needed.min(ALL_PAGES_MAX), WAIT),
            (false, None) => (PAGES_MAX, WAIT),
        };
        let (end, mut listing, mut cursor) = (Instant::now() + wait, Listing::default(), None::<String>);
        for _ in 0..pages_max {
            match self.ask(registry, &address(term, &query.facets, cursor.as_deref())).await {
                Ok(Some(answer)) => {
                    let Some(page) = Page::read(&answer.value) else {
                        listing.fault = Some(crate::market::broken(registry, "it answers with something that is no list of servers"));
                        return listing;
                    };
                    listing.stale = listing.stale.or_else(|| answer.stale.map(|fault| (answer.at, fault)));
                    listing.broken += page.broken;
                    listing.entries.extend(page.entries);
                    let is_same = page.next.is_some() && page.next == cursor;
                    cursor = page.next.filter(|_| !is_same);
                }
                Ok(None) => {
                    listing.fault = Some(crate::market::broken(registry, "it has no list of servers"));
                    return listing;
                }
                Err(fault) => {
                    listing.fault = Some(fault);
                    return listing;
                }
            }
            if cursor.is_none() {
                return listing;
            }
            if Instant::now() >= end {
                break;
            }
        }
        listing.is_cut = true;
        listing
    }
}

fn address(term: Option<&str>, facets: &Facets, cursor: Option<&str>) -> String {
    let mut address = format!("servers?limit={PAGE_ENTRIES}&version=latest");
    let mut add = |name: &str, value: &str| {
        address.extend(["&", name, "=", &encode(value)]);
    };
    if let Some(term) = term {
        add("search", term);
    }
    if let Some(since) = facets.updated_since {
        add("updated_since", &date::rfc3339(since - since % SINCE_STEP));
    }
    if facets.statuses.contains(&Status::Deleted) {
        add("include_deleted", "true");
    }
    if let Some(cursor) = cursor {
        add("cursor", cursor);
    }
    address
}

/// Keeps one entry of every name: what came first, unless another one is said to be the latest or is of a later version.
fn newest(entries: Vec<Entry>) -> Vec<Entry> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        match places.get(&entry.server.name).and_then(|at| kept.get_mut(*at)) {
            Some(known) if entry.is_newer_than(known) => *known = entry,
            Some(_) => {}
            None => {
                places.insert(entry.server.name.clone(), kept.len());
                kept.push(entry);
            }
        }
    }
    kept
}
