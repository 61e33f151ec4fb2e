//! `${secret:NAME}`: from the name in a configuration to the value in a server's environment or headers.
//!
//! A configuration that was compiled holds names only. Values are put in their places when a connector is made, and
//! what is made of them is compared by a keyed hash, so that a changed value makes a new connector.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crib_model::{BoxFuture, Code, Fault, Forward, Health, Redaction, Reply, Step, Upstream};
use crib_store::{SecretError, SecretName, Secrets};
use futures_util::StreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::compile::{Compiled, CompiledServer, Source};

/// Stand around the name of a secret in a text. No text has them: they are no characters, and are refused in files.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// Writes a reference to a secret.
pub(crate) fn reference(name: &SecretName) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// Tells whether a text holds what only a reference may.
pub(crate) fn is_marked(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
}

/// Returns the names of the secrets a text refers to.
fn names(text: &str) -> impl Iterator<Item = SecretName> {
    text.split(OPEN).skip(1).filter_map(|rest| SecretName::parse(rest.split_once(CLOSE)?.0).ok())
}

/// Where values come from.
pub trait SecretSource: Send + Sync {
    /// Returns the values of these secrets; those that are not kept are left out.
    ///
    /// # Errors
    /// They cannot be read.
    fn values(&self, names: &BTreeSet<SecretName>) -> Result<BTreeMap<SecretName, SecretString>, Fault>;
}

impl SecretSource for Secrets {
    fn values(&self, names: &BTreeSet<SecretName>) -> Result<BTreeMap<SecretName, SecretString>, Fault> {
        Self::values(self, names.iter().cloned()).map_err(|error| fault(&error))
    }
}

/// No secrets at all.
#[derive(Clone, Copy, Debug)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn values(&self, _: &BTreeSet<SecretName>) -> Result<BTreeMap<SecretName, SecretString>, Fault> {
        Ok(BTreeMap::new())
    }
}

/// Says why secrets cannot be read or kept.
#[must_use]
pub fn fault(error: &SecretError) -> Fault {
    let fault = Fault::new(Code::SecretsUnusable, error.to_string());
    match error {
        SecretError::NoPassphrase => fault.hint("set the variable TOOLCRIB_PASSPHRASE"),
        SecretError::Keyring(_) => fault.hint("use the encrypted file instead: toolcrib secret set NAME --store file"),
        SecretError::Store(_)
        | SecretError::Malformed(_)
        | SecretError::WrongKey
        | SecretError::NoKeyFile(_)
        | SecretError::OpenKeyFile(_)
        | SecretError::Size
        | SecretError::Randomness => fault.hint("toolcrib explain TC0304"),
    }
}

/// A server's source with values in it.
#[derive(Debug)]
pub struct Bound {
    pub source: Source,
    /// What tells these values from others; only worth something inside this process.
    pub mark: Mark,
    /// The values themselves, to be kept out of failures and logs.
    pub values: Redaction,
}

/// A keyed hash of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(Option<blake3::Hash>);

impl CompiledServer {
    /// Returns the secrets the server needs, by name, with the variables and headers that they go into.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<SecretName, Vec<String>> {
        let mut found: BTreeMap<SecretName, Vec<String>> = BTreeMap::new();
        let pairs: &[(String, String)] = match &self.source {
            Source::Command { env, .. } => env,
            Source::Package(package) => &package.env,
            Source::Url { headers, .. } => headers,
            Source::Builtin(_) => &[],
        };
        for (place, text) in pairs {
            for name in names(text) {
                found.entry(name).or_default().push(place.clone());
            }
        }
        found
    }

    /// Puts values in the place of secrets.
    ///
    /// # Errors
    /// TC0302 where one has no value, or a variable has none; TC0304 where they cannot be read.
    pub fn bind(&self, secrets: &dyn SecretSource) -> Result<Bound, Fault> {
        if let Some(missing) = &self.missing {
            let fault =
                Fault::new(Code::SecretMissing, format!("`{}` needs a value that is not there", self.slug)).because(&missing.message);
            return Err(match &missing.hint {
                Some(hint) => fault.hint(hint),
                None => fault,
            });
        }
        let wanted: BTreeSet<SecretName> = self.secrets().into_keys().collect();
        if wanted.is_empty() {
            return Ok(Bound { source: self.source.clone(), mark: Mark::default(), values: Redaction::default() });
        }
        let values = secrets.values(&wanted)?;
        if let Some(missing) = wanted.iter().find(|name| !values.contains_key(name)) {
            return Err(self.lacks(missing));
        }
        let mut source = self.source.clone();
        match &mut source {
            Source::Command { env: pairs, .. } | Source::Url { headers: pairs, .. } => {
                for (_, text) in pairs.iter_mut() {
                    *text = filled(text, &values);
                }
            }
            Source::Package(package) => {
                for (_, text) in &mut package.env {
                    *text = filled(text, &values);
                }
            }
            Source::Builtin(_) => {}
        }
        if let Source::Url { headers, .. } = &source
            && let Some((name, _)) = headers.iter().find(|(_, value)| http::HeaderValue::try_from(value).is_err())
        {
            let message = format!("a secret of `{}` holds what the header `{name}` cannot carry", self.slug);
            return Err(Fault::new(Code::SecretsUnusable, message).hint("set it anew, without line breaks: toolcrib secret set NAME"));
        }
        Ok(Bound { source, mark: Mark::of(&values), values: Redaction::new(values.into_values()) })
    }

    /// Says what a server needs, in the words of whoever asked for it.
    fn lacks(&self, missing: &SecretName) -> Fault {
        match self.inputs.iter().find(|input| input.secret == *missing) {
            Some(input) => {
                Fault::new(Code::SecretMissing, format!("`{}` needs the input {}", self.slug, input.title())).hint(input.remedy())
            }
            None => {
                let message = format!("`{}` needs the secret {missing}", self.slug);
                Fault::new(Code::SecretMissing, message).hint(format!("toolcrib secret set {missing}"))
            }
        }
    }
}

impl Compiled {
    /// Returns every secret the configuration refers to, and by whom: `server.VARIABLE`, or `key NAME`.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<SecretName, Vec<String>> {
        let mut found: BTreeMap<SecretName, Vec<String>> = BTreeMap::new();
        for server in &self.servers {
            for (name, places) in server.secrets() {
                found.entry(name).or_default().extend(places.into_iter().map(|place| format!("{}.{place}", server.slug)));
            }
        }
        for key in &self.keys {
            for name in names(key.secret.expose_secret()) {
                found.entry(name).or_default().push(format!("key {}", key.name));
            }
        }
        found
    }
}

/// Puts values in the place of secrets in a text of the configuration.
///
/// # Errors
/// TC0302 where one has no value, TC0304 where they cannot be read. `what` says who needs it.
pub fn filled_text(text: &SecretString, what: &str, secrets: &dyn SecretSource) -> Result<SecretString, Fault> {
    let wanted: BTreeSet<SecretName> = names(text.expose_secret()).collect();
    if wanted.is_empty() {
        return Ok(text.clone());
    }
    let values = secrets.values(&wanted)?;
    match wanted.iter().find(|name| !values.contains_key(name)) {
        Some(missing) => {
            let message = format!("{what} needs the secret {missing}");
            Err(Fault::new(Code::SecretMissing, message).hint(format!("toolcrib secret set {missing}")))
        }
        None => Ok(SecretString::from(filled(text.expose_secret(), &values))),
    }
}

fn filled(text: &str, values: &BTreeMap<SecretName, SecretString>) -> String {
    let mut parts = text.split(OPEN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(CLOSE).unwrap_or(("", part));
        let value = SecretName::parse(name).ok().and_then(|name| values.get(&name));
        out.push_str(value.map_or("", |value| value.expose_secret()));
        out.push_str(rest);
    }
    out
}

impl Mark {
    fn of(values: &BTreeMap<SecretName, SecretString>) -> Self {
        static KEY: std::sync::LazyLock<[u8; 32]> = std::sync::LazyLock::new(|| {
            let mut key = [0; 32];
            crib_model::Entropy::fill(&crate::Machine, &mut key);
            key
        });
        let mut hasher = blake3::Hasher::new_keyed(&KEY);
        for (name, value) in values {
            for part in [name.as_str(), value.expose_secret()] {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
            }
        }
        Self(Some(hasher.finalize()))
    }
}

/// A server whose secrets are taken out of what goes wrong with it: a program that dies may print what it was given.
pub struct Discreet {
    upstream: Arc<dyn Upstream>,
    values: Redaction,
}

impl std::fmt::Debug for Discreet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Discreet")
    }
}

impl Bound {
    /// Puts a server behind a guard that keeps its secrets out of failures; one without secrets stays as it is.
    #[must_use]
    pub fn guard(values: &Redaction, upstream: Arc<dyn Upstream>) -> Arc<dyn Upstream> {
        if values.is_empty() { upstream } else { Arc::new(Discreet { upstream, values: values.clone() }) }
    }
}

impl Upstream for Discreet {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let (answer, values) = (self.upstream.call(forward), self.values.clone());
        Box::pin(async move {
            match answer.await {
                Ok(Reply::Stream(steps)) => Ok(Reply::Stream(Box::pin(steps.map(move |step| match step {
                    Step::Done(Err(fault)) => Step::Done(Err(values.fault(&fault))),
                    Step::Done(Ok(_)) | Step::Event(_) => step,
                })))),
                Ok(done) => Ok(done),
                Err(fault) => Err(values.fault(&fault)),
            }
        })
    }

    fn timeout(&self) -> Option<std::time::Duration> {
        self.upstream.timeout()
    }

    fn health(&self) -> Health {
        let mut health = self.upstream.health();
        health.fault = health.fault.map(|fault| self.values.fault(&fault));
        health
    }

    fn pids(&self) -> Vec<u32> {
        self.upstream.pids()
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        self.upstream.woken()
    }

    fn rest(&self) -> BoxFuture<'static, ()> {
        self.upstream.rest()
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.upstream.close()
    }
}

/// A server that cannot be reached for a reason that is known: it says so to every call.
#[derive(Clone, Debug)]
pub struct Unready(pub Fault);

impl Upstream for Unready {
    fn call(&self, _: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let fault = self.0.clone();
        Box::pin(async { Err(fault) })
    }

    fn health(&self) -> Health {
        Health { state: "failed", fault: Some(self.0.clone()), ..Health::default() }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Fixed, compile};

    struct Given(&'static [(&'static str, &'static str)]);

    impl SecretSource for Given {
        fn values(&self, names: &BTreeSet<SecretName>) -> Result<BTreeMap<SecretName, SecretString>, Fault> {
            let given = self.0.iter().map(|(name, value)| (SecretName::parse(name).unwrap(), SecretString::from(*value)));
            Ok(given.filter(|(name, _)| names.contains(name)).collect())
        }
    }

    fn compiled(file: &str, text: &str) -> Result<Compiled, String> {
        compile(&[PathBuf::from(file)], &Fixed::new("/srv").file(file, text).with("HOME", "/home/me"))
            .map_err(|problems| problems.iter().map(crate::Problem::summary).collect())
    }

    #[test]
    fn values_go_into_the_variables_and_headers_that_name_them_and_nowhere_else() {
        let text = "servers:\n  a: { command: x, env: { TOKEN: \"${secret:GH}\", MODE: plain, BOTH: \"${secret:GH}:${secret:PW}\" } }\n  \
                    b: { url: \"https://b.example/mcp\", headers: { Authorization: \"Bearer ${secret:GH}\" } }\n";
        let compiled = compiled("a.yaml", text).unwrap();
        let shown = format!("{compiled:?}");
        let secrets = Given(&[("GH", "canary-1"), ("PW", "canary-2"), ("ZZ", "canary-3")]);
        let [a, b] = compiled.servers.as_slice() else { panic!("two servers") };
        let bound = a.bind(&secrets).unwrap();
        let Source::Command { env, .. } = &bound.source else { panic!("a command") };
        let of = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((of("TOKEN"), of("MODE"), of("BOTH")), (Some("canary-1"), Some("plain"), Some("canary-1:canary-2")));
        assert!(env.iter().all(|(_, value)| !value.contains("canary-3")));
        let Source::Url { headers, .. } = b.bind(&secrets).unwrap().source else { panic!("a url") };
        assert_eq!(headers, [("Authorization".to_owned(), "Bearer canary-1".to_owned())]);
        assert!(!shown.contains("canary") && !format!("{bound:?}").contains("canary"));
        let used = compiled.secrets();
        assert_eq!(used[&SecretName::parse("GH").unwrap()], ["a.BOTH", "a.TOKEN", "b.Authorization"]);
    }

    #[test]
    fn a_secret_without_a_value_is_said_with_what_to_do() {
        let compiled = compiled("a.yaml", "servers: { gh: { command: x, env: { T: \"${secret:GH}\" } } }").unwrap();
        let fault = compiled.servers[0].bind(&NoSecrets).unwrap_err();
        assert_eq!(
            (fault.code(), fault.message(), fault.remedy()),
            (Code::SecretMissing, "`gh` needs the secret GH", Some("toolcrib secret set GH"))
        );
    }

    #[test]
    fn another_value_is_another_connector() {
        let compiled = compiled("a.yaml", "servers: { gh: { command: x, env: { T: \"${secret:GH}\" } } }").unwrap();
        let mark = |value| compiled.servers[0].bind(&Given(value)).unwrap().mark;
        assert_eq!(mark(&[("GH", "1")]), mark(&[("GH", "1")]));
        assert_ne!(mark(&[("GH", "1")]), mark(&[("GH", "2")]));
    }

    #[test]
    fn secrets_are_refused_where_others_could_read_them() {
        for (text, says) in [
            ("servers: { a: { command: x, args: [\"--token=${secret:GH}\"] } }", "everybody on this machine can read"),
            ("servers: { a: { url: \"https://x.example/?k=${secret:GH}\" } }", "addresses are shown and logged"),
            ("gateway: { accessLog: \"${secret:GH}\" }\nservers: {}", "not the place for a secret"),
            ("servers: { a: { command: x, env: { T: \"${secret:A B}\" } } }", "the name of a secret has"),
            ("servers: { a: { command: x, env: { T: \"\u{FDD0}GH\u{FDD1}\" } } }", "is no character"),
        ] {
            let error = compiled("a.yaml", text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn files_of_other_programs_may_refer_to_secrets_too() {
        let text = r#"{ "mcpServers": { "gh": { "command": "npx", "env": { "T": "${secret:GH}", "U": "$${secret:GH}" } } } }"#;
        let compiled = compiled("mcp.json", text).unwrap();
        let bound = compiled.servers[0].bind(&Given(&[("GH", "v")])).unwrap();
        let Source::Command { env, .. } = bound.source else { panic!("a command") };
        assert!(env.contains(&("T".to_owned(), "v".to_owned())) && env.contains(&("U".to_owned(), "${secret:GH}".to_owned())));
    }

    #[test]
    fn a_key_of_the_gateway_may_be_a_secret() {
        let compiled = compiled("a.yaml", "servers: {}\nkeys: [{ name: me, secret: \"${secret:KEY}\" }]").unwrap();
        let text = filled_text(&compiled.keys[0].secret, "the key `me`", &Given(&[("KEY", "0123456789abcdef")])).unwrap();
        assert_eq!(text.expose_secret(), "0123456789abcdef");
        assert_eq!(filled_text(&compiled.keys[0].secret, "the key `me`", &NoSecrets).unwrap_err().code(), Code::SecretMissing);
    }
}
