//! The catalogue as clients with one set of capabilities see it on one endpoint, with what is derived from it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use crib_mcp::{Json, Payload, Revision, meta};
use crib_model::{Code, Fault, Slug};
use crib_policy::{Validator, Validators};
use crib_registry::{CacheScope, Caching, Catalog, List, Listing, NameStyle};

use crate::held::HeldTool;
use parking_lot::Mutex;

use crate::ask::{self, Pages};
use crate::source::Offer;

/// Finished list texts kept per view.
const TEXTS_MAX: usize = 256;

/// Names one finished page: list, dialect, position, and whose rules filtered it.
pub(crate) type PageKey = (&'static str, Revision, usize, Arc<str>);

/// For which servers a view was held back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    ForAll,
    ForSome,
}

pub(crate) struct View {
    pub(crate) catalog: Catalog,
    pub(crate) offers: Vec<(Slug, Option<Arc<Offer>>)>,
    /// Whether every server has been heard of, or was waited for long enough.
    pub(crate) is_settled: bool,
    /// The tools that wait for approval.
    pub(crate) held: Vec<HeldTool>,
    /// A `DiscoverResult` for this endpoint.
    pub(crate) discover: Payload,
    validators: Validators,
    texts: Mutex<HashMap<PageKey, Bytes>>,
}

impl View {
    pub(crate) fn build(offers: Vec<(Slug, Option<Arc<Offer>>)>, style: &NameStyle, is_plain: bool, waited: Waited) -> Self {
        let is_settled = waited == Waited::ForAll || offers.iter().all(|(_, offer)| offer.is_some());
        let listings = offers.iter().map(|(slug, offer)| listing(slug, offer.as_deref())).collect();
        let catalog = Catalog::build(listings, style);
        for collision in catalog.collisions() {
            tracing::info!("{collision}");
        }
        for dropped in catalog.dropped() {
            tracing::warn!("{dropped}");
        }
        for lookalike in catalog.lookalikes() {
            tracing::warn!("{lookalike}");
        }
        let held = HeldTool::all(&offers, style, is_plain);
        let validators = Validators::new(catalog.tools().len());
        let discover = match offers.as_slice() {
            [(_, Some(only))] if is_plain => discover_one(only),
            _ => discover_all(&offers, &catalog),
        };
        Self { catalog, offers, is_settled, held, discover, validators, texts: Mutex::default() }
    }

    /// Returns why there is nothing to be told of an endpoint of one server: as its own client would hear it.
    pub(crate) fn only_fault(&self) -> Option<Fault> {
        match self.offers.as_slice() {
            [(_, Some(only))] => only.fault.clone(),
            [(slug, None)] => Some(unheard(slug)),
            _ => None,
        }
    }

    /// Tells whether a server has answered, if only with a failure.
    pub(crate) fn has_heard_of(&self, slug: &Slug) -> bool {
        self.offers.iter().any(|(known, offer)| known == slug && offer.is_some())
    }

    /// Returns the validator of a tool's arguments, compiled at first use; `None` where its schema cannot be used.
    pub(crate) fn validator(&self, position: usize) -> Option<&Validator> {
        let tool = self.catalog.tools().get(position)?;
        let report = |why| tracing::warn!(tool = %tool.exposed, "arguments are not checked: {why}");
        self.validators.at(position, || tool.input_schema(), report)
    }

    /// Returns a finished page, made at first use.
    pub(crate) fn text(&self, key: PageKey, make: impl FnOnce() -> Bytes) -> Bytes {
        if let Some(text) = self.texts.lock().get(&key) {
            return text.clone();
        }
        let text = make();
        let mut texts = self.texts.lock();
        if texts.len() >= TEXTS_MAX {
            texts.clear();
        }
        texts.insert(key, text.clone());
        text
    }

    /// Tells whether a tool or prompt goes by this name, or by `server.tool`; or whether it is a URI of a server.
    pub(crate) fn has(&self, asked: &str) -> bool {
        let dotted = || {
            asked
                .split_once('.')
                .is_some_and(|(server, tool)| self.catalog.upstream(server).is_some_and(|slug| self.catalog.tool_of(slug, tool).is_some()))
        };
        let is_uri = !self.catalog.is_untouched() && self.catalog.route_uri(asked).is_some();
        self.catalog.tool(asked).is_some() || self.catalog.prompt(asked).is_some() || is_uri || dotted()
    }

    /// Tells whether a server has said what it offers.
    pub(crate) fn has_offer(&self, slug: &Slug) -> bool {
        self.offers.iter().any(|(other, offer)| other == slug && offer.is_some())
    }

    /// Returns why a server's tools are not there.
    pub(crate) fn fault(&self, slug: &Slug) -> Option<&Fault> {
        let (_, offer) = self.offers.iter().find(|(other, _)| other == slug)?;
        offer.as_ref()?.fault.as_ref()
    }
}

fn listing(slug: &Slug, offer: Option<&Offer>) -> Listing {
    let mut listing = Listing::empty(slug.clone(), Revision::LATEST_LEGACY);
    let Some(offer) = offer else { return listing };
    let list = |pages: &Pages| {
        let scope = if pages.is_public { CacheScope::Public } else { CacheScope::Private };
        let caching = pages.revision.map(|_| Caching { ttl_ms: pages.ttl_ms, scope });
        List { items: pages.items.clone(), caching }
    };
    listing.tools = list(&offer.tools);
    for at in offer.verdict.held.iter().rev().filter_map(|held| held.at).filter(|at| *at < offer.tools.items.len()) {
        listing.tools.items.remove(at);
    }
    listing.prompts = list(&offer.prompts);
    listing.resources = list(&offer.resources);
    listing.templates = list(&offer.templates);
    listing.revision = [&offer.tools, &offer.prompts, &offer.resources].into_iter().find_map(|p| p.revision).unwrap_or(listing.revision);
    listing.fault.clone_from(&offer.fault);
    listing
}

fn versions() -> Vec<&'static str> {
    Revision::ALL.iter().map(|revision| revision.as_str()).collect()
}

/// Says that a server has not answered so far.
pub(crate) fn unheard(slug: &Slug) -> Fault {
    let fault = Fault::new(Code::StartFailed, format!("`{slug}` has not answered yet"));
    fault.hint("it is still starting: ask again in a while")
}

/// One server under its own name: what it says, but for the revisions, which are the gateway's.
fn discover_one(offer: &Offer) -> Payload {
    if offer.fault.is_some() {
        return discover_all(&[], &Catalog::default());
    }
    let mut edit = offer.discover.edit();
    if offer.instructions().is_none() {
        edit.remove("instructions");
    }
    edit.set("supportedVersions", Json::of(&versions()))
        .set("resultType", Json::from_static("\"complete\""))
        .set_missing("ttlMs", Json::from_static("0"))
        .set_missing("cacheScope", Json::from_static("\"private\""));
    edit.to_payload()
}

/// Many servers as one: the union of what they can do.
fn discover_all(offers: &[(Slug, Option<Arc<Offer>>)], catalog: &Catalog) -> Payload {
    let mut capabilities = serde_json::Map::new();
    let mut extensions = serde_json::Map::new();
    let mut instructions = Vec::new();
    for (slug, offer) in offers {
        let Some(offer) = offer else { continue };
        for name in ["tools", "prompts", "resources", "completions", "logging"] {
            if let Some(capability) = offer.capability(name) {
                merge(&mut capabilities, name, &capability);
            }
        }
        for id in [meta::extension::TASKS, meta::extension::UI, meta::extension::SKILLS] {
            if let Some(own) = offer.extension(id) {
                merge_extension(&mut extensions, id, &own);
            }
        }
        if let Some(text) = offer.instructions().filter(|text| !text.is_empty()) {
            instructions.push(format!("## {slug}\n{text}"));
        }
    }
    if !extensions.is_empty() {
        capabilities.insert("extensions".to_owned(), extensions.into());
    }
    let caching = catalog.tools_caching();
    let mut result = serde_json::json!({
        "resultType": "complete",
        "supportedVersions": versions(),
        "capabilities": capabilities,
        "ttlMs": caching.ttl_ms,
        "cacheScope": "private",
        "_meta": { meta::SERVER_INFO: ask::gateway_info() },
    });
    if let (false, Some(object)) = (instructions.is_empty(), result.as_object_mut()) {
        object.insert("instructions".to_owned(), instructions.join("\n\n").into());
    }
    Payload::of(&result)
}

/// Adds what a server says about an extension to the union: what one of them can do can be done.
fn merge_extension(extensions: &mut serde_json::Map<String, serde_json::Value>, id: &str, own: &serde_json::Value) {
    let entry = extensions.entry(id).or_insert_with(|| serde_json::json!({}));
    let (Some(object), Some(own)) = (entry.as_object_mut(), own.as_object()) else { return };
    for (name, value) in own {
        let known = object.entry(name).or_insert_with(|| value.clone());
        if *value == serde_json::Value::Bool(true) {
            *known = value.clone();
        }
    }
}

/// Adds a server's capability to the union. Lists of the whole change when a server comes or goes, so they announce it.
fn merge(capabilities: &mut serde_json::Map<String, serde_json::Value>, name: &str, capability: &Payload) {
    let entry = capabilities.entry(name).or_insert_with(|| serde_json::json!({}));
    let Some(object) = entry.as_object_mut() else { return };
    if matches!(name, "tools" | "prompts" | "resources") {
        object.insert("listChanged".to_owned(), true.into());
    }
    if capability.object.bool("subscribe") == Some(true) {
        object.insert("subscribe".to_owned(), true.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn what_one_server_can_do_of_an_extension_can_be_done() {
        let mut all = Map::new();
        for own in [json!({ "directoryRead": false }), json!({}), json!({ "directoryRead": true, "more": 1 }), json!({ "more": 2 })] {
            merge_extension(&mut all, meta::extension::SKILLS, &own);
        }
        assert_eq!(all[meta::extension::SKILLS], json!({ "directoryRead": true, "more": 1 }));
    }
}
