//! Questions of a server to a client, and the answers: requests of their own before 2026-07-28, `inputRequests` since.

mod sampling;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::json::{Edit, Json, Payload};
use crate::meta;
use crate::method::Method;
use crate::revision::Revision;
use crate::translate::outcome::set_meta;
use crate::translate::schema;

/// Returns the parameters of an input request as a request of legacy revision `to`.
///
/// An `elicitationId`, which 2025-11-25 wants for a URL, is derived from the parameters where there is none.
///
/// # Errors
/// Says what the revision cannot express. The client must then be treated as one without the capability.
pub fn input_request_down(method: &Method, params: &Payload, to: Revision) -> Result<Payload, String> {
    if to.is_modern() {
        return Ok(params.clone());
    }
    if *method == Method::ElicitationCreate {
        elicitation_down(params, to)
    } else if *method == Method::SamplingCreate {
        sampling::request_down(params, to)
    } else if *method == Method::RootsList {
        Ok(params.clone())
    } else {
        Err(format!("`{method}` is not a question to a client"))
    }
}

fn elicitation_down(params: &Payload, to: Revision) -> Result<Payload, String> {
    if !to.has_elicitation() {
        return Err(format!("{to} has no elicitation"));
    }
    let mut edit = params.edit();
    if params.text("mode").as_deref() == Some("url") {
        if !to.has_rich_input() {
            return Err(format!("{to} has no elicitation by URL"));
        }
        edit.set_missing("elicitationId", Json::of(&fingerprint(params)));
    } else if !to.has_rich_input() {
        edit.remove("mode");
        if let Some(requested) = params.get("requestedSchema")
            && let Some(plain) = schema::form_2025_06_18(&requested)?
        {
            edit.set("requestedSchema", plain);
        }
    }
    Ok(finish(&edit, params))
}

fn fingerprint(params: &Payload) -> String {
    let mut hasher = DefaultHasher::new();
    params.to_json().as_str().hash(&mut hasher);
    format!("url-{:016x}", hasher.finish())
}

/// Returns the parameters of a legacy server's request in the form an `inputRequests` entry has.
#[must_use]
pub fn input_request_up(method: &Method, params: &Payload, from: Revision) -> Payload {
    if from.is_modern() {
        return params.clone();
    }
    let mut edit = params.edit();
    edit.remove("task");
    if *method == Method::ElicitationCreate {
        edit.remove("elicitationId");
    }
    let mut meta = params.edit_meta();
    meta.remove(meta::PROGRESS_TOKEN).remove(meta::RELATED_TASK);
    set_meta(&mut edit, &meta);
    finish(&edit, params)
}

/// Returns a legacy client's result as the answer an `inputResponses` entry holds.
#[must_use]
pub fn input_response_up(_method: &Method, result: &Payload, from: Revision) -> Payload {
    if from.is_modern() {
        return result.clone();
    }
    let mut edit = result.edit();
    let mut meta = result.edit_meta();
    meta.remove(meta::RELATED_TASK);
    set_meta(&mut edit, &meta);
    finish(&edit, result)
}

/// Returns the answer in an `inputResponses` entry as a result for a legacy server.
#[must_use]
pub fn input_response_down(method: &Method, response: &Json, to: Revision) -> Json {
    let Ok(result) = response.to_object() else { return response.clone() };
    let mut edit = result.edit();
    if !to.is_modern() {
        edit.remove("resultType");
        if *method == Method::SamplingCreate {
            sampling::response_down(&mut edit, &result, to);
        }
    }
    if edit.is_unchanged() { response.clone() } else { Json::trusted(edit.finish().into_bytes()) }
}

fn finish(edit: &Edit<'_>, payload: &Payload) -> Payload {
    if edit.is_unchanged() { payload.clone() } else { edit.to_payload() }
}
