//! The URIs under which an upstream's resources are exposed, and back.
//!
//! `file:///a` of the upstream `My_files` is exposed as `my.files+file:///a`: a scheme may hold `.` but no `_` and is
//! compared without regard to case. `ui://x` and `skill://x` keep their scheme, which clients look at, and carry the
//! upstream in front of their path: `ui://my.files/x`. Templates of RFC 6570 are treated alike.

use crib_model::Slug;

const KEPT_SCHEMES: [&str; 2] = ["ui://", "skill://"];

/// Returns the exposed form of an upstream's URI or URI template.
#[must_use]
pub fn uri_out(slug: &Slug, uri: &str) -> String {
    let label = label(slug);
    for scheme in KEPT_SCHEMES {
        if let Some(rest) = uri.strip_prefix(scheme) {
            return format!("{scheme}{label}/{rest}");
        }
    }
    format!("{label}+{uri}")
}

/// Splits an exposed URI into the upstream's slug, in lower case, and the upstream's own URI.
#[must_use]
pub fn uri_in(uri: &str) -> Option<(String, String)> {
    for scheme in KEPT_SCHEMES {
        if let Some(rest) = uri.strip_prefix(scheme) {
            let (label, path) = rest.split_once('/')?;
            return Some((unlabel(label)?, format!("{scheme}{path}")));
        }
    }
    let (label, own) = uri.split_once('+')?;
    Some((unlabel(label)?, own.to_owned()))
}

fn label(slug: &Slug) -> String {
    slug.as_str().chars().map(|c| if c == '_' { '.' } else { c.to_ascii_lowercase() }).collect()
}

fn unlabel(label: &str) -> Option<String> {
    let text: String = label.chars().map(|c| if c == '.' { '_' } else { c.to_ascii_lowercase() }).collect();
    // A label with `_` was not written by `uri_out`.
    (!label.contains('_')).then(|| Slug::parse(&text)).flatten().map(|slug| slug.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(slug: &str, uri: &str, exposed: &str) {
        let slug = Slug::parse(slug).unwrap();
        assert_eq!(uri_out(&slug, uri), exposed);
        assert_eq!(uri_in(exposed), Some((slug.as_str().to_ascii_lowercase(), uri.to_owned())));
    }

    #[test]
    fn the_upstream_stands_in_the_scheme_or_in_front_of_the_path() {
        check("files", "file:///a", "files+file:///a");
        check("My_files", "file:///a", "my.files+file:///a");
        check("a-b", "demo://x/{id}", "a-b+demo://x/{id}");
        check("git", "git+ssh://h/p", "git+git+ssh://h/p");
        check("clock", "ui://face/index.html", "ui://clock/face/index.html");
        check("My_x", "skill://pdf/SKILL.md", "skill://my.x/pdf/SKILL.md");
        check("x", "ui://", "ui://x/");
        check("x", "", "x+");
    }

    #[test]
    fn clients_may_lower_the_case_of_scheme_and_authority() {
        assert_eq!(uri_in("FILES+file:///A"), Some(("files".to_owned(), "file:///A".to_owned())));
    }

    #[test]
    fn what_no_upstream_can_have_is_not_taken_apart() {
        for uri in ["file:///a", "ui://nothing", "my_files+x:y", "1x+a:b", "+a:b", "a b+c:d", "ui:///x", "http://h/a+b"] {
            assert_eq!(uri_in(uri), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn every_uri_comes_back(name in "[A-Za-z][A-Za-z0-9_-]{0,12}", scheme in "(ui://|skill://|UI://|[a-z+.-]{1,6}:)?", rest in any::<String>()) {
            let slug = Slug::from_name(&name);
            let uri = format!("{scheme}{rest}");
            prop_assert_eq!(uri_in(&uri_out(&slug, &uri)), Some((slug.as_str().to_ascii_lowercase(), uri)));
        }
    }
}
