//! From a name to the one entry that it stands for.

use crib_model::{Code, Fault};

use crate::document::{is_name, is_version};
use crate::entry::Page;
use crate::fetch::encode;
use crate::rank::Words;
use crate::{Answer, Entry, Facets, Hit, Market, Query, Registry};

/// Most servers that are named where a short name was given.
const CANDIDATES_MAX: usize = 5;

/// What a name stands for.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub registry: Registry,
    pub entry: Entry,
    /// When the registry said it, and why it was not asked now, where it should have been.
    pub stale: Option<(u64, Fault)>,
}

impl Market {
    /// Asks the registries, one after the other, for a server; the first that has it decides.
    ///
    /// # Errors
    /// TC0445 when none has it. What a registry cannot tell, another one may not tell in its place: then it is the
    /// failure of that registry.
    pub async fn resolve(&self, name: &str, version: Option<&str>) -> Result<Resolved, Fault> {
        if !is_name(name) || !version.is_none_or(is_version) {
            let shown = crate::shown(name, 100);
            return Err(Fault::new(Code::ServerUnlisted, format!("`{shown}` is not the name of a server in a registry"))
                .hint("such names are `namespace/server`, with a version after `@`: io.github.owner/server@1.0.0"));
        }
        for registry in self.registries() {
            let found = self.one(registry, name, version).await.map_err(|fault| {
                let others = self.registries().len() > 1 && fault.remedy().is_none();
                if others { fault.hint("to ask only one that answers: --registry NAME   (toolcrib registry ls)") } else { fault }
            })?;
            if let Some(resolved) = found {
                return Ok(resolved);
            }
        }
        Err(self.unlisted(name, version).await)
    }

    /// Finds servers whose own name is this, in whatever namespace.
    pub async fn candidates(&self, short: &str) -> Vec<Hit> {
        let query = Query { words: Words::read(short), facets: Facets::default(), limit: CANDIDATES_MAX, ..Query::default() };
        self.search(&query).await.hits
    }

    async fn one(&self, registry: &Registry, name: &str, version: Option<&str>) -> Result<Option<Resolved>, Fault> {
        let path = format!("servers/{}/versions/{}", encode(name), encode(version.unwrap_or("latest")));
        if let Some(answer) = self.ask(registry, &path).await? {
            let entry = Entry::read(&answer.value).ok_or_else(|| crate::market::broken(registry, "its entry cannot be read"))?;
            let is_it = entry.server.name == name && version.is_none_or(|version| version == entry.server.version);
            if !is_it {
                let other = format!("asked for `{name}`, it answers with `{}` {}", entry.server.name, entry.server.version);
                return Err(crate::market::broken(registry, &other));
            }
            return Ok(Some(resolved(registry, entry, answer)));
        }
        // A registry that is only a list has no address for one server.
        let path = format!("servers?search={}&version={}&limit=100", encode(name), encode(version.unwrap_or("latest")));
        let Some(answer) = self.ask(registry, &path).await? else { return Ok(None) };
        let page = Page::read(&answer.value).unwrap_or_default();
        let is_it = |entry: &Entry| entry.server.name == name && version.is_none_or(|version| version == entry.server.version);
        let newest = page.entries.into_iter().filter(is_it).reduce(|one, other| if other.is_newer_than(&one) { other } else { one });
        Ok(newest.map(|entry| resolved(registry, entry, answer)))
    }

    /// Says that there is no such server, and what there is instead.
    async fn unlisted(&self, name: &str, version: Option<&str>) -> Fault {
        let asked: Vec<&str> = self.registries().iter().map(|registry| registry.name.as_str()).collect();
        let shown = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
        let fault = Fault::new(Code::ServerUnlisted, format!("no registry lists `{shown}`"));
        let fault =
            fault.because(if asked.is_empty() { "there is no registry".to_owned() } else { format!("asked: {}", asked.join(", ")) });
        let short = name.rsplit('/').next().unwrap_or(name);
        let near: Vec<String> = self.candidates(short).await.into_iter().map(|hit| hit.entry.server.name).collect();
        match (version, near.as_slice()) {
            (Some(version), near) if near.iter().any(|known| known == name) => {
                fault.hint(format!("it has no version {version}; the latest: toolcrib run {name}"))
            }
            (_, []) => fault.hint(format!("toolcrib search {short}")),
            (_, near) => fault.hint(format!("there is {}", near.join(", "))),
        }
    }
}

fn resolved(registry: &Registry, entry: Entry, answer: Answer) -> Resolved {
    Resolved { registry: registry.clone(), entry, stale: answer.stale.map(|fault| (answer.at, fault)) }
}
