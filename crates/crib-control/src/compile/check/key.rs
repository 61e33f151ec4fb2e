//! API keys and what they may use.

use std::sync::Arc;

use crib_model::Fault;
use crib_policy::{KeySecret, KeySpec, Keys, RuleSet, RuleSpec};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::Key;
use crate::problem::{File, Problem};
use crate::secrets;
use crate::tree::{Node, Span};

/// Shortest API key; shorter ones can be guessed.
const KEY_LEN_MIN: usize = 16;

/// What stands in front of a pattern that is not about tools.
const KINDS: [&str; 3] = ["tool:", "prompt:", "resource:"];

/// The keys of one file, each with its place.
pub(in crate::compile) struct Listed<'a> {
    pub(in crate::compile) file: &'a Arc<File>,
    pub(in crate::compile) root: &'a Node,
}

/// A pattern of a key that has to name a server there is.
pub(in crate::compile) struct Pattern {
    file: Arc<File>,
    span: Span,
    text: String,
}

impl Listed<'_> {
    fn place(&self, at: usize, member: &str) -> Span {
        self.root.locate(&["keys", &at.to_string(), member])
    }

    fn at(&self, span: Span, fault: &Fault) -> Problem {
        let problem = Problem::at(self.file, span, fault.message());
        match fault.remedy() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    /// Checks a key by itself.
    pub(in crate::compile) fn key(&self, key: &Key, at: usize) -> Option<Problem> {
        if key.name.trim().is_empty() {
            return Some(Problem::at(self.file, self.place(at, "name"), "a key needs a name"));
        }
        let secret = key.secret.expose_secret();
        // A secret is looked at when its value is known.
        let is_known = !secrets::is_marked(secret);
        if is_known && secret.len() < KEY_LEN_MIN {
            let problem = Problem::at(self.file, self.place(at, "secret"), format!("a key has at least {KEY_LEN_MIN} characters"));
            return Some(problem.hint("make one: openssl rand -hex 32"));
        }
        if is_known && !secret.bytes().all(|b| b.is_ascii_graphic()) {
            let label = "a key has only visible ASCII characters: it travels in a header";
            return Some(Problem::at(self.file, self.place(at, "secret"), label));
        }
        if let Err(fault) = built(&[(&key.name, &stand_in(at))]) {
            return Some(self.at(self.place(at, "name"), &fault));
        }
        let fault = if is_known { built(&[(&key.name, &key.secret)]).err()? } else { return None };
        Some(self.at(self.place(at, "secret"), &fault))
    }

    /// Finds a key from before that has the name or the secret of this one.
    pub(in crate::compile) fn twice(&self, key: &Key, at: usize, before: &[Key]) -> Option<Problem> {
        if before.iter().any(|other| other.name == key.name) {
            return Some(Problem::at(self.file, self.place(at, "name"), format!("there is another key named `{}`", key.name)));
        }
        let other = before.iter().find(|other| other.secret.expose_secret() == key.secret.expose_secret())?;
        let label = format!("keys `{}` and `{}` have the same secret", other.name, key.name);
        Some(
            Problem::at(self.file, self.place(at, "secret"), label)
                .hint("whoever calls is known by the secret alone: give each key its own"),
        )
    }

    /// Reads the patterns of a key; those that name a server are returned.
    pub(in crate::compile) fn patterns(&self, key: &Key, at: usize) -> (Vec<Problem>, Vec<Pattern>) {
        let (mut problems, mut patterns) = (Vec::new(), Vec::new());
        for (member, texts) in [("allow", &key.allow), ("deny", &key.deny)] {
            for (number, text) in texts.iter().enumerate() {
                let span = self.root.locate(&["keys", &at.to_string(), member, &number.to_string()]);
                match pattern(text) {
                    Err(fault) => problems.push(self.at(span, &fault)),
                    Ok(()) => patterns.push(Pattern { file: Arc::clone(self.file), span, text: text.clone() }),
                }
            }
        }
        (problems, patterns)
    }
}

impl Pattern {
    /// Warns of a pattern that can never match: no server has that name.
    pub(in crate::compile) fn stray(&self, servers: &[String]) -> Option<Problem> {
        let text = KINDS.iter().find_map(|kind| self.text.strip_prefix(kind)).unwrap_or(&self.text);
        let server = [text.split_once('.'), text.split_once("__")].into_iter().flatten().map(|(server, _)| server);
        let server = server.min_by_key(|server| server.len()).filter(|server| !server.contains('*'))?;
        if servers.is_empty() || servers.iter().any(|name| name.eq_ignore_ascii_case(server)) {
            return None;
        }
        let problem = Problem::at(&self.file, self.span.clone(), format!("there is no server `{server}`"));
        let near = crate::nearest(server, servers.iter().map(String::as_str));
        Some(match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        })
    }
}

/// Reads one pattern over `server.tool`.
pub(in crate::compile) fn pattern(text: &str) -> Result<(), Fault> {
    RuleSet::build(&[&RuleSpec { allow: vec![text.to_owned()], deny: Vec::new() }]).map(drop)
}

/// Makes what the gateway will make of these keys.
fn built(keys: &[(&str, &SecretString)]) -> Result<(), Fault> {
    let spec = |(name, secret): &(&str, &SecretString)| {
        let text = secret.expose_secret();
        let secret =
            if text.starts_with("blake3:") { KeySecret::Digest(text.to_owned()) } else { KeySecret::Plain(SecretString::clone(secret)) };
        KeySpec { name: (*name).to_owned(), secret }
    };
    Keys::build(&keys.iter().map(spec).collect::<Vec<_>>()).map(drop)
}

/// A digest, to look at the name of a key alone.
fn stand_in(at: usize) -> SecretString {
    format!("blake3:{at:064x}").into()
}
