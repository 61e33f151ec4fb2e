//! Which principal may use what: allow and deny patterns such as `files.*` and `*.delete_*`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crib_model::{Code, Fault, Principal, Slug};

/// What kind of thing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Tool,
    Prompt,
    Resource,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
        })
    }
}

/// Patterns as configured. No `allow` at all allows everything; `deny` always wins.
///
/// A pattern is `SERVER.NAME`, where `*` stands for any text, also in its exposed form `SERVER__NAME`. It speaks of
/// tools; `prompt:` or `resource:` in front makes it speak of those. `SERVER.*` and `*`, without such a word, speak of
/// everything the server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSpec {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

/// The rules of all principals.
#[derive(Debug, Default)]
pub struct Rules {
    by_principal: HashMap<Arc<str>, RuleSet>,
    global: RuleSet,
    /// Principals with rules of their own.
    narrowed: HashSet<Arc<str>>,
}

/// The rules of one principal: those for everybody and its own.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Each list that is there must allow.
    allow: Vec<Patterns>,
    deny: Patterns,
    /// What servers offer at all, by slug in lower case; servers that are not named offer everything.
    offers: HashMap<Box<str>, Offer>,
}

/// Which tools of one server are offered to anybody.
#[derive(Clone, Debug, Default)]
struct Offer {
    /// Everything when empty.
    include: Vec<Glob>,
    exclude: Vec<Glob>,
}

/// One decision per position of a list, made ahead.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    words: Vec<u64>,
    count: usize,
}

impl Rules {
    /// Compiles the rules for everybody and those of single principals, by name.
    ///
    /// # Errors
    /// A pattern cannot be read ([`Code::ConfigInvalid`]).
    pub fn build<'a>(global: &RuleSpec, own: impl IntoIterator<Item = (&'a str, &'a RuleSpec)>) -> Result<Self, Fault> {
        let global_set = RuleSet::build(&[global])?;
        let (mut by_principal, mut narrowed) = (HashMap::new(), HashSet::new());
        for (name, spec) in own {
            if *spec != RuleSpec::default() {
                narrowed.insert(Arc::from(name));
            }
            by_principal.insert(Arc::from(name), RuleSet::build(&[global, spec])?);
        }
        Ok(Self { by_principal, global: global_set, narrowed })
    }

    /// Narrows the tools of a server for everybody: only those in `include`, when there are any, and none of `exclude`.
    /// Both hold the server's own names, with `*` for any text.
    #[must_use]
    pub fn offer(mut self, slug: &Slug, include: &[String], exclude: &[String]) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| Glob::parse(text)).collect();
        let offer = Offer { include: globs(include), exclude: globs(exclude) };
        if !offer.include.is_empty() || !offer.exclude.is_empty() {
            let server = slug.as_str().to_ascii_lowercase();
            for set in self.by_principal.values_mut().chain([&mut self.global]) {
                set.offers.insert(server.as_str().into(), offer.clone());
            }
        }
        self
    }

    /// Tells whether a principal may use only some of what there is for everybody.
    #[must_use]
    pub fn is_narrowed(&self, principal: &Principal) -> bool {
        self.narrowed.contains(&principal.name)
    }

    /// Returns the rules of a principal.
    #[must_use]
    pub fn of(&self, principal: &Principal) -> &RuleSet {
        self.by_principal.get(&principal.name).unwrap_or(&self.global)
    }

    /// Tells whether a principal may use something, by the upstream's own name or URI for it.
    #[must_use]
    pub fn allows(&self, principal: &Principal, slug: &Slug, kind: Kind, name: &str) -> bool {
        self.of(principal).allows(slug, kind, name)
    }
}

impl RuleSet {
    /// Compiles patterns that all hold together.
    ///
    /// # Errors
    /// A pattern cannot be read ([`Code::ConfigInvalid`]).
    pub fn build(specs: &[&RuleSpec]) -> Result<Self, Fault> {
        let mut set = Self::default();
        for spec in specs {
            if !spec.allow.is_empty() {
                set.allow.push(Patterns::compile(&spec.allow)?);
            }
            set.deny.add(&spec.deny)?;
        }
        Ok(set)
    }

    /// Tells whether something may be used, by the upstream's own name or URI for it. Does not allocate.
    #[must_use]
    pub fn allows(&self, slug: &Slug, kind: Kind, name: &str) -> bool {
        if self.allows_everything() {
            return true;
        }
        let mut room = [0; Slug::LEN_MAX];
        let server = fold(slug, &mut room);
        !self.deny.match_any(server, kind, name)
            && self.allow.iter().all(|allow| allow.match_any(server, kind, name))
            && (kind != Kind::Tool || self.offers.get(server).is_none_or(|offer| offer.has(name)))
    }

    /// Tells whether there is nothing to look at.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty() && self.offers.is_empty()
    }

    /// Decides for a whole list ahead.
    #[must_use]
    pub fn decide<'a>(&self, list: impl IntoIterator<Item = (&'a Slug, Kind, &'a str)>) -> Allowed {
        let mut allowed = Allowed::default();
        for (slug, kind, name) in list {
            allowed.push(self.allows(slug, kind, name));
        }
        allowed
    }
}

impl Allowed {
    /// Tells whether the thing at this position of the list may be used.
    #[must_use]
    pub fn has(&self, position: usize) -> bool {
        self.words.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Returns how many of the list may be used.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns how long the list is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn push(&mut self, is_allowed: bool) {
        if self.count.is_multiple_of(64) {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(is_allowed) << (self.count % 64);
        }
        self.count += 1;
    }
}

/// Compiled patterns: plain ones in a table, those with `*` in a list.
#[derive(Clone, Debug, Default)]
struct Patterns {
    /// Server in lower case to names and the kinds they are meant for.
    exact: HashMap<Box<str>, HashMap<Box<str>, Kinds>>,
    globs: Vec<Pattern>,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds(u8);

#[derive(Clone, Debug)]
struct Pattern {
    kinds: Kinds,
    server: Glob,
    name: Glob,
}

/// A text with `*` for any run of characters, cut at the stars.
#[derive(Clone, Debug)]
struct Glob {
    head: Box<str>,
    middle: Vec<Box<str>>,
    /// `None` for a text without a star, which must match whole.
    tail: Option<Box<str>>,
}

impl Patterns {
    fn compile(texts: &[String]) -> Result<Self, Fault> {
        let mut patterns = Self::default();
        patterns.add(texts)?;
        Ok(patterns)
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.globs.is_empty()
    }

    fn add(&mut self, texts: &[String]) -> Result<(), Fault> {
        for text in texts {
            let pattern = Pattern::parse(text).ok_or_else(|| malformed(text))?;
            match (pattern.server.as_exact(), pattern.name.as_exact()) {
                (Some(server), Some(name)) => {
                    let kinds = self.exact.entry(server.into()).or_default().entry(name.into()).or_default();
                    *kinds = kinds.with(pattern.kinds);
                }
                _ => self.globs.push(pattern),
            }
        }
        Ok(())
    }

    fn match_any(&self, server: &str, kind: Kind, name: &str) -> bool {
        let is_exact = || self.exact.get(server)?.get(name).map(|kinds| kinds.has(kind));
        (!self.exact.is_empty() && is_exact() == Some(true))
            || self.globs.iter().any(|glob| glob.kinds.has(kind) && glob.server.matches(server) && glob.name.matches(name))
    }
}

impl Offer {
    fn has(&self, name: &str) -> bool {
        let is_included = self.include.is_empty() || self.include.iter().any(|glob| glob.matches(name));
        is_included && !self.exclude.iter().any(|glob| glob.matches(name))
    }
}

impl Kinds {
    const ALL: Self = Self(7);

    const fn one(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, kind: Kind) -> bool {
        self.0 & Self::one(kind).0 != 0
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = match text.split_once(':') {
            Some(("tool", rest)) => (Some(Kind::Tool), rest),
            Some(("prompt", rest)) => (Some(Kind::Prompt), rest),
            Some(("resource", rest)) => (Some(Kind::Resource), rest),
            Some(_) | None => (None, text),
        };
        let (server, name) = if rest == "*" { ("*", "*") } else { split(rest)? };
        let kinds = match kind {
            Some(kind) => Kinds::one(kind),
            None if name == "*" => Kinds::ALL,
            None => Kinds::one(Kind::Tool),
        };
        let is_server = !server.is_empty() && server.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'*'));
        (is_server && !name.is_empty()).then(|| Self { kinds, server: Glob::parse(&server.to_ascii_lowercase()), name: Glob::parse(name) })
    }
}

/// Cuts `SERVER.NAME` or `SERVER__NAME` where the server ends; a server's name holds neither.
fn split(text: &str) -> Option<(&str, &str)> {
    let dot = text.split_once('.');
    let underscores = text.split_once("__");
    match (dot, underscores) {
        (Some(a), Some(b)) => Some(if a.0.len() < b.0.len() { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn malformed(text: &str) -> Fault {
    Fault::new(Code::ConfigInvalid, format!("`{text}` is not a pattern for tools"))
        .hint("write `SERVER.TOOL`, for example `files.*`, `*.delete_*` or `prompt:git.commit`")
}

impl Glob {
    fn parse(text: &str) -> Self {
        let mut parts: Vec<Box<str>> = text.split('*').map(Box::from).collect();
        let tail = if parts.len() > 1 { parts.pop() } else { None };
        let head = if parts.is_empty() { Box::default() } else { parts.remove(0) };
        parts.retain(|part| !part.is_empty());
        Self { head, middle: parts, tail }
    }

    /// Returns the text of one without a star.
    fn as_exact(&self) -> Option<&str> {
        self.tail.is_none().then_some(&self.head)
    }

    fn matches(&self, text: &str) -> bool {
        let Some(tail) = &self.tail else { return text == &*self.head };
        let (head, tail) = (self.head.as_bytes(), tail.as_bytes());
        let mut rest = text.as_bytes();
        // Comparing with the empty text, which lies nowhere, costs far more than with any other: vector loads that
        // reach into no page are slow even where they are masked out.
        if !head.is_empty() {
            match rest.strip_prefix(head) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        for part in &self.middle {
            match behind(rest, part.as_bytes()) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        tail.is_empty() || rest.ends_with(tail)
    }
}

/// Returns what stands behind the first `part`. Names are short: a plain search is done before a clever one has begun.
fn behind<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(part.len()).position(|window| window == part)?;
    text.get(at + part.len()..)
}

/// Writes a slug in lower case into room on the stack.
fn fold<'a>(slug: &Slug, room: &'a mut [u8; Slug::LEN_MAX]) -> &'a str {
    let text = slug.as_str().as_bytes();
    let Some(place) = room.get_mut(..text.len()) else { return "" };
    place.copy_from_slice(text);
    place.make_ascii_lowercase();
    std::str::from_utf8(place).unwrap_or_default()
}

#[cfg(test)]
mod tests;
