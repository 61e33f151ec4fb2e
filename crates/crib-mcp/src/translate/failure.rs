//! Errors.

use crate::error::{RpcError, code};
use crate::method::Method;
use crate::revision::Revision;

/// Codes the protocol reserves for itself (2026-07-28 "Error Codes").
const RESERVED: std::ops::RangeInclusive<i64> = -32099..=-32020;

/// Returns a server's error as a client of revision `to` may see it.
///
/// Errors about headers and versions concern the gateway's own request and become internal errors; so does any other
/// code that 2026-07-28 reserves and the other side uses differently, `-32042` among them.
#[must_use]
pub fn error(method: &Method, error: &RpcError, from: Revision, to: Revision) -> RpcError {
    let found = match error.code {
        code::RESOURCE_NOT_FOUND if to.is_modern() => code::INVALID_PARAMS,
        code::INVALID_PARAMS if is_missing_resource(method, error, from, to) => code::RESOURCE_NOT_FOUND,
        code::MISSING_CAPABILITY if from.is_modern() && to.is_modern() => code::MISSING_CAPABILITY,
        reserved if RESERVED.contains(&reserved) && (from.is_modern() || to.is_modern()) => code::INTERNAL,
        other => other,
    };
    if found == error.code { error.clone() } else { error.clone().with_code(found) }
}

/// A bare `-32602` may mean anything; one that names the resource means that it does not exist.
fn is_missing_resource(method: &Method, error: &RpcError, from: Revision, to: Revision) -> bool {
    let names_it = || error.data.as_ref().is_some_and(|data| data.to_object().is_ok_and(|data| data.text("uri").is_some()));
    *method == Method::ResourcesRead && from.is_modern() && !to.is_modern() && names_it()
}
