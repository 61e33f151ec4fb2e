//! Where a request goes.

use std::fmt;
use std::sync::Arc;

use crib_model::{Code, Fault};
use http::uri::Scheme;
use http::{HeaderValue, Uri};

/// An `http` or `https` URL, read once. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    text: String,
    origin: Arc<Origin>,
    host: HeaderValue,
    /// Path and query, as the request line has them.
    target: Uri,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether addresses of [`crib_model::Guarded`] are not called, whatever name leads there.
    pub(crate) is_guarded: bool,
}

impl Endpoint {
    /// Reads a URL. A fragment is dropped; credentials in a URL are refused.
    ///
    /// # Errors
    /// TC0101 when the text is no usable `http` or `https` URL.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = |why: String| Fault::new(Code::ConfigInvalid, format!("`{}` is not a usable URL", shown(text))).because(why);
        let whole = text.split('#').next().unwrap_or_default();
        let uri: Uri = whole.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(invalid("it must start with http:// or https://".to_owned())),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host".to_owned()))?;
        if authority.as_str().contains('@') {
            let fault = invalid("it contains a user name or password".to_owned());
            return Err(fault.hint("send credentials in a header: `headers: {Authorization: ...}`"));
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if name.is_empty() {
            return Err(invalid("it names no host".to_owned()));
        }
        let behind = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        if authority.port().is_none() && !matches!(behind, "" | ":") {
            return Err(invalid(format!("its port `{}` is none", behind.trim_start_matches(':'))));
        }
        let port = match (authority.port(), is_tls) {
            (Some(port), _) => port.as_u16(),
            (None, true) => 443,
            (None, false) => 80,
        };
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| invalid(error.to_string()))?;
        let target = uri.path_and_query().map_or_else(|| Uri::from_static("/"), |target| Uri::from(target.clone()));
        let origin = Arc::new(Origin { is_tls, host: name, port, is_guarded: false });
        Ok(Self(Arc::new(Parts { text: whole.to_owned(), origin, host, target })))
    }

    /// Resolves a reference found in an answer of this endpoint: a URL, `/path`, `?query` or a relative path.
    ///
    /// # Errors
    /// TC0101 when the result is no usable URL.
    pub fn join(&self, reference: &str) -> Result<Self, Fault> {
        let joined = Self::parse(&self.joined(reference))?;
        Ok(if self.0.origin.is_guarded { joined.guarded() } else { joined })
    }

    fn joined(&self, reference: &str) -> String {
        if reference.contains("://") {
            return reference.to_owned();
        }
        let scheme = if self.0.origin.is_tls { "https" } else { "http" };
        if let Some(rest) = reference.strip_prefix("//") {
            return format!("{scheme}://{rest}");
        }
        let authority = self.0.host.to_str().unwrap_or_default();
        let path = self.0.target.path();
        let path = if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.starts_with('?') {
            format!("{path}{reference}")
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{reference}")
        };
        format!("{scheme}://{authority}{path}")
    }

    /// Keeps requests from link-local addresses and metadata services: what a name means is only known when it is
    /// resolved, and may change from one connection to the next.
    #[must_use]
    pub fn guarded(self) -> Self {
        let Parts { text, origin, host, target } = &*self.0;
        let origin = Arc::new(Origin { is_guarded: true, ..(**origin).clone() });
        Self(Arc::new(Parts { text: text.clone(), origin, host: host.clone(), target: target.clone() }))
    }

    /// Tells whether two endpoints have the same scheme, host and port.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin == other.0.origin
    }

    /// Returns the whole URL. What is shown to people has no query, which may hold a key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.0.origin
    }

    pub(crate) fn host(&self) -> &HeaderValue {
        &self.0.host
    }

    pub(crate) fn target(&self) -> &Uri {
        &self.0.target
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0.text))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0.text))
    }
}

impl std::str::FromStr for Endpoint {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::parse(text)
    }
}

/// Leaves out what may be secret: user names, passwords and queries.
fn shown(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, ""), |(place, _)| (place, "?..."));
    let Some((scheme, rest)) = place.split_once("://") else { return format!("{place}{query}") };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("HTTP://Example.com:8080/mcp?x=1#top").unwrap();
        assert_eq!(**endpoint.origin(), Origin { is_tls: false, host: "example.com".to_owned(), port: 8080, is_guarded: false });
        assert_eq!(endpoint.target(), "/mcp?x=1");
        let bare = Endpoint::parse("https://[::1]").unwrap();
        assert_eq!(**bare.origin(), Origin { is_tls: true, host: "::1".to_owned(), port: 443, is_guarded: false });
        assert_eq!((bare.target().to_string(), bare.host().to_str().unwrap()), ("/".to_owned(), "[::1]"));
    }

    #[test]
    fn what_is_no_url_for_a_request_is_refused() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "http://",
            "http://user:pw@example.com/",
            "/mcp",
            "http://a b/",
            "http://a:99999/",
            "http://[::1]:x/",
        ] {
            assert_eq!(Endpoint::parse(text).unwrap_err().code(), Code::ConfigInvalid, "{text}");
        }
    }

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        let endpoint = Endpoint::parse("http://example.com/mcp?key=s3cret").unwrap();
        assert_eq!(
            (endpoint.to_string(), format!("{endpoint:?}")),
            ("http://example.com/mcp?...".into(), "http://example.com/mcp?...".into())
        );
        assert_eq!(endpoint.as_str(), "http://example.com/mcp?key=s3cret");
        let fault = Endpoint::parse("http://user:s3cret@example.com/").unwrap_err();
        assert!(!fault.to_string().contains("s3cret"), "{fault}");
    }

    #[test]
    fn references_are_resolved() {
        let base = Endpoint::parse("http://example.com/a/sse?x").unwrap();
        let joined = |reference: &str| base.join(reference).unwrap().as_str().to_owned();
        assert_eq!(joined("/messages?s=1"), "http://example.com/messages?s=1");
        assert_eq!(joined("messages?s=1"), "http://example.com/a/messages?s=1");
        assert_eq!(joined("?s=1"), "http://example.com/a/sse?s=1");
        assert_eq!(joined("https://other.example/m"), "https://other.example/m");
        assert!(base.is_same_origin(&base.join("/x").unwrap()));
        let guarded = base.clone().guarded();
        assert!(guarded.is_same_origin(&guarded.join("http://example.com/x").unwrap()), "what is guarded stays guarded");
        assert!(!base.is_same_origin(&base.join("//other.example/x").unwrap()));
    }
}
