//! What a registry wants before it answers.

/// Longest challenge that is read.
const BYTES_MAX: usize = 8 * 1024;

/// The content of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token, to be had at `realm`.
    Bearer { realm: String, service: String, scope: String },
}

impl Challenge {
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or_else(|| (header.trim(), ""));
        if header.len() > BYTES_MAX {
            return None;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (String::new(), String::new(), String::new());
        let mut rest = rest.trim_start();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = value(after)?;
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = value,
                "service" => service = value,
                "scope" => scope = value,
                _ => {}
            }
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        (!realm.is_empty()).then_some(Self::Bearer { realm, service, scope })
    }
}

/// A word, or a text in quotes, and what comes after.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (word, after) = text.split_at_checked(end)?;
        return Some((word.trim().to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_with_their_quotes() {
        let read =
            Challenge::read(r#"Bearer realm="https://auth.example/token?a=1,2",service="s \"x\"", scope="repository:a/b:pull,push""#);
        let wanted = Challenge::Bearer {
            realm: "https://auth.example/token?a=1,2".into(),
            service: "s \"x\"".into(),
            scope: "repository:a/b:pull,push".into(),
        };
        assert_eq!(read, Some(wanted));
        assert_eq!(Challenge::read("basic realm=x"), Some(Challenge::Basic));
        for odd in ["", "Bearer", "Bearer realm", "Bearer realm=\"open", "Negotiate x", "Bearer service=\"only\""] {
            assert_eq!(Challenge::read(odd), None, "{odd}");
        }
    }
}
