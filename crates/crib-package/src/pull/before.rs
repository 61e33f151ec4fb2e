//! What is odd about a version beside the one before: a step back, other bytes, another signer.

use crate::{Finding, FindingKind, Locked, Proof, Provenance};

/// Notices a step back, and bytes that changed under the same version.
pub(super) fn compare(before: &Locked, now: &Locked) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A tag of an image may be a word.
    let is_number = |version: &str| version.trim_start_matches('v').starts_with(|letter: char| letter.is_ascii_digit());
    if is_number(&now.version) && is_number(&before.version) && is_older(&now.version, &before.version) {
        let message = format!("`{}` would go back from {} to {}", now.source, before.version, now.version);
        findings.push(Finding::new(FindingKind::Downgrade, message));
    }
    findings.extend(signer_changed(before, now));
    for (label, sums) in &now.packages {
        let is_other = |old: &Vec<String>| !old.is_empty() && !sums.iter().any(|sum| old.contains(sum));
        if before.packages.get(label).is_some_and(is_other) {
            findings.push(Finding::new(FindingKind::Republished, format!("`{label}` has other bytes than those that were locked")));
        }
    }
    let same = before.version == now.version && before.platform == now.platform && before.packages.is_empty();
    if same && before.tree.is_some() && before.tree != now.tree {
        findings.push(Finding::new(
            FindingKind::Republished,
            format!("`{}` {} has other files than those that were locked", now.source, now.version),
        ));
    }
    findings
}

/// Notices that another one signed it, or nobody any more.
fn signer_changed(before: &Locked, now: &Locked) -> Option<Finding> {
    let (old, source, version) = (before.provenance.signer.as_ref()?, &now.source, &now.version);
    let Provenance { signer, signature, attestation, .. } = &now.provenance;
    let claim = [attestation, signature].into_iter().find_map(|proof| if let Proof::Present { note } = proof { Some(note) } else { None });
    let message = match (signer, claim) {
        (Some(new), _) if new.is_same(old) => return None,
        (Some(new), _) => format!("`{source}` was signed by {old} and {version} is signed by {new}"),
        (None, Some(note)) => {
            format!("`{source}` was signed by {old}, and who signed {version} cannot be told: {note}")
        }
        (None, None) => format!("`{source}` was signed by {old}, and {version} is signed by nobody"),
    };
    Some(Finding::new(FindingKind::SignerChanged, message))
}

fn is_older(version: &str, than: &str) -> bool {
    order(version, than).is_lt()
}

/// Compares versions part by part: numbers as numbers, and a pre-release before its release.
pub(crate) fn order(version: &str, other: &str) -> std::cmp::Ordering {
    let key = |version: &str| {
        let version = version.trim_start_matches('v');
        let (main, pre) = version.split_once('-').map_or((version, None), |(main, pre)| (main, Some(pre.to_owned())));
        let parts: Vec<(u64, String)> = main
            .split(['.', '+'])
            .map(|part| {
                let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
                let rest = part.strip_prefix(digits.as_str()).unwrap_or_default().to_owned();
                (digits.parse().unwrap_or(0), if rest.is_empty() { "~".to_owned() } else { rest })
            })
            .collect();
        (parts, pre.is_none(), pre)
    };
    key(version).cmp(&key(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_read_them() {
        for (older, newer) in [("1.2.3", "1.10.0"), ("2025.8.31", "2026.1.1"), ("1.0.0-rc.1", "1.0.0"), ("1.0rc1", "1.0"), ("0.9", "0.9.1")]
        {
            assert!(is_older(older, newer), "{older} {newer}");
            assert!(!is_older(newer, older), "{newer} {older}");
        }
        assert!(!is_older("1.0.0", "1.0.0"));
    }
}
