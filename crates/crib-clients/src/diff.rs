//! What a change looks like, for people.

use similar::TextDiff;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

/// Returns the unified diff of two texts of one file.
#[must_use]
pub fn unified(path: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(CONTEXT).header(path, path).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let shown = super::unified("a.json", "1\n2\n3\n4\n5\n", "1\n2\n3\nx\n4\n5\n");
        assert_eq!(shown, "--- a.json\n+++ a.json\n@@ -1,5 +1,6 @@\n 1\n 2\n 3\n+x\n 4\n 5\n");
    }
}
