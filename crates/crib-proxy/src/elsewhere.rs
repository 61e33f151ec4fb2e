//! What another replica of the gateway holds: asked for only where it is not here.

use crib_mcp::{Chunks, Method, Request};
use crib_model::{Answer, Astray, BoxFuture, Carrier, Code, Fault, Inbound, Principal, Replica, Scope, Verb};
use http::HeaderMap;

use crate::call::fault_error;
use crate::inbound::{http_legacy, refuse};
use crate::modern::error_answer;
use crate::plane::Plane;
use crate::{state, tasks};

/// Names the session of a client so that every replica can tell who holds it.
pub(crate) fn mark(plane: &Plane, id: String) -> String {
    match here(plane) {
        Some(here) => here.mark(&id),
        None => id,
    }
}

/// Returns the replica that this process is, where there are others.
pub(crate) fn here(plane: &Plane) -> Option<Replica> {
    plane.elsewhere.as_ref().map(|elsewhere| elsewhere.here())
}

/// Hands on a request whose session is not here; `None` when no other replica can have it.
pub(crate) fn session(plane: &Plane, inbound: &Inbound) -> Option<BoxFuture<'static, Answer>> {
    let elsewhere = plane.elsewhere.as_ref()?;
    let to = match &inbound.carrier {
        Carrier::Http => Replica::marked(inbound.headers.get(&http_legacy::SESSION_ID)?.to_str().ok()?)?,
        Carrier::Sse { session } => Replica::marked(session.as_deref()?)?,
        Carrier::Stdio(_) | Carrier::Socket(_) => return None,
    };
    if to == elsewhere.here() {
        return None;
    }
    let carrier = inbound.carrier.clone();
    let answer = elsewhere.forward(to, copy(inbound));
    Some(Box::pin(async move {
        match answer.await {
            Ok(answer) => answer,
            Err(Astray::Gone) => http_legacy::unknown(&carrier),
            Err(astray) => astray_answer(&astray),
        }
    }))
}

/// Hands on the answers to a call that waits in another replica; `None` when it would have to wait here.
pub(crate) fn parked(
    plane: &Plane,
    holder: Option<Replica>,
    (request, headers, scope): (&Request, Option<&HeaderMap>, &Scope),
) -> Option<BoxFuture<'static, Answer>> {
    let elsewhere = plane.elsewhere.as_ref()?;
    let to = holder.filter(|holder| *holder != elsewhere.here())?;
    let (answer, id) = (elsewhere.forward(to, post(request, headers?, scope)), request.id.clone());
    Some(Box::pin(async move {
        match answer.await {
            Ok(answer) => answer,
            Err(Astray::Gone) => {
                let fault = state::lost();
                error_answer(&id, &fault_error(&fault), Some(fault.code()))
            }
            Err(astray) => astray_answer(&astray),
        }
    }))
}

/// Hands on a request about a task to the replica in which it was made; `None` when that is this one.
pub(crate) fn task(
    plane: &Plane,
    principal: &Principal,
    (request, headers, scope): (&Request, Option<&HeaderMap>, &Scope),
) -> Option<BoxFuture<'static, Result<Answer, Astray>>> {
    let elsewhere = plane.elsewhere.as_ref()?;
    if !matches!(request.method, Method::TasksGet | Method::TasksUpdate | Method::TasksCancel) {
        return None;
    }
    let to = tasks::maker(plane, principal, &request.params.text("taskId")?).filter(|maker| *maker != elsewhere.here())?;
    Some(elsewhere.forward(to, post(request, headers?, scope)))
}

/// Writes a request of 2026-07-28 as it came.
fn post(request: &Request, headers: &HeaderMap, scope: &Scope) -> Inbound {
    let body = crib_mcp::message::request(&request.id, request.method.as_str(), &request.params.to_json().into());
    Inbound {
        verb: Verb::Post,
        carrier: Carrier::Http,
        scope: scope.clone(),
        headers: headers.clone(),
        body: Chunks::into_bytes(body),
        peer: None,
    }
}

fn copy(inbound: &Inbound) -> Inbound {
    let Inbound { verb, carrier, scope, headers, body, peer } = inbound;
    Inbound { verb: *verb, carrier: carrier.clone(), scope: scope.clone(), headers: headers.clone(), body: body.clone(), peer: *peer }
}

pub(crate) fn astray_answer(astray: &Astray) -> Answer {
    match astray {
        // Says when to try again.
        Astray::Unreachable(fault) => refuse(503, fault),
        Astray::Lost(fault) => refuse(502, fault),
        Astray::Gone => refuse(404, &Fault::new(Code::SessionUnknown, "Session not found")),
    }
}

impl Plane {
    /// Returns why other replicas cannot be found at the moment, where there are any.
    #[must_use]
    pub fn replica_trouble(&self) -> Option<Fault> {
        self.elsewhere.as_ref()?.trouble()
    }
}
