//! An authority that gives out certificates for a few minutes, a log that holds signatures, and statements signed by
//! them, in sigstore's forms.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// 2026-01-01T00:05:00Z: within the day for which certificates hold.
pub const NOON: u64 = 1_767_225_900;
/// The head of a P-256 key.
const SPKI: [u8; 26] = [48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0];
const KIND: &str = "application/vnd.in-toto+json";

/// An authority and its log.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    between: CertifiedIssuer<'static, KeyPair>,
    log: EcdsaKeyPair,
}

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The address of the repository.
    pub repository: &'a str,
    /// The file of the workflow.
    pub workflow: &'a str,
    /// The tag that is built.
    pub tag: &'a str,
}

/// A signed statement. Its parts can be changed, as somebody else would.
#[derive(Clone, Debug)]
pub struct Attestation {
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
    pub certificate: Vec<u8>,
    /// The entry of the log.
    pub entry: Value,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    params
}

impl Authority {
    #[must_use]
    pub fn new(name: &str) -> Self {
        let key = || KeyPair::generate().expect("a key");
        let root = CertifiedIssuer::self_signed(authority(name), key()).expect("a certificate");
        let mut params = authority(&format!("{name} between"));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let between = CertifiedIssuer::signed_by(params, key(), &root).expect("a certificate");
        Self { root, between, log: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key") }
    }

    fn log_key(&self) -> Vec<u8> {
        [&SPKI[..], self.log.public_key().as_ref()].concat()
    }

    /// Returns the document by which this authority is trusted.
    #[must_use]
    pub fn trusted_root(&self) -> String {
        let raw = |der: &[u8]| json!({ "rawBytes": STANDARD.encode(der) });
        let key = self.log_key();
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "certificateAuthorities": [{ "certChain": { "certificates": [raw(self.between.der()), raw(self.root.der())] } }],
            "tlogs": [{
                "baseUrl": "http://127.0.0.1:1", "logId": { "keyId": STANDARD.encode(Sha256::digest(&key)) },
                "publicKey": { "rawBytes": STANDARD.encode(&key), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": { "start": "2021-01-12T11:53:27Z" } }
            }]
        })
        .to_string()
    }

    /// Signs that a file has this digest, and has the log promise that it came at that time.
    #[must_use]
    pub fn attest(&self, identity: Identity<'_>, (algorithm, digest): (&str, &str), at: u64) -> Attestation {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
            "subject": [{ "name": "a package", "digest": { algorithm: digest } }]
        });
        let payload = statement.to_string().into_bytes();
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf(identity).signed_by(&key, &self.between).expect("a certificate").der().to_vec();
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der()).expect("a key");
        let signed = [format!("DSSEv1 {} {KIND} {} ", KIND.len(), payload.len()).as_bytes(), &payload].concat();
        let signature = signer.sign(&SystemRandom::new(), &signed).expect("a signature").as_ref().to_vec();
        let entry = self.entry(&payload, &signature, &certificate, at);
        Attestation { payload, signature, certificate, entry }
    }

    /// Returns the log's entry of a signature.
    #[must_use]
    pub fn entry(&self, payload: &[u8], signature: &[u8], certificate: &[u8], at: u64) -> Value {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate));
        let body = json!({
            "apiVersion": "0.0.1", "kind": "dsse",
            "spec": {
                "payloadHash": { "algorithm": "sha256", "value": hex(&Sha256::digest(payload)) },
                "signatures": [{ "signature": STANDARD.encode(signature), "verifier": STANDARD.encode(pem) }]
            }
        });
        let body = STANDARD.encode(body.to_string());
        let id = Sha256::digest(self.log_key());
        let promise = json!({ "body": body, "integratedTime": at, "logID": hex(&id), "logIndex": 7 }).to_string();
        let promise = self.log.sign(&SystemRandom::new(), promise.as_bytes()).expect("a signature");
        json!({
            "logIndex": "7", "logId": { "keyId": STANDARD.encode(id) }, "kindVersion": { "kind": "dsse", "version": "0.0.1" },
            "integratedTime": at.to_string(), "inclusionPromise": { "signedEntryTimestamp": STANDARD.encode(promise) },
            "canonicalizedBody": body
        })
    }
}

/// A certificate for one day, as an authority writes what it knows of a workflow.
fn leaf(identity: Identity<'_>) -> CertificateParams {
    let Identity { repository, workflow, tag } = identity;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("{repository}/.github/workflows/{workflow}@refs/tags/{tag}");
    params.subject_alt_names = vec![SanType::URI(name.try_into().expect("letters of ASCII"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 1, 2);
    let text = |number: u64, text: &str| {
        let length = u8::try_from(text.len()).expect("a short text");
        let value = [&[0x0c, length][..], text.as_bytes()].concat();
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, number], value)
    };
    params.custom_extensions = vec![text(8, "https://token.actions.githubusercontent.com"), text(12, repository)];
    params
}

impl Attestation {
    /// Returns it as npm gives it.
    #[must_use]
    pub fn for_npm(&self) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "certificate": { "rawBytes": STANDARD.encode(&self.certificate) }, "tlogEntries": [self.entry] },
            "dsseEnvelope": {
                "payload": STANDARD.encode(&self.payload), "payloadType": KIND, "signatures": [{ "sig": STANDARD.encode(&self.signature) }]
            }
        })
    }

    /// Returns it as PyPI gives it.
    #[must_use]
    pub fn for_pypi(&self) -> Value {
        json!({
            "version": 1,
            "verification_material": { "certificate": STANDARD.encode(&self.certificate), "transparency_entries": [self.entry] },
            "envelope": { "statement": STANDARD.encode(&self.payload), "signature": STANDARD.encode(&self.signature) }
        })
    }
}
