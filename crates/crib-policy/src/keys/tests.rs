use http::HeaderValue;

use super::*;
use crate::dice::Dice;

const SECRET: &str = "kf93-Jd82-mzQ1-77Lp";

fn plain(name: &str, secret: &str) -> KeySpec {
    KeySpec { name: name.to_owned(), secret: KeySecret::Plain(SecretString::from(secret.to_owned())) }
}

fn keys(specs: &[KeySpec]) -> Result<Keys, Fault> {
    Keys::build(specs)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[track_caller]
fn who(keys: &Keys, pairs: &[(&'static str, &str)]) -> Result<String, Code> {
    keys.authenticate(&headers(pairs)).map(|principal| principal.name.to_string()).map_err(|fault| fault.code())
}

#[test]
fn a_key_is_taken_from_either_header() {
    let keys = keys(&[plain("ci", SECRET), plain("ann", "another-0987654321")]).unwrap();
    assert_eq!(who(&keys, &[("authorization", &format!("Bearer {SECRET}"))]), Ok("ci".to_owned()));
    assert_eq!(who(&keys, &[("authorization", &format!("bearer   {SECRET} "))]), Ok("ci".to_owned()));
    assert_eq!(who(&keys, &[("x-api-key", "another-0987654321")]), Ok("ann".to_owned()));
    let both = [("authorization", format!("Bearer {SECRET}")), ("x-api-key", SECRET.to_owned())];
    assert_eq!(who(&keys, &both.each_ref().map(|(name, value)| (*name, value.as_str()))), Ok("ci".to_owned()));
}

#[test]
fn no_wrong_or_ambiguous_key_gets_in() {
    let keys = keys(&[plain("ci", SECRET)]).unwrap();
    let bearer = format!("Bearer {SECRET}");
    let refused: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-api-key", "")],
        &[("x-api-key", "kf93-Jd82-mzQ1-77Lq")],
        &[("authorization", SECRET)],
        &[("authorization", "Basic a2Y5My1KZDgyLW16UTEtNzdMcA==")],
        &[("authorization", &bearer), ("x-api-key", "kf93-Jd82-mzQ1-77Lq")],
        &[("x-api-key", "kf93-Jd82-mzQ1-77Lq"), ("authorization", &bearer)],
        &[("authorization", &bearer), ("authorization", "Bearer other")],
    ];
    for pairs in refused {
        let pairs: Vec<(&'static str, &str)> =
            pairs.iter().map(|(name, value)| (if *name == "x-api-key" { "x-api-key" } else { "authorization" }, *value)).collect();
        assert_eq!(who(&keys, &pairs), Err(Code::Unauthenticated), "{pairs:?}");
    }
}

#[test]
fn without_keys_everybody_is_anonymous() {
    let keys = Keys::none();
    assert_eq!(who(&keys, &[("x-api-key", "whatever")]), Ok("anonymous".to_owned()));
    assert!(keys.is_empty());
}

#[test]
fn weak_secrets_are_refused_and_never_quoted() {
    for secret in ["sh0rt", "changeme-changeme", "my-Secret-12345678", "aaaaaaaaaaaaaaaaaaaa", "0101010101010101", "with space 123456789"] {
        let fault = keys(&[plain("ci", secret)]).unwrap_err();
        assert_eq!(fault.code(), Code::ConfigInvalid, "{secret}");
        assert!(!format!("{fault}{fault:?}").contains(secret), "{fault:?}");
    }
}

#[test]
fn names_and_secrets_are_used_once() {
    assert!(keys(&[plain("a", SECRET), plain("a", "another-0987654321")]).is_err());
    assert!(keys(&[plain("a", SECRET), plain("b", SECRET)]).is_err());
    assert!(keys(&[plain("", SECRET)]).is_err());
    assert!(keys(&[plain("anonymous", SECRET)]).is_err());
}

#[test]
fn a_digest_stands_for_its_secret() {
    let digest = digest_key(&SecretString::from(SECRET.to_owned()));
    let keys = keys(&[KeySpec { name: "ci".to_owned(), secret: KeySecret::Digest(digest.clone()) }]).unwrap();
    assert_eq!(who(&keys, &[("x-api-key", SECRET)]), Ok("ci".to_owned()));
    assert_eq!(who(&keys, &[("x-api-key", &digest)]), Err(Code::Unauthenticated));
    for bad in ["blake3:12", "sha256:00", ""] {
        let spec = KeySpec { name: "ci".to_owned(), secret: KeySecret::Digest(bad.to_owned()) };
        assert!(Keys::build(&[spec]).is_err());
    }
}

#[test]
fn generated_keys_differ_and_carry_their_checksum() {
    let dice = Dice::new(7);
    let all: std::collections::HashSet<String> = (0..100).map(|_| generate_key(&dice).expose_secret().to_owned()).collect();
    assert_eq!(all.len(), 100);
    for key in &all {
        assert!(is_own_key(key), "{key}");
        assert_eq!(key.len(), "tcb_live_".len() + 26 + 6);
        assert!(keys(&[plain("ci", key)]).is_ok());
        for at in "tcb_live_".len()..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert!(!is_own_key(&String::from_utf8(bytes).unwrap()));
        }
        let cut = key.get(..key.len() - 1).unwrap();
        assert!(!is_own_key(cut) && keys(&[plain("ci", cut)]).is_err());
    }
}

#[test]
fn the_checksum_is_the_crc_of_gzip() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn nothing_prints_a_secret() {
    let spec = plain("ci", SECRET);
    let keys = keys(std::slice::from_ref(&spec)).unwrap();
    assert!(!format!("{spec:?}{keys:?}").contains(SECRET));
    assert_eq!(format!("{:?}", crate::Redacted::new(SECRET)), "[redacted]");
}
