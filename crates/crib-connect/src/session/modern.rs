//! One core call over a link to a server of 2026-07-28: nothing to remember, everything at once.

use std::sync::Arc;

use crib_mcp::{Method, RequestId};
use crib_model::{Event, Fault, Forward, Outcome, Reply};

use super::exchange::{Exchange, Next};
use super::legacy::late;
use super::link::{Link, Wants};
use crate::level::Level;
use crate::steps::{self, Voice};
use crate::{outcome, params};

/// Calls a modern server.
pub(crate) async fn call(link: Arc<Link>, forward: Arc<Forward>) -> Result<Reply, Fault> {
    let id = link.next_id();
    let token = forward.progress_token.as_ref().map(|_| RequestId::number(id).as_json().clone());
    let log = forward.log_level.as_ref().and_then(Level::read);
    let wants = Wants { progress: token.is_some(), log, listens: forward.method == Method::Listen, ..Wants::default() };
    let exchange = link.begin(id, &forward.method, &params::modern(&forward, token.as_ref()), wants)?;
    let (slug, deadline, is_listening) = (link.slug.clone(), forward.deadline, forward.method == Method::Listen);
    let steps = steps::talk(|voice| async move { drive(exchange, &forward, &voice).await });
    if is_listening { steps::acknowledged(steps, &slug, deadline).await } else { steps::settle(steps).await }
}

async fn drive(mut exchange: Exchange, forward: &Forward, voice: &Voice) -> Result<Outcome, Fault> {
    let slug = exchange.link().slug.clone();
    let mut timer = exchange.link().timers.until(forward.deadline);
    loop {
        // A subscription has no end; what bounds it is the client's patience.
        let next = if forward.method == Method::Listen {
            exchange.next().await
        } else {
            timer.limit(exchange.next()).await.ok_or_else(|| late(&slug))?
        };
        match next {
            Next::Said(notification) => {
                let event = match &forward.progress_token {
                    Some(token) if notification.method == Method::Progress => outcome::progress(&notification, token),
                    _ => Event(notification),
                };
                voice.say(event).await;
            }
            Next::Asked(_) | Next::Lacks(_) => {}
            Next::Answered(answer) => return outcome::modern(&slug, answer),
            Next::Failed(fault) => return Err(fault),
        }
    }
}
