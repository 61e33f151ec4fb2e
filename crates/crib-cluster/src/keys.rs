//! The keys of a cluster, all made of the one secret its replicas share.

use blake3::Hash;
use crib_model::Replica;
use secrecy::{ExposeSecret as _, SecretString};

/// The secret that the replicas of one gateway share.
#[derive(Clone, Debug)]
pub struct ClusterSecret(SecretString);

/// What is made of it.
pub(crate) struct Keys {
    directory: [u8; 32],
    proof: [u8; 32],
    /// Stands before all names in Redis, which several clusters may share.
    pub(crate) prefix: String,
}

impl ClusterSecret {
    #[must_use]
    pub fn new(secret: SecretString) -> Self {
        Self(secret)
    }

    /// Returns the key of tokens that every replica can open.
    #[must_use]
    pub fn seal_key(&self) -> [u8; 32] {
        self.derive("toolcrib 2026-11-21 cluster: sealed tokens")
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, self.0.expose_secret().as_bytes())
    }
}

impl Keys {
    pub(crate) fn of(secret: &ClusterSecret) -> Self {
        let name = Hash::from_bytes(secret.derive("toolcrib 2026-11-21 cluster: name in redis")).to_hex();
        let short: String = name.chars().take(16).collect();
        Self {
            directory: secret.derive("toolcrib 2026-11-21 cluster: directory"),
            proof: secret.derive("toolcrib 2026-11-21 cluster: requests handed on"),
            prefix: format!("toolcrib:{short}:replica:"),
        }
    }

    /// Writes an entry of the directory.
    pub(crate) fn entry(&self, replica: Replica, url: &str) -> String {
        format!("{} {url}", self.entry_mark(replica, url).to_hex())
    }

    /// Reads an entry; `None` for one that no replica of this cluster wrote about this replica.
    pub(crate) fn url<'a>(&self, replica: Replica, entry: &'a str) -> Option<&'a str> {
        let (mark, url) = entry.split_once(' ')?;
        (Hash::from_hex(mark).ok()? == self.entry_mark(replica, url)).then_some(url)
    }

    /// Proves to a replica that a request comes from another one.
    pub(crate) fn proof(&self, to: Replica) -> String {
        format!("{to}.{}", self.proof_mark(to).to_hex())
    }

    /// Tells whether a request was handed on already, to whomever.
    pub(crate) fn proves(&self, proof: &str) -> bool {
        let Some((to, mark)) = proof.split_once('.') else { return false };
        Replica::parse(to).is_some_and(|to| Hash::from_hex(mark).is_ok_and(|mark| mark == self.proof_mark(to)))
    }

    fn entry_mark(&self, replica: Replica, url: &str) -> Hash {
        blake3::keyed_hash(&self.directory, format!("{replica} {url}").as_bytes())
    }

    fn proof_mark(&self, to: Replica) -> Hash {
        blake3::keyed_hash(&self.proof, &to.0.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Keys {
        Keys::of(&ClusterSecret::new(secret.to_owned().into()))
    }

    #[test]
    fn an_entry_is_believed_only_as_it_was_signed() {
        let ours = keys("one");
        let entry = ours.entry(Replica(1), "http://10.0.0.5:8665");
        assert_eq!(ours.url(Replica(1), &entry), Some("http://10.0.0.5:8665"));
        assert_eq!(ours.url(Replica(2), &entry), None, "it is about another replica");
        assert_eq!(keys("two").url(Replica(1), &entry), None, "it is of another cluster");
        assert_eq!(ours.url(Replica(1), &entry.replace("10.0.0.5", "10.6.6.6")), None);
        for entry in ["", "http://10.0.0.5:8665", "00 http://10.0.0.5:8665"] {
            assert_eq!(ours.url(Replica(1), entry), None);
        }
    }

    #[test]
    fn only_a_replica_can_say_that_a_request_was_handed_on() {
        let proof = keys("one").proof(Replica(1));
        assert!(keys("one").proves(&proof));
        assert!(!keys("two").proves(&proof));
        for proof in ["", "1", "0000000000000001.", "0000000000000001.00", &proof.replacen('1', "2", 1)] {
            assert!(!keys("one").proves(proof), "{proof}");
        }
    }

    #[test]
    fn two_clusters_share_a_redis_without_meeting() {
        assert_ne!(keys("one").prefix, keys("two").prefix);
        assert!(!keys("one").prefix.contains("one"));
    }
}
