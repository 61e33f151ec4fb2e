//! Notifications on their way to a client.

use crate::json::Payload;
use crate::message::Notification;
use crate::meta;
use crate::method::Method;
use crate::revision::Revision;
use crate::translate::outcome::set_meta;
use crate::translate::task;

/// Returns a notification as a client of revision `to` may see it; `None` where the revision has no such thing.
#[must_use]
pub fn event(notification: &Notification, to: Revision) -> Option<Notification> {
    let Notification { method, params } = notification;
    if *method == Method::TaskStatusLegacy && to.is_modern() {
        return Some(Notification { method: Method::TaskStatus, params: task::status_up(params)? });
    }
    let is_of_2025_11_25 = matches!(method, Method::ElicitationComplete | Method::TaskStatusLegacy);
    let is_modern = matches!(method, Method::Acknowledged | Method::TaskStatus);
    let is_from_client = matches!(method, Method::Initialized | Method::RootsChanged);
    let is_known = !is_from_client && (!is_modern || to.is_modern()) && (!is_of_2025_11_25 || to == Revision::V2025_11_25);
    is_known.then(|| Notification { method: method.clone(), params: fit(method, params, to) })
}

fn fit(method: &Method, params: &Payload, to: Revision) -> Payload {
    let mut edit = params.edit();
    if *method == Method::Progress && !to.has_audio() {
        edit.remove("message");
    }
    let mut meta = params.edit_meta();
    if to.is_modern() {
        meta.remove(meta::RELATED_TASK);
    } else {
        meta.remove(meta::SUBSCRIPTION_ID);
    }
    set_meta(&mut edit, &meta);
    if edit.is_unchanged() { params.clone() } else { edit.to_payload() }
}
