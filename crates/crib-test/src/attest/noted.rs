//! The promise of a log to show a certificate, as it stands in the certificate.

use rcgen::{CertifiedIssuer, CustomExtension, KeyPair, PublicKeyData as _};
use sha2::{Digest as _, Sha256};

use super::NOON;
use super::log::Log;

/// Returns the extension with a promise of the log, of a certificate as it is without it.
pub(super) fn promise(log: &Log, certificate: &[u8], issuer: &CertifiedIssuer<'_, KeyPair>) -> CustomExtension {
    let body = body(certificate);
    let (time, number) = ((NOON * 1000).to_be_bytes(), u32::try_from(body.len()).expect("a short one").to_be_bytes());
    let issuer = Sha256::digest(issuer.key().subject_public_key_info());
    let signature = log.sign(&[&[0, 0], &time[..], &[0, 1], &issuer, &number[1..], body, &[0, 0]].concat());
    let promise = [&[0], &Sha256::digest(log.public())[..], &time, &[0, 0, 4, 3], &counted(&signature)].concat();
    let list = counted(&counted(&promise));
    let short = u8::try_from(list.len()).expect("one promise is short");
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], [&[4, 0x81, short][..], &list].concat())
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

/// Returns what is signed of a certificate: what its first element is.
fn body(certificate: &[u8]) -> &[u8] {
    let inner = certificate.get(4..).expect("a certificate is longer than 255 bytes");
    let length = inner.strip_prefix(&[0x30, 0x82]).and_then(|rest| rest.first_chunk::<2>()).expect("so is its body");
    inner.get(..4 + usize::from(u16::from_be_bytes(*length))).expect("whole")
}
