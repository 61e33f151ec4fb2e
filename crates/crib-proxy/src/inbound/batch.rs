//! Batches, which only 2025-03-26 has.

use std::sync::Arc;

use crib_mcp::{Chunks, Message, Method, Pieces, Revision, RpcError, code, message};
use crib_model::{Answer, Inbound, Principal, limits};
use futures_util::{StreamExt, future, stream};
use http::HeaderMap;

use crate::inbound::{at_once, http_legacy};
use crate::legacy;
use crate::plane::Plane;

/// Splits a batch, runs its requests at the same time and answers in one array, or on one stream if one of them
/// has something to say before its end.
pub(super) async fn http(plane: Arc<Plane>, principal: Arc<Principal>, inbound: Inbound) -> Answer {
    let peer = match http_legacy::peer(&plane, &principal, &inbound, None) {
        Ok(peer) => peer,
        Err(answer) => return http_legacy::or_elsewhere(&plane, &inbound, answer).await,
    };
    if peer.client.revision != Revision::V2025_03_26 {
        return refuse("batches exist in 2025-03-26 only");
    }
    let texts = match message::split_batch(&inbound.body) {
        Ok(texts) => texts,
        Err(malformed) => return Answer::json(400, message::error(None, &malformed.error)),
    };
    if texts.is_empty() || texts.len() > limits::BATCH_MAX {
        return refuse("a batch has between 1 and 100 messages");
    }
    let mut answers = Vec::new();
    for text in &texts {
        match Message::parse(text) {
            Err(malformed) => {
                let error = message::error(malformed.id.as_ref(), &malformed.error);
                answers.push(at_once(Answer::json(400, error)));
            }
            Ok(Message::Request(request)) if request.method == Method::Initialize => return refuse("`initialize` must not be in a batch"),
            Ok(Message::Request(request)) => {
                answers.push(legacy::answer_http(Arc::clone(&plane), peer.clone(), request, &inbound.headers));
            }
            Ok(Message::Notification(notification)) => {
                http_legacy::notified(&peer, &notification.method, notification.params.get("requestId"));
            }
            Ok(Message::Response(response)) => drop(http_legacy::answered(&peer, response)),
        }
    }
    if answers.is_empty() {
        return Answer::empty(202);
    }
    join(future::join_all(answers).await)
}

fn refuse(why: &'static str) -> Answer {
    Answer::json(400, message::error(None, &RpcError::new(code::INVALID_REQUEST, format!("Invalid Request: {why}"))))
}

fn join(answers: Vec<Answer>) -> Answer {
    let mut texts: Vec<Chunks> = Vec::new();
    let mut streams = Vec::new();
    for answer in answers {
        match answer {
            Answer::Message { body, .. } if body.is_empty() => {}
            Answer::Message { body, .. } => texts.push(body),
            Answer::Stream { frames, .. } => streams.push(frames),
        }
    }
    if streams.is_empty() {
        let mut out = Pieces::with_capacity(texts.iter().map(Chunks::len).sum::<usize>() + 16);
        out.text("[");
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                out.text(",");
            }
            out.chunks(text);
        }
        out.text("]");
        return Answer::json(200, out.finish());
    }
    let done = stream::iter(texts.into_iter().map(crib_model::Frame::message));
    let frames = Box::pin(done.chain(stream::select_all(streams)));
    Answer::Stream { headers: HeaderMap::new(), frames }
}
