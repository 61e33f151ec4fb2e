//! Who signed an image, and who states where it was built: what is attached to it in its registry, verified.

use crib_model::{Code, Fault};
use crib_oci::{Attached, Registry, Resolved};
use serde_json::Value;

use crate::pull::Job;
use crate::signature::{Attested, Bundle, ImageKey, Subject, by_key, verify};
use crate::{Finding, FindingKind, Proof, Signer};

const COSIGN: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// What begins the kind of statements of where something was built.
const BUILT: &str = "https://slsa.dev/provenance/";

/// What is known of those who vouch for an image.
#[derive(Debug, Default)]
pub(super) struct Vouched {
    pub(super) signature: Proof,
    pub(super) attestation: Proof,
    pub(super) signer: Option<Signer>,
}

/// A document and what it says.
struct Voice {
    attested: Attested,
    is_of_build: bool,
}

impl Vouched {
    /// Looks at everything that is attached; who signed the version before is looked for first.
    pub(super) async fn look(
        job: &Job<'_>,
        registry: &Registry,
        found: &Resolved,
        shown: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, Fault> {
        let attached = registry.attached(found).await?;
        let mut voices: Vec<Voice> = attached.iter().map(|one| voice(one, job)).collect();
        if job.trust.needs_key {
            let is_by_key = |voice: &Voice| matches!(&voice.attested, Attested::Verified(signer) if ImageKey::of(signer).is_some());
            if !voices.iter().any(is_by_key) {
                return Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not signed by the key it has to be signed by"))
                    .because(format!("{} signatures are attached to it", voices.len())));
            }
            voices.retain(is_by_key);
        }
        let is_wanted = |signer: &Signer| job.required.iter().all(|required| required.accepts(signer));
        voices.retain(|voice| if let Attested::Verified(signer) = &voice.attested { is_wanted(signer) } else { true });
        let mut this = Self::default();
        let signers =
            voices.iter().filter_map(|voice| if let Attested::Verified(signer) = &voice.attested { Some((signer, voice)) } else { None });
        let signers: Vec<(&Signer, &Voice)> = signers.collect();
        // Before a layer is downloaded.
        job.required.iter().try_for_each(|required| required.check(shown, signers.first().map(|(signer, _)| *signer)))?;
        let known = job.before.and_then(|before| before.provenance.signer.as_ref());
        let is_known = |(signer, _): &&(&Signer, &Voice)| known.is_some_and(|known| signer.is_same(known));
        if let Some((signer, _)) = signers.iter().find(is_known).or_else(|| signers.first()) {
            let proof = || Proof::Verified { by: signer.to_string() };
            let has = |is_of_build: bool| signers.iter().any(|(other, voice)| other.is_same(signer) && voice.is_of_build == is_of_build);
            this.signature = if has(false) { proof() } else { Proof::Absent };
            this.attestation = if has(true) { proof() } else { Proof::Absent };
            this.signer = Some((*signer).clone());
            return Ok(this);
        }
        // A signature of something else beside none that is good is a forgery; what nobody here can check may be honest.
        let digest = &found.digest;
        let bad = voices.iter().find_map(|voice| if let Attested::Bad(why) = &voice.attested { Some(why) } else { None });
        let unchecked = voices.iter().find_map(|voice| match &voice.attested {
            Attested::Unchecked { claims, why } => Some((claims, why)),
            Attested::Verified(_) | Attested::Bad(_) => None,
        });
        match (bad, unchecked) {
            (Some(why), _) => {
                findings.push(Finding::new(FindingKind::BadSignature, format!("the signature of `{shown}` is not to be believed: {why}")));
                this.signature = Proof::Present { note: why.clone() };
            }
            (None, Some((claims, why))) => {
                let whose = claims.as_ref().map(|signer| format!("by {signer}; ")).unwrap_or_default();
                let message = format!("who signed `{shown}` was not checked: {why}; its digest is {digest}");
                findings.push(Finding::new(FindingKind::Unsigned, message));
                this.signature = Proof::Present { note: format!("{whose}the signature was not checked: {why}") };
            }
            (None, None) => {
                findings.push(Finding::new(FindingKind::Unsigned, format!("nobody vouches for `{shown}`; its digest is {digest}")));
            }
        }
        Ok(this)
    }
}

/// Verifies one document.
fn voice(one: &Attached, job: &Job<'_>) -> Voice {
    if one.kind == COSIGN
        && let Some(found) = by_key(&one.bytes, &one.annotations, one.subject.as_str(), &job.trust.image_keys)
    {
        return Voice { attested: found.map_or_else(Attested::Bad, Attested::Verified), is_of_build: false };
    }
    let bundle = match one.kind.as_str() {
        COSIGN => Bundle::of_cosign(one.bytes.clone(), &one.annotations),
        ENVELOPE => Bundle::of_envelope(&one.bytes, &one.annotations),
        _ => serde_json::from_slice::<Value>(&one.bytes).ok().and_then(|bundle| Bundle::of_sigstore(&bundle)),
    };
    let Some(bundle) = bundle else {
        let why = "it is signed with a key of somebody who is not known here, or in a way that is not".to_owned();
        return Voice { attested: Attested::Unchecked { claims: None, why }, is_of_build: false };
    };
    let subject = Subject { algorithm: "sha256", hex: one.subject.hex() };
    let is_of_build = bundle.predicate().is_some_and(|kind| kind.starts_with(BUILT));
    Voice { attested: verify(&bundle, subject, job.roots), is_of_build }
}
