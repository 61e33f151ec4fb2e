//! How many of what was found are of which kind: of all results, those of other pages as well.

use crate::{Found, Hit, TransportKind};

/// Values of one facet that are told apart; the rarest are summed up.
const VALUES_MAX: usize = 12;
/// What stands for the rest.
pub const OTHERS: &str = "other";

/// The values of one facet, and how many results have each, most frequent first. A result may have several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub values: Vec<(String, usize)>,
}

// === impl Tally ===

impl Tally {
    /// Counts what each result has.
    pub fn of<'a>(hits: impl Iterator<Item = &'a Hit>, has: impl Fn(&'a Hit) -> Vec<String>) -> Self {
        let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for value in hits.flat_map(has) {
            *counts.entry(value).or_default() += 1;
        }
        let mut values: Vec<(String, usize)> = counts.into_iter().collect();
        values.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then(a.cmp(b)));
        if values.len() > VALUES_MAX {
            let rest = values.split_off(VALUES_MAX).into_iter().map(|(_, count)| count).sum();
            values.push((OTHERS.to_owned(), rest));
        }
        Self { values }
    }
}

impl Found {
    /// Returns all results, those of this page first.
    pub fn all(&self) -> impl Iterator<Item = &Hit> {
        self.hits.iter().chain(&self.others)
    }
}

impl Hit {
    /// Returns how the server can be spoken to, as its entry says.
    #[must_use]
    pub fn transports(&self) -> Vec<&'static str> {
        let server = &self.entry.server;
        let kinds = server.packages.iter().map(|package| &package.transport.kind).chain(server.remotes.iter().map(|remote| &remote.kind));
        let mut all = Vec::new();
        for name in kinds.map(TransportKind::as_str) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}

impl TransportKind {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::StreamableHttp => "streamable-http",
            Self::Sse => "sse",
            Self::Other => OTHERS,
        }
    }
}
