//! What a transparency log says of a signature: that it holds it, and since when.

use serde_json::{Value, json};

use super::bundle::decoded;
use super::{Bundle, Roots, same_certificate, sha256};

/// The promise of a log that is trusted.
pub(super) enum Promise {
    /// It holds exactly this signature, since this time.
    Kept { at: u64 },
    /// Nobody here can tell.
    Unknown { why: &'static str },
}

/// What of an entry is looked at.
struct Entry<'a> {
    body: Vec<u8>,
    raw_body: &'a str,
    time: u64,
    index: u64,
    id: Vec<u8>,
    promise: Option<Vec<u8>>,
}

/// Looks for an entry that a trusted log has signed.
pub(super) fn promise(bundle: &Bundle, roots: &Roots) -> Result<Promise, String> {
    let mut unknown = "no transparency log says when it was signed";
    for entry in bundle.entries.iter().filter_map(Entry::read) {
        let Some(log) = roots.logs.iter().find(|log| log.id == entry.id) else {
            unknown = "its transparency log is none of the trusted root";
            continue;
        };
        let (Some(promise), true) = (&entry.promise, entry.time > 0) else {
            unknown = "its log gives no promise that can be checked without asking it";
            continue;
        };
        if !log.was_valid(entry.time) || !log.verifies(&entry.signed(), promise) {
            return Err("the promise of its transparency log is not signed by that log".to_owned());
        }
        let body: Value = serde_json::from_slice(&entry.body).map_err(|_odd| "its log entry cannot be read".to_owned())?;
        match holds(&body, bundle) {
            Some(true) => return Ok(Promise::Kept { at: entry.time }),
            Some(false) => return Err("its transparency log holds another signature".to_owned()),
            None => unknown = "its log entry is of a kind that is not known",
        }
    }
    Ok(Promise::Unknown { why: unknown })
}

impl<'a> Entry<'a> {
    fn read(entry: &'a Value) -> Option<Self> {
        let raw_body = entry.get("canonicalizedBody")?.as_str()?;
        // Large numbers are texts in this form.
        let number = |name: &str| {
            let value = entry.get(name)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        Some(Self {
            body: decoded(entry.get("canonicalizedBody")?)?,
            raw_body,
            time: number("integratedTime").unwrap_or(0),
            index: number("logIndex")?,
            id: decoded(entry.pointer("/logId/keyId")?)?,
            promise: entry.pointer("/inclusionPromise/signedEntryTimestamp").and_then(decoded),
        })
    }

    /// Returns what the log signs: these four, in the order of their names.
    fn signed(&self) -> Vec<u8> {
        let id = crate::digest::hex(&self.id);
        json!({ "body": self.raw_body, "integratedTime": self.time, "logID": id, "logIndex": self.index }).to_string().into_bytes()
    }
}

/// Tells whether an entry is of this signature, by this certificate, over this payload.
fn holds(body: &Value, bundle: &Bundle) -> Option<bool> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let list = |pointer: &str| body.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_ours = |entry: &Value, signature: &str, key: &str| {
        let signature = entry.get(signature).and_then(decoded);
        // Entries of the kind `intoto` wrap the signature twice.
        let inner = signature.as_ref().and_then(|text| decoded(&Value::String(String::from_utf8(text.clone()).ok()?)));
        let is_signature = [signature, inner].iter().flatten().any(|known| *known == bundle.signature);
        let pem = entry.get(key).and_then(decoded).and_then(|pem| String::from_utf8(pem).ok());
        is_signature && pem.is_some_and(|pem| same_certificate(&bundle.certificate, &pem))
    };
    let hash = sha256(&bundle.payload);
    match (text("/kind")?, text("/apiVersion")?) {
        ("dsse", "0.0.1") => {
            let is_payload = text("/spec/payloadHash/algorithm") == Some("sha256") && text("/spec/payloadHash/value") == Some(&hash);
            Some(is_payload && list("/spec/signatures").iter().any(|entry| is_ours(entry, "signature", "verifier")))
        }
        ("intoto", "0.0.2") => {
            let at = "/spec/content/payloadHash";
            let is_payload = text(&format!("{at}/algorithm")) == Some("sha256") && text(&format!("{at}/value")) == Some(&hash);
            Some(is_payload && list("/spec/content/envelope/signatures").iter().any(|entry| is_ours(entry, "sig", "publicKey")))
        }
        _ => None,
    }
}
