//! What the types cannot say: settings that contradict each other or make no sense.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::config::{Auth, Config, Key};
use crate::problem::{File, Problem};
use crate::tree::Node;

/// Shortest API key; shorter ones can be guessed.
const KEY_LEN_MIN: usize = 16;

/// Checks one API key.
pub(super) fn key(key: &Key, at: usize, file: &Arc<File>, root: &Node) -> Option<Problem> {
    let place = |member| root.locate(&["keys", &at.to_string(), member]);
    let secret = key.secret.expose_secret();
    if crate::secrets::is_marked(secret) {
        // Looked at when its value is known.
        return key.name.trim().is_empty().then(|| Problem::at(file, place("name"), "a key needs a name"));
    }
    if secret.len() < KEY_LEN_MIN {
        let problem = Problem::at(file, place("secret"), format!("a key has at least {KEY_LEN_MIN} characters"));
        return Some(problem.hint("make one: openssl rand -hex 32"));
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(Problem::at(file, place("secret"), "a key has only visible ASCII characters: it travels in a header"));
    }
    key.name.trim().is_empty().then(|| Problem::at(file, place("name"), "a key needs a name"))
}

/// Checks the settings of the gateway as a whole.
pub(super) fn gateway(config: &Config, servers: usize, file: &Arc<File>, root: &Node) -> Vec<Problem> {
    let complaints = [auth(config), tool_names(config, servers), numbers(config), observability(config)];
    let problem = |Complaint(path, label, hint)| Problem::at(file, root.locate(&path), label).hint(hint);
    complaints.into_iter().flatten().map(problem).collect()
}

/// Section and member, what is wrong, what to do.
struct Complaint([&'static str; 2], String, &'static str);

fn auth(config: &Config) -> Option<Complaint> {
    let place = ["gateway", "auth"];
    match config.gateway.auth {
        Auth::Keys if config.keys.is_empty() => {
            Some(Complaint(place, "there are no keys".to_owned(), "add one: keys: [{ name: me, secret: \"${env:MY_KEY}\" }]"))
        }
        Auth::None if !config.keys.is_empty() => {
            let label = "there are keys, but nobody would have to show one".to_owned();
            Some(Complaint(place, label, "remove `auth: none`, or the `keys`"))
        }
        Auth::Keys | Auth::None | Auth::Auto => None,
    }
}

fn tool_names(config: &Config, servers: usize) -> Option<Complaint> {
    let place = ["gateway", "toolNames"];
    let template = &config.gateway.tool_names;
    let hint = "examples: \"{server}__{tool}\", \"{server}.{tool}\", \"{tool}\"";
    if let Err(error) = crib_registry::Template::parse(template) {
        return Some(Complaint(place, error.to_string(), hint));
    }
    if !template.contains("{server}") && servers > 1 {
        let label = format!("names without `{{server}}` need a single server, and there are {servers}");
        return Some(Complaint(place, label, "use \"{server}__{tool}\""));
    }
    None
}

fn numbers(config: &Config) -> Option<Complaint> {
    let gateway = &config.gateway;
    if gateway.page_size == 0 {
        return Some(Complaint(["gateway", "pageSize"], "a page has at least one entry".to_owned(), "pageSize: 1000 is the default"));
    }
    None
}

fn observability(config: &Config) -> Option<Complaint> {
    let settings = &config.observability;
    if !(0.0..=1.0).contains(&settings.sample_ratio) {
        let label = "a share lies between 0 and 1".to_owned();
        return Some(Complaint(["observability", "sampleRatio"], label, "sampleRatio: 0.01 sends one trace in a hundred"));
    }
    if settings.metrics != "off" && !settings.metrics.starts_with('/') {
        return Some(Complaint(["observability", "metrics"], "a path starts with `/`".to_owned(), "metrics: /metrics, or metrics: off"));
    }
    if !settings.otlp.is_empty() && !settings.otlp.starts_with("http://") && !settings.otlp.starts_with("https://") {
        let label = "not an http:// or https:// address".to_owned();
        return Some(Complaint(["observability", "otlp"], label, "otlp: http://localhost:4318"));
    }
    None
}
