//! Whom to believe: sigstore's trusted root, a file of the user's or the one that came with npm.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::{Code, Fault};
use rustls_pki_types::CertificateDer;
use serde_json::Value;

use super::bundle::decoded;
use super::time;
use crate::tool::Surroundings;

/// Where npm keeps what it began to trust with.
const SEEDS: &str = "node_modules/@sigstore/tuf/seeds.json";
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// In front of the point of a P-256 key, and of an Ed25519 key, in `SubjectPublicKeyInfo`.
const P256_HEAD: usize = 26;
const ED25519_HEAD: usize = 12;

/// Authorities that give out certificates, and logs that hold signatures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(super) authorities: Vec<Authority>,
    pub(super) logs: Vec<Log>,
    /// Logs that hold certificates.
    pub(super) certificate_logs: Vec<Log>,
    pub(super) stampers: Vec<Stamper>,
}

/// An authority of timestamps: its certificates from the one that signs to the one that is trusted.
#[derive(Clone, Debug)]
pub(super) struct Stamper {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// An authority: its certificates from the one that signs to the one that is trusted.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) chain: Vec<CertificateDer<'static>>,
    start: u64,
    end: u64,
}

/// The key of a log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    key: Vec<u8>,
    is_ed25519: bool,
    start: u64,
    end: u64,
}

impl Roots {
    /// Reads the file that was named, else what came with npm; nothing where there is neither.
    ///
    /// # Errors
    /// TC0505 when the file that was named is no trusted root.
    pub(crate) fn find(named: Option<&Path>, surroundings: &Surroundings) -> Result<Option<Self>, Fault> {
        let Some(path) = named else { return Ok(seeds(surroundings).and_then(|root| Self::read(&root))) };
        let odd = |why: String| {
            Fault::new(Code::PackageUnverified, format!("`{}` is no trusted root of sigstore", path.display()))
                .because(why)
                .hint("it is the file `trusted_root.json`, named by `packages.trustedRoot` in the configuration")
        };
        let text = text(path).map_err(|error| odd(error.to_string()))?;
        let root: Value = serde_json::from_slice(&text).map_err(|error| odd(error.to_string()))?;
        let roots = Self::read(&root).ok_or_else(|| odd("it has no authorities with their certificates, or no logs".to_owned()))?;
        Ok(Some(roots))
    }

    pub(super) fn read(root: &Value) -> Option<Self> {
        let list = |name: &str| root.get(name).and_then(Value::as_array).into_iter().flatten();
        let chain = |entry: &Value| {
            let certificates = entry.pointer("/certChain/certificates")?.as_array()?;
            let chain: Option<Vec<_>> = certificates.iter().map(|one| Some(decoded(one.get("rawBytes")?)?.into())).collect();
            chain.filter(|chain| !chain.is_empty())
        };
        let authority = |entry: &Value| {
            let (start, end) = valid(entry.get("validFor"));
            Some(Authority { chain: chain(entry)?, start, end })
        };
        let stamper = |entry: &Value| {
            let (start, end) = valid(entry.get("validFor"));
            Some(Stamper { chain: chain(entry)?, start, end })
        };
        let this = Self {
            authorities: list("certificateAuthorities").filter_map(authority).collect(),
            logs: list("tlogs").filter_map(Log::read).collect(),
            certificate_logs: list("ctlogs").filter_map(Log::read).collect(),
            stampers: list("timestampAuthorities").filter_map(stamper).collect(),
        };
        (!this.authorities.is_empty() && !this.logs.is_empty()).then_some(this)
    }
}

/// Reads from when to when something is trusted.
fn valid(span: Option<&Value>) -> (u64, u64) {
    let at = |name: &str| span.and_then(|span| span.get(name)).and_then(Value::as_str).and_then(time::read);
    (at("start").unwrap_or(0), at("end").unwrap_or(u64::MAX))
}

impl Authority {
    pub(super) fn was_valid(&self, at: u64) -> bool {
        (self.start..=self.end).contains(&at)
    }
}

impl Log {
    fn read(entry: &Value) -> Option<Self> {
        let key = decoded(entry.pointer("/publicKey/rawBytes")?)?;
        let is_ed25519 = match entry.pointer("/publicKey/keyDetails")?.as_str()? {
            "PKIX_ECDSA_P256_SHA_256" => false,
            "PKIX_ED25519" => true,
            _ => return None,
        };
        let (start, end) = valid(entry.pointer("/publicKey/validFor"));
        Some(Self {
            id: decoded(entry.pointer("/logId/keyId")?)?,
            key: key.get(if is_ed25519 { ED25519_HEAD } else { P256_HEAD }..)?.to_vec(),
            is_ed25519,
            start,
            end,
        })
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.is_ed25519 {
            return UnparsedPublicKey::new(&ED25519, &self.key).verify(message, signature).is_ok();
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.key).verify(message, signature).is_ok()
    }

    pub(super) fn was_valid(&self, at: u64) -> bool {
        (self.start..=self.end).contains(&at)
    }
}

/// Finds the trusted root that came with npm.
fn seeds(surroundings: &Surroundings) -> Option<Value> {
    let npm = surroundings.find("npm")?.canonicalize().ok()?;
    let path = npm.ancestors().skip(1).take(3).map(|folder| folder.join(SEEDS)).find(|path: &PathBuf| path.is_file())?;
    let seeds: Value = serde_json::from_slice(&text(&path).ok()?).ok()?;
    let root = seeds.as_object()?.values().find_map(|seed| seed.pointer("/targets/trusted_root.json"))?;
    serde_json::from_slice(&decoded(root)?).ok()
}

fn text(path: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > BYTES_MAX {
        return Err(std::io::Error::other(format!("it has {size} bytes; {BYTES_MAX} is the most")));
    }
    std::fs::read(path)
}

/// Reads one certificate in its armour.
pub(super) fn of_pem(pem: &str) -> Option<Vec<u8>> {
    let body = pem.split("-----BEGIN CERTIFICATE-----").nth(1)?.split("-----END").next()?;
    let letters: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
    STANDARD.decode(letters).ok()
}
