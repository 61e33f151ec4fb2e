//! Who one is at a registry: what `docker login` and `podman login` have written.

mod keeper;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use keeper::Keeper;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What Docker calls its own registry.
const HUB_ADDRESS: &str = "https://index.docker.io/v1/";

/// The logins of one user.
#[derive(Clone, Default)]
pub struct Credentials {
    logins: BTreeMap<String, Login>,
    /// Programs that keep logins, by registry; the one for all others has no name.
    helpers: BTreeMap<String, String>,
    /// The variables that helpers are started with.
    env: Vec<(OsString, OsString)>,
    /// What helpers have answered.
    answers: Arc<tokio::sync::Mutex<BTreeMap<String, Answer>>>,
}

/// A login where there is one, or why a helper does not say.
type Answer = Result<Option<Login>, String>;

/// A login at one registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A name and a password, as an `Authorization` header has them.
    Basic(String),
    /// What a token is given for.
    Refresh(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl Credentials {
    /// Reads files such as `~/.docker/config.json`; the first that knows a registry is believed. One that is not there
    /// or cannot be read has nothing to say.
    #[must_use]
    pub fn read<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Self {
        let mut this = Self::default();
        for path in files {
            let path = path.as_ref();
            let is_small = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_BYTES_MAX);
            let Some(bytes) = is_small.then(|| std::fs::read(path).ok()).flatten() else { continue };
            if let Ok(file) = serde_json::from_slice(&bytes) {
                this.add(file);
            }
        }
        this
    }

    fn add(&mut self, file: File) {
        for (place, entry) in file.auths {
            if let Some(login) = entry.login() {
                self.logins.entry(host(&place)).or_insert(login);
            }
        }
        for (place, helper) in file.cred_helpers {
            self.helpers.entry(host(&place)).or_insert(helper);
        }
        if !file.creds_store.is_empty() {
            self.helpers.entry(String::new()).or_insert(file.creds_store);
        }
    }

    /// Has helpers be asked with these variables, `PATH` among them; without any none is found.
    #[must_use]
    pub fn with_env(mut self, env: Vec<(OsString, OsString)>) -> Self {
        self.env = env;
        self
    }

    /// Returns the login at a registry: of the helper for it, of the files, or of the helper for all others. A helper
    /// that does not answer is one whose registry nobody is logged in at, and why is told.
    pub(crate) async fn login(&self, registry: &str) -> (Option<Login>, Option<String>) {
        let own = self.helpers.get(registry);
        if let (None, Some(login)) = (own, self.logins.get(registry)) {
            return (Some(login.clone()), None);
        }
        let Some(name) = own.or_else(|| self.helpers.get("")) else { return (None, None) };
        let mut answers = self.answers.lock().await;
        let answer = match answers.get(registry) {
            Some(answer) => answer.clone(),
            None => {
                let answer = Keeper::new(name, &self.env).ask(registry).await;
                answers.insert(registry.to_owned(), answer.clone());
                answer
            }
        };
        match answer {
            Ok(Some(login)) => (Some(login), None),
            Ok(None) => (
                self.logins.get(registry).cloned(),
                Some(format!("`docker-credential-{}` has no login for it", crate::manifest::shown(name))),
            ),
            Err(why) => (self.logins.get(registry).cloned(), Some(why)),
        }
    }
}

impl Login {
    fn of_pair(name: &str, password: &str) -> Self {
        Self::Basic(STANDARD.encode(format!("{name}:{password}")))
    }
}

impl Entry {
    fn login(self) -> Option<Login> {
        if !self.identitytoken.is_empty() {
            return Some(Login::Refresh(self.identitytoken));
        }
        if !self.auth.is_empty() {
            // A header is made of it: what is no base64 does not go into one.
            let pair = STANDARD.decode(self.auth.trim()).ok()?;
            return pair.contains(&b':').then(|| Login::Basic(STANDARD.encode(pair)));
        }
        let has_both = !self.username.is_empty() && !self.password.is_empty();
        has_both.then(|| Login::of_pair(&self.username, &self.password))
    }
}

/// Docker names its own registry by an address, and others by their hosts.
fn host(place: &str) -> String {
    let rest = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest).to_ascii_lowercase();
    if matches!(host.as_str(), "index.docker.io" | "registry-1.docker.io") { "docker.io".to_owned() } else { host }
}

impl fmt::Debug for Credentials {
    /// Says for which registries there is a login, and never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("logins", &self.logins.keys().collect::<Vec<_>>()).field("helpers", &self.helpers).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logins_are_found_by_their_registries_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("config.json"), folder.path().join("auth.json"));
        let text = r#"{ "auths": { "https://index.docker.io/v1/": { "auth": "bWU6c2VjcmV0" }, "ghcr.io": { "identitytoken": "refresh" },
            "empty.io": {}, "odd.io": { "auth": "%%%" } }, "credHelpers": { "gcr.io": "gcloud" }, "credsStore": "" }"#;
        std::fs::write(&first, text).unwrap();
        std::fs::write(&second, r#"{ "auths": { "ghcr.io": { "auth": "b3RoZXI6b3RoZXI=" } } }"#).unwrap();
        let known = Credentials::read([first, second, folder.path().join("missing")]);
        assert!(known.login("docker.io").await.0 == Some(Login::Basic("bWU6c2VjcmV0".into())));
        assert!(known.login("ghcr.io").await.0 == Some(Login::Refresh("refresh".into())));
        assert!(known.login("empty.io").await == (None, None) && known.login("odd.io").await == (None, None));
        let (login, why) = known.login("gcr.io").await;
        assert!(login.is_none() && why.is_some_and(|why| why.contains("docker-credential-gcloud")));
        let shown = format!("{known:?}");
        assert!(!shown.contains("secret") && !shown.contains("bWU6") && !shown.contains("refresh"), "{shown}");
    }
}
