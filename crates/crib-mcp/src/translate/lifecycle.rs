//! The first words between client and server: `initialize` before 2026-07-28, `server/discover` since.

use crate::json::{Chunks, Json, Payload};
use crate::meta::{self, extension};
use crate::revision::Revision;
use crate::translate::content;
use crate::translate::outcome::set_meta;

/// Returns the `InitializeResult` a legacy client gets for a server that was discovered.
#[must_use]
pub fn initialize_result(discover: &Payload, to: Revision) -> Json {
    let unnamed = Json::from_static("{\"name\":\"unknown\",\"version\":\"0\"}");
    let mut edit = discover.edit();
    edit.remove("resultType").remove("supportedVersions").remove("ttlMs").remove("cacheScope");
    edit.set("capabilities", capabilities_down(discover, to));
    edit.set("protocolVersion", Json::of(to.as_str()));
    edit.set("serverInfo", discover.meta(meta::SERVER_INFO).unwrap_or(unnamed));
    let mut meta = discover.edit_meta();
    meta.remove(meta::SERVER_INFO);
    set_meta(&mut edit, &meta);
    Json::trusted(edit.finish().into_bytes())
}

/// Extensions that are built on modern requests are not offered to legacy clients.
fn capabilities_down(discover: &Payload, to: Revision) -> Chunks {
    let Some(capabilities) = discover.get("capabilities").and_then(|json| json.to_object().ok()) else {
        return Json::from_static("{}").into();
    };
    let mut edit = capabilities.edit();
    if to < Revision::V2025_03_26 {
        edit.remove("completions");
    }
    if let Some(extensions) = capabilities.get("extensions").and_then(|json| json.to_object().ok()) {
        let mut fewer = extensions.edit();
        fewer.remove(extension::TASKS).remove(extension::SKILLS);
        if fewer.leaves_nothing() {
            edit.remove("extensions");
        } else if !fewer.is_unchanged() {
            edit.set("extensions", fewer.finish());
        }
    }
    edit.finish()
}

/// Returns the `DiscoverResult` for a server that was initialised.
///
/// The experimental `tasks` of 2025-11-25 is not the extension of that name and is left out.
#[must_use]
pub fn discover_result(initialize: &Payload, supported: &[Revision]) -> Payload {
    let mut edit = initialize.edit();
    edit.remove("protocolVersion").remove("serverInfo");
    edit.set("resultType", Json::from_static("\"complete\""));
    let versions = supported.iter().map(|revision| Chunks::from(Json::of(revision.as_str())));
    edit.set("supportedVersions", content::join(versions));
    edit.set("ttlMs", Json::from_static("0")).set("cacheScope", Json::from_static("\"private\""));
    match initialize.get("capabilities").and_then(|json| json.to_object().ok()) {
        Some(capabilities) => edit.set("capabilities", capabilities.edit().remove("tasks").finish()),
        None => edit.set("capabilities", Json::from_static("{}")),
    };
    if let Some(info) = initialize.get("serverInfo") {
        let mut meta = initialize.edit_meta();
        meta.set_missing(meta::SERVER_INFO, info);
        set_meta(&mut edit, &meta);
    }
    edit.to_payload()
}
