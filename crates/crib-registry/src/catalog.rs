//! The catalogue: everything all upstreams offer, under the names clients use.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use crib_model::{Fault, Slug};

use crate::build::{Builder, Naming};
use crate::entry::{ListEntry, Listed, ToolEntry};
use crate::listing::{Caching, Listing};
use crate::lookalike;
use crate::names::NameStyle;
use crate::report::{Collision, Dropped, Lookalike, What};
use crate::search::{Hit, Index};
use crate::suggest;
use crate::table::Table;
use crate::uri::{uri_in, uri_out};

/// Everything all upstreams offer. Immutable; built whole from fresh listings whenever one of them changes.
#[derive(Debug, Default)]
pub struct Catalog {
    tools: Table<ToolEntry>,
    prompts: Table<ListEntry>,
    resources: Table<ListEntry>,
    templates: Table<ListEntry>,
    /// Upstreams by slug in lower case, as URIs carry it.
    slugs: HashMap<String, Slug>,
    /// The only upstream, where names and URIs are left as they are.
    untouched: Option<Slug>,
    faults: Vec<(Slug, Fault)>,
    collisions: Vec<Collision>,
    dropped: Vec<Dropped>,
    lookalikes: Vec<Lookalike>,
    index: OnceLock<Index>,
}

impl Catalog {
    /// Builds the catalogue. Lists are ordered by slug, then as the upstream ordered them.
    #[must_use]
    pub fn build(mut listings: Vec<Listing>, style: &NameStyle) -> Self {
        listings.sort_by(|a, b| a.slug.cmp(&b.slug));
        let untouched = match (listings.as_slice(), style) {
            ([only], NameStyle::Plain) => Some(only.slug.clone()),
            (_, NameStyle::Plain | NameStyle::Prefixed(_)) => None,
        };
        let naming = if untouched.is_some() { Naming::Untouched } else { Naming::Style(style) };
        let mut builder = Builder::new(&listings, naming);
        let tools = builder.tools();
        let prompts = builder.list(What::Prompt);
        let resources = builder.list(What::Resource);
        let templates = builder.list(What::Template);
        let Builder { collisions, dropped, .. } = builder;
        let mut lookalikes = lookalike::pairs(What::Tool, tools.all());
        lookalikes.extend(lookalike::pairs(What::Prompt, prompts.all()));
        let slugs = listings.iter().map(|l| (l.slug.as_str().to_ascii_lowercase(), l.slug.clone())).collect();
        let faults = listings.into_iter().filter_map(|l| Some((l.slug, l.fault?))).collect();
        Self { tools, prompts, resources, templates, slugs, untouched, faults, collisions, dropped, lookalikes, index: OnceLock::new() }
    }

    /// Finds a tool by the name clients use.
    #[must_use]
    pub fn tool(&self, exposed: &str) -> Option<&ToolEntry> {
        self.tools.get(exposed)
    }

    /// Finds a tool by its upstream and own name.
    #[must_use]
    pub fn tool_of(&self, slug: &Slug, name: &str) -> Option<&ToolEntry> {
        self.tools.of(slug, name)
    }

    #[must_use]
    pub fn tools(&self) -> &[ToolEntry] {
        self.tools.all()
    }

    /// Returns up to `size` tools from position `start` on.
    #[must_use]
    pub fn tools_page(&self, start: usize, size: usize) -> &[ToolEntry] {
        self.tools.page(start, size)
    }

    #[must_use]
    pub fn tools_caching(&self) -> Caching {
        self.tools.caching()
    }

    /// Finds a prompt by the name clients use.
    #[must_use]
    pub fn prompt(&self, exposed: &str) -> Option<&ListEntry> {
        self.prompts.get(exposed)
    }

    /// Finds a prompt by its upstream and own name.
    #[must_use]
    pub fn prompt_of(&self, slug: &Slug, name: &str) -> Option<&ListEntry> {
        self.prompts.of(slug, name)
    }

    #[must_use]
    pub fn prompts(&self) -> &[ListEntry] {
        self.prompts.all()
    }

    /// Returns up to `size` prompts from position `start` on.
    #[must_use]
    pub fn prompts_page(&self, start: usize, size: usize) -> &[ListEntry] {
        self.prompts.page(start, size)
    }

    #[must_use]
    pub fn prompts_caching(&self) -> Caching {
        self.prompts.caching()
    }

    /// Finds a listed resource by the URI clients use. Resources need not be listed: see [`Self::route_uri`].
    #[must_use]
    pub fn resource(&self, exposed: &str) -> Option<&ListEntry> {
        self.resources.get(exposed)
    }

    #[must_use]
    pub fn resources(&self) -> &[ListEntry] {
        self.resources.all()
    }

    /// Returns up to `size` resources from position `start` on.
    #[must_use]
    pub fn resources_page(&self, start: usize, size: usize) -> &[ListEntry] {
        self.resources.page(start, size)
    }

    #[must_use]
    pub fn resources_caching(&self) -> Caching {
        self.resources.caching()
    }

    /// Finds a resource template by the template clients use.
    #[must_use]
    pub fn template(&self, exposed: &str) -> Option<&ListEntry> {
        self.templates.get(exposed)
    }

    #[must_use]
    pub fn templates(&self) -> &[ListEntry] {
        self.templates.all()
    }

    /// Returns up to `size` resource templates from position `start` on.
    #[must_use]
    pub fn templates_page(&self, start: usize, size: usize) -> &[ListEntry] {
        self.templates.page(start, size)
    }

    #[must_use]
    pub fn templates_caching(&self) -> Caching {
        self.templates.caching()
    }

    /// Finds the upstream of a URI (or URI template) that a client uses, listed or not, and the upstream's own form.
    #[must_use]
    pub fn route_uri<'a>(&self, exposed: &'a str) -> Option<(&Slug, Cow<'a, str>)> {
        if let Some(only) = &self.untouched {
            return Some((only, Cow::Borrowed(exposed)));
        }
        let (label, own) = uri_in(exposed)?;
        Some((self.slugs.get(&label)?, Cow::Owned(own)))
    }

    /// Returns the form in which clients of this catalogue see an upstream's URI.
    #[must_use]
    pub fn expose_uri<'a>(&self, slug: &Slug, uri: &'a str) -> Cow<'a, str> {
        if self.untouched.is_some() { Cow::Borrowed(uri) } else { Cow::Owned(uri_out(slug, uri)) }
    }

    /// Tells whether names and URIs are those of the only upstream.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.untouched.is_some()
    }

    /// Finds an upstream by its slug, without regard to case.
    #[must_use]
    pub fn upstream(&self, slug: &str) -> Option<&Slug> {
        self.slugs.get(&slug.to_ascii_lowercase())
    }

    /// Returns the upstreams whose lists are missing or incomplete.
    #[must_use]
    pub fn faults(&self) -> &[(Slug, Fault)] {
        &self.faults
    }

    #[must_use]
    pub fn collisions(&self) -> &[Collision] {
        &self.collisions
    }

    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// Returns the tools and prompts of different upstreams that people and models may take for one another.
    #[must_use]
    pub fn lookalikes(&self) -> &[Lookalike] {
        &self.lookalikes
    }

    /// Returns the exposed tool or prompt name most like an unknown one, if any is close.
    ///
    /// Names the caller may not use must be filtered by `may_see`, or the answer tells that they exist.
    #[must_use]
    pub fn did_you_mean(&self, name: &str, may_see: impl Fn(&dyn Listed) -> bool) -> Option<&str> {
        let tools = self.tools.all().iter().map(|entry| entry as &dyn Listed);
        let prompts = self.prompts.all().iter().map(|entry| entry as &dyn Listed);
        suggest::closest(name, tools.chain(prompts), may_see)
    }

    /// Finds the tools that fit some words best, best first.
    #[must_use]
    pub fn search(&self, query: &str, limit: usize) -> Vec<Hit<'_>> {
        let index = self.index.get_or_init(|| Index::build(self.tools.all()));
        index.search(query, limit, self.tools.all())
    }
}
