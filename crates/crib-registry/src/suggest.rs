//! The name somebody probably meant.

use crate::entry::Listed;

/// Names compared at most; a suggestion is a courtesy.
const NAMES_MAX: usize = 4096;
/// Longer texts are nobody's typing error.
const BYTES_MAX: usize = 128;

/// Returns the exposed name closest to `name`, if it is close.
pub(crate) fn closest<'a>(
    name: &str,
    entries: impl Iterator<Item = &'a dyn Listed>,
    may_see: impl Fn(&dyn Listed) -> bool,
) -> Option<&'a str> {
    if name.is_empty() || name.len() > BYTES_MAX {
        return None;
    }
    let wanted = fold(name);
    let mut best: Option<(usize, &'a str)> = None;
    for entry in entries.take(NAMES_MAX) {
        let dotted = format!("{}.{}", entry.slug(), entry.own());
        for candidate in [entry.exposed().as_ref(), entry.own().as_ref(), dotted.as_str()] {
            let bound = best.map_or(wanted.len() / 3 + 1, |(so_far, _)| so_far);
            let Some(distance) = distance(&wanted, &fold(candidate), bound) else { continue };
            if best.is_none_or(|(so_far, _)| distance < so_far) && may_see(entry) {
                best = Some((distance, entry.exposed()));
            }
        }
    }
    best.map(|(_, name)| name)
}

/// Brings spellings together that people mix up: case and separators.
fn fold(name: &str) -> Vec<u8> {
    name.bytes().map(|b| if matches!(b, b'_' | b'-' | b'.' | b'/' | b' ') { b'-' } else { b.to_ascii_lowercase() }).collect()
}

/// Returns how many bytes must be inserted, removed, replaced or swapped with their neighbour; `None` beyond `bound`.
fn distance(a: &[u8], b: &[u8], bound: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > bound || b.len() > BYTES_MAX {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if is_swap {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        if row.iter().min().is_none_or(|least| *least > bound) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|distance| *distance <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: Option<usize>) {
        assert_eq!(distance(a.as_bytes(), b.as_bytes(), 2), expected, "{a} {b}");
        assert_eq!(distance(b.as_bytes(), a.as_bytes(), 2), expected, "{b} {a}");
    }

    #[test]
    fn distances_count_the_slips_of_typing() {
        check("read", "read", Some(0));
        check("read", "raed", Some(1));
        check("read", "reads", Some(1));
        check("read", "reed", Some(1));
        check("read", "write", None);
        check("", "ab", Some(2));
    }
}
