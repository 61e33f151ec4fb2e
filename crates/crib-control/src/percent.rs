//! Percent-encoding of URLs, undone.

/// What a `+` means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    IsPlus,
    /// In the query of a form.
    IsSpace,
}

/// Undoes percent-encoding; what is not valid stays as it is.
pub(crate) fn decode(text: &str, plus: Plus) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.first_chunk::<2>().and_then(|pair| std::str::from_utf8(pair).ok()).filter(|_| *byte == b'%');
        rest = match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                after.get(2..).unwrap_or_default()
            }
            None => {
                out.push(if *byte == b'+' && plus == Plus::IsSpace { b' ' } else { *byte });
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}
