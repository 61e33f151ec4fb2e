//! W3C trace context: read from a call, continued to the upstream.

/// The position of a call in a distributed trace (W3C Trace Context).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: u128,
    /// The span that calls made from here are children of.
    pub span_id: u64,
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` value of version 00; anything else is no context.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes_fit = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let is_lower = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !sizes_fit || version == "ff" || (version == "00" && parts.next().is_some()) || ![trace, span, flags].into_iter().all(is_lower) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok()?;
        let span_id = u64::from_str_radix(span, 16).ok()?;
        let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled })
    }

    #[must_use]
    pub fn to_traceparent(self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}
