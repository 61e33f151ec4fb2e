//! The tree of a transparency log: whether an entry is in it (RFC 6962), by a root that the log has signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::bundle::decoded;
use super::super::roots::Log;
use super::number;

type Hash = [u8; 32];

/// Longest way through a tree of 2^64 entries.
const HASHES_MAX: usize = 64;
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// Checks that the entry is in the tree of that log.
pub(super) fn check(proof: &Value, body: &[u8], log: &Log) -> Result<(), String> {
    let odd = |what: &str| format!("the proof that its log entry is in the log cannot be read: {what}");
    let index = number(proof, "logIndex").ok_or_else(|| odd("it has no index"))?;
    let size = number(proof, "treeSize").ok_or_else(|| odd("it has no size"))?;
    let root: Hash = hash(proof.get("rootHash")).ok_or_else(|| odd("it has no root"))?;
    let list = proof.get("hashes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.len() > HASHES_MAX {
        return Err(odd("it is longer than any tree is deep"));
    }
    let hashes: Option<Vec<Hash>> = list.iter().map(|one| hash(Some(one))).collect();
    let hashes = hashes.ok_or_else(|| odd("a hash is none"))?;
    if climb(leaf(body), index, size, &hashes) != Some(root) {
        return Err("the proof that its log entry is in the log does not lead to the root of the log".to_owned());
    }
    let text = proof.pointer("/checkpoint/envelope").and_then(Value::as_str).filter(|text| text.len() <= CHECKPOINT_BYTES_MAX);
    let text = text.ok_or_else(|| "its log has not signed the root of its proof: there is no checkpoint".to_owned())?;
    let checkpoint = Checkpoint::read(text).ok_or_else(|| "the checkpoint of its log cannot be read".to_owned())?;
    if !checkpoint.signatures.iter().any(|signature| log.verifies(checkpoint.signed.as_bytes(), signature)) {
        return Err("the checkpoint of its log is not signed by that log".to_owned());
    }
    if checkpoint.size != size || checkpoint.root != root {
        return Err("the checkpoint of its log is of another root than the proof".to_owned());
    }
    Ok(())
}

fn hash(value: Option<&Value>) -> Option<Hash> {
    decoded(value?)?.try_into().ok()
}

fn leaf(body: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(body).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Goes from an entry to the root; none where the way has another length than it must have.
fn climb(leaf: Hash, index: u64, size: u64, hashes: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for other in hashes {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = node(other, &hash);
            // A node without a neighbour rises as it is.
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, other);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// What a log signs of its tree: a note with its name, size and root.
struct Checkpoint<'a> {
    signed: &'a str,
    size: u64,
    root: Hash,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Checkpoint<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let at = text.rfind("\n\n")?;
        // The newline before the empty line is signed, too.
        let (signed, rest) = text.split_at_checked(at + 1)?;
        let mut lines = signed.lines().skip(1);
        let size = lines.next()?.parse().ok()?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        let signatures = rest.lines().filter_map(|line| {
            let signature = line.strip_prefix("\u{2014} ")?.rsplit_once(' ')?.1;
            // In front stands which key it is by.
            STANDARD.decode(signature).ok()?.get(4..).map(<[u8]>::to_vec)
        });
        Some(Self { signed, size, root, signatures: signatures.collect() })
    }
}

#[cfg(test)]
mod tests {
    use crib_test::merkle::{path, root};

    use super::*;

    #[test]
    fn every_entry_of_every_small_tree_leads_to_its_root_and_no_other_does() {
        for size in 1..=33_usize {
            let leaves: Vec<Hash> = (0..size).map(|at| leaf(&[u8::try_from(at).unwrap()])).collect();
            let root = root(&leaves);
            for (at, one) in leaves.iter().enumerate() {
                let way = path(at, &leaves);
                let (index, all) = (at as u64, size as u64);
                assert_eq!(climb(*one, index, all, &way), Some(root), "{at} of {size}");
                assert_ne!(climb(leaf(b"another"), index, all, &way), Some(root));
                assert_eq!(climb(*one, all, all, &way), None);
                if let Some((_, shorter)) = way.split_last() {
                    assert_ne!(climb(*one, index, all, shorter), Some(root));
                    let mut other = way.clone();
                    other[0][0] ^= 1;
                    assert_ne!(climb(*one, index, all, &other), Some(root));
                }
                let longer = [&way[..], &[root]].concat();
                assert_ne!(climb(*one, index, all, &longer), Some(root));
            }
        }
    }
}
