//! The list methods, answered from the catalogue.

use std::sync::Arc;

use bytes::Bytes;
use crib_mcp::{Chunks, Json, Method, Pieces, Revision, translate};
use crib_model::{Code, Fault};
use crib_policy::{Kind, Purpose, Seal};
use crib_registry::{CacheScope, Caching, Listed};

use crate::ask::list_key;
use crate::call::{Call, Finish};
use crate::mapping::{self, Uris};
use crate::plane::Plane;
use crate::view::View;

/// Answers `tools/list` and its siblings.
pub(crate) async fn serve(plane: &Plane, call: &Call) -> Result<Finish, Fault> {
    let view = call.snapshot.view(&call.scope, &call.client.caps).await;
    call.snapshot.refresh_if_stale(&call.scope, call.client.caps.set, plane.clock.now());
    if let Some(fault) = view.only_fault() {
        return Err(fault);
    }
    let start = match call.params.text("cursor") {
        Some(cursor) => position(plane, call, &cursor)?,
        None if call.params.object.has("cursor") => return Err(bad_cursor()),
        None => 0,
    };
    let key = list_key(&call.method);
    if call.method == Method::SkillsList {
        return Ok(Finish::Result(skills(&view).into()));
    }
    let (entries, caching, kind) = match call.method {
        Method::ToolsList => (listed(view.catalog.tools()), view.catalog.tools_caching(), Kind::Tool),
        Method::PromptsList => (listed(view.catalog.prompts()), view.catalog.prompts_caching(), Kind::Prompt),
        Method::ResourcesTemplatesList => (listed(view.catalog.templates()), view.catalog.templates_caching(), Kind::Resource),
        _ => (listed(view.catalog.resources()), view.catalog.resources_caching(), Kind::Resource),
    };
    let revision = call.client.revision;
    let rules_of = Arc::clone(&call.principal.name);
    let text = view.text((key, revision, start, rules_of), || {
        let rules = call.snapshot.setup.rules.of(&call.principal);
        let is_restricted = !rules.allows_everything();
        let seen: Vec<&dyn Listed> = if is_restricted {
            let may = |entry: &&dyn Listed| rules.allows(entry.slug(), kind, entry.own());
            entries.into_iter().filter(may).collect()
        } else {
            entries
        };
        let page = Page { call, key, start, caching: filtered(caching, is_restricted) };
        page.write(plane, &seen)
    });
    Ok(Finish::Result(text.into()))
}

fn listed<E: Listed>(entries: &[E]) -> Vec<&dyn Listed> {
    entries.iter().map(|entry| entry as &dyn Listed).collect()
}

/// A list that was filtered for its reader must not be shared.
fn filtered(caching: Caching, is_restricted: bool) -> Caching {
    if is_restricted { Caching { scope: CacheScope::Private, ..caching } } else { caching }
}

struct Page<'a> {
    call: &'a Call,
    key: &'static str,
    start: usize,
    caching: Caching,
}

impl Page<'_> {
    fn write(&self, plane: &Plane, seen: &[&dyn Listed]) -> Bytes {
        let size = self.call.snapshot.setup.page_size;
        let revision = self.call.client.revision;
        let page = seen.get(self.start.min(seen.len())..).unwrap_or_default();
        let page = page.get(..size.min(page.len())).unwrap_or_default();
        let mut out = Pieces::with_capacity(page.iter().map(|entry| entry.def().bytes().len() + 1).sum::<usize>() + 256);
        out.text("{");
        if revision.is_modern() {
            out.text("\"resultType\":\"complete\",");
        }
        out.json(&Json::of(self.key)).text(":[");
        for (at, entry) in page.iter().enumerate() {
            if at > 0 {
                out.text(",");
            }
            if entry.revision() == revision {
                out.json(entry.def());
            } else {
                out.json(&translate::list_item(&self.call.method, entry.def(), revision));
            }
        }
        out.text("]");
        let next = self.start + page.len();
        if next < seen.len() {
            out.text(",\"nextCursor\":").json(&Json::of(&cursor(&plane.seal, self.call, next)));
        }
        if revision.is_modern() {
            out.text(",\"ttlMs\":").json(&Json::of(&self.caching.ttl_ms));
            out.text(",\"cacheScope\":").json(&Json::of(self.caching.scope.as_str()));
            out.text(",\"_meta\":{").json(&Json::of(crib_mcp::meta::SERVER_INFO)).text(":").json(&plane.info).text("}");
        }
        out.text("}");
        out.finish().into_bytes()
    }
}

fn context(call: &Call) -> String {
    format!("{} {:?}", call.method, call.scope)
}

fn cursor(seal: &Seal, call: &Call, position: usize) -> String {
    seal.seal(Purpose::Cursor, &call.principal, context(call).as_bytes(), position.to_string().as_bytes())
}

fn position(plane: &Plane, call: &Call, cursor: &str) -> Result<usize, Fault> {
    let opened = plane.seal.open(Purpose::Cursor, &call.principal, context(call).as_bytes(), cursor).ok_or_else(bad_cursor)?;
    std::str::from_utf8(&opened).ok().and_then(|text| text.parse().ok()).ok_or_else(bad_cursor)
}

fn bad_cursor() -> Fault {
    Fault::new(Code::CursorInvalid, "Invalid cursor").hint("list again from the start, without a cursor")
}

/// Skills of all servers in one page, their URIs in the client's form.
fn skills(view: &View) -> Bytes {
    let mut out = Pieces::with_capacity(1024);
    out.text("{\"resultType\":\"complete\",\"skills\":[");
    let mut first = true;
    for (slug, offer) in &view.offers {
        let Some(offer) = offer else { continue };
        let uris = if view.catalog.is_untouched() { Uris::AsIs } else { Uris::Of(slug) };
        for skill in &offer.skills.items {
            if !std::mem::replace(&mut first, false) {
                out.text(",");
            }
            out.chunks(&mapping::skill(skill, uris));
        }
    }
    out.text("],\"ttlMs\":0,\"cacheScope\":\"private\"}");
    out.finish().into_bytes()
}

/// Writes a discover result for the client.
pub(crate) fn discover(view: &View, revision: Revision) -> Chunks {
    if revision.is_modern() { view.discover.to_json().into() } else { translate::initialize_result(&view.discover, revision).into() }
}

/// An empty result.
pub(crate) fn empty(revision: Revision) -> Chunks {
    let text = if revision.is_modern() { "{\"resultType\":\"complete\"}" } else { "{}" };
    Json::from_static(text).into()
}
