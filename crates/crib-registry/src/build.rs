//! From listings to one list of the catalogue: who gets which name, who is left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crib_mcp::header::ParamHeaders;
use crib_mcp::{Json, Payload};
use crib_model::Slug;

use crate::entry::{ListEntry, Listed, ToolEntry};
use crate::listing::{List, Listing};
use crate::lookalike;
use crate::names::{self, NameStyle};
use crate::report::{Collision, Dropped, DroppedWhy, What};
use crate::rewrite;
use crate::table::Table;
use crate::uri::uri_out;

/// Longest URI or URI template of an upstream that is taken.
const URI_BYTES_MAX: usize = 16 * 1024;

/// How names and URIs of this catalogue are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Naming<'a> {
    /// One upstream, left as it is.
    Untouched,
    Style(&'a NameStyle),
}

/// Builds the lists of one catalogue and collects what had to be renamed or left out.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    pub(crate) listings: &'a [Listing],
    pub(crate) naming: Naming<'a>,
    pub(crate) collisions: Vec<Collision>,
    pub(crate) dropped: Vec<Dropped>,
}

/// An item that can be exposed.
struct Candidate<'a> {
    listing: &'a Listing,
    item: &'a Json,
    members: Payload,
    own: Arc<str>,
    wanted: Arc<str>,
    headers: Option<Arc<ParamHeaders>>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(listings: &'a [Listing], naming: Naming<'a>) -> Self {
        Self { listings, naming, collisions: Vec::new(), dropped: Vec::new() }
    }

    pub(crate) fn tools(&mut self) -> Table<ToolEntry> {
        let naming = self.naming;
        self.table(What::Tool, |candidate, exposed, position| {
            let Candidate { listing, item, members, own, headers, .. } = candidate;
            let def = match naming {
                Naming::Untouched => item.clone(),
                Naming::Style(_) => rewrite::tool(&members, &listing.slug, &exposed),
            };
            ToolEntry { exposed, name: own, slug: listing.slug.clone(), revision: listing.revision, position, def, headers }
        })
    }

    /// Builds a list of anything but tools.
    pub(crate) fn list(&mut self, what: What) -> Table<ListEntry> {
        let naming = self.naming;
        self.table(what, |candidate, exposed, position| {
            let Candidate { listing, item, members, own, .. } = candidate;
            let def = match naming {
                Naming::Untouched => item.clone(),
                Naming::Style(_) => rewrite::with_text(&members, key(what), &exposed),
            };
            ListEntry { exposed, name: own, slug: listing.slug.clone(), revision: listing.revision, position, def }
        })
    }

    fn table<E: Listed>(&mut self, what: What, make: impl Fn(Candidate<'a>, Arc<str>, usize) -> E) -> Table<E> {
        let mut table = Table::default();
        for caching in self.listings.iter().filter_map(|listing| pick(listing, what).caching_said()) {
            table.add_caching(caching);
        }
        let candidates = self.candidates(what);
        // Who comes first keeps the name; a new name must not take one that somebody further down keeps.
        let mut owners: HashMap<Arc<str>, (Slug, Arc<str>)> = HashMap::with_capacity(candidates.len());
        for candidate in &candidates {
            owners.entry(Arc::clone(&candidate.wanted)).or_insert_with(|| (candidate.listing.slug.clone(), Arc::clone(&candidate.own)));
        }
        let mut given: HashSet<Arc<str>> = HashSet::new();
        for candidate in candidates {
            let (slug, own) = (&candidate.listing.slug, &candidate.own);
            let owner = owners.get(&candidate.wanted).filter(|owner| (&owner.0, &owner.1) != (slug, own));
            let exposed = match owner {
                None => Arc::clone(&candidate.wanted),
                Some(kept) => {
                    let new = free_name(&candidate, |name| owners.contains_key(name) || given.contains(name));
                    given.insert(Arc::clone(&new));
                    self.collisions.push(Collision {
                        what,
                        exposed: Arc::clone(&candidate.wanted),
                        kept: kept.clone(),
                        renamed: (slug.clone(), Arc::clone(own), Arc::clone(&new)),
                    });
                    new
                }
            };
            let position = table.len();
            table.push(make(candidate, exposed, position));
        }
        table
    }

    fn candidates(&mut self, what: What) -> Vec<Candidate<'a>> {
        let listings = self.listings;
        let mut candidates = Vec::with_capacity(listings.iter().map(|listing| pick(listing, what).items.len()).sum());
        for listing in listings {
            let mut seen = HashSet::new();
            for (at, item) in pick(listing, what).items.iter().enumerate() {
                match self.candidate(what, listing, item, &mut seen) {
                    Ok(candidate) => candidates.push(candidate),
                    Err((name, why)) => {
                        let name = name.map_or_else(|| format!("#{}", at + 1), |name| escape(&name, &why));
                        self.dropped.push(Dropped { what, slug: listing.slug.clone(), name, why });
                    }
                }
            }
        }
        candidates
    }

    fn candidate(
        &self,
        what: What,
        listing: &'a Listing,
        item: &'a Json,
        seen: &mut HashSet<Arc<str>>,
    ) -> Result<Candidate<'a>, (Option<String>, DroppedWhy)> {
        let shapeless = || (None, DroppedWhy::Shapeless(key(what)));
        let members = item.to_object().map_err(|_shape| shapeless())?;
        let own: Arc<str> = members.text(key(what)).ok_or_else(shapeless)?.into();
        let refuse = |why| Err((Some(own.to_string()), why));
        if own.len() > own_bytes_max(what) {
            return Err((Some(own.chars().take(64).collect()), DroppedWhy::TooLong(own_bytes_max(what))));
        }
        if let Some(hidden) = is_name(what).then(|| names::hidden_character(&own)).flatten() {
            return refuse(DroppedWhy::HiddenCharacter(u32::from(hidden)));
        }
        if let Some(borrowed) = is_name(what).then(|| lookalike::borrowed_letter(&own)).flatten() {
            return refuse(DroppedWhy::BorrowedLetter(u32::from(borrowed)));
        }
        if !seen.insert(Arc::clone(&own)) {
            return refuse(DroppedWhy::Duplicate);
        }
        let headers = match what {
            What::Tool => match param_headers(&members) {
                Ok(headers) => headers,
                Err(why) => return refuse(DroppedWhy::ParamHeader(why)),
            },
            What::Prompt | What::Resource | What::Template => None,
        };
        let wanted = self.wanted(what, &listing.slug, &own);
        Ok(Candidate { listing, item, members, own, wanted, headers })
    }

    fn wanted(&self, what: What, slug: &Slug, own: &Arc<str>) -> Arc<str> {
        match (self.naming, what) {
            (Naming::Untouched, _) => Arc::clone(own),
            (Naming::Style(style), What::Tool | What::Prompt) => style.expose(slug, own).into(),
            (Naming::Style(_), What::Resource | What::Template) => uri_out(slug, own).into(),
        }
    }
}

/// Returns which member of an item identifies it.
fn key(what: What) -> &'static str {
    match what {
        What::Tool | What::Prompt => "name",
        What::Resource => "uri",
        What::Template => "uriTemplate",
    }
}

/// Tells whether models and people choose an item by its key; URIs are only passed on.
fn is_name(what: What) -> bool {
    matches!(what, What::Tool | What::Prompt)
}

fn own_bytes_max(what: What) -> usize {
    if is_name(what) { names::OWN_BYTES_MAX } else { URI_BYTES_MAX }
}

fn pick(listing: &Listing, what: What) -> &List {
    match what {
        What::Tool => &listing.tools,
        What::Prompt => &listing.prompts,
        What::Resource => &listing.resources,
        What::Template => &listing.templates,
    }
}

fn free_name(candidate: &Candidate<'_>, is_taken: impl Fn(&str) -> bool) -> Arc<str> {
    let mut round = 0;
    loop {
        let name = names::renamed(&candidate.wanted, &candidate.listing.slug, &candidate.own, round);
        if !is_taken(&name) {
            return name.into();
        }
        round += 1;
    }
}

fn param_headers(members: &Payload) -> Result<Option<Arc<ParamHeaders>>, String> {
    match members.get("inputSchema") {
        Some(schema) => Ok(ParamHeaders::from_schema(&schema)?.map(Arc::new)),
        None => Ok(None),
    }
}

/// Makes a name safe to show on a terminal, with what deceives the eye spelt out.
fn escape(name: &str, why: &DroppedWhy) -> String {
    let borrowed = if let DroppedWhy::BorrowedLetter(letter) = why { char::from_u32(*letter) } else { None };
    let is_odd = |c: char| Some(c) == borrowed || names::hidden_character(c.encode_utf8(&mut [0; 4])).is_some();
    name.chars().flat_map(|c| if is_odd(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}
