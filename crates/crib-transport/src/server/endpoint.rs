//! Paths and queries of the MCP endpoints.

use std::borrow::Cow;

use crib_model::{Scope, Slug};

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Mcp(Scope),
    /// Below `/mcp/`, but no name a server can have.
    Nowhere,
    Other,
}

pub(crate) fn place(path: &str) -> Place {
    let Some(rest) = path.strip_prefix("/mcp") else { return Place::Other };
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Place::Mcp(Scope::All),
        None => Place::Other,
        Some("") => Place::Mcp(Scope::All),
        Some(slug) => Slug::parse(slug.strip_suffix('/').unwrap_or(slug)).map_or(Place::Nowhere, |slug| Place::Mcp(Scope::One(slug))),
    }
}

/// Returns the session an HTTP+SSE client posts to.
pub(crate) fn session(query: Option<&str>) -> Option<String> {
    let value = query?.split('&').find_map(|pair| pair.strip_prefix("sessionId="))?;
    Some(decode(value).into_owned())
}

/// Undoes percent-encoding; what is not valid stays as it is and will name no session.
fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.first_chunk::<2>().and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, pair) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_all_servers_or_one() {
        let one = |slug: &str| Place::Mcp(Scope::One(Slug::parse(slug).unwrap()));
        assert_eq!(place("/mcp"), Place::Mcp(Scope::All));
        assert_eq!(place("/mcp/"), Place::Mcp(Scope::All));
        assert_eq!(place("/mcp/git-hub"), one("git-hub"));
        assert_eq!(place("/mcp/git-hub/"), one("git-hub"));
        for path in ["/mcp/a__b", "/mcp/a/b", "/mcp/%61", "/mcp//", "/mcp/../v1"] {
            assert_eq!(place(path), Place::Nowhere, "{path}");
        }
        for path in ["/", "/mcpx", "/metrics", "/MCP"] {
            assert_eq!(place(path), Place::Other, "{path}");
        }
    }

    #[test]
    fn a_session_is_read_from_the_query() {
        assert_eq!(session(Some("sessionId=abc")).as_deref(), Some("abc"));
        assert_eq!(session(Some("x=1&sessionId=a%2Bb%")).as_deref(), Some("a+b%"));
        assert_eq!(session(Some("sessionid=abc")), None);
        assert_eq!(session(None), None);
    }
}
