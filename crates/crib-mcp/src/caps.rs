//! What a client says it can do, and the reduced form that upstream sessions and lists are keyed by.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::json::{Json, Payload};
use crate::meta::extension;

/// A capability of a client that a server may have to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    ElicitForm,
    ElicitUrl,
    Sample,
    SampleTools,
    SampleContext,
    Roots,
    Tasks,
}

impl Ability {
    const ALL: [Self; 7] =
        [Self::ElicitForm, Self::ElicitUrl, Self::Sample, Self::SampleTools, Self::SampleContext, Self::Roots, Self::Tasks];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The set of abilities a client has, with a fingerprint of its other extensions: equal sets may share.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapSet {
    bits: u16,
    extensions: u64,
}

impl CapSet {
    #[must_use]
    pub fn with(mut self, ability: Ability) -> Self {
        self.bits |= ability.bit();
        self
    }

    #[must_use]
    pub fn without(mut self, ability: Ability) -> Self {
        self.bits &= !ability.bit();
        self
    }

    #[must_use]
    pub fn has(self, ability: Ability) -> bool {
        self.bits & ability.bit() != 0
    }

    /// Tells whether a server may ask such a client anything in the middle of a call.
    #[must_use]
    pub fn is_interactive(self) -> bool {
        self.without(Ability::Tasks).bits != 0
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abilities = Ability::ALL.into_iter().filter(|ability| self.has(*ability));
        write!(f, "CapSet({:x}) ", self.extensions)?;
        f.debug_set().entries(abilities).finish()
    }
}

/// A client's declared capabilities: as written, and reduced.
#[derive(Clone, Debug)]
pub struct ClientCaps {
    pub raw: Json,
    pub set: CapSet,
}

impl ClientCaps {
    /// Reads a `ClientCapabilities` object of any revision.
    #[must_use]
    pub fn read(raw: Json) -> Self {
        let caps = raw.to_object().unwrap_or_default();
        let mut set = CapSet::default();
        if let Some(elicitation) = sub(&caps, "elicitation") {
            // Before 2025-11-25 there was only the form, and an empty object still means it.
            let url = elicitation.object.has("url");
            if elicitation.object.has("form") || !url {
                set = set.with(Ability::ElicitForm);
            }
            if url {
                set = set.with(Ability::ElicitUrl);
            }
        }
        if let Some(sampling) = sub(&caps, "sampling") {
            set = set.with(Ability::Sample);
            if sampling.object.has("tools") {
                set = set.with(Ability::SampleTools);
            }
            if sampling.object.has("context") {
                set = set.with(Ability::SampleContext);
            }
        }
        if caps.object.has("roots") {
            set = set.with(Ability::Roots);
        }
        let extensions = sub(&caps, "extensions").unwrap_or_default();
        if extensions.object.has(extension::TASKS) {
            set = set.with(Ability::Tasks);
        }
        // 2025-11-25 has tasks as a plain capability, and servers list other tools to clients that have it.
        let tasks = caps.get("tasks");
        set.extensions = fingerprint(&extensions, tasks.as_ref());
        Self { raw, set }
    }

    /// The capabilities of a client that declared none.
    #[must_use]
    pub fn none() -> Self {
        Self { raw: Json::from_static("{}"), set: CapSet::default() }
    }
}

fn sub(caps: &Payload, name: &str) -> Option<Payload> {
    caps.get(name)?.to_object().ok()
}

/// Hashes the extensions other than tasks, in an order that does not depend on how they were written.
fn fingerprint(extensions: &Payload, tasks: Option<&Json>) -> u64 {
    let mut sorted: BTreeMap<String, String> = extensions
        .object
        .members()
        .filter(|(name, _)| name != extension::TASKS)
        .map(|(name, value)| (name.into_owned(), value.as_str().to_owned()))
        .collect();
    if let Some(tasks) = tasks {
        sorted.insert("tasks".to_owned(), tasks.as_str().to_owned());
    }
    if sorted.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    sorted.hash(&mut hasher);
    hasher.finish()
}
