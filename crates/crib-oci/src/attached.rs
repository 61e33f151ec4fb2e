//! What others have attached to an image: signatures, and statements of where it was built.
//!
//! They are found through the registry's list of what refers to the image, through the tag that stands for that list
//! where a registry has none, and through the tags that cosign has always used. Nothing of them is believed here.

use std::collections::BTreeMap;

use crib_model::{Code, Fault};
use serde::Deserialize;

use crate::registry::{Ask, Session};
use crate::{Digest, Registry, Resolved};

/// Largest list, manifest or document.
const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Documents that are read of one image.
const ATTACHED_MAX: usize = 32;
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
/// What kinds are wanted begin with this.
const KINDS: &[&str] =
    &["application/vnd.dev.sigstore.bundle", "application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.dsse.envelope.v1+json"];

/// A document that somebody attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What it was found beside: the image, or the index that led to it.
    pub subject: Digest,
    /// What kind it is said to be.
    pub kind: String,
    pub bytes: Vec<u8>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    layers: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    digest: Digest,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Registry {
    /// Finds what is attached to an image, and to the index that led to it.
    ///
    /// # Errors
    /// TC0504 where the registry cannot be reached, TC0505 for a document that is not what its digest says.
    pub async fn attached(&self, found: &Resolved) -> Result<Vec<Attached>, Fault> {
        let session = self.session(&found.reference).await?;
        let mut all = Vec::new();
        for subject in std::iter::once(&found.digest).chain(&found.index) {
            Box::pin(gather(&session, subject, &mut all)).await?;
        }
        Ok(all)
    }
}

async fn gather(session: &Session<'_>, subject: &Digest, all: &mut Vec<Attached>) -> Result<(), Fault> {
    let short = format!("sha256-{}", subject.hex());
    let mut artifacts: Vec<String> = Vec::new();
    for part in referrers(session, subject, &short).await? {
        // A registry may leave it to the manifest to say what it is.
        if part.artifact_type.is_empty() || is_wanted(&part.artifact_type) || part.artifact_type.contains("cosign") {
            artifacts.push(part.digest.to_string());
        }
    }
    artifacts.truncate(ATTACHED_MAX);
    artifacts.extend(["sig", "att"].map(|ending| format!("{short}.{ending}")));
    for name in artifacts {
        let Some(bytes) = document(session, &format!("manifests/{name}")).await? else { continue };
        check(&name, &bytes)?;
        let Ok(artifact) = serde_json::from_slice::<Artifact>(&bytes) else { continue };
        for layer in artifact.layers.into_iter().filter(|layer| is_wanted(&layer.media_type)) {
            if all.len() >= ATTACHED_MAX || all.iter().any(|known| Digest::of(&known.bytes) == layer.digest && known.annotations.is_empty())
            {
                continue;
            }
            let Some(bytes) = document(session, &format!("blobs/{}", layer.digest)).await? else { continue };
            check(layer.digest.as_str(), &bytes)?;
            let annotations = layer.annotations.unwrap_or_default();
            all.push(Attached { subject: subject.clone(), kind: layer.media_type, bytes, annotations });
        }
    }
    Ok(())
}

/// Reads the list of what refers to a digest.
async fn referrers(session: &Session<'_>, subject: &Digest, short: &str) -> Result<Vec<Part>, Fault> {
    // One that has no such list says so in many ways.
    let list = document(session, &format!("referrers/{subject}")).await.ok().flatten();
    let list = match list.and_then(|bytes| serde_json::from_slice::<List>(&bytes).ok()) {
        Some(list) => Some(list),
        None => document(session, &format!("manifests/{short}")).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
    };
    Ok(list.map(|list| list.manifests).unwrap_or_default())
}

fn is_wanted(kind: &str) -> bool {
    KINDS.iter().any(|wanted| kind.starts_with(wanted))
}

/// Reads a small document; none where there is none.
async fn document(session: &Session<'_>, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    let ask = Ask { path, accept: if path.starts_with("blobs/") { "*/*" } else { ACCEPT }, from: 0 };
    match session.document(ask, DOCUMENT_BYTES_MAX).await {
        Ok((bytes, _)) => Ok(Some(bytes.to_vec())),
        Err(fault) if fault.code() == Code::PackageMissing => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What was asked for by its digest must have it.
fn check(name: &str, bytes: &[u8]) -> Result<(), Fault> {
    let Ok(wanted) = name.parse::<Digest>() else { return Ok(()) };
    let found = Digest::of(bytes);
    if found == wanted {
        Ok(())
    } else {
        Err(crate::manifest::broken(format!("a document attached to it has {found}, and should have {wanted}")))
    }
}
