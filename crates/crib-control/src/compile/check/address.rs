//! Addresses in a configuration: those that are called, and those that call.

use http::Uri;

/// What is wrong with an address, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::compile) struct Wrong {
    pub(in crate::compile) label: String,
    pub(in crate::compile) hint: Option<&'static str>,
}

impl Wrong {
    fn new(label: String) -> Self {
        Self { label, hint: None }
    }
}

/// Reads an address that is called and returns its host.
pub(in crate::compile) fn called(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new(format!("`{text}` is not an http:// or https:// address"));
    let uri = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).ok_or_else(wrong)?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or_else(wrong)?;
    if authority.as_str().contains('@') {
        let hint = Some("send credentials in a header: `headers: {Authorization: ...}`");
        return Err(Wrong { label: "an address is shown and logged, so no name and password stand in it".to_owned(), hint });
    }
    let port = authority.as_str().strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
    match port {
        Some(port) if authority.port_u16().is_none_or(|port| port == 0) => {
            Err(Wrong { label: format!("`{port}` is not a port"), hint: Some("a port lies between 1 and 65535") })
        }
        Some(_) | None => Ok(authority.host().to_owned()),
    }
}

/// Checks an entry of `allowedHosts`, which is compared with what clients send as `Host`.
pub(in crate::compile) fn host(text: &str) -> Result<(), Wrong> {
    let hint = Some("write the name that clients use, with a port where it counts: tools.example.com or tools.example.com:8443");
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        Some(_) | None => (text, None),
    };
    let is_literal = name.starts_with('[') && name.ends_with(']');
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if (is_name || is_literal) && has_port { Ok(()) } else { Err(Wrong { label: format!("`{text}` is not a host name"), hint }) }
}

/// Checks an entry of `allowedOrigins`, which is compared with what browsers send as `Origin`.
pub(in crate::compile) fn origin(text: &str) -> Result<(), Wrong> {
    let hint = Some("write it as a browser sends it, without a path: https://app.example.com");
    let authority = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, rest)| rest.trim_end_matches('/'));
    match authority {
        Some(authority) if host(authority).is_ok() => Ok(()),
        Some(_) | None => Err(Wrong { label: format!("`{text}` is not an origin"), hint }),
    }
}
