//! Who signed a package: statements in sigstore's form, and minisign for bundles. Nothing here asks the network.
//!
//! A statement is verified in this order, and only all of it together counts:
//! 1. the envelope is signed by the key of its certificate;
//! 2. the statement is about the digest of the package;
//! 3. the log holds exactly this signature: it has signed the root of a tree that has the entry in it, or has promised
//!    to take it in; what of both is there must hold;
//! 4. that promise or a trusted timestamp says when it was signed;
//! 5. at each of those times the certificate led to an authority of the trusted root, and was for signing code;
//! 6. a log of certificates of the trusted root has promised to show the certificate, where the root has such logs.
//!
//! What contradicts itself is [`Attested::Bad`]; what nobody here can check is [`Attested::Unchecked`].

mod bundle;
mod cosign;
mod der;
mod log;
mod minisign;
mod noted;
mod required;
mod roots;
mod signer;
mod stamp;
#[cfg(test)]
mod tests;
mod time;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

pub(crate) use bundle::{Bundle, by_key};
pub use cosign::ImageKey;
pub use minisign::{Key, NotAKey};
pub(crate) use minisign::{Signed, check as check_file};
pub use required::Required;
pub(crate) use roots::Roots;
pub use signer::Signer;

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
/// With what authorities sign certificates, and certificates statements.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ED25519,
];

/// A digest that a statement must be about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// `sha256`, `sha512`.
    pub(crate) algorithm: &'a str,
    pub(crate) hex: &'a str,
}

/// What is known of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attested {
    /// All of it holds.
    Verified(Signer),
    /// It does not contradict itself, and nobody here can say more: why.
    Unchecked { claims: Option<Signer>, why: String },
    /// It is not what it claims to be: why.
    Bad(String),
}

/// Verifies a statement offline.
pub(crate) fn verify(bundle: &Bundle, subject: Subject<'_>, roots: Option<&Roots>) -> Attested {
    match examine(bundle, subject, roots) {
        Ok(attested) => attested,
        Err(why) => Attested::Bad(why),
    }
}

fn examine(bundle: &Bundle, subject: Subject<'_>, roots: Option<&Roots>) -> Result<Attested, String> {
    let leaf = EndEntityCert::try_from(&bundle.certificate).map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let signed = bundle.signed();
    let is_signed = |algorithm: &&dyn SignatureVerificationAlgorithm| leaf.verify_signature(*algorithm, &signed, &bundle.signature).is_ok();
    if !ALGORITHMS.iter().any(is_signed) {
        return Err("its signature is not by the key of its certificate".to_owned());
    }
    if !bundle.is_about(subject) {
        return Err("it is about other bytes".to_owned());
    }
    let signer = Signer::of(&leaf, &bundle.certificate);
    let unchecked = |why: &str| Ok(Attested::Unchecked { claims: signer.clone(), why: why.to_owned() });
    let Some(roots) = roots else { return unchecked("there is no trusted root to check the signer by") };
    let mut times = Vec::new();
    match log::look(bundle, roots)? {
        log::Logged::Held { since } => times.extend(since),
        log::Logged::Unknown { why } => return unchecked(why),
    }
    let mut is_stranger = false;
    for stamp in &bundle.timestamps {
        match stamp::check(stamp, &bundle.signature, roots)? {
            stamp::Stamped::At(time) => times.push(time),
            stamp::Stamped::Unknown => is_stranger = true,
        }
    }
    if times.is_empty() {
        let none = "nothing that can be checked says when it was signed";
        return unchecked(if is_stranger { "its timestamp is by no authority of the trusted root" } else { none });
    }
    let mut issuers: &[CertificateDer<'static>] = &[];
    for at in times {
        match chain(&leaf, roots, at)? {
            Chain::Trusted { by } => issuers = by,
            Chain::Unknown => return unchecked("its certificate is by no authority of the trusted root"),
        }
    }
    match noted::look(&bundle.certificate, issuers, roots)? {
        noted::Noted::Shown => {}
        noted::Noted::Unknown { why } => return unchecked(why),
    }
    match signer {
        Some(signer) => Ok(Attested::Verified(signer)),
        None => unchecked("its certificate names no workflow"),
    }
}

enum Chain<'a> {
    /// By an authority with these certificates.
    Trusted {
        by: &'a [CertificateDer<'static>],
    },
    Unknown,
}

/// Follows the certificate to an authority, as things were at that time.
fn chain<'a>(leaf: &EndEntityCert<'_>, roots: &'a Roots, at: u64) -> Result<Chain<'a>, String> {
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
    let mut last = None;
    for authority in roots.authorities.iter().filter(|authority| authority.was_valid(at)) {
        let Some((root, between)) = authority.chain.split_last() else { continue };
        let Ok(anchor) = anchor_from_trusted_cert(root) else { continue };
        let anchors = [anchor];
        let usage = KeyUsage::required(CODE_SIGNING);
        match leaf.verify_for_usage(ALGORITHMS, &anchors, between, time, usage, None, None) {
            Ok(_) => return Ok(Chain::Trusted { by: &authority.chain }),
            Err(webpki::Error::UnknownIssuer) => {}
            // An authority renews its certificate with the same key; another entry may fit.
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(format!("its certificate did not hold when it was used: {error}")),
        None => Ok(Chain::Unknown),
    }
}

fn same_certificate(one: &CertificateDer<'_>, pem: &str) -> bool {
    roots::of_pem(pem).is_some_and(|other| other == one.as_ref())
}
