//! A line as words: quotes keep spaces, a backslash keeps the next character.

use super::Mistake;

pub(super) fn split(line: &str) -> Result<Vec<String>, Mistake> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        // JSON that stands by itself is one word, quotes and spaces included.
        if quote.is_none() && matches!(c, '{' | '[') && word.as_deref().is_none_or(|word| word.ends_with(":=")) {
            let (json, rest) = balanced(c, letters.as_str())?;
            word.get_or_insert_default().push_str(&json);
            letters = rest.chars();
            continue;
        }
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(Mistake::new(format!("the {open} is not closed")));
    }
    words.extend(word);
    Ok(words)
}

/// Takes a JSON value up to its last bracket.
fn balanced(first: char, rest: &str) -> Result<(String, &str), Mistake> {
    let mut depth = 1_usize;
    let (mut is_text, mut is_escaped) = (false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '{' | '[' if !is_text => depth += 1,
            '}' | ']' if !is_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (inside, rest) = rest.split_at(at + c.len_utf8());
            return Ok((format!("{first}{inside}"), rest));
        }
    }
    Err(Mistake::new(format!("the {first} is not closed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_json_hold_words_together() {
        let words = |line: &str| split(line).unwrap();
        assert_eq!(words("call  echo message='a b'"), ["call", "echo", "message=a b"]);
        assert_eq!(words(r#"send x {"a": "b } c", "d": [1, 2]} y"#), ["send", "x", r#"{"a": "b } c", "d": [1, 2]}"#, "y"]);
        assert_eq!(words(r#"call f tags:=["a b","c"]"#), ["call", "f", r#"tags:=["a b","c"]"#]);
        assert_eq!(words(r"read a\ b"), ["read", "a b"]);
        assert_eq!(words("x \"\""), ["x", ""]);
        assert!(split("call 'a").is_err() && split("send x {").is_err());
    }
}
