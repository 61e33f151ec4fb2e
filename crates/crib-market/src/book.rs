//! The registries that are asked, in their order: a file of the data directory.

use std::collections::BTreeMap;
use std::path::Path;

use crib_model::{Code, Fault};
use crib_store::{Document, SecretName, StoreError};
use crib_transport::Endpoint;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// The name of the registry that is there from the start.
pub const OFFICIAL: &str = "official";
/// Where it is.
pub const OFFICIAL_URL: &str = "https://registry.modelcontextprotocol.io";
const FILE: &str = "registries.json";
const BYTES_MAX: usize = 256 * 1024;
const VERSION: u32 = 1;
/// Most registries; each is asked at every search.
const REGISTRIES_MAX: usize = 32;
const HEADERS_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 64;
/// Headers whose value is a credential, and belongs among the secrets.
const CREDENTIALS: &[&str] = &["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "private-token"];

/// One registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    pub name: String,
    /// Without `/v0.1` and without a slash at the end.
    pub url: String,
    /// Sent with every request; `${secret:NAME}` and `${env:NAME}` stand for what is not written here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl Registry {
    /// # Errors
    /// TC0443 for a name, an address or a header that cannot be one.
    pub fn new(name: &str, url: &str, headers: &[String]) -> Result<Self, Fault> {
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !is_name {
            return Err(
                invalid(format!("`{}` is not a name for a registry", name.escape_debug())).hint("letters, digits, `-`, `_` and `.`")
            );
        }
        let url = address(url)?;
        let headers = headers.iter().map(|text| header(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
        if headers.len() > HEADERS_MAX {
            return Err(invalid(format!("a registry is sent {HEADERS_MAX} headers at most")));
        }
        let registry = Self { name: name.to_owned(), url, headers };
        if registry.is_in_the_clear() && registry.headers.values().any(|value| value.contains("${")) {
            return Err(
                invalid(format!("`{}` would be sent credentials that everybody on the way can read", registry.url)).hint("use https://")
            );
        }
        Ok(registry)
    }

    /// Returns the official one.
    #[must_use]
    pub fn official() -> Self {
        Self { name: OFFICIAL.to_owned(), url: OFFICIAL_URL.to_owned(), headers: BTreeMap::new() }
    }

    /// Tells whether answers come over a network without protection.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        let Some(rest) = self.url.strip_prefix("http://") else { return false };
        let host = rest.split('/').next().unwrap_or_default();
        let is_loopback = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|loopback| host.strip_prefix(loopback).is_some_and(|port| port.is_empty() || port.starts_with(':')));
        !is_loopback
    }

    /// Returns the names of the secrets that its headers refer to.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretName> {
        let mut names: Vec<SecretName> = Vec::new();
        for part in self.headers.values().filter_map(|value| references(value).ok()).flatten() {
            if let Part::Secret(name) = part
                && let Ok(name) = SecretName::parse(name)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }
}

fn address(url: &str) -> Result<String, Fault> {
    let not_one = |why: &str| invalid(format!("`{}` is not the address of a registry", crate::shown(url, 200))).because(why);
    if url.contains(['?', '#']) {
        return Err(not_one("it has a query or a fragment"));
    }
    let endpoint = Endpoint::parse(url).map_err(|fault| not_one(fault.causes().first().map_or("it is no URL", String::as_str)))?;
    let text = endpoint.as_str().trim_end_matches('/');
    let text = text.strip_suffix("/servers").unwrap_or(text);
    Ok(text.strip_suffix("/v0.1").unwrap_or(text).trim_end_matches('/').to_owned())
}

/// Reads `Name: value`. A credential is named, by `${secret:NAME}` or `${env:NAME}`.
///
/// # Errors
/// TC0443: it is no header, or its value is a secret that stands there in the clear.
pub fn header(text: &str) -> Result<(String, String), Fault> {
    let shape = || invalid("a header is written `Name: value`").hint("--header 'Authorization: Bearer ${secret:NAME}'");
    let (name, value) = text.split_once(':').ok_or_else(shape)?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    if HeaderName::try_from(&name).is_err() || HeaderValue::try_from(value).is_err() || value.is_empty() {
        return Err(shape());
    }
    references(value)?;
    // The value is not repeated: it may be the credential.
    if CREDENTIALS.contains(&name.as_str()) && !value.contains("${") {
        return Err(invalid(format!("the value of `{name}` is a secret and would be kept where it can be read"))
            .hint(format!("toolcrib secret set NAME   and then   --header '{name}: … ${{secret:NAME}}'")));
    }
    Ok((name, value.to_owned()))
}

/// A part of a header's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Secret(&'a str),
    Variable(&'a str),
}

/// Takes a value apart.
pub(crate) fn references(value: &str) -> Result<Vec<Part<'_>>, Fault> {
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let unknown = || invalid("a value refers to something that is neither `${secret:NAME}` nor `${env:NAME}`");
        let (inner, after) = after.split_once('}').ok_or_else(unknown)?;
        parts.push(Part::Text(before));
        parts.push(match inner.split_once(':') {
            Some(("secret", name)) if SecretName::parse(name).is_ok() => Part::Secret(name),
            Some(("env", name)) if !name.is_empty() => Part::Variable(name),
            Some(_) | None => return Err(unknown()),
        });
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// The registries of a data directory.
#[derive(Clone, Debug)]
pub struct Registries(Document);

#[derive(Serialize, Deserialize)]
struct Page {
    version: u32,
    registries: Vec<Registry>,
}

impl Registries {
    /// Names the file of a data directory. Nothing is read yet.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self(Document::new(directory.join(FILE), "toolcrib-registries", BYTES_MAX))
    }

    /// Returns the registries in the order in which they are asked; the official one where nobody said anything.
    ///
    /// # Errors
    /// TC0444 when the file cannot be read.
    pub fn list(&self) -> Result<Vec<Registry>, Fault> {
        parse(self.0.read().map_err(|error| unusable(&error))?)
    }

    /// Adds a registry in front of the others, or changes the one of that name where it stands; returns whether it is new.
    ///
    /// # Errors
    /// TC0443 when there are too many, TC0444 when the file cannot be read or written.
    pub fn add(&self, registry: Registry) -> Result<bool, Fault> {
        self.change(|list| {
            if let Some(known) = list.iter_mut().find(|known| known.name == registry.name) {
                *known = registry;
                return Ok(false);
            }
            if list.len() >= REGISTRIES_MAX {
                return Err(invalid(format!("there are {REGISTRIES_MAX} registries already")));
            }
            let place = if registry.name == OFFICIAL { list.len() } else { 0 };
            list.insert(place, registry);
            Ok(true)
        })
    }

    /// Removes a registry; returns the one that was there.
    ///
    /// # Errors
    /// TC0443 when there is none of that name, TC0444 when the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<Registry, Fault> {
        self.change(|list| {
            let names: Vec<String> = list.iter().map(|known| known.name.clone()).collect();
            match list.iter().position(|known| known.name == name) {
                Some(at) => Ok(list.remove(at)),
                None => Err(unknown(name, &names)),
            }
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Registry>) -> Result<T, Fault>) -> Result<T, Fault> {
        let result = self.0.update::<_, Stop>(|body| {
            let mut list = parse(body)?;
            let result = change(&mut list)?;
            let page = serde_json::to_vec(&Page { version: VERSION, registries: list })
                .map_err(|error| Stop(Fault::new(Code::RegistriesUnusable, "the registries cannot be kept").because(error)))?;
            Ok((Some(page), result))
        });
        result.map_err(|Stop(fault)| fault)
    }
}

/// Carries a refusal out of a change of the file.
struct Stop(Fault);

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self(unusable(&error))
    }
}

fn parse(body: Option<Vec<u8>>) -> Result<Vec<Registry>, Fault> {
    let Some(body) = body else { return Ok(vec![Registry::official()]) };
    let odd = |why: String| Fault::new(Code::RegistriesUnusable, "the registries cannot be read").because(why);
    let page: Page = serde_json::from_slice(&body).map_err(|error| odd(error.to_string()))?;
    if page.version == VERSION { Ok(page.registries) } else { Err(odd(format!("their form is {}; known is {VERSION}", page.version))) }
}

/// Says that there is no registry of that name.
pub(crate) fn unknown(name: &str, names: &[String]) -> Fault {
    let known = if names.is_empty() { "there is none".to_owned() } else { format!("registries: {}", names.join(", ")) };
    invalid(format!("there is no registry called `{}`", name.escape_debug())).hint(format!("{known}   (toolcrib registry ls)"))
}

fn unusable(error: &StoreError) -> Fault {
    Fault::new(Code::RegistriesUnusable, "the registries cannot be read or kept").because(error)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Code::RegistryInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_registries_are_asked_before_the_official_one() {
        let folder = tempfile::tempdir().unwrap();
        let book = Registries::of(folder.path());
        let names = || book.list().unwrap().into_iter().map(|registry| registry.name).collect::<Vec<_>>();
        assert_eq!(names(), ["official"]);
        assert!(book.add(Registry::new("corp", "https://mcp.corp.example/v0.1/", &[]).unwrap()).unwrap());
        assert!(!book.add(Registry::new("corp", "https://other.corp.example", &[]).unwrap()).unwrap());
        assert_eq!(names(), ["corp", "official"]);
        assert_eq!(book.remove("official").unwrap().url, OFFICIAL_URL);
        assert_eq!(book.remove("gone").unwrap_err().code(), Code::RegistryInvalid);
        assert!(book.add(Registry::official()).unwrap());
        assert_eq!(names(), ["corp", "official"]);
        std::fs::write(folder.path().join(FILE), "odd\n").unwrap();
        assert_eq!(book.list().unwrap_err().code(), Code::RegistriesUnusable);
    }

    #[test]
    fn addresses_are_bases_and_credentials_are_references() {
        let made = |url: &str, header: &str| Registry::new("corp", url, &[header.to_owned()]);
        for url in ["https://a.example/x", "https://a.example/x/", "https://a.example/x/v0.1", "https://a.example/x/v0.1/servers"] {
            assert_eq!(Registry::new("corp", url, &[]).unwrap().url, "https://a.example/x");
        }
        assert!(made("https://a.example", "Authorization: Bearer ${secret:CORP}").is_ok());
        assert!(made("http://127.0.0.1:9", "Authorization: Bearer ${env:CORP}").is_ok());
        assert!(made("https://a.example", "X-Team: tools").is_ok());
        for (url, header) in [
            ("http://a.example", "Authorization: Bearer ${secret:CORP}"),
            ("https://a.example", "Authorization: Bearer s3cret"),
            ("https://a.example", "Authorization: ${file:/etc/passwd}"),
            ("https://a.example", "no header"),
            ("https://a.example?x", "X-Team: tools"),
            ("ftp://a.example", "X-Team: tools"),
            ("https://u:p@a.example", "X-Team: tools"),
        ] {
            let fault = made(url, header).unwrap_err();
            assert_eq!(fault.code(), Code::RegistryInvalid, "{url} {header}");
            assert!(!fault.to_string().contains("s3cret"));
        }
        assert!(Registry::new("a/b", "https://a.example", &[]).is_err());
        assert!(Registry::new("corp", "http://localhost.evil.example", &[]).unwrap().is_in_the_clear());
    }
}
