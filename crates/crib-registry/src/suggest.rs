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
    let mut typed = Typed::new(name);
    let mut best: Option<(usize, &'a str)> = None;
    for entry in entries.take(NAMES_MAX) {
        let (slug, own) = (entry.slug().as_str(), entry.own());
        for candidate in [[entry.exposed(), "", ""], [own, "", ""], [slug, ".", own]] {
            // Only what is closer than the best so far is of interest.
            let bound = best.map_or_else(|| typed.name.len() / 3 + 1, |(so_far, _)| so_far.saturating_sub(1));
            let Some(distance) = typed.distance(candidate, bound) else { continue };
            if best.is_none_or(|(so_far, _)| distance < so_far) && may_see(entry) {
                best = Some((distance, entry.exposed()));
            }
        }
    }
    best.map(|(_, name)| name)
}

/// The typed name, and room to compare others with it.
struct Typed {
    name: Vec<u8>,
    other: Vec<u8>,
    rows: [Vec<usize>; 3],
}

impl Typed {
    fn new(name: &str) -> Self {
        Self { name: name.bytes().map(fold).collect(), other: Vec::new(), rows: Default::default() }
    }

    /// Returns how many bytes of the joined parts must be inserted, removed, replaced or swapped with their neighbour;
    /// `None` beyond `bound`.
    fn distance(&mut self, parts: [&str; 3], bound: usize) -> Option<usize> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if self.name.len().abs_diff(len) > bound || len > BYTES_MAX {
            return None;
        }
        self.other.clear();
        self.other.extend(parts.iter().flat_map(|part| part.bytes()).map(fold));
        let [before, last, row] = &mut self.rows;
        last.clear();
        last.extend(0..=len);
        for (i, x) in self.name.iter().enumerate() {
            row.clear();
            row.push(i + 1);
            for (j, y) in self.other.iter().enumerate() {
                let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
                let mut cost = (at(last, j) + usize::from(x != y)).min(at(last, j + 1) + 1).min(at(row, j) + 1);
                let is_swap = i > 0 && j > 0 && self.name.get(i - 1) == Some(y) && self.other.get(j - 1) == Some(x);
                if is_swap {
                    cost = cost.min(at(before, j - 1) + 1);
                }
                row.push(cost);
            }
            if row.iter().min().is_none_or(|least| *least > bound) {
                return None;
            }
            std::mem::swap(before, last);
            std::mem::swap(last, row);
        }
        last.last().copied().filter(|distance| *distance <= bound)
    }
}

/// Brings spellings together that people mix up: case and separators.
fn fold(byte: u8) -> u8 {
    if matches!(byte, b'_' | b'-' | b'.' | b'/' | b' ') { b'-' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: Option<usize>) {
        assert_eq!(Typed::new(a).distance([b, "", ""], 2), expected, "{a} {b}");
        assert_eq!(Typed::new(b).distance(["", a, ""], 2), expected, "{b} {a}");
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
