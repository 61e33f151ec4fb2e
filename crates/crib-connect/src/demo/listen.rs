//! Subscriptions: the clock ticks for those who listen to it.

use std::time::Duration;

use crib_mcp::{Json, Method, Notification, Payload};
use crib_model::{Event, Forward, Step, Steps};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::resources;

const TICK: Duration = Duration::from_secs(1);

/// Acknowledges what of the filter can happen here, then tells of it until the client goes away.
pub(crate) fn listen(forward: &Forward) -> Steps {
    let filter = forward.params.get("notifications").and_then(|json| json.to_object().ok()).unwrap_or_default();
    let wanted = filter.get("resourceSubscriptions").and_then(|json| json.to_elements().ok()).unwrap_or_default();
    let known: Vec<Json> = wanted.into_iter().filter(|uri| uri.as_text().is_some_and(|uri| resources::has(&uri))).collect();
    let honoured = if known.is_empty() { json!({}) } else { json!({ "resourceSubscriptions": known }) };
    let acknowledged = event(Method::Acknowledged, &json!({ "notifications": honoured }));

    let hears_clock = known.iter().any(|uri| uri.as_text().as_deref() == Some(resources::CLOCK));
    let ticks = stream::unfold((), async |()| {
        tokio::time::sleep(TICK).await;
        Some((event(Method::ResourceUpdated, &json!({ "uri": resources::CLOCK })), ()))
    });
    let silence = stream::pending();
    let changes: Steps = if hears_clock { Box::pin(ticks) } else { Box::pin(silence) };
    Box::pin(stream::iter([acknowledged]).chain(changes))
}

fn event(method: Method, params: &Value) -> Step {
    Step::Event(Event(Notification { method, params: Payload::of(params) }))
}
