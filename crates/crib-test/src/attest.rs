//! An authority that gives out certificates for a few minutes, a log that holds signatures, an authority of timestamps,
//! and statements signed by them, in sigstore's forms.

mod log;
mod noted;
mod stamp;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::hex;
use log::Log;
use stamp::Stamper;

/// 2026-01-01T00:05:00Z: within the day for which certificates hold.
pub const NOON: u64 = 1_767_225_900;
const KIND: &str = "application/vnd.in-toto+json";

/// An authority and its log.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    between: CertifiedIssuer<'static, KeyPair>,
    log: Log,
    /// The log of its certificates.
    certificates: Log,
    stamper: Stamper,
}

/// Who promises to show the certificate of a signature.
#[derive(Clone, Copy, Debug)]
pub enum Noted<'a> {
    /// The log of the authority.
    Here,
    /// Nobody.
    Nowhere,
    /// The log of another authority.
    Elsewhere(&'a Authority),
    /// The log of the authority, of another certificate.
    Wrongly,
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
    pub timestamps: Vec<Vec<u8>>,
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
        Self { root, between, log: Log::new(), certificates: Log::new(), stamper: Stamper::new(name) }
    }

    /// Returns the document by which this authority is trusted.
    #[must_use]
    pub fn trusted_root(&self) -> String {
        let raw = |der: &[u8]| json!({ "rawBytes": STANDARD.encode(der) });
        let log = |log: &Log| {
            let key = log.public();
            json!({
                "baseUrl": "http://127.0.0.1:1", "logId": { "keyId": STANDARD.encode(Sha256::digest(&key)) },
                "publicKey": { "rawBytes": STANDARD.encode(&key), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": { "start": "2021-01-12T11:53:27Z" } }
            })
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "certificateAuthorities": [{ "certChain": { "certificates": [raw(self.between.der()), raw(self.root.der())] } }],
            "timestampAuthorities": [{
                "certChain": { "certificates": self.stamper.chain().iter().map(|der| raw(der)).collect::<Vec<_>>() },
                "validFor": { "start": "2025-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z" }
            }],
            "tlogs": [log(&self.log)],
            "ctlogs": [log(&self.certificates)]
        })
        .to_string()
    }

    /// Signs that a file has this digest, and has the log promise that it came at that time.
    #[must_use]
    pub fn attest(&self, identity: Identity<'_>, subject: (&str, &str), at: u64) -> Attestation {
        self.attest_noted(identity, subject, at, Noted::Here)
    }

    /// Does the same with a certificate that is known elsewhere, or to nobody.
    #[must_use]
    pub fn attest_noted(&self, identity: Identity<'_>, (algorithm, digest): (&str, &str), at: u64, noted: Noted<'_>) -> Attestation {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
            "subject": [{ "name": "a package", "digest": { algorithm: digest } }]
        });
        let payload = statement.to_string().into_bytes();
        let signed = [format!("DSSEv1 {} {KIND} {} ", KIND.len(), payload.len()).as_bytes(), &payload].concat();
        let (signature, certificate) = self.sign_noted(identity, &signed, noted);
        let entry = self.entry(&payload, &signature, &certificate, at);
        Attestation { payload, signature, certificate, entry, timestamps: Vec::new() }
    }

    /// Returns the log's entry of a signature.
    #[must_use]
    pub fn entry(&self, payload: &[u8], signature: &[u8], certificate: &[u8], at: u64) -> Value {
        let body = json!({
            "apiVersion": "0.0.1", "kind": "dsse",
            "spec": {
                "payloadHash": { "algorithm": "sha256", "value": hex(&Sha256::digest(payload)) },
                "signatures": [{ "signature": STANDARD.encode(signature), "verifier": STANDARD.encode(pem(certificate)) }]
            }
        });
        self.log.entry(("dsse", "0.0.1"), &body, at)
    }

    /// Returns the log's entry of a signature over plain bytes.
    #[must_use]
    pub fn entry_of_bytes(&self, payload: &[u8], signature: &[u8], certificate: &[u8], at: u64) -> Value {
        let body = json!({
            "apiVersion": "0.0.1", "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": hex(&Sha256::digest(payload)) } },
                "signature": { "content": STANDARD.encode(signature), "publicKey": { "content": STANDARD.encode(pem(certificate)) } }
            }
        });
        self.log.entry(("hashedrekord", "0.0.1"), &body, at)
    }

    /// Returns the log's entry in the form of its second version, which says no time.
    #[must_use]
    pub fn timeless_entry(&self, said: &Attestation) -> Value {
        let body = json!({
            "apiVersion": "0.0.2", "kind": "dsse",
            "spec": { "dsseV002": {
                "payloadHash": { "algorithm": "SHA2_256", "digest": STANDARD.encode(Sha256::digest(&said.payload)) },
                "signatures": [{
                    "content": STANDARD.encode(&said.signature),
                    "verifier": { "keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": { "rawBytes": STANDARD.encode(&said.certificate) } }
                }]
            } }
        });
        let mut entry = self.log.entry(("dsse", "0.0.2"), &body, 0);
        let object = entry.as_object_mut().expect("an object");
        object.remove("inclusionPromise");
        object.remove("integratedTime");
        entry
    }

    /// Returns a timestamp of a signature.
    #[must_use]
    pub fn stamp(&self, signature: &[u8], at: u64) -> Vec<u8> {
        self.stamper.stamp(signature, at)
    }

    /// Signs plain bytes, as an image is signed; returns the signature and the certificate.
    #[must_use]
    pub fn sign(&self, identity: Identity<'_>, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        self.sign_noted(identity, bytes, Noted::Here)
    }

    fn sign_noted(&self, identity: Identity<'_>, bytes: &[u8], noted: Noted<'_>) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = leaf(identity);
        let made = |params: CertificateParams| params.signed_by(&key, &self.between).expect("a certificate").der().to_vec();
        // The log sees the certificate without the promise that is put into it.
        let mut before = params.clone();
        if matches!(noted, Noted::Wrongly) {
            before.not_after = date_time_ymd(2026, 1, 3);
        }
        let log = match noted {
            Noted::Here | Noted::Wrongly => Some(&self.certificates),
            Noted::Nowhere => None,
            Noted::Elsewhere(other) => Some(&other.certificates),
        };
        params.custom_extensions.extend(log.map(|log| noted::promise(log, &made(before), &self.between)));
        let certificate = made(params);
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der()).expect("a key");
        (signer.sign(&SystemRandom::new(), bytes).expect("a signature").as_ref().to_vec(), certificate)
    }
}

/// A key that nobody gave a certificate for.
pub struct PlainKey(EcdsaKeyPair);

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainKey").finish_non_exhaustive()
    }
}

impl Default for PlainKey {
    fn default() -> Self {
        Self::new()
    }
}

impl PlainKey {
    #[must_use]
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"))
    }

    /// Returns the public half in its armour.
    #[must_use]
    pub fn public(&self) -> String {
        let der = [&log::SPKI[..], aws_lc_rs::signature::KeyPair::public_key(&self.0).as_ref()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), bytes).expect("a signature").as_ref().to_vec()
    }
}

/// Writes a certificate in its armour.
#[must_use]
pub fn pem(certificate: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
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
    params.serial_number = Some(7.into());
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
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(&self.certificate) }, "tlogEntries": [self.entry],
                "timestampVerificationData": {
                    "rfc3161Timestamps": self.timestamps.iter().map(|stamp| json!({ "signedTimestamp": STANDARD.encode(stamp) })).collect::<Vec<_>>()
                }
            },
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
