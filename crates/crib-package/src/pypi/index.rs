//! What an index says of a package: its attestations.

use crib_model::Fault;
use serde_json::Value;

use super::resolve::{Pin, normal};
use crate::pull::Job;
use crate::signature::{Attested, Bundle, Roots, Subject, verify};
use crate::{Finding, FindingKind, Proof, Provenance, Signer, web};

pub(super) const PYPI: &str = "https://pypi.org/simple";
pub(super) const SIMPLE: &str = "application/vnd.pypi.simple.v1+json";
const INTEGRITY: &str = "application/vnd.pypi.integrity.v1+json";

/// Looks the package up; PyPI has no signatures of its own, but publishers may attest.
pub(super) async fn look(job: &Job<'_>, index: &str, pin: &Pin, findings: &mut Vec<Finding>) -> Result<Provenance, Fault> {
    let (name, http) = (normal(&pin.name), job.http);
    let mut provenance = Provenance { integrity: pin.hashes.first().cloned().filter(|_| pin.hashes.len() == 1), ..Provenance::default() };
    let url = format!("{}/{name}/", index.trim_end_matches('/'));
    // An index that needs a password or has no such form is one that tells nothing.
    let page = web::document(http, &url, SIMPLE).await.ok().flatten().unwrap_or_default();
    let files = page.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_ours = |file: &&Value| {
        let sum = file.pointer("/hashes/sha256").and_then(Value::as_str);
        sum.is_some_and(|sum| pin.hashes.iter().any(|hash| hash.strip_prefix("sha256:") == Some(sum)))
    };
    provenance.released = files.iter().find(is_ours).and_then(|file| Some(file.get("upload-time")?.as_str()?.to_owned()));
    let statement = files.iter().filter(is_ours).find_map(|file| Some((file, file.get("provenance")?.as_str()?)));
    let Some((file, url)) = statement else {
        findings.push(Finding::new(FindingKind::Unsigned, format!("nobody attests who published `{name}=={}`", pin.version)));
        return Ok(provenance);
    };
    let sum = file.pointer("/hashes/sha256").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    provenance.integrity = Some(format!("sha256:{sum}"));
    let document = web::document(http, url, INTEGRITY).await?.unwrap_or_default();
    let bundle = document.pointer("/attestation_bundles/0");
    let field = |name: &str| bundle.and_then(|bundle| bundle.pointer(&format!("/publisher/{name}"))).and_then(Value::as_str);
    provenance.publisher = field("kind").map(str::to_owned);
    provenance.repository = field("repository").map(str::to_owned);
    let from = format!("from {}", field("repository").unwrap_or("an unnamed place"));
    let label = format!("{name}=={}", pin.version);
    (provenance.attestation, provenance.signer) = attestation(&document, (&label, &from), &sum, job.roots, findings);
    Ok(provenance)
}

/// Looks at the attestations of a file: whether they are about it, and who signed them.
fn attestation(
    document: &Value,
    (label, from): (&str, &str),
    sum: &str,
    roots: Option<&Roots>,
    findings: &mut Vec<Finding>,
) -> (Proof, Option<Signer>) {
    let lists = document.get("attestation_bundles").and_then(Value::as_array).into_iter().flatten();
    let all = lists.filter_map(|bundle| bundle.get("attestations")?.as_array()).flatten();
    let subject = Subject { algorithm: "sha256", hex: sum };
    let mut unchecked = "there is none to be read".to_owned();
    for bundle in all.filter_map(Bundle::of_pypi) {
        match verify(&bundle, subject, roots) {
            Attested::Verified(signer) => return (Proof::Verified { by: signer.to_string() }, Some(signer)),
            Attested::Bad(why) => {
                let message = format!("the attestation of `{label}` is not to be believed: {why}");
                findings.push(Finding::new(FindingKind::BadSignature, message));
                return (Proof::Present { note: why }, None);
            }
            Attested::Unchecked { why, .. } => unchecked = why,
        }
    }
    findings.push(Finding::new(FindingKind::NoProvenance, format!("who attests `{label}` was not checked: {unchecked}")));
    (Proof::Present { note: format!("{from}; the signature was not checked: {unchecked}") }, None)
}
