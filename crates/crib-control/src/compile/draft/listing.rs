//! Servers out of a catalogue: those that were chosen, and no others.

use std::path::Path;
use std::sync::Arc;

use super::{Draft, Entry};
use crate::dialect::listing::{self, Kind, Listed};
use crate::problem::{File, Problem};
use crate::tree::{self, Language, Node, Value};

/// Names that are shown of a catalogue.
const SHOWN_MAX: usize = 12;

impl Draft<'_> {
    pub(super) fn listing(&mut self, file: &Arc<File>, path: &Path, root: &Node, kind: Kind) {
        let start = root.span.start..root.span.start;
        if kind == Kind::DockerEnabled {
            let problem = Problem::at(file, start, "these are the names of servers, and not what they are");
            return self
                .problems
                .push(problem.hint("name the catalogue instead: toolcrib serve -c catalog.yaml; this file is found beside it"));
        }
        let listed = listing::listed(root, kind);
        self.listed.extend(listed.iter().map(|listed| listed.name.to_owned()));
        let enabled = if kind == Kind::Docker { self.beside(path, "registry.yaml").map(|root| enabled(&root)) } else { None };
        let chosen: Vec<&Listed<'_>> = if !self.only.is_empty() {
            listed.iter().filter(|listed| self.only.iter().any(|name| name == listed.name)).collect()
        } else if let Some(enabled) = enabled {
            listed.iter().filter(|listed| enabled.iter().any(|name| name == listed.name)).collect()
        } else if listed.len() == 1 {
            listed.iter().collect()
        } else {
            let problem = Problem::at(file, start, format!("this is a catalogue of {} servers, and none of them is chosen", listed.len()));
            return self.problems.push(problem.hint(how_to_choose(&listed)));
        };
        let settings = if kind == Kind::Docker { self.beside(path, "config.yaml") } else { None };
        let settings = settings.unwrap_or(Node { value: Value::Null, span: 0..0 });
        for listed in chosen {
            let (name, key, node) = (listed.name.to_owned(), listed.key.clone(), listed.node.clone());
            match listing::server(listed, kind, &settings, self.world) {
                Ok((server, missing)) => {
                    let (file, named) = (Arc::clone(file), self.named.clone());
                    self.add(Entry { name, server, file, named, key, node, is_foreign: true, missing, inputs: Vec::new() });
                }
                Err((span, why)) => self.warnings.push(Problem::at(file, span, format!("`{name}` is left out: {why}"))),
            }
        }
    }

    /// Reads a file that Docker keeps beside its catalogue, or above the folder of its catalogues.
    fn beside(&mut self, path: &Path, name: &str) -> Option<Node> {
        let folder = path.parent()?;
        let above = folder.parent().filter(|_| folder.ends_with("catalogs"));
        let found = [Some(folder), above].into_iter().flatten().map(|folder| folder.join(name));
        let (path, text) = found.filter_map(|path| self.world.read(&path).ok().map(|text| (path, text))).next()?;
        self.files.push(path.clone());
        match tree::parse(&text, Language::Yaml) {
            Ok(root) => Some(root),
            Err(error) => {
                self.problems.push(Problem::syntax(&Arc::new(File { path, text }), error));
                None
            }
        }
    }

    /// Says which of the names that were asked for is nobody's.
    pub(super) fn unknown(&self, known: &[String]) -> Vec<Problem> {
        let is_known = |name: &&String| !self.listed.contains(name) && !known.contains(name);
        let unknown = self.only.iter().filter(is_known);
        let problem = |name: &String| {
            let problem = Problem::new(crib_model::Code::UnknownTarget, format!("there is no server `{name}`"));
            let all = || self.listed.iter().chain(known).map(String::as_str);
            match crate::nearest(name, all()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("servers: {}", all().take(SHOWN_MAX).collect::<Vec<_>>().join(", "))),
            }
        };
        unknown.map(problem).collect()
    }
}

/// The names in Docker's `registry.yaml`.
fn enabled(root: &Node) -> Vec<String> {
    let named = root.get("registry").and_then(Node::as_map).unwrap_or_default().iter().map(|(key, _)| key.name.clone());
    let listed = root.get("servers").and_then(Node::as_list).unwrap_or_default().iter().filter_map(Node::as_text).map(str::to_owned);
    named.chain(listed).collect()
}

fn how_to_choose(listed: &[Listed<'_>]) -> String {
    let names: Vec<&str> = listed.iter().take(SHOWN_MAX).map(|listed| listed.name).collect();
    let more = listed.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0).map(|more| format!(" and {more} more")).unwrap_or_default();
    let first = names.first().copied().unwrap_or("NAME");
    format!("choose: --only {first}   (several: --only A,B)\nthere are {}{more}", names.join(", "))
}
