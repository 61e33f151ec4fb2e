//! What the catalogue knows of one tool, prompt, resource or template.

use std::borrow::Cow;
use std::sync::Arc;

use crib_mcp::header::ParamHeaders;
use crib_mcp::{Json, Payload, Pieces, Revision};
use crib_model::Slug;

/// A tool.
#[derive(Clone, Debug)]
pub struct ToolEntry {
    /// The name clients use.
    pub exposed: Arc<str>,
    /// The upstream's own name.
    pub name: Arc<str>,
    pub slug: Slug,
    /// The dialect the definition is written in.
    pub revision: Revision,
    /// Where the tool stands in the catalogue; indexes whatever others keep per tool.
    pub position: usize,
    /// The definition as exposed: the upstream's bytes, but for the name and UI URIs.
    pub def: Json,
    /// Which arguments are mirrored as `Mcp-Param-*`.
    pub headers: Option<Arc<ParamHeaders>>,
}

/// A prompt, resource or resource template.
#[derive(Clone, Debug)]
pub struct ListEntry {
    /// The name or URI clients use.
    pub exposed: Arc<str>,
    /// The upstream's own name or URI.
    pub name: Arc<str>,
    pub slug: Slug,
    /// The dialect the definition is written in.
    pub revision: Revision,
    /// Where the entry stands in its list.
    pub position: usize,
    /// The definition as exposed: the upstream's bytes, but for the name or URI.
    pub def: Json,
}

/// What entries of all lists have in common.
pub trait Listed {
    fn exposed(&self) -> &Arc<str>;
    /// The upstream's own name or URI.
    fn own(&self) -> &Arc<str>;
    fn slug(&self) -> &Slug;
    fn def(&self) -> &Json;
    fn revision(&self) -> Revision;
    fn position(&self) -> usize;
}

/// Writes the definitions as the inside of a JSON array: no brackets, commas between.
pub fn write_items<'a, E: Listed + 'a>(entries: impl IntoIterator<Item = &'a E>, out: &mut Pieces) {
    for (at, entry) in entries.into_iter().enumerate() {
        if at > 0 {
            out.text(",");
        }
        // Definitions are small and many: one run of bytes is cheaper to send than thousands of shares.
        out.copy(entry.def().bytes());
    }
}

// === impl ToolEntry ===

impl ToolEntry {
    /// Reads the definition's members.
    #[must_use]
    pub fn members(&self) -> Payload {
        self.def.to_object().unwrap_or_default()
    }

    #[must_use]
    pub fn input_schema(&self) -> Option<Json> {
        self.members().get("inputSchema")
    }

    #[must_use]
    pub fn description(&self) -> Option<String> {
        self.members().text("description").map(Cow::into_owned)
    }

    /// Returns the title for people: `title`, else `annotations.title`.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        title_of(&self.members())
    }

    /// Returns a hint the upstream claims, such as `readOnlyHint`. Nobody vouches for it.
    #[must_use]
    pub fn claimed_hint(&self, name: &str) -> Option<bool> {
        sub(&self.members(), "annotations")?.object.bool(name)
    }

    /// Returns the labels the upstream gives the tool.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        tags_of(&self.members())
    }
}

pub(crate) fn title_of(members: &Payload) -> Option<String> {
    if let Some(title) = members.text("title") {
        return Some(title.into_owned());
    }
    sub(members, "annotations")?.text("title").map(Cow::into_owned)
}

/// Tags have no place in the protocol yet; these are the places servers put them.
pub(crate) fn tags_of(members: &Payload) -> Vec<String> {
    let mut tags = texts(members.get("tags"));
    if let Some(annotations) = sub(members, "annotations") {
        tags.extend(texts(annotations.get("tags")));
    }
    tags.extend(texts(members.meta("tags")));
    for vendor in ["fastmcp", "_fastmcp"] {
        if let Some(inner) = members.meta(vendor).and_then(|meta| meta.to_object().ok()) {
            tags.extend(texts(inner.get("tags")));
        }
    }
    tags
}

fn sub(members: &Payload, name: &str) -> Option<Payload> {
    members.get(name)?.to_object().ok()
}

fn texts(list: Option<Json>) -> Vec<String> {
    let elements = list.and_then(|list| list.to_elements().ok()).unwrap_or_default();
    elements.iter().filter_map(|element| element.as_text().map(Cow::into_owned)).collect()
}

// === impl Listed ===

macro_rules! listed {
    ($($name:ty),+) => {$(
        impl Listed for $name {
            fn exposed(&self) -> &Arc<str> {
                &self.exposed
            }

            fn own(&self) -> &Arc<str> {
                &self.name
            }

            fn slug(&self) -> &Slug {
                &self.slug
            }

            fn def(&self) -> &Json {
                &self.def
            }

            fn revision(&self) -> Revision {
                self.revision
            }

            fn position(&self) -> usize {
                self.position
            }
        }
    )+};
}

listed!(ToolEntry, ListEntry);
