//! What a transparency log says of a signature: that it holds it, and since when.

mod tree;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::bundle::decoded;
use super::{Bundle, Roots, same_certificate};

/// What is known of a signature in a log.
pub(super) enum Logged {
    /// A trusted log holds exactly this signature; since when, where it has signed that.
    Held { since: Option<u64> },
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
    proof: Option<&'a Value>,
}

/// Looks for an entry that a trusted log has signed.
pub(super) fn look(bundle: &Bundle, roots: &Roots) -> Result<Logged, String> {
    let mut unknown = "no transparency log has it";
    for entry in bundle.entries.iter().filter_map(Entry::read) {
        let Some(log) = roots.logs.iter().find(|log| log.id == entry.id) else {
            unknown = "its transparency log is none of the trusted root";
            continue;
        };
        if entry.promise.is_none() && entry.proof.is_none() {
            unknown = "its log gives neither a promise nor a proof that can be checked without asking it";
            continue;
        }
        let mut since = None;
        if let Some(promise) = &entry.promise {
            if entry.time == 0 || !log.was_valid(entry.time) || !log.verifies(&entry.signed(), promise) {
                return Err("the promise of its transparency log is not signed by that log".to_owned());
            }
            since = Some(entry.time);
        }
        if let Some(proof) = entry.proof {
            tree::check(proof, &entry.body, log)?;
        }
        let body: Value = serde_json::from_slice(&entry.body).map_err(|_odd| "its log entry cannot be read".to_owned())?;
        match holds(&body, bundle) {
            Some(true) => return Ok(Logged::Held { since }),
            Some(false) => return Err("its transparency log holds another signature".to_owned()),
            None => unknown = "its log entry is of a kind that is not known",
        }
    }
    Ok(Logged::Unknown { why: unknown })
}

/// Large numbers are texts in this form.
fn number(of: &Value, name: &str) -> Option<u64> {
    let value = of.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl<'a> Entry<'a> {
    fn read(entry: &'a Value) -> Option<Self> {
        let raw_body = entry.get("canonicalizedBody")?.as_str()?;
        Some(Self {
            body: decoded(entry.get("canonicalizedBody")?)?,
            raw_body,
            time: number(entry, "integratedTime").unwrap_or(0),
            index: number(entry, "logIndex").unwrap_or(0),
            id: decoded(entry.pointer("/logId/keyId")?)?,
            promise: entry.pointer("/inclusionPromise/signedEntryTimestamp").and_then(decoded),
            proof: entry.get("inclusionProof").filter(|proof| proof.is_object()),
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
    let hash = Sha256::digest(&bundle.payload);
    let hex = crate::digest::hex(&hash);
    let found = Found { body, bundle };
    Some(match (found.text("/kind")?, found.text("/apiVersion")?) {
        ("dsse", "0.0.1") => {
            found.has_sum("/spec/payloadHash", &hex)
                && found.any("/spec/signatures", |entry| found.is_ours(entry, "/signature", "/verifier"))
        }
        ("intoto", "0.0.2") => {
            let is_ours = |entry: &Value| found.is_ours(entry, "/sig", "/publicKey");
            found.has_sum("/spec/content/payloadHash", &hex) && found.any("/spec/content/envelope/signatures", is_ours)
        }
        ("hashedrekord", "0.0.1") => {
            found.has_sum("/spec/data/hash", &hex) && found.is_ours(body, "/spec/signature/content", "/spec/signature/publicKey/content")
        }
        ("dsse", "0.0.2") => {
            let at = "/spec/dsseV002";
            found.has_digest(&format!("{at}/payloadHash"), &hash) && found.any(&format!("{at}/signatures"), |entry| found.is_by(entry))
        }
        ("hashedrekord", "0.0.2") => {
            let at = "/spec/hashedRekordV002";
            let is_ours = body.pointer(&format!("{at}/signature")).is_some_and(|entry| found.is_by(entry));
            // What is hashed here is what is signed.
            found.has_digest(&format!("{at}/data"), &Sha256::digest(bundle.signed())) && is_ours
        }
        _ => return None,
    })
}

/// An entry, held against a bundle.
struct Found<'a> {
    body: &'a Value,
    bundle: &'a Bundle,
}

impl<'a> Found<'a> {
    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    fn any(&self, pointer: &str, fits: impl Fn(&Value) -> bool) -> bool {
        self.body.pointer(pointer).and_then(Value::as_array).is_some_and(|list| list.iter().any(fits))
    }

    fn has_sum(&self, at: &str, hex: &str) -> bool {
        self.text(&format!("{at}/algorithm")) == Some("sha256") && self.text(&format!("{at}/value")) == Some(hex)
    }

    fn has_digest(&self, at: &str, hash: &[u8]) -> bool {
        let digest = self.body.pointer(&format!("{at}/digest")).and_then(decoded);
        self.text(&format!("{at}/algorithm")) == Some("SHA2_256") && digest.as_deref() == Some(hash)
    }

    /// Whether it is our signature, by our certificate in its armour.
    fn is_ours(&self, entry: &Value, signature: &str, key: &str) -> bool {
        let signature = entry.pointer(signature).and_then(decoded);
        // Entries of the kind `intoto` wrap the signature twice.
        let inner = signature.as_ref().and_then(|text| decoded(&Value::String(String::from_utf8(text.clone()).ok()?)));
        let is_signature = [signature, inner].iter().flatten().any(|known| *known == self.bundle.signature);
        let pem = entry.pointer(key).and_then(decoded).and_then(|pem| String::from_utf8(pem).ok());
        is_signature && pem.is_some_and(|pem| same_certificate(&self.bundle.certificate, &pem))
    }

    /// The same in the form of the second version.
    fn is_by(&self, entry: &Value) -> bool {
        let content = entry.get("content").and_then(decoded);
        let certificate = entry.pointer("/verifier/x509Certificate/rawBytes").and_then(decoded);
        content.as_deref() == Some(&self.bundle.signature) && certificate.as_deref() == Some(self.bundle.certificate.as_ref())
    }
}
