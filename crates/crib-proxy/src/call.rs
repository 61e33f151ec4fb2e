//! A call that has been opened: who asks for what, in the words of 2026-07-28, whatever the client speaks.

use std::pin::Pin;
use std::sync::Arc;

use crib_mcp::{Chunks, Json, Method, Notification, Payload, RpcError, code};
use crib_model::{Client, Code, Fault, Inputs, Principal, Scope, State, TraceContext};
use futures_core::Stream;
use http::HeaderMap;

use crate::settle::Ticket;
use crate::snapshot::Snapshot;

/// One opened call. It holds the snapshot it started with until it ends.
pub(crate) struct Call {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) scope: Scope,
    pub(crate) method: Method,
    pub(crate) params: Payload,
    pub(crate) client: Arc<Client>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) log_level: Option<Json>,
    pub(crate) progress_token: Option<Json>,
    pub(crate) inputs: Option<Inputs>,
    pub(crate) trace: Option<TraceContext>,
    /// The headers of a modern HTTP request, whose `Mcp-Param-*` must mirror the arguments.
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) ticket: Ticket,
}

/// How a call ended, in the client's dialect and names.
pub(crate) enum Finish {
    /// The text of the result object.
    Result(Chunks),
    Error(RpcError),
    /// The client has to answer something first.
    Input {
        requests: Payload,
        state: Option<State>,
        meta: Option<Json>,
    },
}

/// What a call says before it ends, and how it ends.
pub(crate) enum Item {
    Event(Notification),
    Done(Finish),
}

pub(crate) type Items = Pin<Box<dyn Stream<Item = Item> + Send>>;

/// What became of a call.
pub(crate) enum Served {
    Done(Finish),
    Stream(Items),
}

impl Finish {
    pub(crate) fn fault(fault: &Fault) -> Self {
        Self::Error(fault_error(fault))
    }

    /// The error for a resource that is not there, with the code the client's revision has for it (2025-11-25 and before,
    /// "Resources", "Error Handling"; 2026-07-28 the same).
    pub(crate) fn no_resource(call: &Call, fault: &Fault) -> Self {
        let number = if call.client.revision.is_modern() { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND };
        let error = fault_error(fault).with_code(number);
        Self::Error(match call.params.get("uri") {
            Some(asked) => error.with_data(Json::of(&serde_json::json!({ "uri": asked }))),
            None => error,
        })
    }
}

/// Writes a fault as a JSON-RPC error that a person and a program can act on.
pub(crate) fn fault_error(fault: &Fault) -> RpcError {
    let number = match fault.code() {
        Code::UnknownTarget | Code::Forbidden | Code::CursorInvalid | Code::InputLost | Code::ArgumentsInvalid => code::INVALID_PARAMS,
        Code::BodyTooLarge => code::INVALID_REQUEST,
        _ => code::INTERNAL,
    };
    #[derive(serde::Serialize)]
    struct Data<'a> {
        code: &'a str,
        side: &'a str,
        retry: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        cause: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
    }
    let error = RpcError::new(number, fault.message().to_owned());
    // A refusal must look like an absence (a key's owner learns nothing about what others may use).
    if matches!(fault.code(), Code::Forbidden | Code::UnknownTarget) {
        return error;
    }
    let code = fault.code();
    error.with_data(Json::of(&Data {
        code: code.as_str(),
        side: code.side().as_str(),
        retry: code.retry().as_str(),
        cause: fault.causes(),
        hint: fault.remedy(),
    }))
}
