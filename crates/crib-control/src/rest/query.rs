//! Paths and queries of URLs.

use super::answer::Trouble;
use crate::percent::{Plus, decode};

/// The parameters after the `?`.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decode(name, Plus::IsSpace), decode(value, Plus::IsSpace))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns a number, if one is given.
    ///
    /// # Errors
    /// Something else is given.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Trouble> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_odd| Trouble::bad_request(format!("`{name}` is a number, not `{}`", text.escape_debug())))
    }
}

/// Splits a path into its decoded parts; a name may hold an encoded slash.
pub(super) fn path(text: &str) -> Vec<String> {
    text.trim_matches('/').split('/').map(|part| decode(part, Plus::IsPlus)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(path("/v1/tools/a%2Fb%20c/"), ["v1", "tools", "a/b c"]);
        let query = Query::parse("q=two+words%21&server=x&limit=5&odd=%zz&flag");
        assert_eq!(query.get("q"), Some("two words!"));
        assert_eq!((query.get("odd"), query.get("flag"), query.number("limit").ok()), (Some("%zz"), Some(""), Some(Some(5))));
    }
}
