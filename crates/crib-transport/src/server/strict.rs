//! A second look at the bytes of request heads, for what the parser lets pass and another reader might take otherwise.
//!
//! Two readers that disagree about where a request ends are what request smuggling is made of. A line feed without
//! its carriage return, a folded line, and a length beside a transfer encoding are refused. A request with a transfer
//! encoding is the last on its connection.

/// What the bytes seen so far mean for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// Serves the request and closes.
    Last,
    Refused,
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    place: Place,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    head: Head,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    Body(u64),
    /// Nothing that follows will be served.
    Over,
}

#[derive(Debug, Default)]
struct Head {
    has_lines: bool,
    length: Option<u64>,
    is_encoded: bool,
}

impl Strict {
    /// Takes the next bytes of the connection.
    pub(crate) fn see(&mut self, bytes: &[u8]) -> Verdict {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.place {
                Place::Over => return Verdict::Fine,
                Place::Body(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    rest = rest.get(taken..).unwrap_or_default();
                    let left = left - taken as u64;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                }
                Place::Head => {
                    let Some(at) = memchr::memchr(b'\n', rest) else {
                        self.partial.extend_from_slice(rest);
                        return Verdict::Fine;
                    };
                    let (line, after) = rest.split_at(at);
                    rest = after.get(1..).unwrap_or_default();
                    let verdict = self.line(line);
                    if verdict != Verdict::Fine {
                        self.place = Place::Over;
                        return verdict;
                    }
                }
            }
        }
        Verdict::Fine
    }

    fn line(&mut self, end: &[u8]) -> Verdict {
        if self.partial.is_empty() {
            return self.whole_line(end);
        }
        let mut line = std::mem::take(&mut self.partial);
        line.extend_from_slice(end);
        let verdict = self.whole_line(&line);
        line.clear();
        self.partial = line;
        verdict
    }

    fn whole_line(&mut self, line: &[u8]) -> Verdict {
        let Some(line) = line.strip_suffix(b"\r") else { return Verdict::Refused };
        let head = &mut self.head;
        match line.first() {
            None if head.has_lines => return self.end_head(),
            Some(b' ' | b'\t') => return Verdict::Refused,
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length:") {
                    head.length = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok()).or(head.length);
                }
            }
            Some(b't' | b'T') => head.is_encoded |= value_of(line, b"transfer-encoding:").is_some(),
            // An empty line before the first is allowed.
            None | Some(_) => {}
        }
        head.has_lines |= !line.is_empty();
        Verdict::Fine
    }

    fn end_head(&mut self) -> Verdict {
        let head = std::mem::take(&mut self.head);
        self.place = Place::Body(head.length.unwrap_or(0));
        match (head.is_encoded, head.length) {
            (false, _) => Verdict::Fine,
            (true, None) => Verdict::Last,
            (true, Some(_)) => Verdict::Refused,
        }
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict must not depend on where the bytes are cut.
    #[track_caller]
    fn check(bytes: &str, expected: Verdict) {
        for step in [1, 3, 7, bytes.len()] {
            let mut strict = Strict::default();
            let seen = bytes.as_bytes().chunks(step).map(|chunk| strict.see(chunk)).find(|verdict| *verdict != Verdict::Fine);
            assert_eq!(seen.unwrap_or(Verdict::Fine), expected, "{bytes:?} in steps of {step}");
        }
    }

    #[test]
    fn ordinary_requests_are_fine() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Verdict::Fine);
        check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Verdict::Fine);
        check("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n\n\n\nPOST / HTTP/1.1\r\nContent-Length:4\r\n\r\nT: \n", Verdict::Fine);
    }

    #[test]
    fn a_bare_line_feed_is_refused() {
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", Verdict::Refused);
        check("GET / HTTP/1.1\r\nHost: a\n\r\n", Verdict::Refused);
        check("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\n", Verdict::Refused);
    }

    #[test]
    fn a_folded_line_is_refused() {
        check("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Verdict::Refused);
    }

    #[test]
    fn a_length_beside_an_encoding_is_refused() {
        check("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Verdict::Refused);
        check("POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\ncontent-length: 1\r\n\r\n", Verdict::Refused);
    }

    #[test]
    fn an_encoded_request_is_the_last() {
        check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\n", Verdict::Last);
    }
}
