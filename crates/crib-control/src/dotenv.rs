//! Files of variables: `NAME=value` lines, as many programs read them.

/// What is wrong with a file of variables, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

/// Reads variables in their order. A value in double quotes may hold `\n`, `\r`, `\t`, `\"`, `\\` and `\$`; one in
/// quotes may go on over several lines; without quotes it ends before ` #`.
///
/// # Errors
/// A line says no variable, or a quote is never closed.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, String)>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    let mut line = 1;
    while !rest.is_empty() {
        let (current, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let plain = current.trim();
        if plain.is_empty() || plain.starts_with('#') {
            (rest, line) = (after, line + 1);
            continue;
        }
        let Some((name, value)) = rest.split_once('=').filter(|(name, _)| !name.contains('\n')) else {
            return Err(Wrong { line, why: "expected `NAME=value`" });
        };
        let name = name.trim();
        let name = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(name, str::trim);
        if !is_name(name) {
            return Err(Wrong { line, why: "this cannot be the name of a variable" });
        }
        let value = value.trim_start_matches([' ', '\t']);
        let (value, after, lines) = match value.chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => quoted(value.get(1..).unwrap_or_default(), quote, line)?,
            _ => {
                let (value, after) = value.split_once('\n').unwrap_or((value, ""));
                (bare(value), after, 1)
            }
        };
        found.push((name.to_owned(), value));
        (rest, line) = (after, line + lines);
    }
    Ok(found)
}

/// A value without quotes: up to a comment.
fn bare(value: &str) -> String {
    let end = value
        .char_indices()
        .find(|(at, c)| *c == '#' && value.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t'])));
    value.get(..end.map_or(value.len(), |(at, _)| at)).unwrap_or_default().trim().to_owned()
}

/// A value in quotes: its text, what comes after its line, and how many lines it takes.
fn quoted(text: &str, quote: char, line: usize) -> Result<(String, &str, usize), Wrong> {
    let mut value = String::new();
    let mut lines = 1;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => {
                let behind = text.get(at + 1..).unwrap_or_default();
                let (tail, after) = behind.split_once('\n').unwrap_or((behind, ""));
                let tail = tail.trim();
                if !tail.is_empty() && !tail.starts_with('#') {
                    return Err(Wrong { line: line + lines - 1, why: "expected nothing after the closing quote" });
                }
                return Ok((value, after, lines));
            }
            '\\' if quote == '"' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped @ ('"' | '\\' | '$'))) => value.push(escaped),
                Some((_, other)) => {
                    lines += usize::from(other == '\n');
                    value.extend(['\\', other]);
                }
                None => break,
            },
            _ => {
                lines += usize::from(c == '\n');
                value.push(c);
            }
        }
    }
    Err(Wrong { line, why: "this quote is never closed" })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(pairs) => pairs.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" "),
            Err(Wrong { line, why }) => format!("line {line}: {why}"),
        }
    }

    #[test]
    fn every_way_to_write_a_variable_is_read() {
        let cases = [
            ("A=1\nB = two words \n", r#"A="1" B="two words""#),
            ("\u{feff}# note\r\n\r\nexport A=1\r\nB=2", r#"A="1" B="2""#),
            ("A=x # note\nB=x#y\nC=#z\nD=", r#"A="x" B="x#y" C="" D="""#),
            ("A='${x} \\n' # note\nB=\"a\\nb \\\"c\\\" \\$d \\e\"", r#"A="${x} \\n" B="a\nb \"c\" $d \\e""#),
            ("A=\"one\ntwo\"\nB='x=y'\nC=`\"`", r#"A="one\ntwo" B="x=y" C="\"""#),
            ("A=b=c\nexport=1\nA=2", r#"A="b=c" export="1" A="2""#),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_line() {
        assert_eq!(read("A=1\n\nnonsense\nB=2"), "line 3: expected `NAME=value`");
        assert_eq!(read("1A=1"), "line 1: this cannot be the name of a variable");
        assert_eq!(read("two words=1"), "line 1: this cannot be the name of a variable");
        assert_eq!(read("A=1\nB=\"open\nC=2"), "line 2: this quote is never closed");
        assert_eq!(read("A=\"one\ntwo\" three"), "line 2: expected nothing after the closing quote");
    }
}
