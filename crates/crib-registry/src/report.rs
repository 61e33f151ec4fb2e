//! What the catalogue had to rename or leave out, for people.

use std::fmt;
use std::sync::Arc;

use crib_model::Slug;

/// The four kinds of things a catalogue lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Tool,
    Prompt,
    Resource,
    Template,
}

impl What {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "resource template",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Two upstreams' names that would have been exposed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    pub what: What,
    /// The name both wanted.
    pub exposed: Arc<str>,
    /// Who keeps it: upstream and own name.
    pub kept: (Slug, Arc<str>),
    /// Who is exposed otherwise: upstream, own name and exposed name.
    pub renamed: (Slug, Arc<str>, Arc<str>),
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, (slug, name, new)) = (&self.kept, &self.renamed);
        write!(f, "{} `{}` is offered by `{}` and `{slug}`: `{name}` of `{slug}` is called `{new}`", self.what, self.exposed, kept.0)
    }
}

/// Two upstreams' names that are not the same and look as if they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    pub what: What,
    /// Upstream and own name of who comes first in the catalogue.
    pub first: (Slug, Arc<str>),
    pub second: (Slug, Arc<str>),
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((slug, name), (other_slug, other_name)) = (&self.first, &self.second);
        write!(f, "{}s `{}` of `{slug}` and `{}` of `{other_slug}` look alike", self.what, plain(name), plain(other_name))
    }
}

/// Spells out what is not ASCII: on a screen the two would be one.
fn plain(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_ascii() { vec![c] } else { c.escape_unicode().collect() }).collect()
}

/// Why an item is not in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DroppedWhy {
    #[error("it is not an object with a `{0}`")]
    Shapeless(&'static str),
    #[error("its name holds the invisible or control character U+{0:04X}")]
    HiddenCharacter(u32),
    #[error("its name mixes scripts: U+{0:04X} is not the Latin letter it looks like")]
    BorrowedLetter(u32),
    #[error("the server lists it twice")]
    Duplicate,
    #[error("its name is longer than {0} bytes")]
    TooLong(usize),
    #[error("its x-mcp-header is not valid: {0}")]
    ParamHeader(String),
}

/// An item that is not in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub what: What,
    pub slug: Slug,
    /// The item's own name or URI, escaped; `#12` for the twelfth item where it has none.
    pub name: String,
    pub why: DroppedWhy,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` of `{}` is left out: {}", self.what, self.name, self.slug, self.why)
    }
}
