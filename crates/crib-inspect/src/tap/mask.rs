//! Headers without their secrets.

use http::HeaderMap;

/// Tells whether a header or variable of this name holds something nobody else should see.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words =
        ["authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "api_key", "credential", "session"];
    words.iter().any(|word| name.contains(word)) || name == "key" || name.ends_with("-key") || name.ends_with("_key")
}

/// Writes headers for people: what is secret, and what the user configured, as `***`.
pub(crate) fn masked(headers: &HeaderMap, own: &[(String, String)]) -> Vec<(String, String)> {
    let is_own = |name: &str| own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let shown = if is_own(name) || is_secret_name(name) { "***" } else { value.to_str().unwrap_or("(not text)") };
            (name.to_owned(), shown.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_configured_and_what_sounds_secret_is_masked() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer a"), ("mcp-session-id", "b"), ("x-mine", "c"), ("mcp-method", "ping")] {
            headers.insert(name, value.parse().unwrap());
        }
        let shown = masked(&headers, &[("X-Mine".to_owned(), "c".to_owned())]);
        let hidden: Vec<&str> = shown.iter().filter(|(_, value)| value == "***").map(|(name, _)| name.as_str()).collect();
        assert_eq!(hidden, ["authorization", "mcp-session-id", "x-mine"]);
    }
}
