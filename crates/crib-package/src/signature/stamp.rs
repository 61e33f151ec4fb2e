//! Timestamps of an authority that is trusted (RFC 3161): when a signature was there already.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::der::{self, INTEGER, OBJECT, OCTETS, SEQUENCE, SET, element, elements};
use super::roots::{Roots, Stamper};
use super::{ALGORITHMS, time};

/// `id-kp-timeStamping`, 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// `id-signedData`, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// `id-ct-TSTInfo`, 1.2.840.113549.1.9.16.1.4.
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
/// Attributes that are signed: what kind it is, and the digest of it.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// Hash functions: 2.16.840.1.101.3.4.2.N.
const HASHES: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
const GENERALIZED_TIME: u8 = 0x18;
/// The explicit tag 0.
const ZERO: u8 = 0xa0;

/// What is known of a timestamp.
pub(super) enum Stamped {
    /// A trusted authority saw it at this time.
    At(u64),
    /// It is by nobody that is known here.
    Unknown,
}

/// Looks at the timestamp of a signature.
pub(super) fn check(response: &[u8], signature: &[u8], roots: &Roots) -> Result<Stamped, String> {
    let token = Token::read(response).ok_or_else(|| "its timestamp cannot be read".to_owned())?;
    if hashed(token.hash, signature).as_deref() != Some(token.imprint) {
        return Err("its timestamp is of another signature".to_owned());
    }
    let digest_fits =
        token.attribute(MESSAGE_DIGEST).and_then(|value| content(value, OCTETS)) == hashed(token.signer.hash, token.info).as_deref();
    let kind_fits = token.attribute(CONTENT_TYPE).and_then(|value| content(value, OBJECT)) == Some(TST_INFO);
    if !digest_fits || !kind_fits {
        return Err("its timestamp says something else than what was signed".to_owned());
    }
    let mut last = None;
    for stamper in &roots.stampers {
        for leaf in stamper.chain.iter().take(1).chain(&token.certificates) {
            let Ok(end) = EndEntityCert::try_from(leaf) else { continue };
            if !token.is_signed_by(&end) {
                continue;
            }
            match chain(&end, stamper, &token) {
                Ok(()) => return Ok(Stamped::At(token.time)),
                Err(Refused::Stranger) => {}
                Err(Refused::Not(why)) => last = Some(why),
            }
        }
    }
    last.map_or(Ok(Stamped::Unknown), Err)
}

enum Refused {
    Stranger,
    Not(String),
}

/// Follows the certificate of the timestamp to its authority, as things were when it was made.
fn chain(leaf: &EndEntityCert<'_>, stamper: &Stamper, token: &Token<'_>) -> Result<(), Refused> {
    let Some(anchor) = stamper.chain.last().and_then(|root| anchor_from_trusted_cert(root).ok()) else { return Err(Refused::Stranger) };
    let anchors = [anchor];
    let between: Vec<CertificateDer<'_>> = stamper.chain.iter().chain(&token.certificates).cloned().collect();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(token.time));
    match leaf.verify_for_usage(ALGORITHMS, &anchors, &between, time, KeyUsage::required(TIME_STAMPING), None, None) {
        Ok(_) if (stamper.start..=stamper.end).contains(&token.time) => Ok(()),
        Ok(_) => Err(Refused::Not("its timestamp is from a time when its authority was not trusted".to_owned())),
        Err(webpki::Error::UnknownIssuer) => Err(Refused::Stranger),
        Err(error) => Err(Refused::Not(format!("the certificate of its timestamp did not hold when it was used: {error}"))),
    }
}

/// A response with a timestamp, down to what is looked at.
struct Token<'a> {
    /// The statement, as it was signed.
    info: &'a [u8],
    hash: &'a [u8],
    imprint: &'a [u8],
    time: u64,
    certificates: Vec<CertificateDer<'a>>,
    signer: Signer<'a>,
}

struct Signer<'a> {
    hash: &'a [u8],
    /// The attributes, with their own head.
    attributes: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Token<'a> {
    fn read(response: &'a [u8]) -> Option<Self> {
        let mut parts = elements(content(response, SEQUENCE)?);
        // Status 0 and 1: it was given, and given with changes.
        let status = content(parts.next().filter(|(tag, _)| *tag == SEQUENCE)?.1, INTEGER)?;
        if !matches!(status, [0 | 1]) {
            return None;
        }
        let (SEQUENCE, wrapped) = parts.next()? else { return None };
        let mut wrapped = elements(wrapped);
        if wrapped.next()? != (OBJECT, SIGNED_DATA) {
            return None;
        }
        let (ZERO, signed) = wrapped.next()? else { return None };
        let mut signed = elements(content(signed, SEQUENCE)?).skip(2);
        let (SEQUENCE, inner) = signed.next()? else { return None };
        let mut inner = elements(inner);
        if inner.next()? != (OBJECT, TST_INFO) {
            return None;
        }
        let (ZERO, info) = inner.next()? else { return None };
        let info = content(info, OCTETS)?;
        let mut certificates = Vec::new();
        let mut signers = None;
        for (tag, content) in signed {
            match tag {
                ZERO => certificates = der::whole(content).into_iter().map(CertificateDer::from).collect(),
                SET => signers = Some(content),
                _ => {}
            }
        }
        let (hash, imprint, time) = statement(info)?;
        Some(Self { info, hash, imprint, time, certificates, signer: Signer::read(content(signers?, SEQUENCE)?)? })
    }

    fn attribute(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let (_, list, _) = element(self.signer.attributes)?;
        elements(list).find_map(|(_, attribute)| {
            let mut parts = elements(attribute);
            let name = parts.next()?;
            let (SET, value) = parts.next()? else { return None };
            (name == (OBJECT, wanted)).then_some(value)
        })
    }

    /// What is signed are the attributes, called the set that they are.
    fn is_signed_by(&self, certificate: &EndEntityCert<'_>) -> bool {
        let mut signed = self.signer.attributes.to_vec();
        if let Some(tag) = signed.first_mut() {
            *tag = SET;
        }
        let fits = |algorithm: &&dyn SignatureVerificationAlgorithm| {
            certificate.verify_signature(*algorithm, &signed, self.signer.signature).is_ok()
        };
        ALGORITHMS.iter().chain(OLDER).any(fits)
    }
}

/// With what authorities of timestamps sign besides.
static OLDER: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
];

impl<'a> Signer<'a> {
    fn read(signer: &'a [u8]) -> Option<Self> {
        // The version, and whose certificate it is: every one that is trusted is tried.
        let (_, _, rest) = element(signer)?;
        let (_, _, rest) = element(rest)?;
        let (SEQUENCE, hash, rest) = element(rest)? else { return None };
        let (ZERO, _, after) = element(rest)? else { return None };
        let attributes = rest.get(..rest.len() - after.len())?;
        let (SEQUENCE, _, rest) = element(after)? else { return None };
        let (OCTETS, signature, _) = element(rest)? else { return None };
        Some(Self { hash: content(hash, OBJECT)?, attributes, signature })
    }
}

/// Reads the hash, the digest and the time of a statement.
fn statement(info: &[u8]) -> Option<(&[u8], &[u8], u64)> {
    let mut parts = elements(content(info, SEQUENCE)?).skip(2);
    let (SEQUENCE, imprint) = parts.next()? else { return None };
    let mut imprint = elements(imprint);
    let (SEQUENCE, hash) = imprint.next()? else { return None };
    let (OCTETS, digest) = imprint.next()? else { return None };
    let (INTEGER, _) = parts.next()? else { return None };
    let (GENERALIZED_TIME, time) = parts.next()? else { return None };
    Some((content(hash, OBJECT)?, digest, time::read_generalized(std::str::from_utf8(time).ok()?)?))
}

/// Returns what is in the first element, if that has this tag.
fn content(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    element(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, _)| content)
}

fn hashed(algorithm: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match algorithm.strip_prefix(&HASHES)? {
        [1] => &SHA256,
        [2] => &SHA384,
        [3] => &SHA512,
        _ => return None,
    };
    Some(digest(algorithm, bytes).as_ref().to_vec())
}
