//! One list of the catalogue: entries in order, found by exposed and by own name.

use std::collections::HashMap;
use std::sync::Arc;

use crib_model::Slug;
use foldhash::fast::RandomState;

use crate::entry::Listed;
use crate::listing::Caching;

#[derive(Debug)]
pub(crate) struct Table<E> {
    entries: Vec<E>,
    by_exposed: HashMap<Arc<str>, usize, RandomState>,
    by_own: HashMap<Slug, HashMap<Arc<str>, usize, RandomState>, RandomState>,
    caching: Option<Caching>,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_exposed: HashMap::default(), by_own: HashMap::default(), caching: None }
    }
}

impl<E: Listed> Table<E> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn push(&mut self, entry: E) {
        let at = self.entries.len();
        self.by_exposed.insert(Arc::clone(entry.exposed()), at);
        self.by_own.entry(entry.slug().clone()).or_default().insert(Arc::clone(entry.own()), at);
        self.entries.push(entry);
    }

    pub(crate) fn add_caching(&mut self, caching: Caching) {
        self.caching = Some(self.caching.map_or(caching, |so_far| so_far.merge(caching)));
    }

    pub(crate) fn caching(&self) -> Caching {
        self.caching.unwrap_or_default()
    }

    pub(crate) fn get(&self, exposed: &str) -> Option<&E> {
        self.by_exposed.get(exposed).and_then(|at| self.entries.get(*at))
    }

    pub(crate) fn of(&self, slug: &Slug, own: &str) -> Option<&E> {
        self.by_own.get(slug)?.get(own).and_then(|at| self.entries.get(*at))
    }

    pub(crate) fn all(&self) -> &[E] {
        &self.entries
    }

    pub(crate) fn page(&self, start: usize, size: usize) -> &[E] {
        let start = start.min(self.entries.len());
        let end = start.saturating_add(size).min(self.entries.len());
        self.entries.get(start..end).unwrap_or_default()
    }
}
