//! An authority that says when a signature was there (RFC 3161).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use sha2::{Digest as _, Sha256};

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const POLICY: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 2];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 2;
const OBJECT: u8 = 6;
const OCTETS: u8 = 4;
const TIME: u8 = 0x18;
const ZERO: u8 = 0xa0;

pub(super) struct Stamper {
    root: CertifiedIssuer<'static, KeyPair>,
    leaf: Vec<u8>,
    key: EcdsaKeyPair,
}

impl Stamper {
    pub(super) fn new(name: &str) -> Self {
        let root = CertifiedIssuer::self_signed(super::authority(&format!("{name} of time")), KeyPair::generate().expect("a key"));
        let root = root.expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "stamps");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        let leaf = params.signed_by(&key, &root).expect("a certificate").der().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der()).expect("a key");
        Self { root, leaf, key }
    }

    /// From the one that signs to the one that is trusted.
    pub(super) fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.leaf.clone(), self.root.der().to_vec()]
    }

    pub(super) fn stamp(&self, signature: &[u8], at: u64) -> Vec<u8> {
        let hash = || join(SEQUENCE, &[of(OBJECT, SHA256), of(5, &[])]);
        let imprint = join(SEQUENCE, &[hash(), of(OCTETS, &Sha256::digest(signature))]);
        let time = of(TIME, written(at).as_bytes());
        let info = join(SEQUENCE, &[of(INTEGER, &[1]), of(OBJECT, POLICY), imprint, of(INTEGER, &[9]), time]);
        let attribute = |name: &[u8], value: Vec<u8>| join(SEQUENCE, &[of(OBJECT, name), of(SET, &value)]);
        let attributes =
            [attribute(CONTENT_TYPE, of(OBJECT, TST_INFO)), attribute(MESSAGE_DIGEST, of(OCTETS, &Sha256::digest(&info)))].concat();
        let signed = self.key.sign(&SystemRandom::new(), &of(SET, &attributes)).expect("a signature");
        let whose = join(SEQUENCE, &[of(SEQUENCE, &[]), of(INTEGER, &[1])]);
        let parts =
            [of(INTEGER, &[1]), whose, hash(), of(ZERO, &attributes), of(SEQUENCE, &of(OBJECT, ECDSA)), of(OCTETS, signed.as_ref())];
        let content = join(SEQUENCE, &[of(OBJECT, TST_INFO), of(ZERO, &of(OCTETS, &info))]);
        let data = join(SEQUENCE, &[of(INTEGER, &[3]), of(SET, &hash()), content, of(SET, &join(SEQUENCE, &parts))]);
        let token = join(SEQUENCE, &[of(OBJECT, SIGNED_DATA), of(ZERO, &data)]);
        join(SEQUENCE, &[of(SEQUENCE, &of(INTEGER, &[0])), token])
    }
}

/// Writes an element.
fn of(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.iter().copied().skip_while(|digit| *digit == 0).collect();
    let head = match content.len() {
        short @ 0..=0x7f => vec![u8::try_from(short).expect("a short one")],
        _ => [&[0x80 | u8::try_from(digits.len()).expect("few")][..], &digits].concat(),
    };
    [&[tag][..], &head, content].concat()
}

fn join(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    of(tag, &parts.concat())
}

/// Writes a time as `20260101000500Z`.
fn written(at: u64) -> String {
    let (days, rest) = (at / 86_400, at % 86_400);
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}
