//! Requests of 2026-07-28: stateless, each with its own answer.

use std::sync::Arc;

use crib_mcp::ladder::Modern;
use crib_mcp::{Json, Notification, Payload, Pieces, Request, RequestId, RpcError, code, message, meta};
use crib_model::{Answer, Astray, BoxFuture, Code, Frame, Principal, Scope, State};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue};

use crate::call::{Call, Finish, Item, Items, Served, fault_error};
use crate::elsewhere;
use crate::inbound::{self, at_once};
use crate::plane::Plane;
use crate::settle::Ticket;
use crate::snapshot::Snapshot;
use crate::state::Token;
use crate::{pipeline, state, trace};

/// Who sends a request and where to.
pub(crate) struct Caller {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) scope: Scope,
}

/// Answers one modern request. `headers` are those of HTTP, absent on stdio.
pub(crate) fn answer(
    plane: Arc<Plane>,
    caller: Caller,
    request: Request,
    modern: Modern,
    headers: Option<HeaderMap>,
) -> BoxFuture<'static, Answer> {
    let Some(there) = elsewhere::task(&plane, &caller.principal, (&request, headers.as_ref(), &caller.scope)) else {
        return answer_here(plane, caller, request, modern, headers);
    };
    Box::pin(async move {
        match there.await {
            Ok(answer) => answer,
            // Its server may know the task whoever asks.
            Err(Astray::Gone | Astray::Unreachable(_)) => answer_here(plane, caller, request, modern, headers).await,
            Err(astray @ Astray::Lost(_)) => elsewhere::astray_answer(&astray),
        }
    })
}

fn answer_here(
    plane: Arc<Plane>,
    caller: Caller,
    request: Request,
    modern: Modern,
    headers: Option<HeaderMap>,
) -> BoxFuture<'static, Answer> {
    let client = plane.clients.intern(modern.revision, &modern.caps, modern.info.as_ref());
    let wants_stream = headers.as_ref().is_some_and(inbound::prefers_stream);
    let inputs = match state::inputs(&plane.seal, &*plane.clock, &caller.principal, (&request.method, &request.params)) {
        Ok(None) => None,
        Ok(Some(retry)) => match elsewhere::parked(&plane, retry.holder, (&request, headers.as_ref(), &caller.scope)) {
            Some(answer) => return answer,
            None => Some(retry.inputs),
        },
        Err(fault) => return at_once(error_answer(&request.id, &fault_error(&fault), Some(fault.code()))),
    };
    let Request { id, method, params } = request;
    let mut ticket = Ticket::open(&plane.ledger, &plane.clock, &caller.principal, &client, method.clone());
    let params = match &headers {
        Some(headers) => trace::from_headers(params, headers),
        None => params,
    };
    let trace = plane.trace(&params, &mut ticket);
    let front = Front { plane, id, principal: Arc::clone(&caller.principal), method, params };
    let call = Box::new(Call {
        snapshot: caller.snapshot,
        scope: caller.scope,
        method: front.method.clone(),
        params: front.params.clone(),
        client,
        principal: caller.principal,
        log_level: modern.log_level,
        progress_token: modern.progress_token,
        inputs,
        trace,
        headers,
        ticket,
    });
    Box::pin(async move {
        match pipeline::run(&front.plane, call).await {
            Served::Done(finish) if wants_stream && !matches!(finish, Finish::Error(_)) => {
                let frame = Frame::message(front.response(finish));
                Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::once(async { frame })) }
            }
            Served::Done(finish) => front.answer(finish),
            Served::Stream(items) => Box::pin(front.stream(items)).await,
        }
    })
}

/// What is needed to write the answer.
struct Front {
    plane: Arc<Plane>,
    id: RequestId,
    principal: Arc<Principal>,
    method: crib_mcp::Method,
    params: Payload,
}

impl Front {
    fn answer(&self, finish: Finish) -> Answer {
        match finish {
            Finish::Error(error) => error_answer(&self.id, &error, None),
            finish => Answer::json(200, self.response(finish)),
        }
    }

    /// A stream only if there is something to say before the end.
    async fn stream(self, mut items: Items) -> Answer {
        match items.next().await {
            Some(Item::Done(finish)) => self.answer(finish),
            Some(Item::Event(first)) => {
                let first = self.frame(&first);
                let rest = stream::unfold((self, items), |(front, mut items)| async move {
                    let frame = match items.next().await? {
                        Item::Event(event) => front.frame(&event),
                        Item::Done(finish) => Frame::message(front.response(finish)),
                    };
                    Some((frame, (front, items)))
                });
                Answer::Stream { headers: HeaderMap::new(), frames: Box::pin(stream::once(async { first }).chain(rest)) }
            }
            None => error_answer(&self.id, &RpcError::new(code::INTERNAL, "the call ended without an answer"), Some(Code::Internal)),
        }
    }

    fn is_listen(&self) -> bool {
        self.method == crib_mcp::Method::Listen
    }

    fn frame(&self, event: &Notification) -> Frame {
        let params = if self.is_listen() { self.tagged(&event.params) } else { event.params.to_json().into() };
        Frame::message(message::notification(event.method.as_str(), &params))
    }

    /// Puts the subscription's id into `_meta`.
    fn tagged(&self, params: &Payload) -> crib_mcp::Chunks {
        let mut inner = params.edit_meta();
        inner.set(meta::SUBSCRIPTION_ID, self.id.as_json().clone());
        let inner = inner.finish();
        let mut edit = params.edit();
        edit.set("_meta", inner);
        edit.finish()
    }

    fn response(&self, finish: Finish) -> crib_mcp::Chunks {
        match finish {
            Finish::Result(result) if self.is_listen() => {
                let result = Payload::parse(&result.into_bytes()).unwrap_or_default();
                message::result(&self.id, &self.tagged(&result))
            }
            Finish::Result(result) => message::result(&self.id, &result),
            Finish::Error(error) => message::error(Some(&self.id), &error),
            Finish::Input { requests, state, meta } => self.input_required(&requests, state.as_ref(), meta),
        }
    }

    fn input_required(&self, requests: &Payload, state: Option<&State>, meta: Option<Json>) -> crib_mcp::Chunks {
        let expires = self.plane.clock.unix() + self.plane.snapshot().setup.input_timeout;
        let token = Token { expires, state, holder: elsewhere::here(&self.plane) };
        let sealed = state::seal(&self.plane.seal, &self.principal, (&self.method, &self.params), &token);
        let mut out = Pieces::with_capacity(1024);
        out.text("{\"resultType\":\"input_required\"");
        if !requests.object.is_empty() {
            out.text(",\"inputRequests\":").json(&requests.to_json());
        }
        // Without a state of the upstream's there is none to echo, unless nothing else is asked.
        if state.is_some() || requests.object.is_empty() {
            out.text(",\"requestState\":").json(&Json::of(&sealed));
        }
        if let Some(meta) = meta {
            out.text(",\"_meta\":").json(&meta);
        }
        out.text("}");
        message::result(&self.id, &out.finish())
    }
}

/// Writes an error with the HTTP status the specification gives its code.
pub(crate) fn error_answer(id: &RequestId, error: &RpcError, fault: Option<Code>) -> Answer {
    let status = match (error.code, fault) {
        (code::METHOD_NOT_FOUND, _) => 404,
        (code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION, _) => 400,
        (_, Some(Code::InputLost | Code::ArgumentsInvalid)) => 400,
        _ => 200,
    };
    let mut answer = Answer::json(status, message::error(Some(id), error));
    if let Answer::Message { status, headers, .. } = &mut answer
        && error.data.as_ref().is_some_and(|data| data.as_str().contains(Code::TooBusy.as_str()))
    {
        *status = 503;
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}
