//! Who a certificate says that signed.

use std::fmt;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use webpki::EndEntityCert;

use super::der;

/// In front of the number of each of Fulcio's extensions, 1.3.6.1.4.1.57264.1.
const FULCIO: [u8; 9] = [0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1];
/// `id-ce-subjectAltName`, 2.5.29.17, and the tag of an address in it.
const NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
const EMAIL: u8 = 0x81;
const ISSUER_BEFORE: u8 = 1;
const ISSUER: u8 = 8;
const REPOSITORY: u8 = 12;
const TEXT_BYTES_MAX: usize = 1024;

/// Who signed a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Who says that it was them: the address of an identity provider, `minisign` or `cosign`.
    pub issuer: String,
    /// Who it was: the address of a workflow with its branch or tag, of a person, or a public key.
    pub identity: String,
    /// The repository that was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

impl Signer {
    /// Reads what a certificate says of whom it is for.
    pub(super) fn of(leaf: &EndEntityCert<'_>, certificate: &CertificateDer<'_>) -> Option<Self> {
        let extension = |number: u8| {
            let value = der::extension(certificate.as_ref(), &[&FULCIO[..], &[number]].concat())?;
            // The first of them were written without their wrapping.
            let text = if number < ISSUER { String::from_utf8(value.to_vec()).ok() } else { der::text(value) };
            text.filter(|text| is_plain(text))
        };
        let uri = leaf.valid_uri_names().next().map(str::to_owned);
        let identity = uri.or_else(|| email(certificate)).filter(|text| is_plain(text))?;
        Some(Self { issuer: extension(ISSUER).or_else(|| extension(ISSUER_BEFORE))?, identity, repository: extension(REPOSITORY) })
    }

    /// Returns whether it is the same one, whatever branch or tag it was that was built.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |signer: &Self| {
            // What comes after a workflow is its branch or tag; what comes after a person's name is who they are.
            let is_place = signer.identity.contains("://");
            if is_place { signer.identity.split('@').next().unwrap_or_default().to_owned() } else { signer.identity.clone() }
        };
        self.issuer == other.issuer && self.repository == other.repository && place(self) == place(other)
    }
}

/// Reads the address of a person, where it is one that signed.
fn email(certificate: &CertificateDer<'_>) -> Option<String> {
    let (der::SEQUENCE, names, _) = der::element(der::extension(certificate.as_ref(), &NAMES)?)? else { return None };
    let (_, name) = der::elements(names).find(|(tag, _)| *tag == EMAIL)?;
    String::from_utf8(name.to_vec()).ok()
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.issuer == "minisign" {
            return write!(f, "minisign key {}", self.identity);
        }
        if self.issuer == "cosign" {
            return write!(f, "cosign key {}", self.identity);
        }
        f.write_str(&self.identity)
    }
}

/// A text that can be shown: no certificate needs more.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}
