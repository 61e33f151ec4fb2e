//! A signed statement, as npm (sigstore's bundle) and PyPI (PEP 740) give it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use serde_json::Value;

use super::Subject;

/// What the payload of PyPI's attestations is.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A statement, who signed it, and what a log says of it.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    /// The type of the payload, which is signed with it.
    pub(super) kind: String,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) certificate: CertificateDer<'static>,
    /// Entries of transparency logs, as they came.
    pub(super) entries: Vec<Value>,
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
            kind: envelope.get("payloadType")?.as_str()?.to_owned(),
            payload: decoded(envelope.get("payload")?)?,
            signature: decoded(envelope.pointer("/signatures/0/sig")?)?,
            certificate: certificate.into(),
            entries: list(material.get("tlogEntries")),
        })
    }

    /// Reads one attestation of PyPI.
    pub(crate) fn of_pypi(attestation: &Value) -> Option<Self> {
        let material = attestation.get("verification_material")?;
        Some(Self {
            kind: STATEMENT.to_owned(),
            payload: decoded(attestation.pointer("/envelope/statement")?)?,
            signature: decoded(attestation.pointer("/envelope/signature")?)?,
            certificate: decoded(material.get("certificate")?)?.into(),
            entries: list(material.get("transparency_entries")),
        })
    }

    /// Tells whether the statement has the digest among its subjects.
    pub(super) fn is_about(&self, wanted: Subject<'_>) -> bool {
        let statement: Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        let subjects = statement.get("subject").and_then(Value::as_array);
        let digest = |subject: &Value| subject.get("digest")?.get(wanted.algorithm)?.as_str().map(str::to_ascii_lowercase);
        subjects.into_iter().flatten().filter_map(digest).any(|digest| digest == wanted.hex)
    }
}

pub(super) fn decoded(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?.trim()).ok()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
