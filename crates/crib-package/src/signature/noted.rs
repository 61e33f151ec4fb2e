//! Whether a certificate was made known: what a log of certificates promised, which stands in the certificate itself
//! (RFC 6962). Who gives out certificates in secret cannot have that.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::der::{self, EXTENSIONS, OCTETS, SEQUENCE, element, elements, encoded, whole};
use super::roots::Roots;

/// The list of promises, 1.3.6.1.4.1.11129.2.4.2.
const PROMISES: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];
/// A certificate as it was before the promises were put in.
const PRECERTIFICATE: [u8; 2] = [0, 1];
const ID_BYTES: usize = 32;
const PROMISES_MAX: usize = 16;

/// What is known of a certificate.
pub(super) enum Noted {
    /// A trusted log has promised to show it.
    Shown,
    /// Nobody here can tell.
    Unknown { why: &'static str },
}

/// One promise.
struct Promise<'a> {
    log: &'a [u8],
    /// Milliseconds since 1970.
    time: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Looks for a promise by a log of the trusted root. A trusted root without such logs asks for none.
///
/// # Errors
/// A log that is trusted did not sign what stands there.
pub(super) fn look(certificate: &CertificateDer<'_>, issuers: &[CertificateDer<'_>], roots: &Roots) -> Result<Noted, String> {
    if roots.certificate_logs.is_empty() {
        return Ok(Noted::Shown);
    }
    let Some(list) = der::extension(certificate, PROMISES) else {
        return Ok(Noted::Unknown { why: "no log of certificates has promised to show its certificate" });
    };
    let odd = || "what the logs of certificates promised cannot be read".to_owned();
    let promises = promises(list).ok_or_else(odd)?;
    let body = without_promises(certificate).ok_or_else(odd)?;
    for promise in &promises {
        let Some(log) = roots.certificate_logs.iter().find(|log| log.id == promise.log) else { continue };
        let signed = |issuer: &CertificateDer<'_>| promise.signed(key(issuer)?, &body);
        let is_signed = issuers.iter().filter_map(signed).any(|signed| log.verifies(&signed, promise.signature));
        if !is_signed || !log.was_valid(promise.time / 1000) {
            return Err("the promise of its log of certificates is not signed by that log".to_owned());
        }
        return Ok(Noted::Shown);
    }
    Ok(Noted::Unknown { why: "the log of its certificate is none of the trusted root" })
}

fn promises(list: &[u8]) -> Option<Vec<Promise<'_>>> {
    let (OCTETS, list, _) = element(list)? else { return None };
    let (mut rest, behind) = counted(list)?;
    let mut found = Vec::new();
    while !rest.is_empty() && found.len() < PROMISES_MAX {
        let (promise, after) = counted(rest)?;
        rest = after;
        found.extend(Promise::read(promise));
    }
    behind.is_empty().then_some(found)
}

/// Returns what is behind two bytes that count it, and what comes after that.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

impl<'a> Promise<'a> {
    /// Reads one of the first version.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (0, rest) = bytes.split_first()? else { return None };
        let (log, rest) = rest.split_at_checked(ID_BYTES)?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (extensions, rest) = counted(rest)?;
        // By which algorithm the log signs is known from its key.
        let (signature, _) = counted(rest.get(2..)?)?;
        Some(Self { log, time: u64::from_be_bytes(*time), extensions, signature })
    }

    /// Returns what the log has signed.
    fn signed(&self, issuer: [u8; 32], body: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(body.len()).ok()?.to_be_bytes();
        let extensions = u16::try_from(self.extensions.len()).ok()?.to_be_bytes();
        let [0, length @ ..] = length else { return None };
        Some([&[0, 0], &self.time.to_be_bytes()[..], &PRECERTIFICATE, &issuer, &length, body, &extensions, self.extensions].concat())
    }
}

/// Returns the digest of a certificate's key.
fn key(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, body, _) = element(certificate)? else { return None };
    // Version, number, algorithm, issuer, times and subject come first; without a version it is of no use here.
    let key = whole(body).get(6).copied()?;
    Some(Sha256::digest(key).into())
}

/// Returns what was to be signed of a certificate before the promises were put in.
fn without_promises(certificate: &[u8]) -> Option<Vec<u8>> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, body, _) = element(certificate)? else { return None };
    let mut parts = Vec::new();
    for part in whole(body) {
        let (tag, content, _) = element(part)?;
        if tag != EXTENSIONS {
            parts.extend_from_slice(part);
            continue;
        }
        let (SEQUENCE, list, _) = element(content)? else { return None };
        let is_other = |extension: &&[u8]| {
            let name = element(extension).and_then(|(_, content, _)| elements(content).next());
            name.is_none_or(|(_, name)| name != PROMISES)
        };
        let others = whole(list).into_iter().filter(is_other).collect::<Vec<_>>().concat();
        parts.extend(encoded(EXTENSIONS, &encoded(SEQUENCE, &others)?)?);
    }
    encoded(SEQUENCE, &parts)
}
