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
