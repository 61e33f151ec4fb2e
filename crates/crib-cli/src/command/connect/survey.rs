//! Which clients are here, and what their files say about us.

use std::path::{Path, PathBuf};

use crib_clients::{Client, Edit, Place, Places, Scope, Spot, Support, Value};
use crib_control::Problem;
use crib_model::Code;

use super::file::{self, Found};
use crate::failure::Failure;
use crate::places::{program, shown};

/// A client on this machine.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) client: &'static Client,
    pub(crate) is_installed: bool,
    /// The file entries go to; none where the client has no such scope.
    pub(crate) path: Option<PathBuf>,
}

/// What a file says about us.
#[derive(Debug)]
pub(crate) enum State {
    /// There is no file, or no entry in it.
    Apart,
    /// Our entry, as it should be.
    Connected,
    /// An entry of our name that leads elsewhere.
    Elsewhere(Value),
    /// Another entry leads to us already.
    Known(String),
    /// The file cannot be read.
    Broken(Failure),
}

/// Looks for a client.
pub(crate) fn look(client: &'static Client, scope: Scope, places: &Places) -> Seen {
    let files = client.files(scope, places);
    let path = files.iter().find(|path| path.symlink_metadata().is_ok()).or_else(|| files.first()).cloned();
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    let mut user = client.files(Scope::User, places);
    // `~/.claude.json` is a sign of its own; `~/.gemini` is also where Antigravity lives.
    user.retain(is_there);
    let is_installed = client.support != Support::Print
        && (client.directories(places).iter().any(|path| path.is_dir())
            || (client.is_shown_by_its_file() && !user.is_empty())
            || client.programs().iter().any(|name| program(name).is_some()));
    Seen { client, is_installed, path }
}

/// What our entry should be in a client's file, and where.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value,
    /// The URL of the gateway, by which other entries are known to lead to us.
    pub(crate) endpoint: &'a str,
}

impl Seen {
    pub(super) fn read(&self, places: &Places) -> Result<Option<Found>, Failure> {
        let Some(path) = &self.path else { return Ok(None) };
        file::read(path, places)
    }

    /// Returns what the file says about us.
    pub(crate) fn state(&self, wanted: &Wanted<'_>, places: &Places) -> State {
        let text = match self.read(places).and_then(|found| found.map(|found| self.text(&found, places)).transpose()) {
            Ok(Some(text)) => text,
            Ok(None) => return State::Apart,
            Err(failure) => return State::Broken(failure),
        };
        let spot = self.spot(&text, wanted.name);
        match crib_clients::upsert(&text, spot, &wanted.value) {
            Ok(Edit { splice: None, .. }) => return State::Connected,
            Ok(_) => {}
            Err(refusal) => return State::Broken(broken(self, &text, &refusal, places)),
        }
        let entries = crib_clients::entries(&text, spot.language, spot.place).unwrap_or_default();
        match entries.iter().find(|(name, _)| name == wanted.name) {
            Some((_, entry)) => State::Elsewhere(entry.clone()),
            None => match entries.iter().find(|(_, entry)| leads_to(entry, wanted.endpoint)) {
                Some((name, _)) => State::Known(name.clone()),
                None => State::Apart,
            },
        }
    }

    /// Reads the bytes as text.
    pub(super) fn text(&self, found: &Found, places: &Places) -> Result<String, Failure> {
        let text = crib_clients::decode(&found.bytes).map_err(|refusal| {
            let readable = String::from_utf8_lossy(&found.bytes);
            broken(self, &readable, &refusal, places)
        });
        text.map(str::to_owned)
    }

    pub(super) fn spot<'a>(&self, text: &str, name: &'a str) -> Spot<'a> {
        Spot { language: self.client.language, place: self.client.place_in(text), name }
    }

    pub(crate) fn shown(&self, places: &Places) -> String {
        self.path.as_deref().map(|path| shown(path, places)).unwrap_or_default()
    }
}

/// A file that cannot be read or changed, with its place.
pub(super) fn broken(seen: &Seen, text: &str, refusal: &crib_clients::Refusal, places: &Places) -> Failure {
    let path = seen.path.as_deref().unwrap_or_else(|| Path::new(""));
    let file = crib_control::File { path: PathBuf::from(shown(path, places)), text: text.to_owned() };
    let mut problem = Problem::at(&std::sync::Arc::new(file), refusal.span.clone(), refusal.message.clone());
    problem.code = Code::ClientFileBroken;
    problem.message = format!("cannot read {}", shown(path, places));
    problem.hint =
        Some(format!("nothing was changed; mend the file, or put the entry in by hand: toolcrib connect {} --print", seen.client.id));
    Failure::problems(&[problem])
}

/// Returns where an entry leads, for people. What stands in a URL for programs alone may be a secret.
pub(super) fn target(entry: &Value) -> String {
    let text = |name: &&str| entry.member(name).and_then(Value::as_text).map(str::to_owned);
    if let Some(url) = URLS.iter().find_map(text) {
        let plain = url.split(['?', '#']).next().unwrap_or_default();
        return match plain.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
                format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
            }
            None => plain.to_owned(),
        };
    }
    match entry.member("command").or_else(|| entry.member("cmd")) {
        Some(Value::Text(command)) => command.clone(),
        Some(Value::List(words)) => words.iter().filter_map(Value::as_text).collect::<Vec<_>>().join(" "),
        _ => "something else".to_owned(),
    }
}

const URLS: &[&str] = &["url", "httpUrl", "serverUrl", "uri", "baseUrl", "base_url", "server_url"];

/// Returns whether an entry reaches the gateway, whatever the loopback address is called.
pub(super) fn leads_to(entry: &Value, endpoint: &str) -> bool {
    let plain = |url: &str| url.trim_end_matches('/').replace("//localhost:", "//127.0.0.1:").replace("//[::1]:", "//127.0.0.1:");
    URLS.iter().filter_map(|name| entry.member(name)?.as_text()).any(|url| plain(url) == plain(endpoint))
}

/// Returns the command line of an entry.
pub(super) fn command_line(entry: &Value) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for name in ["command", "cmd", "args"] {
        match entry.member(name) {
            Some(Value::Text(word)) => words.push(word),
            Some(Value::List(list)) => words.extend(list.iter().filter_map(Value::as_text)),
            _ => {}
        }
    }
    words
}

/// Returns whether an entry starts this program as a gateway.
pub(super) fn starts_us(entry: &Value) -> bool {
    let words = command_line(entry);
    let program = words.first().and_then(|word| Path::new(word).file_stem()).map(|stem| stem.to_string_lossy().to_ascii_lowercase());
    program.as_deref() == Some("toolcrib") && words.get(1) == Some(&"serve")
}

/// Returns where the entries of a configuration of ours stand.
pub(in crate::command) const OUR_SERVERS: Place = Place::Map(&["servers"]);
