//! As much of DER as it takes to find the extensions of a certificate and the parts of a timestamp. Who signed them is
//! checked elsewhere.

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OBJECT: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
pub(super) const OCTETS: u8 = 0x04;
const UTF8: u8 = 0x0c;
/// Where a certificate has its extensions.
pub(super) const EXTENSIONS: u8 = 0xa3;

/// One element: its tag, what is in it, and what comes after.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0_usize, |sum, &digit| (sum << 8) | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

pub(super) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, after) = element(bytes)?;
        bytes = after;
        Some((tag, content))
    })
}

/// Returns the elements with their heads.
pub(super) fn whole(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((_, _, after)) = element(bytes) {
        found.extend(bytes.get(..bytes.len() - after.len()));
        bytes = after;
    }
    found
}

/// Writes an element; `None` where it would be longer than a certificate ever is.
pub(super) fn encoded(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    let [high, low] = length.to_be_bytes();
    let head: &[u8] = match length {
        0..=0x7f => &[tag, low],
        0x80..=0xff => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Some([head, content].concat())
}

/// Returns the value of an extension of a certificate, by the bytes of its identifier.
pub(super) fn extension<'a>(certificate: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, body, _) = element(certificate)? else { return None };
    let (_, list) = elements(body).find(|(tag, _)| *tag == EXTENSIONS)?;
    let (SEQUENCE, list, _) = element(list)? else { return None };
    elements(list).find_map(|(_, extension)| {
        let mut parts = elements(extension).filter(|(tag, _)| *tag != BOOLEAN);
        let (OBJECT, name) = parts.next()? else { return None };
        let (OCTETS, value) = parts.next()? else { return None };
        (name == wanted).then_some(value)
    })
}

/// Returns a text in its wrapping.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let (UTF8, text, _) = element(bytes)? else { return None };
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_nothing() {
        assert!(element(&[]).is_none() && element(&[SEQUENCE, 2, 1]).is_none() && element(&[SEQUENCE, 0x80]).is_none());
        assert!(element(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert_eq!(text(&[UTF8, 2, b'o', b'k']).as_deref(), Some("ok"));
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            assert_eq!(element(&encoded(SEQUENCE, &content).unwrap()), Some((SEQUENCE, &content[..], &[][..])));
        }
        assert!(encoded(SEQUENCE, &vec![0; 0x1_0000]).is_none());
        assert!(extension(&[SEQUENCE, 2, SEQUENCE, 0], &[1]).is_none());
    }
}
