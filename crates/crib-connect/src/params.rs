//! The parameters of a request to an upstream: the client's bytes with the few members in place that this hop owns.

use crib_mcp::{Chunks, Edit, Json, Pieces, Revision, meta};
use crib_model::{Forward, InputResponse, State};

/// Keys of `_meta` that say who calls in 2026-07-28 and mean nothing to an older server.
const CALLER_KEYS: [&str; 4] = [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::CLIENT_INFO, meta::LOG_LEVEL];

/// Writes the parameters for an upstream of 2026-07-28.
///
/// `token` replaces the client's progress token; without one the server is not asked for progress.
pub(crate) fn modern(forward: &Forward, token: Option<&Json>) -> Chunks {
    let mut edit = forward.params.edit();
    place_target(&mut edit, forward);
    if forward.method.allows_input() {
        edit.remove("inputResponses").remove("requestState");
    }
    if let Some(inputs) = &forward.inputs {
        if !inputs.responses.is_empty() {
            edit.set("inputResponses", responses(&inputs.responses));
        }
        if let Some(State::Upstream(state)) = &inputs.state {
            edit.set("requestState", state.clone());
        }
    }
    let mut meta = forward.params.edit_meta();
    if !forward.client.revision.is_modern() {
        // What a legacy client puts under these keys is not this protocol's; what it wants as a task is not asked so.
        edit.remove("task");
        introduce(&mut meta, forward);
    }
    annotate(&mut meta, forward, token);
    if !meta.is_unchanged() || !forward.params.object.has("_meta") {
        edit.set("_meta", meta.finish());
    }
    edit.finish()
}

/// Writes the parameters for an upstream of an older revision. `task` asks it to run the call as a task.
pub(crate) fn legacy(forward: &Forward, revision: Revision, token: Option<&Json>, task: Option<&Json>) -> Chunks {
    let mut edit = forward.params.edit();
    place_target(&mut edit, forward);
    edit.remove("inputResponses").remove("requestState");
    match task {
        Some(task) => edit.set("task", task.clone()),
        None => edit.remove("task"),
    };
    if revision < Revision::V2025_06_18 && forward.method == crib_mcp::Method::Complete {
        edit.remove("context");
    }
    let mut meta = forward.params.edit_meta();
    meta.remove_where(|name| CALLER_KEYS.contains(&name));
    annotate(&mut meta, forward, token);
    if meta.leaves_nothing() {
        edit.remove("_meta");
    } else if !meta.is_unchanged() {
        edit.set("_meta", meta.finish());
    }
    edit.finish()
}

fn place_target<'a>(edit: &mut Edit<'a>, forward: &'a Forward) {
    if let (Some(key), Some(target)) = (forward.method.target_key(), &forward.target) {
        edit.set(key, Json::string(target));
    }
}

/// Describes a legacy client in the words of 2026-07-28.
fn introduce(meta: &mut Edit<'_>, forward: &Forward) {
    meta.remove_where(|name| CALLER_KEYS.contains(&name));
    let client = &forward.client;
    meta.set(meta::PROTOCOL_VERSION, Json::of(Revision::LATEST.as_str()));
    meta.set(meta::CLIENT_CAPABILITIES, client.caps.raw.clone());
    if let Some(info) = &client.info {
        meta.set(meta::CLIENT_INFO, info.clone());
    }
    if let Some(level) = &forward.log_level {
        meta.set(meta::LOG_LEVEL, level.clone());
    }
}

fn annotate(meta: &mut Edit<'_>, forward: &Forward, token: Option<&Json>) {
    match token {
        Some(token) => meta.set(meta::PROGRESS_TOKEN, token.clone()),
        None => meta.remove(meta::PROGRESS_TOKEN),
    };
    if let Some(trace) = forward.trace {
        meta.set(meta::TRACEPARENT, Json::of(&trace.to_traceparent()));
    }
}

/// A refusal has no form in 2026-07-28; its key is left out, and the server asks again or gives up.
fn responses(responses: &[(String, InputResponse)]) -> Chunks {
    let mut out = Pieces::default();
    out.text("{");
    let mut first = true;
    for (key, response) in responses {
        let InputResponse::Result(result) = response else { continue };
        if !std::mem::take(&mut first) {
            out.text(",");
        }
        out.json(&Json::of(key)).text(":").json(result);
    }
    out.text("}");
    out.finish()
}
