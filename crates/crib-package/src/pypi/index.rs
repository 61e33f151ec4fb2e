//! What an index says of a package: its attestations.

use crib_model::Fault;
use crib_transport::HttpClient;
use serde_json::Value;

use super::resolve::{Pin, normal};
use crate::{Finding, FindingKind, Proof, Provenance, web};

pub(super) const PYPI: &str = "https://pypi.org/simple";
const SIMPLE: &str = "application/vnd.pypi.simple.v1+json";
const INTEGRITY: &str = "application/vnd.pypi.integrity.v1+json";

/// Looks the package up; PyPI has no signatures of its own, but publishers may attest.
pub(super) async fn look(http: &HttpClient, index: &str, pin: &Pin, findings: &mut Vec<Finding>) -> Result<Provenance, Fault> {
    let name = normal(&pin.name);
    let mut provenance = Provenance { integrity: pin.hashes.first().cloned().filter(|_| pin.hashes.len() == 1), ..Provenance::default() };
    let url = format!("{}/{name}/", index.trim_end_matches('/'));
    // An index that needs a password or has no such form is one that tells nothing.
    let page = web::document(http, &url, SIMPLE).await.ok().flatten().unwrap_or_default();
    let files = page.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_ours = |file: &&Value| {
        let sum = file.pointer("/hashes/sha256").and_then(Value::as_str);
        sum.is_some_and(|sum| pin.hashes.iter().any(|hash| hash.strip_prefix("sha256:") == Some(sum)))
    };
    let statement = files.iter().filter(is_ours).find_map(|file| Some((file, file.get("provenance")?.as_str()?)));
    let Some((file, url)) = statement else {
        findings.push(Finding::new(FindingKind::Unsigned, format!("nobody attests who published `{name}=={}`", pin.version)));
        return Ok(provenance);
    };
    if let Some(sum) = file.pointer("/hashes/sha256").and_then(Value::as_str) {
        provenance.integrity = Some(format!("sha256:{sum}"));
    }
    let document = web::document(http, url, INTEGRITY).await?.unwrap_or_default();
    let bundle = document.pointer("/attestation_bundles/0");
    let field = |name: &str| bundle.and_then(|bundle| bundle.pointer(&format!("/publisher/{name}"))).and_then(Value::as_str);
    provenance.publisher = field("kind").map(str::to_owned);
    provenance.repository = field("repository").map(str::to_owned);
    let from = field("repository").unwrap_or("an unnamed place");
    provenance.attestation = Proof::Present { note: format!("from {from}; the signature was not checked") };
    Ok(provenance)
}
