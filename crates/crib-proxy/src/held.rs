//! Tools that wait for approval: in no list, and refused by name.

use std::sync::Arc;

use crib_mcp::ClientCaps;
use crib_model::{Code, Fault, Principal, Scope, Slug};
use crib_policy::Kind;
use crib_registry::NameStyle;
use crib_registry::pins::{Finding, Held, HeldWhy, INSTRUCTIONS, visible};

use crate::plane::Plane;
use crate::source::Offer;
use crate::view::View;

/// A tool that is not shown until somebody approves it.
#[derive(Clone, Debug)]
pub(crate) struct HeldTool {
    slug: Slug,
    name: String,
    /// The name clients would use.
    exposed: String,
    why: HeldWhy,
}

/// Something of a server that clients do not see, or should look at twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub slug: Slug,
    /// The server's own name for it, hidden characters spelt out.
    pub name: String,
    pub why: LeftOutWhy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOutWhy {
    /// It waits for approval.
    Held(HeldWhy),
    /// It cannot be exposed.
    Dropped(String),
    /// It is used, and is not what was approved; the configuration wants only to be told.
    Warned(HeldWhy),
    /// It is used, and its text is odd.
    Odd(Vec<Finding>),
    /// It is used, and looks like something of another server.
    Lookalike(String),
}

impl LeftOutWhy {
    /// Returns the state in one word.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Dropped(_) => "dropped",
            Self::Warned(_) => "warned",
            Self::Odd(_) => "odd",
            Self::Lookalike(_) => "lookalike",
        }
    }
}

impl HeldTool {
    pub(crate) fn all(offers: &[(Slug, Option<Arc<Offer>>)], style: &NameStyle, is_plain: bool) -> Vec<Self> {
        let held = offers
            .iter()
            .flat_map(|(slug, offer)| offer.iter().flat_map(move |offer| offer.verdict.held.iter().map(move |held| (slug, held))));
        let tools = held.filter(|(_, held)| held.at.is_some());
        let tool = |(slug, Held { name, why, .. }): (&Slug, &Held)| {
            let exposed = if is_plain { name.clone() } else { style.expose(slug, name) };
            Self { slug: slug.clone(), name: name.clone(), exposed, why: why.clone() }
        };
        tools.map(tool).collect()
    }

    fn is_called(&self, asked: &str) -> bool {
        // A server may not mind the case.
        let dotted =
            || asked.split_once('.').is_some_and(|(server, tool)| self.slug.as_str().eq_ignore_ascii_case(server) && self.name == tool);
        self.exposed.eq_ignore_ascii_case(asked) || dotted()
    }

    fn fault(&self) -> Fault {
        let path = format!("{}.{}", self.slug, visible(&self.name));
        let hint = format!("review:   toolcrib approve {path} --diff\napprove:  toolcrib approve {path}");
        Fault::new(Code::ToolHeld, format!("`{path}` {}", self.why)).hint(hint)
    }
}

impl View {
    /// Returns the refusal for a tool that waits for approval, if this is one that the caller might use otherwise.
    pub(crate) fn held_back(&self, asked: &str, may: impl Fn(&Slug, &str) -> bool) -> Option<Fault> {
        self.held.iter().find(|held| held.is_called(asked) && may(&held.slug, &held.name)).map(HeldTool::fault)
    }
}

impl Plane {
    /// Returns the refusal for a tool that waits for approval, by its exposed name or as `server.tool`.
    pub async fn held_back(&self, principal: &Arc<Principal>, name: &str) -> Option<Fault> {
        let snapshot = self.snapshot();
        let view = snapshot.view_for(&Scope::All, &ClientCaps::none(), name).await;
        view.held_back(name, |slug, own| snapshot.setup.rules.allows(principal, slug, Kind::Tool, own))
    }

    /// Returns what of the servers' tools a caller who might use it does not see, or should look at twice. Asks no
    /// server: what was not listed yet is not told.
    #[must_use]
    pub fn left_out(&self, principal: &Arc<Principal>) -> Vec<LeftOut> {
        let snapshot = self.snapshot();
        let Some(view) = snapshot.known_view(&Scope::All, ClientCaps::none().set) else { return Vec::new() };
        let mut all = Vec::new();
        for (slug, offer) in &view.offers {
            let Some(offer) = offer else { continue };
            let mut add = |name: &str, why| all.push((slug.clone(), name.to_owned(), why));
            for held in &offer.verdict.held {
                add(&held.name, LeftOutWhy::Held(held.why.clone()));
            }
            for warned in &offer.verdict.warned {
                add(&warned.name, LeftOutWhy::Warned(warned.why.clone()));
            }
            for (name, findings) in &offer.verdict.findings {
                add(name, LeftOutWhy::Odd(findings.clone()));
            }
        }
        for dropped in view.catalog.dropped() {
            all.push((dropped.slug.clone(), dropped.name.clone(), LeftOutWhy::Dropped(dropped.why.to_string())));
        }
        for lookalike in view.catalog.lookalikes() {
            let (slug, name) = &lookalike.second;
            all.push((slug.clone(), name.to_string(), LeftOutWhy::Lookalike(lookalike.to_string())));
        }
        let may = |slug: &Slug, name: &str| name == INSTRUCTIONS || snapshot.setup.rules.allows(principal, slug, Kind::Tool, name);
        let all = all.into_iter().filter(|(slug, name, _)| may(slug, name));
        all.map(|(slug, name, why)| LeftOut { slug, name: visible(&name), why }).collect()
    }
}
