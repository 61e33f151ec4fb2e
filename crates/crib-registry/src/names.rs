//! The names under which an upstream's tools and prompts are exposed.

use crib_model::Slug;

/// Longest exposed name: the strictest of the common model APIs; the protocol allows 128.
pub(crate) const EXPOSED_BYTES_MAX: usize = 64;
/// Longest own name of an upstream's item that is taken at all.
pub(crate) const OWN_BYTES_MAX: usize = 1024;
/// Characters of the hash in a shortened or altered name.
const HASH_CHARS: usize = 8;

const SERVER: &str = "{server}";
const TOOL: &str = "{tool}";

/// How exposed names are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameStyle {
    /// Every name carries its upstream, as the template says.
    Prefixed(Template),
    /// Names as the upstream gives them: for a single upstream, whose URIs are then left alone too.
    Plain,
}

impl Default for NameStyle {
    fn default() -> Self {
        Self::Prefixed(Template::default())
    }
}

/// A pattern with `{tool}` and usually `{server}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self("{server}__{tool}".to_owned())
    }
}

/// Why a text is not a template for names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the template must hold `{{tool}}` exactly once")]
    NoTool,
    #[error("the template may hold `{{server}}` only once")]
    ServerTwice,
    #[error("`{0}` may not stand in a name; letters, digits, `_`, `-` and `.` may")]
    Character(char),
    #[error("the template leaves fewer than 16 characters for names")]
    TooLong,
}

impl Template {
    /// Reads a template such as `{server}__{tool}`.
    ///
    /// # Errors
    /// `{tool}` is missing, a placeholder stands twice, or the rest holds characters that names may not have.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.matches(TOOL).count() != 1 {
            return Err(TemplateError::NoTool);
        }
        if text.matches(SERVER).count() > 1 {
            return Err(TemplateError::ServerTwice);
        }
        let rest = text.replacen(TOOL, "", 1).replacen(SERVER, "", 1);
        if let Some(odd) = rest.chars().find(|c| !is_plain(*c)) {
            return Err(TemplateError::Character(odd));
        }
        if rest.len() > EXPOSED_BYTES_MAX - 16 {
            return Err(TemplateError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn fill(&self, slug: &Slug, name: &str) -> String {
        // One pass: a tool may be called `{server}`.
        let mut out = String::with_capacity(self.0.len() + slug.as_str().len() + name.len());
        let mut rest = self.0.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            out.push_str(before);
            let (placeholder, behind) = behind.split_once('}').unwrap_or((behind, ""));
            out.push_str(if placeholder == "tool" { name } else { slug.as_str() });
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}

impl NameStyle {
    /// Returns the exposed name of an upstream's item, before collisions with others are looked at.
    #[must_use]
    pub fn expose(&self, slug: &Slug, name: &str) -> String {
        match self {
            Self::Plain => fit(name.to_owned(), slug, name),
            Self::Prefixed(template) => fit(template.fill(slug, name), slug, name),
        }
    }
}

/// Makes a name one that models and clients accept. What had to be altered ends in a hash of the original, so that
/// different originals stay different.
fn fit(wanted: String, slug: &Slug, name: &str) -> String {
    let is_clean = wanted.chars().all(is_plain);
    if is_clean && wanted.len() <= EXPOSED_BYTES_MAX {
        return wanted;
    }
    let clean: String = wanted.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    with_suffix(&clean, &hash(slug, name))
}

/// Returns the name a later one of two equal names gets. `round` counts on where even that one is taken.
pub(crate) fn renamed(wanted: &str, slug: &Slug, name: &str, round: u32) -> String {
    let mut suffix = hash(slug, name);
    if round > 0 {
        suffix = format!("{suffix}{round}");
    }
    let clean: String = wanted.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    with_suffix(&clean, &suffix)
}

/// `text` is ASCII.
fn with_suffix(text: &str, suffix: &str) -> String {
    let room = EXPOSED_BYTES_MAX.saturating_sub(suffix.len() + 1);
    let head = text.get(..room.min(text.len())).unwrap_or(text);
    format!("{}_{suffix}", head.trim_end_matches(['_', '-', '.']))
}

fn hash(slug: &Slug, name: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(slug.as_str().as_bytes()).update(b"\0").update(name.as_bytes());
    hasher.finalize().to_hex().as_str().chars().take(HASH_CHARS).collect()
}

pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Returns the first character of a name that people cannot see or that changes how others are shown.
pub(crate) fn hidden_character(name: &str) -> Option<char> {
    name.chars().find(|c| is_hidden(*c))
}

/// Control and format characters, bidirectional overrides, zero-width characters, tags, variation selectors and the
/// letters that are drawn as nothing.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        Slug::parse(text).unwrap()
    }

    #[track_caller]
    fn check(template: &str, name: &str, expected: &str) {
        let style = NameStyle::Prefixed(Template::parse(template).unwrap());
        assert_eq!(style.expose(&slug("files"), name), expected);
    }

    #[test]
    fn templates_are_filled_once() {
        check("{server}__{tool}", "read", "files__read");
        check("{tool}", "read", "read");
        check("x-{tool}.{server}", "a__b", "x-a__b.files");
        check("{server}__{tool}", "{server}", "files___server_a7a7815d");
    }

    #[test]
    fn templates_that_cannot_make_names_are_refused() {
        assert_eq!(Template::parse("{server}"), Err(TemplateError::NoTool));
        assert_eq!(Template::parse("{tool}{tool}"), Err(TemplateError::NoTool));
        assert_eq!(Template::parse("{server}{server}{tool}"), Err(TemplateError::ServerTwice));
        assert_eq!(Template::parse("{server}/{tool}"), Err(TemplateError::Character('/')));
        assert_eq!(Template::parse("{tool}{slug}"), Err(TemplateError::Character('{')));
        assert_eq!(Template::parse(&format!("{{tool}}{}", "x".repeat(60))), Err(TemplateError::TooLong));
    }

    #[test]
    fn long_and_odd_names_are_altered_the_same_way_every_time_and_stay_apart() {
        let style = NameStyle::default();
        let (long, longer) = ("x".repeat(80), "x".repeat(81));
        let exposed = style.expose(&slug("files"), &long);
        assert_eq!(exposed.len(), EXPOSED_BYTES_MAX);
        assert_eq!(exposed, style.expose(&slug("files"), &long));
        assert_ne!(exposed, style.expose(&slug("files"), &longer));
        assert_ne!(style.expose(&slug("files"), "a b"), style.expose(&slug("files"), "a/b"));
        for name in ["a b", "\u{8bfb}\u{53d6}", "", "...", &long] {
            let exposed = style.expose(&slug("files"), name);
            assert!(exposed.len() <= EXPOSED_BYTES_MAX && exposed.chars().all(is_plain), "{exposed}");
        }
    }

    #[test]
    fn characters_nobody_sees_are_found() {
        for c in ['\u{200b}', '\u{202e}', '\u{e0041}', '\u{fe0f}', '\u{1b}', '\u{9b}', '\u{ad}', '\u{2066}', '\u{feff}', '\n', '\u{3164}'] {
            assert_eq!(hidden_character(&format!("a{c}b")), Some(c));
        }
        assert_eq!(hidden_character("read_file \u{8bfb}\u{e9}\u{1f600}"), None);
    }
}
