//! By whom packages of some names must be signed.

use crib_model::{Code, Fault};

use super::{ImageKey, Key, Signer};
use crate::Source;

/// Who must have signed what has such a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// The names, `*` standing for any text: `npm:@acme/*`, `oci:ghcr.io/acme/*`, `mcpb:https://acme.example/*`.
    pub of: String,
    /// Keys of minisign.
    pub keys: Vec<Key>,
    /// Keys of cosign.
    pub image_keys: Vec<ImageKey>,
    /// Workflows, repositories or people as certificates name them, `*` standing for any text.
    pub identities: Vec<String>,
}

impl Required {
    /// Tells whether it speaks of this source.
    pub(crate) fn covers(&self, source: &Source) -> bool {
        let (pattern, name) = (self.of.to_lowercase(), name(source).to_lowercase());
        fits(&pattern, &name)
    }

    /// Tells whether this signer will do.
    pub(crate) fn accepts(&self, signer: &Signer) -> bool {
        match (Key::of(signer), ImageKey::of(signer)) {
            (Some(key), _) => self.keys.contains(&key),
            (_, Some(key)) => self.image_keys.contains(&key),
            (None, None) => {
                let names = [Some(&signer.identity), signer.repository.as_ref()];
                names.into_iter().flatten().any(|name| self.identities.iter().any(|pattern| fits(pattern, name)))
            }
        }
    }

    /// Refuses what is not signed as it must be.
    ///
    /// # Errors
    /// TC0505 with who signed it and who has to.
    pub(crate) fn check(&self, shown: &str, signer: Option<&Signer>) -> Result<(), Fault> {
        if signer.is_some_and(|signer| self.accepts(signer)) {
            return Ok(());
        }
        let who = signer.map_or_else(|| "nobody who can be verified signed it".to_owned(), |signer| format!("it is signed by {signer}"));
        let keys = self.keys.iter().map(Key::id).chain(self.image_keys.iter().map(ToString::to_string));
        let wanted: Vec<String> = keys.chain(self.identities.iter().cloned()).collect();
        Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not signed by whom it has to be"))
            .because(who)
            .because(format!("what is called `{}` has to be signed by {}", self.of, wanted.join(" or ")))
            .hint("who that is stands in the configuration: `packages.signers`"))
    }
}

/// Returns the name of a source without its version, spelt in one way.
fn name(source: &Source) -> String {
    match source {
        Source::Npm { name, .. } => format!("npm:{name}"),
        Source::Pypi { name, .. } => {
            let bare = name.split('[').next().unwrap_or(name);
            let parts: Vec<&str> = bare.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
            format!("pypi:{}", parts.join("-"))
        }
        Source::Oci { image } => {
            format!("oci:{}", crib_oci::Reference::parse(image).map_or_else(|_odd| image.clone(), |name| name.name()))
        }
        Source::Cargo { name, .. } => format!("cargo:{name}"),
        Source::Mcpb { .. } | Source::Registry { .. } | Source::Url(_) | Source::Folder(_) | Source::Command { .. } => source.to_string(),
    }
}

/// Tells whether a text is as the pattern says, `*` standing for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        // The first place will do: what comes later can take what is left.
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text, is_fit) in [
            ("npm:@acme/*", "npm:@acme/tool", true),
            ("npm:@acme/*", "npm:@acme-evil/tool", false),
            ("npm:x", "npm:x", true),
            ("npm:x", "npm:xy", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "abcbc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("https://github.com/acme/*@refs/tags/*", "https://github.com/acme/r/w.yml@refs/tags/v1", true),
        ] {
            assert_eq!(fits(pattern, text), is_fit, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_is_covered_however_it_is_spelt() {
        let covers = |of: &str, text: &str| Required { of: of.to_owned(), ..Required::default() }.covers(&Source::parse(text).unwrap());
        for text in ["pypi:acme-tool", "pypi:Acme_Tool[http]==1.0", "pypi:acme.tool", "uvx://--from ACME--tool x"] {
            assert!(covers("pypi:acme-*", text), "{text}");
        }
        assert!(covers("oci:docker.io/acme/*", "oci:acme/tool:1") && covers("npm:@acme/*", "npx://-y @acme/tool@latest"));
        assert!(covers("mcpb:https://acme.example/*", "mcpb:HTTPS://Acme.example/a.mcpb"));
        assert!(!covers("npm:acme-*", "pypi:acme-tool"));
    }
}
