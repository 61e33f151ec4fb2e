//! A signed statement, as npm (sigstore's bundle) and PyPI (PEP 740) give it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use super::{ImageKey, Signer, Subject, roots};

/// What the payload of PyPI's attestations is.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A statement, who signed it, and what a log says of it.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(super) form: Form,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) certificate: CertificateDer<'static>,
    /// Entries of transparency logs, as they came.
    pub(super) entries: Vec<Value>,
    /// Timestamps of the signature.
    pub(super) timestamps: Vec<Vec<u8>>,
}

/// How a payload is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In an envelope, with its type.
    Envelope(String),
    /// As it is.
    Bare,
}

impl Bundle {
    /// Reads a sigstore bundle whose signer has a certificate.
    pub(crate) fn of_sigstore(bundle: &Value) -> Option<Self> {
        let material = bundle.get("verificationMaterial")?;
        let certificate = material
            .pointer("/certificate/rawBytes")
            .or_else(|| material.pointer("/x509CertificateChain/certificates/0/rawBytes"))
            .and_then(decoded)?;
        let envelope = bundle.get("dsseEnvelope")?;
        Some(Self {
            form: Form::Envelope(envelope.get("payloadType")?.as_str()?.to_owned()),
            payload: decoded(envelope.get("payload")?)?,
            signature: decoded(envelope.pointer("/signatures/0/sig")?)?,
            certificate: certificate.into(),
            entries: list(material.get("tlogEntries")),
            timestamps: stamps(material.pointer("/timestampVerificationData/rfc3161Timestamps")),
        })
    }

    /// Reads one attestation of PyPI.
    pub(crate) fn of_pypi(attestation: &Value) -> Option<Self> {
        let material = attestation.get("verification_material")?;
        Some(Self {
            form: Form::Envelope(STATEMENT.to_owned()),
            payload: decoded(attestation.pointer("/envelope/statement")?)?,
            signature: decoded(attestation.pointer("/envelope/signature")?)?,
            certificate: decoded(material.get("certificate")?)?.into(),
            entries: list(material.get("transparency_entries")),
            timestamps: Vec::new(),
        })
    }

    /// Returns what is signed.
    pub(super) fn signed(&self) -> Vec<u8> {
        match &self.form {
            Form::Envelope(kind) => pre_authentication(kind, &self.payload),
            Form::Bare => self.payload.clone(),
        }
    }

    /// Reads the signature of an image in the form of cosign: the payload is a blob, all else stands in annotations.
    pub(crate) fn of_cosign(payload: Vec<u8>, annotations: &BTreeMap<String, String>) -> Option<Self> {
        let signature = STANDARD.decode(annotations.get("dev.cosignproject.cosign/signature")?).ok()?;
        Self::of_annotations(Form::Bare, payload, signature, annotations)
    }

    /// Reads a statement about an image in the form of cosign: the blob is an envelope.
    pub(crate) fn of_envelope(envelope: &[u8], annotations: &BTreeMap<String, String>) -> Option<Self> {
        let envelope: Value = serde_json::from_slice(envelope).ok()?;
        let form = Form::Envelope(envelope.get("payloadType")?.as_str()?.to_owned());
        let signature = decoded(envelope.pointer("/signatures/0/sig")?)?;
        Self::of_annotations(form, decoded(envelope.get("payload")?)?, signature, annotations)
    }

    fn of_annotations(form: Form, payload: Vec<u8>, signature: Vec<u8>, annotations: &BTreeMap<String, String>) -> Option<Self> {
        let document = |name: &str| serde_json::from_str::<Value>(annotations.get(name)?).ok();
        let certificate = roots::of_pem(annotations.get("dev.sigstore.cosign/certificate")?)?.into();
        let entry = document("dev.sigstore.cosign/bundle").and_then(|bundle| entry(&bundle));
        let stamp = document("dev.sigstore.cosign/rfc3161timestamp").and_then(|stamp| decoded(stamp.get("SignedRFC3161Timestamp")?));
        Some(Self { form, payload, signature, certificate, entries: entry.into_iter().collect(), timestamps: stamp.into_iter().collect() })
    }

    /// Returns what kind of statement it is, where it is one.
    pub(crate) fn predicate(&self) -> Option<String> {
        let statement: Value = serde_json::from_slice(&self.payload).ok()?;
        statement.get("predicateType")?.as_str().map(str::to_owned)
    }

    /// Tells whether the statement has the digest among its subjects, or the signature is of the image with it.
    pub(super) fn is_about(&self, wanted: Subject<'_>) -> bool {
        let statement: Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        if self.form == Form::Bare {
            let image = statement.pointer("/critical/image/docker-manifest-digest").and_then(Value::as_str);
            return wanted.algorithm == "sha256" && image.and_then(|digest| digest.strip_prefix("sha256:")) == Some(wanted.hex);
        }
        let subjects = statement.get("subject").and_then(Value::as_array);
        let digest = |subject: &Value| subject.get("digest")?.get(wanted.algorithm)?.as_str().map(str::to_ascii_lowercase);
        subjects.into_iter().flatten().filter_map(digest).any(|digest| digest == wanted.hex)
    }
}

/// Returns what is signed of an envelope (DSSE version 1).
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Tells by which of these keys an image was signed, without a certificate: the signature, and that it is of this image.
pub(crate) fn by_key(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
    image: &str,
    keys: &[ImageKey],
) -> Option<Result<Signer, String>> {
    let signature = STANDARD.decode(annotations.get("dev.cosignproject.cosign/signature")?).ok()?;
    let signer = keys.iter().find_map(|key| key.signed(payload, &signature))?;
    let statement: Value = serde_json::from_slice(payload).unwrap_or_default();
    let digest = statement.pointer("/critical/image/docker-manifest-digest").and_then(Value::as_str);
    Some(if digest == Some(image) { Ok(signer) } else { Err("it is about other bytes".to_owned()) })
}

pub(super) fn decoded(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?.trim()).ok()
}

/// Writes an entry of a log as bundles have it.
fn entry(bundle: &Value) -> Option<Value> {
    let payload = bundle.get("Payload")?;
    let id = crate::digest::unhex(payload.get("logID")?.as_str()?)?;
    Some(json!({
        "canonicalizedBody": payload.get("body")?, "integratedTime": payload.get("integratedTime")?, "logIndex": payload.get("logIndex")?,
        "logId": { "keyId": STANDARD.encode(id) }, "inclusionPromise": { "signedEntryTimestamp": bundle.get("SignedEntryTimestamp")? }
    }))
}

fn stamps(value: Option<&Value>) -> Vec<Vec<u8>> {
    list(value).iter().filter_map(|stamp| decoded(stamp.get("signedTimestamp")?)).collect()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
