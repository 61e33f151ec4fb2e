//! What a registry says of a package: who published it, its signature, its attestations.

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crib_model::{Code, Fault};
use serde_json::Value;
use sha2::{Digest as _, Sha512};

use super::tree::Resolution;
use crate::pull::Job;
use crate::signature::{Attested, Bundle, Roots, Subject, verify};
use crate::{Digest, Finding, FindingKind, Proof, Provenance, Signer, web};

/// In front of the point of a P-256 key in `SubjectPublicKeyInfo`.
const SPKI_HEAD_BYTES: usize = 26;
pub(super) const JSON: &str = "application/json";

/// Returns what npm registries sign.
fn signed_text(name: &str, version: &str, integrity: &str) -> String {
    format!("{name}@{version}:{integrity}")
}

/// Looks the package up; what the registry does not have is noted, what does not fit is a finding.
pub(super) async fn look(
    job: &Job<'_>,
    base: &str,
    name: &str,
    resolution: &Resolution,
    findings: &mut Vec<Finding>,
) -> Result<Provenance, Fault> {
    let (version, integrity) = (&resolution.version, &resolution.integrity);
    let http = job.http;
    let path = name.replace('/', "%2f");
    let mut provenance = Provenance { integrity: Some(integrity.clone()), ..Provenance::default() };
    let Some(document) = web::document(http, &format!("{base}/{path}/{version}"), JSON).await? else {
        findings.push(Finding::new(FindingKind::Unsigned, format!("the registry does not tell who signed `{name}`")));
        return Ok(provenance);
    };
    provenance.publisher = text(&document, "/_npmUser/name");
    provenance.repository = text(&document, "/repository/url").or_else(|| text(&document, "/repository"));
    provenance.signature = signed(job, base, (name, version, integrity), &document, findings).await?;
    if provenance.signature == Proof::Absent {
        findings.push(Finding::new(FindingKind::Unsigned, format!("`{name}@{version}` is not signed by its registry")));
    }
    // The times of all versions stand in the document of the package alone; without it the version is as good.
    let whole = web::document(http, &format!("{base}/{path}"), JSON).await.ok().flatten().unwrap_or_default();
    provenance.released = whole.get("time").and_then(|times| Some(times.get(version)?.as_str()?.to_owned()));
    let url = format!("{base}/-/npm/v1/attestations/{path}@{version}");
    let document = web::document(http, &url, JSON).await?.unwrap_or_default();
    (provenance.attestation, provenance.signer) = attestation(&document, resolution, job.roots, findings);
    Ok(provenance)
}

/// Looks at the registry's signature over one version.
pub(super) async fn signed(
    job: &Job<'_>,
    base: &str,
    (name, version, integrity): (&str, &str, &str),
    document: &Value,
    findings: &mut Vec<Finding>,
) -> Result<Proof, Fault> {
    let given = signatures(document);
    if given.is_empty() {
        return Ok(Proof::Absent);
    }
    let keys = web::document(job.http, &format!("{base}/-/npm/v1/keys"), JSON).await?.unwrap_or_default();
    Ok(check(&keys, &given, &signed_text(name, version, integrity), findings))
}

/// Gets the archive of a package, as npm will.
pub(super) async fn download(job: &Job<'_>, base: &str, name: &str, version: &str, to: &Path) -> Result<(), Fault> {
    let path = name.replace('/', "%2f");
    let document = web::document(job.http, &format!("{base}/{path}/{version}"), JSON).await?.unwrap_or_default();
    let missing = || Fault::new(Code::PackageUnverified, format!("the registry does not say where the archive of `npm:{name}` is"));
    let url = text(&document, "/dist/tarball").ok_or_else(missing)?;
    web::download(job.http, &url, to, job.progress).await
}

/// Checks that the archive is the one that is listed, and the one that npm is going to install.
pub(super) fn check_file(name: &str, resolution: &Resolution, archive: &Path, wanted: &Digest) -> Result<(), Fault> {
    let odd = |why: String| Fault::new(Code::PackageUnverified, format!("`npm:{name}` is not the file that is listed")).because(why);
    let bytes = std::fs::read(archive).map_err(|error| odd(error.to_string()))?;
    let digest = Digest::of(&bytes);
    if digest != *wanted {
        return Err(odd(format!("its digest is {digest}, and not {wanted}")));
    }
    let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&bytes)));
    if integrity != resolution.integrity {
        return Err(odd("npm would install other bytes".to_owned()));
    }
    Ok(())
}

/// The id of a key, and a signature by it.
struct Given {
    key: String,
    signature: Vec<u8>,
}

fn signatures(document: &Value) -> Vec<Given> {
    let list = document.pointer("/dist/signatures").and_then(Value::as_array);
    let given = list.into_iter().flatten().filter_map(|entry| {
        let signature = STANDARD.decode(entry.get("sig")?.as_str()?).ok()?;
        Some(Given { key: entry.get("keyid")?.as_str()?.to_owned(), signature })
    });
    given.collect()
}

fn check(keys: &Value, given: &[Given], signed: &str, findings: &mut Vec<Finding>) -> Proof {
    let known = keys.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for one in given {
        let key = known.iter().find(|key| key.get("keyid").and_then(Value::as_str) == Some(one.key.as_str()));
        let Some(point) = key.and_then(|key| key.get("key")).and_then(Value::as_str).and_then(|key| STANDARD.decode(key).ok()) else {
            continue;
        };
        let point = point.get(SPKI_HEAD_BYTES..).unwrap_or_default();
        if UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(signed.as_bytes(), &one.signature).is_ok() {
            return Proof::Verified { by: format!("the registry's key {}", one.key) };
        }
        findings.push(Finding::new(FindingKind::BadSignature, format!("the registry's signature is not one of `{signed}`")));
        return Proof::Present { note: "the signature does not fit".to_owned() };
    }
    Proof::Present { note: "the registry does not give the key".to_owned() }
}

/// Looks at the attestations: whether they are about these bytes, and who signed them.
fn attestation(document: &Value, resolution: &Resolution, roots: Option<&Roots>, findings: &mut Vec<Finding>) -> (Proof, Option<Signer>) {
    let version = &resolution.version;
    let mut find = |kind: FindingKind, message: String| findings.push(Finding::new(kind, message));
    let Some(list) = document.get("attestations").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        find(FindingKind::NoProvenance, format!("nobody attests where version {version} was built"));
        return (Proof::Absent, None);
    };
    let wanted = resolution.integrity.strip_prefix("sha512-").and_then(|sum| STANDARD.decode(sum).ok()).map(|sum| crate::digest::hex(&sum));
    let statements: Vec<Value> = list.iter().filter_map(statement).collect();
    let is_about = |statement: &Value| {
        let subjects = statement.get("subject").and_then(Value::as_array);
        subjects.into_iter().flatten().any(|subject| text(subject, "/digest/sha512") == wanted)
    };
    if wanted.is_none() || !statements.iter().all(is_about) {
        find(FindingKind::BadSignature, format!("the attestation of version {version} is about other bytes"));
        return (Proof::Present { note: "of other bytes".to_owned() }, None);
    }
    let subject = Subject { algorithm: "sha512", hex: wanted.as_deref().unwrap_or_default() };
    let bundles = list.iter().filter_map(|entry| Bundle::of_sigstore(entry.get("bundle")?));
    let mut unchecked = None;
    for bundle in bundles {
        match verify(&bundle, subject, roots) {
            Attested::Verified(signer) => return (Proof::Verified { by: signer.to_string() }, Some(signer)),
            Attested::Bad(why) => {
                find(FindingKind::BadSignature, format!("the attestation of version {version} is not to be believed: {why}"));
                return (Proof::Present { note: why }, None);
            }
            Attested::Unchecked { claims, why } => unchecked = Some((claims, why)),
        }
    }
    let (claims, why) = unchecked.unwrap_or_else(|| (None, "it is by the registry itself".to_owned()));
    find(FindingKind::NoProvenance, format!("who attests where version {version} was built was not checked: {why}"));
    let builder = statements.iter().find_map(|statement| {
        text(statement, "/predicate/buildDefinition/externalParameters/workflow/repository").map(|repository| format!("from {repository}"))
    });
    let claim = claims.map(|signer| format!("by {signer}")).or(builder).unwrap_or_else(|| "of these bytes".to_owned());
    (Proof::Present { note: format!("{claim}; the signature was not checked: {why}") }, None)
}

/// Returns what a bundle states, unchecked.
fn statement(entry: &Value) -> Option<Value> {
    let payload = entry.pointer("/bundle/dsseEnvelope/payload")?.as_str()?;
    serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}
