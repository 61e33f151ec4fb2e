//! What a change looks like, for people.

use similar::TextDiff;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

/// Returns the unified diff of two texts of one file, with what looks like a secret hidden: it is for people to read.
#[must_use]
pub fn unified(path: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after).unified_diff().context_radius(CONTEXT).header(path, path).to_string();
    diff.split_inclusive('\n').map(masked).collect()
}

/// Ends of names whose values are nobody's business.
const SECRET: [&str; 8] = ["secret", "token", "password", "passwd", "authorization", "key", "credential", "credentials"];

/// Hides what stands behind the names of secrets. A variable is no secret; its value is.
fn masked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let (name, value) = rest.split_at(at + 1);
        out.push_str(name);
        let word = name.trim_end_matches([':', '=']).trim_end_matches([' ', '"', '\'']);
        let word = word.rsplit([',', '{', '[', '"', '\'', ' ', '\t']).next().unwrap_or_default().to_ascii_lowercase();
        let bare = value.trim_start();
        let gap = value.len() - bare.len();
        let end = gap + end_of_value(bare);
        let (secret, after) = value.split_at(end.min(value.len()));
        // What follows `${secret:` is the name of a secret, and `"password": true` says what a question is about.
        let is_reference = name.strip_suffix([':', '=']).is_some_and(|name| name.ends_with(&["${", &word].concat()));
        let is_plain = matches!(secret.trim(), "" | "true" | "false" | "null");
        let is_open = is_reference || is_plain || secret.contains(['$', '{', '[', '%']);
        if is_open || !SECRET.iter().any(|secret| word.ends_with(secret)) {
            rest = value;
            continue;
        }
        out.extend(secret.chars().map(|c| if matches!(c, ' ' | '"' | '\'') { c } else { '•' }));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns where a value ends: at its closing quote, or where a bare one does.
fn end_of_value(text: &str) -> usize {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut is_escaped = false;
            for (at, c) in text.char_indices().skip(1) {
                match c {
                    '\\' if !is_escaped => is_escaped = true,
                    c if c == quote && !is_escaped => return at + 1,
                    _ => is_escaped = false,
                }
            }
            text.len()
        }
        Some(_) | None => text.find([',', '}', ']', '\r', '\n']).unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets_around_a_change_are_hidden_and_variables_are_not() {
        let shown = |line: &str| super::masked(line);
        assert_eq!(shown("+ \"GITHUB_TOKEN\": \"ghp,x}\", \"b\": 1\n"), "+ \"GITHUB_TOKEN\": \"••••••\", \"b\": 1\n");
        assert_eq!(shown(" API_KEY = 'a:b' # c\n"), " API_KEY = '•••' # c\n");
        assert_eq!(shown(" apiKey: abc\n"), " apiKey: •••\n");
        assert_eq!(shown(" \"Authorization\": \"Bearer ${env:T}\"\n"), " \"Authorization\": \"Bearer ${env:T}\"\n");
        assert_eq!(shown("+ \"X\": \"${secret:API_KEY}\"\n"), "+ \"X\": \"${secret:API_KEY}\"\n");
        assert_eq!(shown("+ { \"id\": \"t\", \"password\": true }\n"), "+ { \"id\": \"t\", \"password\": true }\n");
        assert_eq!(shown(" secret: truely\n"), " secret: ••••••\n");
        assert_eq!(shown(" url = \"http://x/mcp\"\n"), " url = \"http://x/mcp\"\n");
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let shown = super::unified("a.json", "1\n2\n3\n4\n5\n", "1\n2\n3\nx\n4\n5\n");
        assert_eq!(shown, "--- a.json\n+++ a.json\n@@ -1,5 +1,6 @@\n 1\n 2\n 3\n+x\n 4\n 5\n");
    }
}
