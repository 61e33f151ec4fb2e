//! What the types cannot say: settings that contradict each other or make no sense.

pub(super) mod address;
pub(super) mod cluster;
pub(super) mod key;

use std::sync::Arc;

use crate::config::{Auth, Config};
use crate::problem::{File, Problem};
use crate::tree::Node;

/// Smallest bound for a body; a handshake needs some hundred bytes.
const BODY_BYTES_MIN: u64 = 1024;

/// Paths that have a meaning already.
const PAGES: [&str; 6] = ["/mcp", "/v1", "/healthz", "/readyz", "/openapi.json", "/.well-known"];

fn is_below(path: &str, page: &str) -> bool {
    path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Checks the settings of the gateway as a whole.
pub(super) fn gateway(config: &Config, servers: usize, file: &Arc<File>, root: &Node) -> Vec<Problem> {
    let complaints = [auth(config), tool_names(config, servers), numbers(config), observability(config)];
    let problem = |Complaint(path, label, hint)| Problem::at(file, root.locate(&path), label).hint(hint);
    let mut problems: Vec<Problem> = complaints.into_iter().flatten().map(problem).collect();
    problems.extend(who_calls(config, file, root));
    problems
}

/// Checks the names clients and web pages call the gateway by; what cannot be one would be compared in vain.
fn who_calls(config: &Config, file: &Arc<File>, root: &Node) -> Vec<Problem> {
    type Check = fn(&str) -> Result<(), address::Wrong>;
    let gateway = &config.gateway;
    let lists: [(&str, &[String], Check); 2] =
        [("allowedHosts", &gateway.allowed_hosts, address::host), ("allowedOrigins", &gateway.allowed_origins, address::origin)];
    let mut problems = Vec::new();
    for (member, texts, check) in lists {
        for (at, text) in texts.iter().enumerate() {
            let Err(address::Wrong { label, hint }) = check(text) else { continue };
            let problem = Problem::at(file, root.locate(&["gateway", member, &at.to_string()]), label);
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        }
    }
    problems
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
    if gateway.body_bytes_max < BODY_BYTES_MIN {
        let label = format!("no request fits into less than {BODY_BYTES_MIN} bytes");
        return Some(Complaint(["gateway", "bodyBytesMax"], label, "bodyBytesMax: 16777216 is the default"));
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
    if let Some(page) = PAGES.iter().find(|page| is_below(&settings.metrics, page)) {
        let label = format!("`{page}` is another page of the gateway");
        return Some(Complaint(["observability", "metrics"], label, "metrics: /metrics, or metrics: off"));
    }
    if !settings.otlp.is_empty()
        && let Err(address::Wrong { label, hint }) = address::called(&settings.otlp)
    {
        return Some(Complaint(["observability", "otlp"], label, hint.unwrap_or("otlp: http://localhost:4318")));
    }
    None
}
