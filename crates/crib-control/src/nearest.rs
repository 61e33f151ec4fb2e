//! "Did you mean".

/// Returns the candidate closest to what was written, if any is close enough to be a slip.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(written);
    let slips_max = match wanted.len() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wanted, &plain(candidate));
    let best = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|(slips, _)| *slips);
    best.filter(|(slips, candidate)| *slips <= slips_max && *slips < candidate.len()).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_does_not() {
        let words = ["serve", "list", "show", "call"];
        assert_eq!(nearest("serv", words), Some("serve"));
        assert_eq!(nearest("sevre", words), Some("serve"));
        assert_eq!(nearest("lsit", words), Some("list"));
        assert_eq!(nearest("get_sum", ["echo", "get-sum"]), Some("get-sum"));
        assert_eq!(nearest("frobnicate", words), None);
    }
}
