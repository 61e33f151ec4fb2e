//! Statements whose log and timestamps were forged, part by part.

use crib_test::attest::{Attestation, Authority, Identity, NOON, Noted};
use serde_json::Value;

use super::{Attested, Bundle, Roots, Subject, verify};

const OURS: Identity<'static> = Identity { repository: "https://github.com/owner/repository", workflow: "publish.yml", tag: "v1" };
const SUM: &str = "5d41402abc4b2a76b9719d911017c592";
const DAY: u64 = 24 * 3600;

fn check(said: &Attestation, believed: &Authority) -> Attested {
    let root: Value = serde_json::from_str(&believed.trusted_root()).expect("a document");
    let roots = Roots::read(&root).expect("a root");
    let bundle = Bundle::of_sigstore(&said.for_npm()).expect("a bundle");
    verify(&bundle, Subject { algorithm: "sha512", hex: SUM }, Some(&roots))
}

fn good(authority: &Authority) -> Attestation {
    authority.attest(OURS, ("sha512", SUM), NOON)
}

fn changed(authority: &Authority, change: impl FnOnce(&mut Attestation)) -> Attestation {
    let mut said = good(authority);
    change(&mut said);
    said
}

/// In the second form of the log, which says no time, with a timestamp.
fn stamped(authority: &Authority, by: &Authority, at: u64) -> Attestation {
    changed(authority, |said| {
        said.entry = authority.timeless_entry(said);
        said.timestamps = vec![by.stamp(&said.signature, at)];
    })
}

#[track_caller]
fn refused(found: &Attested, word: &str) {
    assert!(matches!(found, Attested::Bad(why) if why.contains(word)), "{word}: {found:?}");
}

#[track_caller]
fn unchecked(found: &Attested, word: &str) {
    assert!(matches!(found, Attested::Unchecked { why, .. } if why.contains(word)), "{word}: {found:?}");
}

#[track_caller]
fn believed(found: &Attested) {
    assert!(matches!(found, Attested::Verified(_)), "{found:?}");
}

#[test]
fn a_proof_that_does_not_hold_is_refused_and_says_which_part() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    believed(&check(&good(&authority), &authority));
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (theirs, later) = (good(&stranger), good(&authority));
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(Change<'_>, &str); 9] = [
        (&|proof| proof["hashes"][0] = zero.into(), "does not lead to the root of the log"),
        (&|proof| proof["logIndex"] = "6".into(), "does not lead to the root of the log"),
        (&|proof| proof["rootHash"] = zero.into(), "does not lead to the root of the log"),
        (&|proof| proof["treeSize"] = "5".into(), "does not lead to the root of the log"),
        (&|proof| proof["hashes"] = vec![zero; 100].into(), "longer than any tree is deep"),
        (&|proof| proof["checkpoint"] = Value::Null, "there is no checkpoint"),
        (
            &|proof| proof["checkpoint"] = theirs.entry["inclusionProof"]["checkpoint"].clone(),
            "the checkpoint of its log is not signed by that log",
        ),
        (
            &|proof| {
                let text = proof["checkpoint"]["envelope"].as_str().expect("a text").replacen("\n11\n", "\n12\n", 1);
                proof["checkpoint"]["envelope"] = text.into();
            },
            "the checkpoint of its log is not signed by that log",
        ),
        // The root of another state of the log, which it has signed.
        (&|proof| proof["checkpoint"] = later.entry["inclusionProof"]["checkpoint"].clone(), "of another root than the proof"),
    ];
    for (change, word) in cases {
        refused(&check(&changed(&authority, |said| change(&mut said.entry["inclusionProof"])), &authority), word);
    }
}

#[test]
fn a_timestamp_says_when_where_the_log_does_not_and_must_hold() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    believed(&check(&stamped(&authority, &authority, NOON), &authority));
    let of_certificate = "its certificate did not hold when it was used";
    let of_stamp = "the certificate of its timestamp did not hold when it was used";
    refused(&check(&stamped(&authority, &authority, NOON + 2 * DAY), &authority), of_certificate);
    refused(&check(&stamped(&authority, &authority, NOON + 500 * DAY), &authority), of_stamp);
    refused(&check(&stamped(&authority, &authority, NOON - 500 * DAY), &authority), of_stamp);
    let other = changed(&authority, |said| said.timestamps = vec![authority.stamp(b"another signature", NOON)]);
    refused(&check(&other, &authority), "its timestamp is of another signature");
    let none = changed(&authority, |said| said.timestamps = vec![b"no timestamp".to_vec()]);
    refused(&check(&none, &authority), "its timestamp cannot be read");
    // The log promised it at noon, and the timestamp says another day, when the certificate did not hold.
    let late = changed(&authority, |said| said.timestamps = vec![authority.stamp(&said.signature, NOON + 2 * DAY)]);
    refused(&check(&late, &authority), of_certificate);
    unchecked(&check(&stamped(&authority, &stranger, NOON), &authority), "its timestamp is by no authority of the trusted root");
    let timeless = changed(&authority, |said| said.entry = authority.timeless_entry(said));
    unchecked(&check(&timeless, &authority), "nothing that can be checked says when it was signed");
    let whole = authority.stamp(&good(&authority).signature, NOON);
    for cut in 0..whole.len() {
        let said = changed(&authority, |said| said.timestamps = whole.get(..cut).map(<[u8]>::to_vec).into_iter().collect());
        assert!(!matches!(check(&said, &authority), Attested::Verified(_)), "{cut}");
    }
}

#[test]
fn no_changed_time_or_signature_of_a_timestamp_is_believed() {
    let authority = Authority::new("authority");
    let said = stamped(&authority, &authority, NOON);
    let stamp = said.timestamps.first().expect("a timestamp");
    let text = b"20260101000500Z";
    let time = stamp.windows(text.len()).position(|window| window == text).expect("a time");
    let signature = stamp.len() - 60..stamp.len();
    for at in (time..time + text.len()).chain(signature) {
        let mut other = stamp.clone();
        other[at] ^= 1;
        let said = Attestation { timestamps: vec![other], ..said.clone() };
        assert!(!matches!(check(&said, &authority), Attested::Verified(_)), "{at} of {}", stamp.len());
    }
}

#[test]
fn a_promise_or_a_proof_will_do_and_one_of_them_must_be_there() {
    let authority = Authority::new("authority");
    let without = |names: &[&str]| {
        changed(&authority, |said| {
            let entry = said.entry.as_object_mut().expect("an object");
            names.iter().for_each(|name| drop(entry.remove(*name)));
            said.timestamps = vec![authority.stamp(&said.signature, NOON)];
        })
    };
    believed(&check(&without(&["inclusionPromise"]), &authority));
    believed(&check(&without(&["inclusionProof"]), &authority));
    let neither = check(&without(&["inclusionPromise", "inclusionProof"]), &authority);
    unchecked(&neither, "neither a promise nor a proof");
}

#[test]
fn a_certificate_that_was_given_out_in_secret_is_not_believed() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let noted = |noted: Noted<'_>| check(&authority.attest_noted(OURS, ("sha512", SUM), NOON, noted), &authority);
    believed(&noted(Noted::Here));
    unchecked(&noted(Noted::Nowhere), "no log of certificates has promised to show its certificate");
    unchecked(&noted(Noted::Elsewhere(&stranger)), "the log of its certificate is none of the trusted root");
    refused(&noted(Noted::Wrongly), "the promise of its log of certificates is not signed by that log");
}

#[test]
fn a_trusted_root_without_logs_of_certificates_asks_for_none() {
    let authority = Authority::new("authority");
    let said = authority.attest_noted(OURS, ("sha512", SUM), NOON, Noted::Nowhere);
    let mut root: Value = serde_json::from_str(&authority.trusted_root()).expect("a document");
    root.as_object_mut().expect("an object").remove("ctlogs");
    let bundle = Bundle::of_sigstore(&said.for_npm()).expect("a bundle");
    believed(&verify(&bundle, Subject { algorithm: "sha512", hex: SUM }, Some(&Roots::read(&root).expect("a root"))));
}
