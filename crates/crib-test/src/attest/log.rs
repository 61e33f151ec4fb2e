//! A log of signatures: a tree of entries whose root it signs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::merkle::{Hash, leaf, path, root};

/// The head of a P-256 key.
pub(super) const SPKI: [u8; 26] = [48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0];
/// Where in the tree an entry is put, and how many there are.
const INDEX: usize = 7;
const SIZE: usize = 11;

pub(super) struct Log(EcdsaKeyPair);

impl Log {
    pub(super) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"))
    }

    pub(super) fn public(&self) -> Vec<u8> {
        [&SPKI[..], self.0.public_key().as_ref()].concat()
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), bytes).expect("a signature").as_ref().to_vec()
    }

    /// Takes an entry in: promises to have it since then, and proves that it is in the tree.
    pub(super) fn entry(&self, (kind, version): (&str, &str), body: &Value, at: u64) -> Value {
        let id = Sha256::digest(self.public());
        let text = body.to_string();
        let body = STANDARD.encode(&text);
        let promise = json!({ "body": body, "integratedTime": at, "logID": hex(&id), "logIndex": INDEX }).to_string();
        json!({
            "logIndex": INDEX.to_string(), "logId": { "keyId": STANDARD.encode(id) }, "kindVersion": { "kind": kind, "version": version },
            "integratedTime": at.to_string(), "inclusionPromise": { "signedEntryTimestamp": STANDARD.encode(self.sign(promise.as_bytes())) },
            "inclusionProof": self.proof(text.as_bytes()), "canonicalizedBody": body
        })
    }

    fn proof(&self, body: &[u8]) -> Value {
        let leaves: Vec<Hash> = (0..SIZE).map(|at| if at == INDEX { leaf(body) } else { leaf(&at.to_be_bytes()) }).collect();
        let root = STANDARD.encode(root(&leaves));
        let hashes: Vec<String> = path(INDEX, &leaves).iter().map(|hash| STANDARD.encode(hash)).collect();
        let note = format!("log.example.com\n{SIZE}\n{root}\n");
        let id = Sha256::digest(self.public());
        let signature = id.iter().copied().take(4).chain(self.sign(note.as_bytes())).collect::<Vec<u8>>();
        let envelope = format!("{note}\n\u{2014} log.example.com {}\n", STANDARD.encode(signature));
        json!({ "logIndex": INDEX.to_string(), "treeSize": SIZE.to_string(), "rootHash": root, "hashes": hashes, "checkpoint": { "envelope": envelope } })
    }
}
