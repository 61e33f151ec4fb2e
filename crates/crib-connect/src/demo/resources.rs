//! Resources: a text, a picture, a clock that ticks, and a template.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_mcp::Json;
use crib_model::{Clock, Forward};
use serde_json::{Value, json};

use super::completion::GREETINGS;
use super::{Answer, cacheable, complete, invalid};
use crate::rfc3339;

pub(crate) const README: &str = "demo://readme";
pub(crate) const CLOCK: &str = "demo://clock";
const LOGO: &str = "demo://logo.png";
const GREETING: &str = "demo://greeting/";

pub(crate) const README_TEXT: &str = "# Toolcrib demo\n\nA small server that is part of the gateway. It shows every feature once.\n";
pub(crate) const PICTURE: &[u8] = include_bytes!("crib.png");

pub(crate) fn list() -> Value {
    json!({ "resources": [
        { "uri": README, "name": "readme", "title": "Read me", "mimeType": "text/markdown", "description": "What this server is" },
        { "uri": LOGO, "name": "logo", "title": "Logo", "mimeType": "image/png", "size": PICTURE.len() },
        { "uri": CLOCK, "name": "clock", "title": "Clock", "mimeType": "text/plain", "description": "The time; changes every second" },
    ]})
}

pub(crate) fn templates() -> Value {
    json!({ "resourceTemplates": [{
        "uriTemplate": format!("{GREETING}{{language}}"), "name": "greeting", "title": "Greeting", "mimeType": "text/plain",
        "description": "A greeting in one of several languages",
    }]})
}

pub(crate) fn has(uri: &str) -> bool {
    matches!(uri, README | LOGO | CLOCK) || greeting(uri).is_some()
}

pub(crate) fn read(forward: &Forward, clock: &dyn Clock) -> Answer {
    let Some(uri) = forward.target_name() else { return Err(invalid("`uri` is missing".to_owned())) };
    let text = |mime: &str, text: &str| json!({ "contents": [{ "uri": uri, "mimeType": mime, "text": text }] });
    match uri.as_ref() {
        README => Ok(cacheable(text("text/markdown", README_TEXT))),
        LOGO => Ok(cacheable(json!({ "contents": [{ "uri": uri, "mimeType": "image/png", "blob": STANDARD.encode(PICTURE) }] }))),
        CLOCK => Ok(complete(json!({
            "contents": [{ "uri": uri, "mimeType": "text/plain", "text": rfc3339::write(clock.unix()) }],
            "ttlMs": 0, "cacheScope": "public",
        }))),
        other => match greeting(other) {
            Some(words) => Ok(cacheable(text("text/plain", words))),
            None => Err(invalid(format!("Resource not found: {other}")).with_data(Json::of(&json!({ "uri": other })))),
        },
    }
}

fn greeting(uri: &str) -> Option<&'static str> {
    let language = uri.strip_prefix(GREETING)?;
    GREETINGS.iter().find(|(name, _)| *name == language).map(|(_, words)| *words)
}
